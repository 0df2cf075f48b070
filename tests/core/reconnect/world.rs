//! A machine and its driver, compared with the second opinion.
//!
//! The steps come from the caller: proptest in `laws`, a fuzzer's bytes in `fuzz`.

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{Attempt, GiveUpReason, Policy, Reconnect, ReconnectAction};

use super::reference::{Fact, NEVER, Next, Settings, Then, duration, next, on_close, then, wait, wanted};

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Nothing,
    /// About the newest attempt, or this many before it.
    Connected(usize),
    Failed(usize, Option<Then>),
    Closed(usize, u16, Option<Then>),
    NetworkChanged,
    NetworkLost,
    DialNow,
    HandOver(u64),
    Stop,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) after: u64,
    pub(crate) back: bool,
    pub(crate) what: What,
    pub(crate) poll: bool,
}

type Delays = Box<dyn Iterator<Item = Duration>>;
type Machine = Reconnect<Delays, Box<dyn FnMut() -> Delays>>;

pub(crate) fn machine(settings: &Settings, start: u64) -> Machine {
    let policy = Policy::DEFAULT
        .stable_after(duration(settings.stable_after))
        .dial_timeout(duration(settings.dial_timeout))
        .max_spread(duration(settings.max_spread))
        .max_attempts(settings.max_attempts)
        .max_elapsed(duration(settings.max_elapsed))
        .on_close(on_close);
    let (delays, forever) = (settings.delays.clone(), settings.forever);
    let backoff = move || {
        let last = delays.last().copied().filter(|_| forever);
        Box::new(delays.clone().into_iter().chain(last.into_iter().cycle()).map(duration)) as Delays
    };
    Reconnect::new(policy, Box::new(backoff), settings.seed, Timestamp::from_nanos(start))
}

/// A machine, its driver, and everything that happened to it.
pub(crate) struct World<'a> {
    machine: Machine,
    settings: &'a Settings,
    start: u64,
    clock: u64,
    /// The latest moment that the machine was given.
    now: u64,
    pub(crate) story: Vec<(u64, Fact)>,
    attempts: Vec<Attempt>,
    /// Successes that came too late.
    pub(crate) refused: usize,
}

impl<'a> World<'a> {
    pub(crate) fn live(settings: &'a Settings, start: u64, steps: &[Step], nervous: bool) -> Self {
        let (story, attempts) = (Vec::new(), Vec::new());
        let machine = machine(settings, start);
        let mut world =
            Self { machine, settings, start, clock: start, now: start, story, attempts, refused: 0 };
        for step in steps {
            world.step(*step, nervous);
        }
        world
    }

    fn step(&mut self, step: Step, nervous: bool) {
        if !step.back {
            self.clock = self.clock.saturating_add(step.after);
        }
        let told = if step.back { self.clock.saturating_sub(step.after) } else { self.clock };
        // What falls due meanwhile is done meanwhile. Endless chains are cut: a backoff of zero, a dial of a nanosecond.
        for _ in 0..20 {
            self.agree();
            let due =
                self.machine.poll_timeout().map(Timestamp::as_nanos).filter(|due| *due < told && step.poll);
            let Some(due) = due else { break };
            if nervous && due > self.now {
                self.now = self.now.max(due - 1);
                assert_eq!(self.machine.poll(Timestamp::from_nanos(self.now)), None, "{:?}", self.story);
                self.story.push((self.now, Fact::Looked));
            }
            self.now = self.now.max(due);
            self.polls(nervous);
        }
        self.hears(step.what, Timestamp::from_nanos(told));
        self.agree();
        if step.poll {
            self.now = self.now.max(told);
            self.polls(nervous);
        }
    }

    fn hears(&mut self, what: What, at: Timestamp) {
        let of = |older: usize| self.attempts.iter().rev().nth(older).copied();
        let fact = match what {
            What::Nothing => None,
            What::Connected(older) => of(older).map(|attempt| {
                let mut story = self.story.clone();
                story.push((self.now.max(at.as_nanos()), Fact::Looked));
                let wanted = wanted(self.settings, self.start, &story, attempt.get());
                assert_eq!(self.machine.connected(attempt, at), wanted, "{:?}", self.story);
                self.refused += usize::from(!wanted);
                Fact::Connected(attempt.get())
            }),
            What::Failed(older, decided) => of(older).map(|attempt| {
                match decided {
                    None => self.machine.failed(attempt, at),
                    Some(decided) => self.machine.failed_with(attempt, then(decided), at),
                }
                Fact::Failed(attempt.get(), decided)
            }),
            What::Closed(older, code, decided) => of(older).map(|attempt| {
                match decided {
                    None => self.machine.closed(attempt, code, at),
                    Some(decided) => self.machine.closed_with(attempt, code, then(decided), at),
                }
                Fact::Closed(attempt.get(), code, decided)
            }),
            What::NetworkChanged => {
                self.machine.network_changed(at);
                Some(Fact::NetworkChanged)
            }
            What::NetworkLost => {
                self.machine.network_lost(at);
                Some(Fact::NetworkLost)
            }
            What::DialNow => {
                self.machine.dial_now(at);
                Some(Fact::Asked)
            }
            What::HandOver(over) => {
                self.machine.hand_over(duration(over), at);
                Some(Fact::HandOver(over))
            }
            What::Stop => {
                self.machine.stop(at);
                Some(Fact::Stopped)
            }
        };
        if let Some(fact) = fact {
            self.now = self.now.max(at.as_nanos());
            self.story.push((self.now, fact));
            self.drawn();
        }
    }

    /// Takes the draws from the machine's own debug text. They must be in their range, and the second opinion gets them.
    fn drawn(&mut self) {
        let Some([dial, owed]) = wait(self.settings, self.start, &self.story) else { return };
        if dial.0 == dial.1 && owed.0 == owed.1 {
            return;
        }
        let text = format!("{:?}", self.machine);
        let moment = |name: &str| -> u64 {
            let (_, rest) = text.split_once(&format!("{name}: Timestamp(")).expect("it waits");
            rest.split_once(')').expect("a moment").0.parse().expect("a number")
        };
        let dial_at = if dial == (0, 0) { 0 } else { moment("dial_at") };
        let owed_until = moment("owed_until");
        assert!((dial.0..=dial.1).contains(&dial_at), "{dial_at} is not in {dial:?}: {:?}", self.story);
        assert!((owed.0..=owed.1).contains(&owed_until), "{owed_until} is not in {owed:?}: {:?}", self.story);
        self.story.push((self.now, Fact::Drawn(dial_at, owed_until)));
    }

    fn polls(&mut self, nervous: bool) {
        let now = Timestamp::from_nanos(self.now);
        for burst in 0.. {
            let expected = next(self.settings, self.start, &self.story);
            let Some(action) = self.machine.poll(now) else { break };
            assert!(burst < 2, "a burst: {:?}", self.story);
            let fact = match (action, expected) {
                (ReconnectAction::Dial(attempt), Next::Dial(from, _) | Next::DialOrEnd(from, _))
                    if from <= self.now =>
                {
                    self.attempts.push(attempt);
                    Fact::Dialled(attempt.get())
                }
                (ReconnectAction::Abandon(attempt), Next::Abandon(at)) if at <= self.now => {
                    Fact::Abandoned(attempt.get())
                }
                (ReconnectAction::Retire(attempt), Next::Retire(old, _)) if attempt.get() == old => {
                    Fact::Retired(old)
                }
                (ReconnectAction::GiveUp(reason), Next::GiveUp(wanted, at))
                    if at <= self.now && reason == wanted =>
                {
                    Fact::GaveUp(reason)
                }
                (ReconnectAction::GiveUp(GiveUpReason::Elapsed), Next::DialOrEnd(_, end))
                    if end <= self.now =>
                {
                    Fact::GaveUp(GiveUpReason::Elapsed)
                }
                (action, expected) => panic!("{action:?} at {now}, expected {expected:?}: {:?}", self.story),
            };
            self.story.push((self.now, fact));
            self.drawn();
            self.agree();
        }
        self.story.push((self.now, Fact::Looked));
        self.agree();
        assert!(self.machine.poll_timeout().is_none_or(|due| due > now), "it spins: {:?}", self.story);
        if nervous {
            assert_eq!(self.machine.poll(now), None);
        }
    }

    /// The machine must want the next poll when the second opinion says.
    fn agree(&self) {
        let due = self.machine.poll_timeout().map_or(NEVER, Timestamp::as_nanos);
        let expected = next(self.settings, self.start, &self.story);
        let agrees = match expected {
            Next::Nothing => due == NEVER,
            Next::Dial(from, to) | Next::DialOrEnd(from, to) => (from..=to).contains(&due),
            Next::Abandon(at) | Next::GiveUp(_, at) | Next::Retire(_, at) => {
                due == at || at.max(due) <= self.now
            }
        };
        assert!(agrees, "due at {due}, expected {expected:?}: {:?}", self.story);
        let over = self.story.iter().any(|(_, fact)| matches!(fact, Fact::GaveUp(_)));
        assert_eq!(self.machine.is_finished(), over, "{:?}", self.story);
    }
}
