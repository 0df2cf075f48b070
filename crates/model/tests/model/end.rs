//! An end: machine, driver and watcher; and what travels between two ends.

use liveness::Reason;

use super::plan::Plan;

/// What travels. A ping and its pong carry the real payload. The watchers also see the ping's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Ping(Question),
    Pong(Question),
    Data,
    Close(Option<u16>),
    Fin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) number: u32,
    pub(super) payload: [u8; 8],
}

/// The promises. Each has a property of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Promise {
    Justified,
    Accurate,
    Complete,
    /// Rule 6, by its name in the design: a stalled driver suspects itself first.
    SuspectsItself,
    Once,
    LetGo,
    NoSpin,
    ExactWakeUps,
    BoundedChatter,
    KeptAlive,
}

/// What happened in the latest step. These flags show that the interesting cases do happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct News {
    pub(super) answered: bool,
    pub(super) timed_out: bool,
    pub(super) forgiven: bool,
    pub(super) recovered: bool,
    pub(super) healed: bool,
    /// A ping went out while an earlier one had no answer yet.
    pub(super) overlapped: bool,
    pub(super) pinged_in_a_pause: bool,
    /// A ping timeout came before `timeout` was over, because a probe had shortened the wait.
    pub(super) probed_in_vain: bool,
    /// Evidence came while a ping was being written. Then the ping was written.
    pub(super) written_after_evidence: bool,
    pub(super) write_stalled: bool,
}

/// How far a life has come, by the actions so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Unborn,
    Online,
    Suspect,
    Offline,
    Closing,
    Gone,
}

/// A clock of rule 4, as a watcher keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) from: u64,
    pub(super) length: u64,
    /// The first poll at the clock's end or later.
    pub(super) seen: Option<u64>,
}

impl Clock {
    pub(super) const fn new(from: u64, length: u64) -> Self {
        Self { from, length, seen: None }
    }

    pub(super) const fn end(&self) -> u64 {
        self.from + self.length
    }

    pub(super) fn see(&mut self, now: u64) {
        if now >= self.end() {
            self.seen.get_or_insert(now);
        }
    }

    /// The clock ran out, and the driver has looked twice since, `last_look` apart.
    fn was_looked_at(&self, now: u64, plan: &Plan) -> bool {
        self.seen.is_some_and(|seen| now >= seen + plan.last_look)
    }

    /// Its end was first seen so late that the driver must have stalled.
    fn was_seen_late(&self, plan: &Plan) -> bool {
        self.seen.is_some_and(|seen| seen - self.end() > plan.stall_tolerance)
    }

    /// The clock relative to now. A clock that ended long ago is only over.
    pub(super) fn ages(&self, now: u64, plan: &Plan) -> (u64, u64, Option<(u64, bool)>) {
        let seen = self.seen.map(|seen| ((now - seen).min(plan.last_look), self.was_seen_late(plan)));
        ((now - self.from).min(self.length + 1), self.length, seen)
    }
}

/// The wait for an answer, while nothing has ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) clock: Clock,
    /// An answer was in our input buffer before the wait's end, as `Accurate` assumes.
    pub(super) answered_in_time: bool,
    /// A driver that polls before it reads has polled, and then read, at the end or later. What arrives after that in the
    /// same instant is too late. Ticks cannot tell the two apart, so their order within a tick does.
    pub(super) over: bool,
}

/// The newest ping, until it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unwritten {
    pub(super) question: Question,
    pub(super) clock: Clock,
    /// Evidence came since it was handed out, so no wait begins with it.
    pub(super) refuted: bool,
    pub(super) probe: bool,
}

/// One end: a machine, a driver, and a watcher that knows what the machine is told and what it says.
#[derive(Clone, Debug)]
pub(super) struct End<M> {
    pub(super) machine: M,
    /// What has arrived and is not read.
    pub(super) inbox: Vec<Frame>,
    pub(super) stage: Stage,
    /// The time of the latest evidence, or of the latest byte written if writes are reported; after the verdict, the time
    /// of the verdict.
    pub(super) since: u64,
    /// The most ticks that a poll was late since then.
    pub(super) lateness: u64,
    pub(super) wait: Option<Wait>,
    pub(super) unwritten: Option<Unwritten>,
    /// The time of the latest ping; `None` before the first.
    pub(super) pinged: Option<u64>,
    /// The time of the latest ping, or with Quiet of our latest write; before the first, the opening.
    pub(super) fed: u64,
    /// The ping of rule 6 went out since the latest evidence.
    pub(super) forgiven: bool,
    /// A probe was asked for, and no ping has gone out since.
    pub(super) probing: bool,
    /// For how many ticks the driver has not read; `None` if it reads.
    pub(super) paused: Option<u64>,
    /// Evidence was read since the latest pause, or there was none yet.
    pub(super) may_pause: bool,
    /// For how many ticks the driver has slept although it had work.
    pub(super) stalled: u64,
    pub(super) broken: Option<Promise>,
    pub(super) key: u64,
}

/// One direction of the link.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    pub(super) frames: Vec<Frame>,
    pub(super) cut: bool,
}

impl<M> End<M> {
    /// Evidence of the peer arrives now (rule 3).
    pub(super) fn hear(&mut self, now: u64) {
        (self.since, self.lateness, self.forgiven, self.wait) = (now, 0, false, None);
        self.may_pause = true;
        if let Some(unwritten) = &mut self.unwritten {
            unwritten.refuted = true;
        }
    }

    /// A ping was written now. The wait for an answer may begin with it, and a probe may shorten that wait (rule 4).
    pub(super) fn await_answer(&mut self, probe: bool, now: u64, plan: &Plan) {
        let wait = self.wait.get_or_insert(Wait {
            clock: Clock::new(now, plan.timeout),
            answered_in_time: false,
            over: false,
        });
        // In a pause nothing runs out. The wait that starts again at the resumption is that of a probe.
        let Some(length) = plan.probe_timeout.filter(|_| probe) else { return };
        if self.paused.is_some() && length < wait.clock.length || now + length < wait.clock.end() {
            wait.clock = Clock::new(now, length);
        }
    }

    /// The promise that this verdict would break now.
    pub(super) fn unjust(&self, reason: Reason, now: u64, plan: &Plan) -> Option<Promise> {
        // In these worlds the other reasons come from the peer or from the caller.
        let (clock, in_time) = if reason == Reason::PingTimeout {
            let wait = self.wait.filter(|_| self.paused.is_none());
            (wait.map(|wait| wait.clock), wait.is_some_and(|wait| wait.answered_in_time))
        } else if reason == Reason::WriteStalled {
            (self.unwritten.map(|unwritten| unwritten.clock), false)
        } else {
            return None;
        };
        match clock {
            Some(clock) if clock.was_looked_at(now, plan) => {
                if in_time {
                    Some(Promise::Accurate)
                } else {
                    (clock.was_seen_late(plan) && !self.forgiven).then_some(Promise::SuspectsItself)
                }
            }
            Some(_) | None => Some(Promise::Justified),
        }
    }

    /// True if nothing holds back the next ping: no ping is waiting to be written, and no verdict may be noted.
    pub(super) fn may_ping(&self, now: u64) -> bool {
        let overdue = self.paused.is_none() && self.wait.is_some_and(|wait| now >= wait.clock.end());
        self.unwritten.is_none() && !overdue
    }
}
