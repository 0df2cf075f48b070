//! One connection's state and the rules that read it, without its config: 128 bytes, which are two aligned cache lines.
//!
//! Only moments, counts and rules belong here. Rule numbers are those of the crate's docs. The fields that traffic touches
//! fill the first 64 bytes. `inputs` takes events, `commands` takes the caller's commands, `outputs` decides what a poll
//! returns, and `deadlines` computes every deadline.
//!
//! Three clocks are independent of each other: when the next ping is due (rule 1), the writing of the newest ping, and the
//! wait for an answer (rule 4).

mod commands;
mod deadlines;
mod flags;
mod inputs;
#[cfg(feature = "transcript")]
mod next_deadline;
mod outputs;
#[cfg(all(test, feature = "tokio", feature = "tungstenite"))]
mod short_ways;

use self::flags::Flags;
pub(crate) use self::flags::Heard;
#[cfg(feature = "transcript")]
pub(crate) use self::next_deadline::Due;
#[cfg(feature = "alloc")]
pub(crate) use self::outputs::Step;
use crate::config::Config;
use crate::event::{CloseCode, Reason, Status};
use crate::limiter::Limiter;
#[cfg(feature = "transcript")]
use crate::payload::Payload;
use crate::rtt::Estimator;
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct State {
    // -- Fields that an event of the peer, our own write, or a poll with nothing to do touches.
    /// The latest moment seen. Time inside never runs backwards (rule 12).
    latest: Timestamp,
    /// The latest evidence of life.
    pub(crate) heard_at: Timestamp,
    /// Silence counts from here or from the latest evidence, whichever is later: an event that is no evidence, a resumption,
    /// a forgiven stall.
    silent_from: Timestamp,
    /// Idleness counts from here: a data message or a part of one, a resumption.
    idle_from: Timestamp,
    /// Our latest write: bytes, or a ping handed out or sent. The writing of the newest ping counts from here.
    wrote_at: Timestamp,
    /// The wait for an answer counts from here: the writing of the ping that began it, the writing of a probe's ping that
    /// shortened it, or a resumption. Suspicion counts from here too. While there is no such wait, suspicion counts the
    /// writing from here.
    wait_from: Timestamp,
    next_check: NextCheck,
    /// The seed is in two halves, because a fleet keeps the generation of a connection in this one.
    seed_low: u32,
    flags: Flags,
    stage: Stage,
    verdict: Verdict,
    // -- Fields that only a ping, a pong or an end touches.
    /// When the newest ping was handed out; before the first, when the connection opened.
    pub(crate) pinged_at: Timestamp,
    /// When the last look at the noted verdict began; `MAX`: no verdict was noted yet. During the close handshake, its
    /// start.
    noted_at: Timestamp,
    limiter: Limiter,
    pub(crate) rtt: Estimator,
    seed_high: u32,
    /// How many pings were handed out. This is the number of the newest.
    pub(crate) sent: u32,
    /// Every ping up to this number is answered. After the verdict nobody needs that; then this is the code that the peer
    /// closed with, or that the peer is told.
    answered_up_to: u32,
    pub(crate) answers: u32,
    pub(crate) stalls: u16,
    pub(crate) suspicions_survived: u16,
}

/// Before this moment a poll has nothing to do, **whatever traffic comes until then**. It is at most the next deadline, and
/// not later than any deadline that evidence could cause. So neither traffic nor a poll with nothing to do computes a
/// deadline. An input that can make something due at once sets it back to zero, and the next poll checks.
///
/// It is not part of a machine's identity: two machines that differ only here always do the same.
#[derive(Clone, Copy, Debug)]
struct NextCheck(Timestamp);

impl NextCheck {
    const NOW: Self = Self(Timestamp::ZERO);
}

impl PartialEq for NextCheck {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for NextCheck {}

/// The stage of a connection's life. From the verdict on, each action that is handed out ends a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No verdict yet.
    Open(Ping),
    /// The verdict was given; `MarkOffline` is next.
    Judged,
    /// `Close` is next.
    Closing,
    /// Waiting for the peer to close too; `Disconnect` is next.
    Lingering,
    Finished,
}

/// What the machine waits for: the last byte of the newest ping to enter the transport, an answer, both or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ping {
    /// Neither: there is no ping, or evidence came since.
    Idle,
    /// The writing of the newest ping. When it is written, the wait for an answer begins.
    Writing,
    /// The writing of the newest ping. Evidence came since it was handed out, so no wait follows.
    WritingAnswered,
    /// An answer.
    Answering,
    /// An answer to an earlier ping, and the writing of the newest.
    AnsweringAndWriting,
}

impl Ping {
    /// The machine waits for an answer.
    pub(crate) const fn is_answering(self) -> bool {
        matches!(self, Self::Answering | Self::AnsweringAndWriting)
    }

    /// The machine waits for the writing of the newest ping.
    pub(crate) const fn is_writing(self) -> bool {
        matches!(self, Self::Writing | Self::WritingAnswered | Self::AnsweringAndWriting)
    }

    /// Evidence ends the wait for every ping that was handed out before it (rule 3). It does not end the writing.
    const fn after_evidence(self) -> Self {
        if self.is_writing() { Self::WritingAnswered } else { Self::Idle }
    }
}

/// No verdict, a noted verdict that waits for its last look (rule 5), or a verdict.
///
/// It is one byte, so it has no fields: the codes of [`Reason`] are kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    None,
    NotedIdle,
    NotedSilence,
    NotedAnswer,
    NotedWriting,
    PingTimeout,
    WriteStalled,
    Silent,
    Idle,
    PingFlood,
    ProtocolError,
    PeerClosed,
    PeerClosedWithCode,
    TransportClosed,
    LocalClosed,
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
            wait_from: now,
            next_check: NextCheck::NOW,
            seed_low: seed as u32,
            flags: Flags::NEW,
            stage: Stage::Open(Ping::Idle),
            verdict: Verdict::None,
            pinged_at: now,
            noted_at: Timestamp::MAX,
            limiter: Limiter::FULL,
            rtt: Estimator::NEW,
            seed_high: (seed >> 32) as u32,
            sent: 0,
            answered_up_to: 0,
            answers: 0,
            stalls: 0,
            suspicions_survived: 0,
        }
    }

    /// Reads from both cache lines.
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
    pub(crate) const fn next_check(&self) -> Timestamp {
        self.next_check.0
    }

    /// Something may have fallen due since the last poll.
    #[inline]
    pub(crate) fn is_awake(&self) -> bool {
        self.next_check.0 == NextCheck::NOW.0
    }

    /// A fleet keeps separate settings for this connection.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) const fn is_reconfigured(&self) -> bool {
        self.flags.has(Flags::RECONFIGURED)
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn set_reconfigured(&mut self, reconfigured: bool) {
        self.flags.put(Flags::RECONFIGURED, reconfigured);
    }

    /// The kind of the latest evidence.
    pub(crate) const fn heard(&self) -> Heard {
        self.flags.heard()
    }

    /// Since when the machine has waited for an answer, and whether a later ping went out since.
    pub(crate) fn wait(&self) -> (Timestamp, bool) {
        (self.wait_from, self.wait_from < self.pinged_at)
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

    /// What the machine waits for. After the verdict: nothing.
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
        Some(match self.verdict {
            Verdict::None
            | Verdict::NotedIdle
            | Verdict::NotedSilence
            | Verdict::NotedAnswer
            | Verdict::NotedWriting => return None,
            Verdict::PingTimeout => Reason::PingTimeout,
            Verdict::WriteStalled => Reason::WriteStalled,
            Verdict::Silent => Reason::Silent,
            Verdict::Idle => Reason::Idle,
            Verdict::PingFlood => Reason::PingFlood,
            Verdict::ProtocolError => Reason::ProtocolError(self.told_code()),
            Verdict::PeerClosed => Reason::PeerClosed(None),
            Verdict::PeerClosedWithCode => Reason::PeerClosed(Some(self.code())),
            Verdict::TransportClosed => Reason::TransportClosed,
            Verdict::LocalClosed => Reason::LocalClosed,
        })
    }

    /// When the connection opened, if nothing has happened to it since.
    #[cfg(feature = "transcript")]
    pub(crate) fn opening(&self) -> Option<Timestamp> {
        (*self == Self::new(self.seed(), self.latest)).then_some(self.latest)
    }

    #[cfg(any(feature = "transcript", feature = "tungstenite"))]
    pub(crate) const fn latest(&self) -> Timestamp {
        self.latest
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

    pub(crate) const fn seed(&self) -> u64 {
        (self.seed_high as u64) << 32 | self.seed_low as u64
    }

    fn advance(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// Something may have fallen due: the next poll checks.
    const fn wake(&mut self) {
        self.next_check = NextCheck::NOW;
    }

    /// Forgets a noted verdict, if it is this one: new evidence refutes it.
    fn forget(&mut self, noted: Verdict) {
        if self.verdict == noted {
            self.verdict = Verdict::None;
            self.wake();
        }
    }

    const fn judge(&mut self, verdict: Verdict) {
        self.verdict = verdict;
        self.stage = Stage::Judged;
        // From here on this bit means `GONE`.
        self.flags.clear(Flags::SUSPECTED);
        self.wake();
    }

    #[expect(clippy::cast_possible_truncation, reason = "a code is put there as 16 bits")]
    const fn code(&self) -> u16 {
        self.answered_up_to as u16
    }

    /// The code that the peer is told. RFC 6455 5.5.1: the echo usually has the code that came. A code that may not go on
    /// the wire was an error.
    const fn told_code(&self) -> CloseCode {
        match CloseCode::new(self.code()) {
            Some(code) => code,
            None => CloseCode::PROTOCOL_ERROR,
        }
    }

    fn close_code(&self, config: &Config) -> Option<CloseCode> {
        match self.verdict {
            Verdict::PingTimeout | Verdict::WriteStalled | Verdict::Silent => Some(config.close_code),
            Verdict::Idle => Some(CloseCode::NORMAL),
            Verdict::PingFlood => Some(CloseCode::POLICY_VIOLATION),
            Verdict::PeerClosedWithCode | Verdict::ProtocolError | Verdict::LocalClosed => {
                Some(self.told_code())
            }
            Verdict::None
            | Verdict::NotedIdle
            | Verdict::NotedSilence
            | Verdict::NotedAnswer
            | Verdict::NotedWriting
            | Verdict::PeerClosed
            | Verdict::TransportClosed => None,
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
