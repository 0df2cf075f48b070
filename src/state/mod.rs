//! The decisions: one connection's state, config apart, in 128 bytes.
//!
//! What may live here: moments, counts, and the rules that read them. Rule numbers are those of the crate's docs.
//! What traffic touches comes first and fills the first 64 bytes. The rules are next door: what happens at an input in
//! `inputs`, what a poll decides in `outputs`, every moment that something falls due in `deadlines`.

mod deadlines;
mod inputs;
#[cfg(feature = "transcript")]
mod next;
mod outputs;

#[cfg(feature = "transcript")]
pub(crate) use self::next::Due;
use crate::config::Config;
use crate::event::{CloseCode, Reason, Status};
use crate::limiter::Limiter;
#[cfg(feature = "transcript")]
use crate::payload::Payload;
use crate::rtt::Estimator;
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(crate) struct State {
    // -- What an event of the peer's or a byte of ours touches.
    /// The latest moment seen. Time inside never runs backwards (rule 12).
    latest: Timestamp,
    /// The latest evidence of life.
    pub(crate) heard_at: Timestamp,
    /// The latest write of ours: bytes, a ping handed out or sent.
    wrote_at: Timestamp,
    /// Silence counts from here: an event of the peer, a resumption, a stall forgiven.
    silent_from: Timestamp,
    /// Idleness counts from here: a data message, a resumption.
    idle_from: Timestamp,
    /// The wait for the ping's answer, and suspicion, count from here: the hand-out, a byte of it written, a resumption.
    clock_from: Timestamp,
    /// Pings handed out; the number of the newest.
    pub(crate) sent: u32,
    /// Every ping up to this number is answered.
    settled: u32,
    flags: Flags,
    stage: Stage,
    ping: Ping,
    noted: Noted,
    pub(crate) heard: Heard,
    verdict: Verdict,
    /// The code that the peer closed with, or that the caller closes with.
    code: u16,
    // -- What only a ping, a pong or an end touches.
    /// When the newest ping was handed out; before the first, when the connection opened.
    pub(crate) pinged_at: Timestamp,
    /// The first sight of the verdict that was noted last, `MAX` for none yet; while the close handshake runs, its start.
    mark: Timestamp,
    seed: u64,
    pub(crate) rtt: Estimator,
    limiter: Limiter,
    pub(crate) answers: u32,
    pub(crate) stalls: u16,
    pub(crate) survived: u16,
}

/// How far a life has come. Each stage is left by handing out one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// No verdict yet.
    Open,
    /// The verdict fell; `MarkOffline` is next.
    Judged,
    /// `Close` is next.
    Closing,
    /// Waiting for the peer to close too; `Disconnect` is next.
    Lingering,
    Finished,
}

/// What the newest ping waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ping {
    /// Nothing: there is none, or evidence came since.
    Idle,
    /// Nothing, for evidence came; but its last byte has not entered the transport, and its round trip begins there.
    Unsent,
    /// Its last byte to enter the transport.
    Writing,
    /// Its answer.
    Answering,
}

impl Ping {
    /// The machine waits, and the peer is late if it waits too long.
    pub(crate) const fn is_awaited(self) -> bool {
        match self {
            Self::Idle | Self::Unsent => false,
            Self::Writing | Self::Answering => true,
        }
    }
}

/// The verdict that waits for its last look (rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Noted {
    Nothing,
    Idle,
    Silence,
    Ping,
}

/// The kind of the latest evidence, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Heard {
    Nothing,
    Data,
    Progress,
    Ping,
    Pong,
}

/// A [`Reason`] whose code is kept beside it: one byte for five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Verdict {
    PingTimeout,
    WriteStalled,
    Silent,
    Idle,
    PingFlood,
    PeerClosed,
    PeerClosedWithCode,
    TransportClosed,
    LocalClosed,
}

/// Eight questions of yes and no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flags(u8);

impl Flags {
    /// `MarkOnline` is to be handed out.
    const ANNOUNCE: u8 = 1;
    /// `MarkSuspect` was handed out, and no evidence came since.
    const SUSPECT: u8 = 1 << 1;
    /// We are not reading (rule 9).
    const PAUSED: u8 = 1 << 2;
    /// Reading was paused since the newest ping: its answer is no sample.
    const PAUSED_SINCE_PING: u8 = 1 << 3;
    /// A ping is due now, whatever the schedule.
    const PROBE: u8 = 1 << 4;
    /// The fresh ping of rule 6 was handed out since the latest evidence.
    const PING_FORGIVEN: u8 = 1 << 5;
    /// A late sight of silence was forgiven since the latest event of the peer.
    const SILENCE_FORGIVEN: u8 = 1 << 6;
    /// The peer closed too, or the transport ended: nothing more to wait for.
    const GONE: u8 = 1 << 7;

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    const fn set(&mut self, flag: u8) {
        self.0 |= flag;
    }

    /// Clears the flag and says whether it was set.
    const fn take(&mut self, flag: u8) -> bool {
        let had = self.has(flag);
        self.0 &= !flag;
        had
    }
}

impl State {
    pub(crate) const fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            latest: now,
            heard_at: now,
            wrote_at: now,
            silent_from: now,
            idle_from: now,
            clock_from: now,
            sent: 0,
            settled: 0,
            flags: Flags(Flags::ANNOUNCE),
            stage: Stage::Open,
            ping: Ping::Idle,
            noted: Noted::Nothing,
            heard: Heard::Nothing,
            verdict: Verdict::LocalClosed,
            code: 0,
            pinged_at: now,
            mark: Timestamp::MAX,
            seed,
            rtt: Estimator::NEW,
            limiter: Limiter::FULL,
            answers: 0,
            stalls: 0,
            survived: 0,
        }
    }

    pub(crate) const fn status(&self) -> Status {
        match self.stage {
            Stage::Open if self.flags.has(Flags::SUSPECT) => Status::Suspect,
            Stage::Open => Status::Online,
            Stage::Judged | Stage::Closing | Stage::Lingering | Stage::Finished => Status::Offline,
        }
    }

    pub(crate) const fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finished)
    }

    /// The phase of the newest ping.
    pub(crate) const fn ping(&self) -> Ping {
        self.ping
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.flags.has(Flags::PAUSED)
    }

    /// The verdict, once there is one.
    pub(crate) const fn verdict(&self) -> Option<Reason> {
        match self.stage {
            Stage::Open => None,
            Stage::Judged | Stage::Closing | Stage::Lingering | Stage::Finished => Some(self.reason()),
        }
    }

    /// The payload of ping `number`, if it was handed out.
    #[cfg(feature = "transcript")]
    pub(crate) fn payload_of(&self, number: u64) -> Option<Payload> {
        (1..=u64::from(self.sent)).contains(&number).then(|| Payload::seal(number, self.seed))
    }

    /// The number of the ping with this payload, if it was handed out.
    #[cfg(feature = "transcript")]
    pub(crate) fn number_of(&self, payload: &[u8]) -> Option<u64> {
        Payload::open(payload, self.seed).filter(|number| (1..=u64::from(self.sent)).contains(number))
    }

    fn advance(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// The verdict that waits for its last look has lost its ground, if it is this one.
    fn forget(&mut self, noted: Noted) {
        if self.noted == noted {
            self.noted = Noted::Nothing;
        }
    }

    const fn judge(&mut self, verdict: Verdict) {
        self.verdict = verdict;
        self.stage = Stage::Judged;
    }

    const fn reason(&self) -> Reason {
        match self.verdict {
            Verdict::PingTimeout => Reason::PingTimeout,
            Verdict::WriteStalled => Reason::WriteStalled,
            Verdict::Silent => Reason::Silent,
            Verdict::Idle => Reason::Idle,
            Verdict::PingFlood => Reason::PingFlood,
            Verdict::PeerClosed => Reason::PeerClosed(None),
            Verdict::PeerClosedWithCode => Reason::PeerClosed(Some(self.code)),
            Verdict::TransportClosed => Reason::TransportClosed,
            Verdict::LocalClosed => Reason::LocalClosed,
        }
    }

    fn close_code(&self, config: &Config) -> Option<CloseCode> {
        match self.verdict {
            Verdict::PingTimeout | Verdict::WriteStalled | Verdict::Silent => Some(config.close_code),
            Verdict::Idle => Some(CloseCode::NORMAL),
            Verdict::PingFlood => Some(CloseCode::POLICY_VIOLATION),
            // RFC 6455 5.5.1: the echo usually carries the code received; one that may not go out was an error.
            Verdict::PeerClosedWithCode => {
                Some(CloseCode::new(self.code).unwrap_or(CloseCode::PROTOCOL_ERROR))
            }
            Verdict::LocalClosed => CloseCode::new(self.code),
            Verdict::PeerClosed | Verdict::TransportClosed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static_assertions::const_assert!(size_of::<State>() <= 128);
    static_assertions::assert_impl_all!(State: Send, Sync, Unpin, Copy);

    #[test]
    fn what_traffic_touches_lies_in_the_first_64_bytes() {
        assert!(core::mem::offset_of!(State, pinged_at) <= 64);
    }
}
