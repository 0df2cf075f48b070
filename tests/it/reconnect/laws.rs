//! What no life can break, against a second opinion that is told the whole story each time and reckons in plain numbers.

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{Action, Attempt, GiveUp, OnClose, Policy, Reconnect, Status};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

const SECOND: u64 = 1_000_000_000;
const NEVER: u64 = u64::MAX;

/// Codes with every kind of answer, one the caller's own.
fn on_close(code: u16) -> OnClose {
    match code {
        4000 => OnClose::Redial { at_least: Duration::MAX, spread: Duration::ZERO },
        4001 => OnClose::Redial { at_least: Duration::ZERO, spread: Duration::MAX },
        _ => OnClose::by_code(code),
    }
}

#[derive(Clone, Debug)]
struct Settings {
    stable_after: u64,
    dial_timeout: u64,
    max_attempts: u32,
    max_elapsed: u64,
    /// Nanoseconds each; `forever`: the last again and again.
    delays: Vec<u64>,
    forever: bool,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Nothing,
    /// Of the newest attempt, or so many before it.
    Connected(usize),
    Failed(usize),
    Closed(usize, u16),
    NetworkChanged,
    DialNow,
    Stop,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    after: u64,
    back: bool,
    what: What,
    poll: bool,
}

fn duration(nanos: u64) -> Duration {
    if nanos == NEVER { Duration::MAX } else { Duration::from_nanos(nanos) }
}

fn lengths() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0..=40_u64).prop_map(|seconds| seconds * SECOND),
        1 => Just(1),
        1 => Just(NEVER - 1),
        2 => Just(NEVER),
        1 => Just(0),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let attempts = prop_oneof![3 => Just(u32::MAX), 2 => 0..6_u32];
    let backoff = (prop::collection::vec(lengths(), 0..6), any::<bool>());
    (lengths(), lengths(), attempts, lengths(), backoff, any::<u64>()).prop_map(
        |(stable_after, dial_timeout, max_attempts, max_elapsed, (delays, forever), seed)| Settings {
            stable_after,
            dial_timeout,
            max_attempts,
            max_elapsed,
            delays,
            forever,
            seed,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let older = || prop_oneof![6 => Just(0_usize), 1 => 1..4_usize];
    let codes = prop_oneof![
        8 => prop::sample::select(vec![1001, 1005, 1006, 1011, 1012, 1013, 3008, 4000, 4001]),
        1 => prop::sample::select(vec![1000, 1002, 1008]),
        1 => any::<u16>(),
    ];
    let what = prop_oneof![
        6 => Just(What::Nothing),
        6 => older().prop_map(What::Connected),
        5 => older().prop_map(What::Failed),
        6 => (older(), codes).prop_map(|(older, code)| What::Closed(older, code)),
        2 => Just(What::NetworkChanged),
        1 => Just(What::DialNow),
    ];
    let gaps = prop_oneof![
        2 => Just(0),
        2 => 0..SECOND,
        6 => (0..=40_u64).prop_map(|seconds| seconds * SECOND),
        1 => 0..100 * SECOND,
    ];
    let step = (gaps, prop::bool::weighted(0.05), what, prop::bool::weighted(0.85))
        .prop_map(|(after, back, what, poll)| Step { after, back, what, poll });
    let stop = Step { after: 0, back: false, what: What::Stop, poll: true };
    (prop::collection::vec(step, 1..120), any::<bool>()).prop_map(move |(mut steps, stops)| {
        if stops {
            steps.extend([stop; 3]);
        }
        steps
    })
}

type Delays = Box<dyn Iterator<Item = Duration>>;

fn machine(settings: &Settings, start: u64) -> Reconnect<Delays, Box<dyn FnMut() -> Delays>> {
    let policy = Policy::DEFAULT
        .stable_after(duration(settings.stable_after))
        .dial_timeout(duration(settings.dial_timeout))
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

/// All that happened, as the caller saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fact {
    Dialled(u64),
    Abandoned(u64),
    GaveUp(GiveUp),
    Connected(u64),
    Failed(u64),
    Closed(u64, u16),
    NetworkChanged,
    Asked,
    Stopped,
}

/// What must come next, and from when to when it may fall due.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Nothing,
    Dial(u64, u64),
    Abandon(u64),
    GiveUp(GiveUp, u64),
    /// By then; or what was drawn is longer, and it ends then.
    DialOrEnd(u64, u64),
}

/// The second opinion: reads the story from the start, and says what must follow.
fn next(settings: &Settings, start: u64, story: &[(u64, Fact)]) -> Next {
    let mut opinion = Opinion {
        settings,
        used: 0,
        dials: 0,
        since: start,
        dialling: None,
        connected: None,
        changed: false,
        newest: 0,
        wait: Some(Wait { owed: start, earliest: start, latest: start }),
        end: (settings.max_attempts == 0).then_some((GiveUp::Attempts, start)),
        stopping: None,
        over: false,
    };
    for (now, fact) in story {
        opinion.hear(*now, *fact);
    }
    opinion.next()
}

struct Opinion<'a> {
    settings: &'a Settings,
    /// Waits of the backoff that are used up; dials made, and since when they count.
    used: usize,
    dials: u32,
    since: u64,
    dialling: Option<u64>,
    connected: Option<u64>,
    /// The network changed since the dial.
    changed: bool,
    newest: u64,
    wait: Option<Wait>,
    end: Option<(GiveUp, u64)>,
    /// Since when a dial is under way that is wanted no more.
    stopping: Option<u64>,
    over: bool,
}

#[derive(Clone, Copy)]
struct Wait {
    owed: u64,
    earliest: u64,
    latest: u64,
}

impl Opinion<'_> {
    fn hear(&mut self, now: u64, fact: Fact) {
        let of_newest = match fact {
            Fact::Abandoned(of) | Fact::Connected(of) | Fact::Failed(of) | Fact::Closed(of, _) => {
                of == self.newest
            }
            Fact::Dialled(_) | Fact::GaveUp(_) | Fact::NetworkChanged | Fact::Asked | Fact::Stopped => true,
        };
        if let Fact::GaveUp(_) = fact {
            self.over = true;
        }
        if self.over || self.end.is_some() || !of_newest {
            return;
        }
        if self.stopping.is_some() {
            match fact {
                Fact::Abandoned(_) | Fact::Connected(_) | Fact::Failed(_) | Fact::Closed(..) => {
                    (self.stopping, self.end) = (None, Some((GiveUp::Stopped, now)));
                }
                Fact::Dialled(_) | Fact::GaveUp(_) | Fact::NetworkChanged | Fact::Asked | Fact::Stopped => {}
            }
            return;
        }
        match fact {
            Fact::Dialled(number) => {
                (self.newest, self.dialling, self.wait, self.changed) = (number, Some(now), None, false);
                self.dials += 1;
            }
            Fact::Connected(_) if self.dialling.is_some() => {
                (self.connected, self.dialling, self.changed) = (Some(now), None, false);
            }
            Fact::Abandoned(_) => self.trouble(now, 0, 0),
            Fact::Failed(_) if self.dialling.is_some() => self.trouble(now, 0, 0),
            Fact::Failed(_) if self.connected.is_some() => self.lost(now, 1006),
            Fact::Closed(_, code) if self.dialling.or(self.connected).is_some() => self.lost(now, code),
            Fact::Connected(_) | Fact::Failed(_) | Fact::Closed(..) | Fact::GaveUp(_) => {}
            Fact::NetworkChanged => self.network_changed(now),
            Fact::Asked if self.wait.is_some() => {
                (self.used, self.dials, self.since) = (0, 0, now);
                self.wait = Some(Wait { owed: now, earliest: now, latest: now });
            }
            Fact::Asked => {}
            Fact::Stopped if self.dialling.is_some() => self.stopping = Some(now),
            Fact::Stopped => self.end = Some((GiveUp::Stopped, now)),
        }
    }

    fn network_changed(&mut self, now: u64) {
        self.changed = self.dialling.is_some();
        if let Some(wait) = &mut self.wait {
            let at = now.max(wait.owed);
            (wait.earliest, wait.latest) = (wait.earliest.min(at), wait.latest.min(at));
            self.used = 0;
        }
    }

    fn lost(&mut self, now: u64, code: u16) {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(NEVER);
        match on_close(code) {
            OnClose::GiveUp => self.end = Some((GiveUp::Closed(code), now)),
            OnClose::Redial { at_least, spread } => self.trouble(now, nanos(at_least), nanos(spread)),
        }
    }

    fn trouble(&mut self, now: u64, owed: u64, spread: u64) {
        let settings = self.settings;
        let stable = self.connected.is_some_and(|at| {
            let stable_at = at.saturating_add(settings.stable_after);
            stable_at < NEVER && now >= stable_at
        });
        (self.dialling, self.connected) = (None, None);
        let delay = if stable {
            (self.used, self.dials, self.since) = (0, 0, now);
            0
        } else if self.dials >= settings.max_attempts && settings.max_attempts < u32::MAX {
            return self.end = Some((GiveUp::Attempts, now));
        } else if self.changed {
            self.used = 0;
            0
        } else {
            self.used += 1;
            let last = settings.delays.last().filter(|_| settings.forever);
            match settings.delays.get(self.used - 1).or(last) {
                Some(delay) => *delay,
                None => return self.end = Some((GiveUp::Backoff, now)),
            }
        };
        let earliest = now.saturating_add(delay.max(owed));
        let latest = earliest.saturating_add(spread);
        self.wait = Some(Wait { owed: now.saturating_add(owed), earliest, latest });
    }

    fn next(&self) -> Next {
        if self.over {
            return Next::Nothing;
        }
        if let Some((reason, at)) = self.end {
            return Next::GiveUp(reason, at);
        }
        if let Some(at) = self.stopping {
            return Next::Abandon(at);
        }
        let over = self.since.saturating_add(self.settings.max_elapsed);
        match (self.dialling, self.wait) {
            (Some(at), _) => Next::Abandon(at.saturating_add(self.settings.dial_timeout.max(1))),
            (None, Some(Wait { earliest, latest, .. })) if latest < over => Next::Dial(earliest, latest),
            (None, Some(Wait { earliest, .. })) if earliest >= over => Next::GiveUp(GiveUp::Elapsed, over),
            // What was drawn decides whether it comes before the end.
            (None, Some(Wait { earliest, .. })) => Next::DialOrEnd(earliest, over),
            (None, None) => Next::Nothing,
        }
    }
}

/// A machine, its driver, and all that happened to it.
struct World<'a> {
    machine: Reconnect<Delays, Box<dyn FnMut() -> Delays>>,
    settings: &'a Settings,
    start: u64,
    clock: u64,
    /// The latest moment that the machine was told.
    now: u64,
    story: Vec<(u64, Fact)>,
    attempts: Vec<Attempt>,
    /// Successes that came too late.
    refused: usize,
}

impl<'a> World<'a> {
    fn live(settings: &'a Settings, start: u64, steps: &[Step], nervous: bool) -> Self {
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
            self.clock += step.after;
        }
        let told = if step.back { self.clock.saturating_sub(step.after) } else { self.clock };
        // What falls due on the way is done on the way. Endless chains are cut: a backoff of nothing, a dial of a nanosecond.
        for _ in 0..20 {
            self.agree();
            let due =
                self.machine.poll_timeout().map(Timestamp::as_nanos).filter(|due| *due < told && step.poll);
            let Some(due) = due else { break };
            if nervous && due > self.now {
                self.now = self.now.max(due - 1);
                assert_eq!(self.machine.poll(Timestamp::from_nanos(self.now)), None, "{:?}", self.story);
            }
            self.now = self.now.max(due);
            self.polls(nervous);
        }
        if step.poll || !matches!(step.what, What::Nothing) {
            self.now = self.now.max(told);
        }
        self.hears(step.what, Timestamp::from_nanos(told));
        self.agree();
        if step.poll {
            self.polls(nervous);
        }
    }

    fn hears(&mut self, what: What, at: Timestamp) {
        let of = |older: usize| self.attempts.iter().rev().nth(older).copied();
        let fact = match what {
            What::Nothing => None,
            What::Connected(older) => of(older).map(|attempt| {
                let status = self.machine.status();
                let wanted = status == Status::Dialling(attempt) || status == Status::Connected(attempt);
                assert_eq!(self.machine.connected(attempt, at), wanted, "{:?}", self.story);
                self.refused += usize::from(!wanted);
                Fact::Connected(attempt.get())
            }),
            What::Failed(older) => of(older).map(|attempt| {
                self.machine.failed(attempt, at);
                Fact::Failed(attempt.get())
            }),
            What::Closed(older, code) => of(older).map(|attempt| {
                self.machine.closed(attempt, code, at);
                Fact::Closed(attempt.get(), code)
            }),
            What::NetworkChanged => {
                self.machine.network_changed(at);
                Some(Fact::NetworkChanged)
            }
            What::DialNow => {
                self.machine.dial_now(at);
                Some(Fact::Asked)
            }
            What::Stop => {
                self.machine.stop(at);
                Some(Fact::Stopped)
            }
        };
        self.story.extend(fact.map(|fact| (self.now, fact)));
    }

    fn polls(&mut self, nervous: bool) {
        let now = Timestamp::from_nanos(self.now);
        for burst in 0.. {
            let expected = next(self.settings, self.start, &self.story);
            let Some(action) = self.machine.poll(now) else { break };
            assert!(burst < 2, "a burst: {:?}", self.story);
            let fact = match (action, expected) {
                (Action::Dial(attempt), Next::Dial(from, _) | Next::DialOrEnd(from, _))
                    if from <= self.now =>
                {
                    self.attempts.push(attempt);
                    Fact::Dialled(attempt.get())
                }
                (Action::Abandon(attempt), Next::Abandon(at)) if at <= self.now => {
                    Fact::Abandoned(attempt.get())
                }
                (Action::GiveUp(reason), Next::GiveUp(wanted, at)) if at <= self.now && reason == wanted => {
                    Fact::GaveUp(reason)
                }
                (Action::GiveUp(GiveUp::Elapsed), Next::DialOrEnd(_, end)) if end <= self.now => {
                    Fact::GaveUp(GiveUp::Elapsed)
                }
                (action, expected) => panic!("{action:?} at {now}, expected {expected:?}: {:?}", self.story),
            };
            self.story.push((self.now, fact));
            self.agree();
        }
        assert!(self.machine.poll_timeout().is_none_or(|due| due > now), "it spins: {:?}", self.story);
        if nervous {
            assert_eq!(self.machine.poll(now), None);
        }
    }

    /// The machine wants to be called when the second opinion says.
    fn agree(&self) {
        let due = self.machine.poll_timeout().map_or(NEVER, Timestamp::as_nanos);
        let expected = next(self.settings, self.start, &self.story);
        let agrees = match expected {
            Next::Nothing => due == NEVER,
            Next::Dial(from, to) | Next::DialOrEnd(from, to) => (from..=to).contains(&due),
            Next::Abandon(at) | Next::GiveUp(_, at) => due == at || at.max(due) <= self.now,
        };
        assert!(agrees, "due at {due}, expected {expected:?}: {:?}", self.story);
    }
}

/// Never two dials under way, each with the next number, and after the end nothing.
fn one_at_a_time(story: &[(u64, Fact)]) {
    let (mut under_way, mut newest) = (None, 0);
    for (index, (_, fact)) in story.iter().enumerate() {
        match fact {
            Fact::Dialled(number) => {
                assert_eq!((under_way, *number), (None, newest + 1), "{story:?}");
                (under_way, newest) = (Some(*number), *number);
            }
            Fact::Abandoned(number) => assert_eq!(under_way.take(), Some(*number), "{story:?}"),
            Fact::Connected(number) | Fact::Failed(number) | Fact::Closed(number, _) => {
                under_way = under_way.filter(|dialled| dialled != number);
            }
            Fact::GaveUp(_) => {
                assert_eq!(under_way, None, "{story:?}");
                let after = &story[index + 1..];
                let quiet = |(_, fact): &(u64, Fact)| {
                    !matches!(fact, Fact::Dialled(_) | Fact::Abandoned(_) | Fact::GaveUp(_))
                };
                assert!(after.iter().all(quiet), "{story:?}");
            }
            Fact::NetworkChanged | Fact::Asked | Fact::Stopped => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// What comes, and when, is what the second opinion says, for any caller.
    #[test]
    fn two_opinions_agree(settings in settings(), steps in steps(), start in 0..100 * SECOND) {
        one_at_a_time(&World::live(&settings, start, &steps, false).story);
    }

    /// Exact wake-ups: extra polls change nothing.
    #[test]
    fn extra_polls_change_nothing(settings in settings(), steps in steps()) {
        let calm = World::live(&settings, 0, &steps, false);
        let nervous = World::live(&settings, 0, &steps, true);
        prop_assert_eq!(calm.story, nervous.story);
    }

    /// Shift: adding a constant to all times changes nothing. Deterministic: nor does living again.
    #[test]
    fn shifted_lives_are_the_same(settings in settings(), steps in steps(), by in 0..NEVER / 4) {
        let here = World::live(&settings, 1000 * SECOND, &steps, false);
        let there = World::live(&settings, 1000 * SECOND + by, &steps, false);
        // Where the longest there is is longer than what is left of time, never comes sooner.
        let endless = [settings.stable_after, settings.dial_timeout, settings.max_elapsed];
        prop_assume!(endless.iter().chain(&settings.delays).all(|length| *length != NEVER - 1));
        let moved: Vec<_> = here.story.iter().map(|(at, fact)| (at + by, *fact)).collect();
        prop_assert_eq!(moved, there.story);
    }

    /// Total: no times break anything, the far end of time neither.
    #[test]
    fn anything_at_all(
        settings in settings(),
        start: u64,
        inputs in prop::collection::vec((any::<u64>(), 0..7_u8, any::<u16>()), 1..100),
    ) {
        let mut machine = machine(&settings, start);
        let mut newest = None;
        for (at, what, code) in inputs {
            let at = Timestamp::from_nanos(at);
            match (what, newest) {
                (0, Some(attempt)) => drop(machine.connected(attempt, at)),
                (1, Some(attempt)) => machine.failed(attempt, at),
                (2 | 3, Some(attempt)) => machine.closed(attempt, code, at),
                (4, _) => machine.network_changed(at),
                (5, _) => machine.dial_now(at),
                _ => {}
            }
            for _ in 0..2 {
                if let Some(Action::Dial(attempt)) = machine.poll(at) {
                    newest = Some(attempt);
                }
            }
            prop_assert_eq!(machine.poll(at), None);
            prop_assert!(machine.poll_timeout().is_none_or(|due| due > at));
        }
    }
}

#[test]
fn lives_of_every_kind_are_lived() {
    // The twin of the laws: they would all hold in a world where nothing ever happens.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    let (mut dials, mut abandoned, mut refused) = (0, 0, 0);
    for _ in 0..400 {
        let settings = settings().new_tree(&mut runner).unwrap().current();
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let world = World::live(&settings, 0, &steps, false);
        refused += world.refused;
        for (_, fact) in world.story {
            match fact {
                Fact::Dialled(_) => dials += 1,
                Fact::Abandoned(_) => abandoned += 1,
                Fact::GaveUp(GiveUp::Closed(_)) => *ends.entry("closed".into()).or_default() += 1,
                Fact::GaveUp(reason) => *ends.entry(reason.to_string()).or_default() += 1,
                Fact::Connected(_) | Fact::Failed(_) | Fact::Closed(..) => {}
                Fact::NetworkChanged | Fact::Asked | Fact::Stopped => {}
            }
        }
    }
    assert_eq!(ends.len(), 5, "{ends:?}");
    assert!(ends.values().all(|count| *count >= 10), "{ends:?}");
    assert!(dials > 1000 && abandoned > 100 && refused > 100, "{dials}, {abandoned}, {refused}");
}
