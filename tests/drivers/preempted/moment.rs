//! The moment of a life. Time passes while everybody waits, and while a driver works: at any call of its clock, its timer or
//! its transport the thread may lose its processor, for a nanosecond or for minutes.

use std::cell::RefCell;
use std::task::Waker;
use std::time::Duration;

use liveness::sim::Rng;
use liveness::{Config, Timestamp};

use super::wire::Wire;
use crate::absences::{self, Absences};

/// How often the thread loses its processor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    Never,
    /// At this call alone.
    Once(u32),
    /// At this call alone, for so long.
    Exactly(u32, Duration),
    /// At so many calls of 256.
    Often(u64),
}

/// What happened in a life, for the tests that check that it does happen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) leaps: u32,
    /// A deadline passed between the reading of the clock and the setting of the timer.
    pub(super) missed: u32,
    /// A byte left, or came, more than a second after the clock was read.
    pub(super) late_bytes: u32,
    /// The longest row of polls, or of waits, at one moment.
    pub(super) row: u32,
}

impl Seen {
    pub(super) fn add(&mut self, other: Self) {
        self.leaps += other.leaps;
        self.missed += other.missed;
        self.late_bytes += other.late_bytes;
        self.row = self.row.max(other.row);
    }
}

pub(super) struct Moment {
    now: Duration,
    choices: Rng,
    plan: Plan,
    calls: u32,
    /// The latest reading of the driver's clock.
    pub(super) read: Duration,
    /// What the driver waits for.
    deadline: Option<Duration>,
    pub(super) alarm: Option<(Duration, Waker)>,
    pub(super) naps: Vec<(Duration, Waker)>,
    pub(super) wire: Wire,
    absences: Absences,
    row: u32,
    pub(super) seen: Seen,
}

thread_local! {
    static MOMENT: RefCell<Moment> = RefCell::new(Moment::new(0));
}

impl Moment {
    fn new(seed: u64) -> Self {
        let start = Duration::from_secs(1000);
        Self {
            now: start,
            choices: Rng::new(seed),
            plan: Plan::Never,
            calls: 0,
            read: start,
            deadline: None,
            alarm: None,
            naps: Vec::new(),
            wire: Wire::idle(),
            absences: Absences::default(),
            row: 0,
            seen: Seen::default(),
        }
    }

    pub(super) const fn at(&self) -> Duration {
        self.now
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.choices.below(end)
    }

    fn preempt(&mut self) {
        self.calls += 1;
        let leaps = match self.plan {
            Plan::Never => false,
            Plan::Once(call) | Plan::Exactly(call, _) => call == self.calls,
            Plan::Often(share) => self.below(256) < share,
        };
        if leaps {
            let wait = self.deadline.and_then(|deadline| deadline.checked_sub(self.now));
            let length = if let Plan::Exactly(_, length) = self.plan {
                length
            } else {
                absences::length(&mut self.choices, wait)
            };
            self.absences.push(timestamp(self.now), length);
            self.seen.leaps += 1;
            self.now += length;
        }
    }

    /// The world does what is due.
    pub(super) fn catch_up(&mut self) {
        let Self { wire, now, .. } = self;
        wire.catch_up(*now);
    }
}

pub(super) fn begin(seed: u64, plan: Plan, wire: Wire) {
    MOMENT.with_borrow_mut(|moment| *moment = Moment { plan, wire, ..Moment::new(seed) });
}

pub(super) fn with<R>(then: impl FnOnce(&mut Moment) -> R) -> R {
    MOMENT.with_borrow_mut(then)
}

/// The moment, for those that only watch.
pub(super) fn now() -> Duration {
    with(|moment| moment.now)
}

pub(super) fn below(end: u64) -> u64 {
    with(|moment| moment.below(end))
}

/// Everybody waits until then.
pub(super) fn wait_until(at: Duration) {
    with(|moment| moment.now = moment.now.max(at));
}

/// The thread may lose its processor here.
pub(super) fn preempt() {
    with(Moment::preempt);
}

/// What the driver's clock says.
pub(super) fn read() -> Duration {
    let read = with(|moment| {
        moment.read = moment.now;
        moment.now
    });
    preempt();
    read
}

/// What the driver does with its transport: the world has caught up with the moment, which goes on before and after.
pub(super) fn use_wire<R>(then: impl FnOnce(&mut Wire, Duration) -> R) -> R {
    preempt();
    let result = with(|moment| {
        moment.catch_up();
        let before = moment.wire.moved;
        let result = then(&mut moment.wire, moment.now);
        let late = moment.now - moment.read > Duration::from_secs(1);
        moment.seen.late_bytes += u32::from(late && moment.wire.moved > before);
        result
    });
    preempt();
    result
}

/// The driver is about to wait until then. False: that has passed.
pub(super) fn set_timer(at: Duration) -> bool {
    with(|moment| moment.deadline = Some(at));
    preempt();
    with(|moment| {
        moment.seen.missed += u32::from(moment.read < at && at <= moment.now);
        at > moment.now
    })
}

/// A wait of a blocking driver that began then has ended.
pub(super) fn note_wait(start: Duration) {
    with(|moment| {
        moment.row = if moment.now > start { 0 } else { moment.row + 1 };
        assert!(moment.row < 200, "it spins at {:?}", moment.now);
        moment.seen.row = moment.seen.row.max(moment.row);
    });
}

pub(super) fn timestamp(at: Duration) -> Timestamp {
    Timestamp::ZERO + at
}

/// How long the thread has been without a processor since then.
pub(super) fn away(since: Duration) -> Duration {
    with(|moment| moment.absences.sum(timestamp(since)))
}

/// How much later than on an idle machine a verdict may fall.
pub(super) fn delay(since: Duration, config: &Config) -> Duration {
    with(|moment| moment.absences.delay(timestamp(since), config))
}

pub(super) fn seen() -> Seen {
    with(|moment| moment.seen)
}
