//! The decisions: one connection's state, config apart, in 128 bytes: two cache lines, and so aligned.
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
#[cfg(feature = "alloc")]
pub(crate) use self::outputs::Step;
use core::hash::{Hash, Hasher};

use crate::config::Config;
use crate::event::{CloseCode, Reason, Status};
use crate::limiter::Limiter;
#[cfg(feature = "transcript")]
use crate::payload::Payload;
use crate::rtt::Estimator;
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, align(64))]
pub(crate) struct State {
    // -- What an event of the peer's or a byte of ours touches, and a poll with nothing to do.
    /// The latest moment seen. Time inside never runs backwards (rule 12).
    latest: Timestamp,
    /// The latest evidence of life.
    pub(crate) heard_at: Timestamp,
    /// Silence counts from here or the latest evidence: an event that is none, a resumption, a stall forgiven.
    silent_from: Timestamp,
    /// Idleness counts from here: a data message, a resumption.
    idle_from: Timestamp,
    /// The latest write of ours: bytes, a ping handed out or sent.
    wrote_at: Timestamp,
    /// The wait for the ping's answer, and suspicion, count from here: the hand-out, a byte of it written, a resumption.
    clock_from: Timestamp,
    look_at: Look,
    /// The seed in two halves, for a fleet keeps the generation of a connection in this one.
    seed_low: u32,
    flags: Flags,
    stage: Stage,
    case: Case,
    pub(crate) heard: Heard,
    // -- What only a ping, a pong or an end touches.
    /// When the newest ping was handed out; before the first, when the connection opened.
    pub(crate) pinged_at: Timestamp,
    /// The first sight of the verdict that was noted last, `MAX` for none yet; while the close handshake runs, its start.
    mark: Timestamp,
    limiter: Limiter,
    pub(crate) rtt: Estimator,
    seed_high: u32,
    /// Pings handed out; the number of the newest.
    pub(crate) sent: u32,
    /// Every ping up to this number is answered. After the verdict, when nobody asks, the code that the peer closed with, or
    /// that the caller closes with.
    settled: u32,
    pub(crate) answers: u32,
    pub(crate) stalls: u16,
    pub(crate) survived: u16,
}

/// Before this moment a poll has nothing to do, **whatever traffic comes until then**: at most the next deadline, and not
/// later than any that evidence could bring about. So neither traffic nor a poll in vain computes a deadline. What can make
/// something due at once takes it back to zero, and the next poll looks.
///
/// It is no part of a machine's identity: two that differ only here do the same for ever.
#[derive(Clone, Copy, Debug)]
struct Look(Timestamp);

impl Look {
    const NOW: Self = Self(Timestamp::ZERO);
}

impl PartialEq for Look {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Look {}

impl Hash for Look {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// How far a life has come. From the verdict on, each stage is left by handing out one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// No verdict yet.
    Open(Ping),
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

/// What is held against the peer: nothing, a verdict that waits for its last look (rule 5), or a verdict.
///
/// One byte, and so flat: the codes of [`Reason`] are kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Case {
    Nothing,
    NotedIdle,
    NotedSilence,
    NotedPing,
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

/// The kind of the latest evidence, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Heard {
    Nothing,
    Data,
    Progress,
    Ping,
    Pong,
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

    /// Any of these flags is set.
    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    const fn set(&mut self, flag: u8) {
        self.0 |= flag;
    }

    /// Clears the flag and says whether it was set.
    const fn take(&mut self, flag: u8) -> bool {
        // Nearly always it is not: then nothing is written.
        let had = self.has(flag);
        if had {
            self.0 &= !flag;
        }
        had
    }
}

impl State {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(crate) const fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            latest: now,
            heard_at: now,
            silent_from: now,
            idle_from: now,
            wrote_at: now,
            clock_from: now,
            look_at: Look::NOW,
            seed_low: seed as u32,
            flags: Flags(Flags::ANNOUNCE),
            stage: Stage::Open(Ping::Idle),
            case: Case::Nothing,
            heard: Heard::Nothing,
            pinged_at: now,
            mark: Timestamp::MAX,
            limiter: Limiter::FULL,
            rtt: Estimator::NEW,
            seed_high: (seed >> 32) as u32,
            sent: 0,
            settled: 0,
            answers: 0,
            stalls: 0,
            survived: 0,
        }
    }

    /// Something of both cache lines.
    #[cfg(feature = "alloc")]
    pub(crate) const fn touch(&self) -> u32 {
        self.seed_low ^ self.seed_high
    }

    /// The lower half of the seed.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) const fn tag(&self) -> u32 {
        self.seed_low
    }

    /// Before this moment a poll has nothing to do, whatever traffic comes.
    #[cfg(feature = "alloc")]
    pub(crate) const fn look_at(&self) -> Timestamp {
        self.look_at.0
    }

    /// Something may have fallen due since the last poll.
    #[inline]
    pub(crate) fn is_awake(&self) -> bool {
        self.look_at.0 == Look::NOW.0
    }

    pub(crate) const fn status(&self) -> Status {
        match self.stage {
            Stage::Open(_) if self.flags.has(Flags::SUSPECT) => Status::Suspect,
            Stage::Open(_) => Status::Online,
            Stage::Judged | Stage::Closing | Stage::Lingering | Stage::Finished => Status::Offline,
        }
    }

    pub(crate) const fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finished)
    }

    /// What the newest ping waits for: nothing more, once there is a verdict.
    pub(crate) const fn ping(&self) -> Ping {
        match self.stage {
            Stage::Open(ping) => ping,
            Stage::Judged | Stage::Closing | Stage::Lingering | Stage::Finished => Ping::Idle,
        }
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.flags.has(Flags::PAUSED)
    }

    /// The verdict, once there is one.
    pub(crate) const fn verdict(&self) -> Option<Reason> {
        Some(match self.case {
            Case::Nothing | Case::NotedIdle | Case::NotedSilence | Case::NotedPing => return None,
            Case::PingTimeout => Reason::PingTimeout,
            Case::WriteStalled => Reason::WriteStalled,
            Case::Silent => Reason::Silent,
            Case::Idle => Reason::Idle,
            Case::PingFlood => Reason::PingFlood,
            Case::PeerClosed => Reason::PeerClosed(None),
            Case::PeerClosedWithCode => Reason::PeerClosed(Some(self.code())),
            Case::TransportClosed => Reason::TransportClosed,
            Case::LocalClosed => Reason::LocalClosed,
        })
    }

    /// The payload of ping `number`, if it was handed out.
    #[cfg(feature = "transcript")]
    pub(crate) fn payload_of(&self, number: u64) -> Option<Payload> {
        (1..=u64::from(self.sent)).contains(&number).then(|| Payload::seal(number, self.seed()))
    }

    /// The number of the ping with this payload, if it was handed out.
    #[cfg(feature = "transcript")]
    pub(crate) fn number_of(&self, payload: &[u8]) -> Option<u64> {
        Payload::open(payload, self.seed()).filter(|number| (1..=u64::from(self.sent)).contains(number))
    }

    const fn seed(&self) -> u64 {
        (self.seed_high as u64) << 32 | self.seed_low as u64
    }

    fn advance(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// Something may have fallen due: the next poll looks.
    const fn wake(&mut self) {
        self.look_at = Look::NOW;
    }

    /// The verdict that waits for its last look has lost its ground, if it is this one.
    fn forget(&mut self, noted: Case) {
        if self.case == noted {
            self.case = Case::Nothing;
            self.wake();
        }
    }

    const fn judge(&mut self, verdict: Case) {
        self.case = verdict;
        self.stage = Stage::Judged;
        self.wake();
    }

    #[expect(clippy::cast_possible_truncation, reason = "a code is put there as 16 bits")]
    const fn code(&self) -> u16 {
        self.settled as u16
    }

    fn close_code(&self, config: &Config) -> Option<CloseCode> {
        match self.case {
            Case::PingTimeout | Case::WriteStalled | Case::Silent => Some(config.close_code),
            Case::Idle => Some(CloseCode::NORMAL),
            Case::PingFlood => Some(CloseCode::POLICY_VIOLATION),
            // RFC 6455 5.5.1: the echo usually carries the code received; one that may not go out was an error.
            Case::PeerClosedWithCode => {
                Some(CloseCode::new(self.code()).unwrap_or(CloseCode::PROTOCOL_ERROR))
            }
            Case::LocalClosed => CloseCode::new(self.code()),
            Case::Nothing | Case::NotedIdle | Case::NotedSilence | Case::NotedPing => None,
            Case::PeerClosed | Case::TransportClosed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static_assertions::const_assert_eq!(size_of::<State>(), 128);
    static_assertions::assert_impl_all!(State: Send, Sync, Unpin, Copy);

    #[test]
    fn the_halves_of_a_seed_are_put_together_again() {
        let state = State::new(0x0123_4567_89ab_cdef, Timestamp::ZERO);
        assert_eq!(state.seed(), 0x0123_4567_89ab_cdef);
    }

    #[test]
    fn what_traffic_touches_lies_in_the_first_64_bytes() {
        assert_eq!(core::mem::offset_of!(State, pinged_at), 64);
    }
}
