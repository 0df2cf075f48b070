//! Many connections in a fleet behave like as many machines alone.

mod busy;
mod named;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use liveness::{Action, Config, Event, Fleet, Key, Liveness, Timestamp};
use proptest::prelude::*;

use self::world::{Reached, Step, World};
use crate::laws::settings;
use crate::samples::samples;

const SECOND: u64 = 1_000_000_000;

fn events() -> impl Strategy<Value = Event<'static>> {
    prop_oneof![
        6 => Just(Event::Data),
        2 => Just(Event::Progress),
        1 => Just(Event::Ping),
        1 => Just(Event::Pong(b"forged")),
        1 => Just(Event::Wrote),
        4 => Just(Event::PingSent),
        1 => Just(Event::ReadPaused),
        1 => Just(Event::ReadResumed),
        1 => Just(Event::Close(Some(1000))),
        1 => Just(Event::Eof),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let which = any::<u8>();
    prop_oneof![
        6 => any::<u8>().prop_map(|config| Step::Insert { config }),
        1 => which.prop_map(|which| Step::Remove { which }),
        12 => (which, events()).prop_map(|(which, event)| Step::Event { which, event }),
        12 => (which, 0..3_u8).prop_map(|(which, back)| Step::Answer { which, back }),
        1 => which.prop_map(|which| Step::Probe { which }),
        1 => which.prop_map(|which| Step::Close { which }),
        1 => (which, any::<u8>()).prop_map(|(which, config)| Step::Reconfigure { which, config }),
        1 => Just(Step::ProbeAll),
        1 => Just(Step::TurnBack { nanos: SECOND }),
        2 => which.prop_map(|which| Step::Stale { which }),
        4 => (0..10 * SECOND).prop_map(|nanos| Step::Sleep { nanos }),
        1 => Just(Step::Sleep { nanos: 3 * 3600 * SECOND }),
        12 => (0..10 * SECOND).prop_map(|nanos| Step::Wait { nanos }),
    ]
}

/// Ticks shorter and longer than most waits. With a nanosecond, a turn of the wheel is shorter than any wait.
fn ticks() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => Just(Duration::from_millis(4)),
        1 => Just(Duration::from_millis(250)),
        1 => Just(Duration::from_secs(3)),
        1 => Just(Duration::from_micros(7)),
    ]
}

/// Fleets begin at the origin, or at a time that counts from 1970.
fn starts() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(Timestamp::ZERO), Just(Timestamp::from_secs(1_800_000_000))]
}

fn live(configs: &[Config], tick: Duration, start: Timestamp, steps: &[Step], last: Option<Step>) -> Reached {
    let mut world = World::new(configs, 7, tick, start);
    // Only every other life has observers, because a fleet without observers handles events in another way.
    world.observed = steps.len() % 2 == 1;
    steps.iter().chain(&last).for_each(|step| world.step(*step));
    world.finish(2_000);
    world.reached
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to them, the fleet's machines equal the machines alone, bit by bit. They are polled less than a
    /// tick late.
    #[test]
    fn a_fleet_is_that_many_machines_less_than_a_tick_late(
        configs in prop::collection::vec(settings(), 1..4),
        tick in ticks(),
        start in starts(),
        crowd in prop_oneof![4 => Just(0), 1 => 60..130_u8],
        steps in prop::collection::vec(steps(), 1..200),
        last in prop::option::of(Just(Step::CloseAll)),
    ) {
        // Sometimes more connections than one poll looks at.
        let steps: Vec<Step> = (0..crowd).map(|config| Step::Insert { config }).chain(steps).collect();
        live(&configs, tick, start, &steps, last);
    }

    /// If every moment is the end of a tick, nothing is late. The actions and their times are those of machines alone
    /// that are polled exactly in time.
    #[test]
    fn on_the_ticks_a_fleet_is_not_late_at_all(
        interval in 2..20_u64,
        timeout in 2..20_u64,
        happenings in prop::collection::vec((0..8_u64, 0..6_usize, any::<bool>()), 1..120),
    ) {
        let config = Config::builder()
            .interval(Duration::from_secs(interval))
            .timeout(Duration::from_secs(timeout))
            .last_look(Duration::from_secs(1))
            .close_timeout(Duration::from_secs(3))
            .jitter(0)
            .build()
            .unwrap();
        let fleet = on_the_ticks(&happenings, &mut Many::new(config));
        let alone = on_the_ticks(&happenings, &mut Alone::new(config));
        prop_assert_eq!(fleet, alone);
    }
}

/// What was handed out for each connection, and when; `None` is a ping, because the seeds and so the payloads differ.
type Lives = BTreeMap<usize, Vec<(Timestamp, Option<Action>)>>;

/// Six connections, in a fleet or alone.
trait Six {
    fn handle(&mut self, which: usize, event: Event<'_>, now: Timestamp);
    fn poll(&mut self, now: Timestamp) -> Vec<(usize, Action)>;
    fn poll_timeout(&self) -> Option<Timestamp>;
}

fn on_the_ticks(happenings: &[(u64, usize, bool)], six: &mut dyn Six) -> Lives {
    let (mut lives, mut payloads) = (Lives::new(), BTreeMap::new());
    let mut drain = |six: &mut dyn Six, payloads: &mut BTreeMap<usize, [u8; 8]>, now| {
        for (which, action) in six.poll(now) {
            let other = if let Action::SendPing(payload) = action {
                payloads.insert(which, *payload.as_bytes());
                None
            } else {
                Some(action)
            };
            lives.entry(which).or_default().push((now, other));
        }
    };
    let mut now = Timestamp::ZERO;
    drain(six, &mut payloads, now);
    for (seconds, which, answer) in happenings {
        let until = now + Duration::from_secs(*seconds);
        while let Some(next) = six.poll_timeout().filter(|next| *next < until) {
            now = next.max(now);
            drain(six, &mut payloads, now);
        }
        now = until;
        match payloads.get(which) {
            Some(payload) if *answer => six.handle(*which, Event::Pong(payload), now),
            Some(_) | None => six.handle(*which, Event::Data, now),
        }
        drain(six, &mut payloads, now);
    }
    while let Some(next) = six.poll_timeout() {
        now = next.max(now);
        drain(six, &mut payloads, now);
    }
    lives
}

struct Many {
    fleet: Fleet,
    keys: Vec<Key>,
}

impl Many {
    fn new(config: Config) -> Self {
        let mut fleet = Fleet::with_tick(config, 7, Duration::from_secs(1));
        let keys = (0..6).map(|_| fleet.insert(Timestamp::ZERO).unwrap()).collect();
        Self { fleet, keys }
    }
}

impl Six for Many {
    fn handle(&mut self, which: usize, event: Event<'_>, now: Timestamp) {
        // The connection is gone. A machine alone would report nothing here either.
        let _ = self.fleet.handle(self.keys[which], event, now);
    }
    fn poll(&mut self, now: Timestamp) -> Vec<(usize, Action)> {
        let mut actions = Vec::new();
        while let Some((key, action)) = self.fleet.poll(now) {
            actions.push((key.index(), action));
        }
        actions
    }
    fn poll_timeout(&self) -> Option<Timestamp> {
        self.fleet.poll_timeout()
    }
}

struct Alone {
    machines: Vec<Liveness>,
}

impl Alone {
    fn new(config: Config) -> Self {
        Self { machines: (0..6).map(|seed| Liveness::new(config, seed, Timestamp::ZERO)).collect() }
    }
}

impl Six for Alone {
    fn handle(&mut self, which: usize, event: Event<'_>, now: Timestamp) {
        self.machines[which].handle(event, now);
    }
    fn poll(&mut self, now: Timestamp) -> Vec<(usize, Action)> {
        let mut actions = Vec::new();
        for (which, machine) in self.machines.iter_mut().enumerate() {
            while let Some(action) = machine.poll(now) {
                actions.push((which, action));
            }
        }
        actions
    }
    fn poll_timeout(&self) -> Option<Timestamp> {
        self.machines.iter().filter_map(Liveness::poll_timeout).min()
    }
}

/// An input may be the first that a fleet sees of a later time.
#[test]
fn a_moment_that_has_passed_is_due_now() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let key = fleet.insert(Timestamp::ZERO).unwrap();
    while fleet.poll(Timestamp::ZERO).is_some() {}
    let late = fleet.poll_timeout().unwrap() + Duration::from_secs(5);
    fleet.handle(key, Event::Data, late).unwrap();
    assert_eq!(fleet.poll_timeout(), Some(late));
}

/// The law says nothing about cases that its lives never reach.
#[test]
fn lives_of_every_kind_are_lived() {
    let (mut all, mut looks) = (Reached::default(), 0);
    let strategy = (settings(), ticks(), prop::collection::vec(steps(), 100..200));
    for (config, tick, steps) in samples(strategy, 40) {
        let reached = live(&[config], tick, Timestamp::ZERO, &steps, None);
        all.actions += reached.actions;
        all.pings += reached.pings;
        all.verdicts += reached.verdicts;
        all.ends += reached.ends;
        looks += reached.silent_looks;
    }
    assert!(all.pings > 600 && all.verdicts > 300 && all.ends > 300, "{all:?}");
    assert!(looks > 300, "{looks} looks without an action");
}
