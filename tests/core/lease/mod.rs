//! The lease: its promises one by one, compared with a reference, in every order of a small world, and by example.

mod glue;
mod late;
mod laws;
mod model;
mod named;
mod pairs;
mod reference;
mod tenure;
mod world;

use std::time::Duration;

use liveness::Timestamp;
use liveness::lease::{LeaseChange, REMEMBERED, Refusal};
use proptest::prelude::*;

use self::reference::PEOPLE;
use self::world::{Line, Reached, Step, World};
use crate::samples::samples;

const SECOND: u64 = 1_000_000_000;

/// Whole seconds, so that moments coincide, and a nanosecond more or less, so that they just do not.
fn spans() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        8 => (0..8_u64).prop_map(|seconds| seconds * SECOND),
        1 => (1..8_u64).prop_map(|seconds| seconds * SECOND - 1),
        1 => (0..8_u64).prop_map(|seconds| seconds * SECOND + 1),
        1 => Just(3_600 * SECOND),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Mostly the same few users.
    let user = || prop_oneof![3 => 0..3_u8, 1 => 0..PEOPLE];
    let step = prop_oneof![
        12 => user().prop_map(Step::Online),
        12 => user().prop_map(Step::Suspect),
        4 => user().prop_map(Step::Offline),
        16 => user().prop_map(Step::Request),
        4 => user().prop_map(Step::Release),
        1 => Just(Step::Revoke),
        12 => Just(Step::Poll),
        16 => spans().prop_map(Step::Wait),
        4 => spans().prop_map(Step::Sleep),
        4 => spans().prop_map(Step::Pass),
        1 => spans().prop_map(Step::TurnBack),
    ];
    prop::collection::vec(step, 1..160)
}

fn graces() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1 => Just(Duration::ZERO),
        6 => (1..6_u64).prop_map(Duration::from_secs),
        1 => Just(Duration::MAX),
        1 => Just(Duration::from_nanos(u64::MAX)),
    ]
}

/// At the origin, in the middle, and where the clock or the grace soon reaches the far end of time.
fn starts() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => Just(Timestamp::ZERO),
        2 => Just(Timestamp::from_secs(1_800_000_000)),
        1 => (0..60_u64).prop_map(|seconds| Timestamp::from_nanos(u64::MAX - seconds * SECOND)),
    ]
}

/// The first token of a new server, of one that continues, and of one that reaches the last token.
fn lasts() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 2 => 1..u64::MAX, 1 => u64::MAX - 5..=u64::MAX]
}

fn live(grace: Duration, last: u64, start: Timestamp, steps: &[Step]) -> World {
    let mut world = World::new(grace, last, start);
    // At the end everything is reported, and all users come back to hear it.
    let ends = [Step::Poll].into_iter().chain((0..PEOPLE).map(Step::Online)).chain([Step::Poll]);
    steps.iter().copied().chain(ends).for_each(|step| world.step(step));
    world
}

fn nanos(grace: Duration) -> u64 {
    u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX)
}

macro_rules! law {
    ($law:expr, $world:expr) => {
        let broken = $law;
        prop_assert!(broken.is_ok(), "{}{}", broken.unwrap_err(), $world.story());
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The world compares everything at every step: reports, answers, and when to poll.
    #[test]
    fn it_does_as_the_reference(grace in graces(), last in lasts(), start in starts(), steps in steps()) {
        live(grace, last, start, &steps);
    }

    #[test]
    fn at_most_one_holds_it(grace in graces(), steps in steps()) {
        let world = live(grace, 0, Timestamp::ZERO, &steps);
        law!(laws::one_holder(&world.log), world);
    }

    #[test]
    fn tokens_only_grow(grace in graces(), last in lasts(), steps in steps()) {
        let world = live(grace, last, Timestamp::ZERO, &steps);
        law!(laws::tokens_grow(&world.log, last), world);
    }

    #[test]
    fn first_come_first_served_among_those_who_stay(grace in graces(), steps in steps()) {
        let world = live(grace, 0, Timestamp::ZERO, &steps);
        law!(laws::first_come_first_served(&world.log), world);
    }

    #[test]
    fn it_is_handed_over_at_once(grace in graces(), start in starts(), steps in steps()) {
        let world = live(grace, 0, start, &steps);
        law!(laws::handed_over_at_once(&world.log), world);
    }

    #[test]
    fn a_grace_ends_when_it_ends_and_not_before(grace in graces(), start in starts(), steps in steps()) {
        let world = live(grace, 0, start, &steps);
        law!(laws::grace_is_exact(&world.log, nanos(grace)), world);
    }

    #[test]
    fn it_is_frozen_exactly_while_its_holder_is_suspect(grace in graces(), steps in steps()) {
        let world = live(grace, 0, Timestamp::ZERO, &steps);
        law!(laws::frozen_while_suspect(&world.log), world);
    }

    #[test]
    fn every_loss_is_told_to_who_lost_it(grace in graces(), steps in steps()) {
        let world = live(grace, 0, Timestamp::ZERO, &steps);
        law!(laws::every_loss_is_told(&world.log), world);
    }

    /// After every step, every user tries to write with every token that existed, and with two that did not. At most one
    /// may write. The others learn why they may not.
    #[test]
    fn stale_writes_are_refused(grace in graces(), before in 0..3_u64, steps in steps()) {
        let mut world = World::new(grace, before, Timestamp::ZERO);
        for step in steps {
            world.step(step);
            let mut writers = vec![];
            for (user, token) in (0..PEOPLE).flat_map(|user| (0..=world.reference.last() + 2).map(move |token| (user, token))) {
                let checked = world.check(user, token);
                prop_assert_eq!(&checked, &world.expected(user, token), "{} {}{}", user, token, world.story());
                if checked.is_ok() {
                    writers.push((user, token));
                }
            }
            let holder = world.reference.holder().filter(|(.., frozen)| frozen.is_none());
            let may: Vec<_> = holder.map(|(user, token, _)| (user, token)).into_iter().collect();
            prop_assert_eq!(writers, may, "{}", world.story());
        }
    }

    /// However long it lives, it keeps only who holds it, who waits, who is suspect, and a fixed number of losses.
    #[test]
    fn memory_is_bounded(grace in graces(), steps in steps(), times in 1..6_usize) {
        let steps = steps.repeat(times);
        let world = live(grace, 0, Timestamp::ZERO, &steps);
        let people = usize::from(PEOPLE);
        prop_assert!(world.copies() <= 1 + people + people + REMEMBERED, "{}", world.copies());
    }

    /// Adding a constant to all times changes nothing.
    #[test]
    fn a_shifted_life_is_the_same(grace in graces(), steps in steps(), by in 0..u64::MAX / 2) {
        // Far enough from the origin, so that no clock goes back beyond it.
        let start = Timestamp::from_secs(10_000_000);
        let there = start + Duration::from_nanos(by);
        let told = |start| relative(&live(grace, 0, start, &steps), start);
        prop_assert_eq!(told(start), told(there));
    }
}

/// What was reported, and how long after the start.
fn relative(world: &World, start: Timestamp) -> Vec<(Duration, LeaseChange<u8>)> {
    let since = |at: Timestamp| at.saturating_duration_since(start);
    let moved = |at: Timestamp| Timestamp::ZERO + since(at);
    let told = world.log.iter().filter_map(|(at, line)| match line {
        Line::Out(LeaseChange::Frozen { user, token, since }) => {
            Some((*at, LeaseChange::Frozen { user: *user, token: *token, since: moved(*since) }))
        }
        Line::Out(LeaseChange::Returned { user, token, reason, at: lost }) => {
            let at_lost = moved(*lost);
            Some((*at, LeaseChange::Returned { user: *user, token: *token, reason: *reason, at: at_lost }))
        }
        Line::Out(change) => Some((*at, change.clone())),
        Line::In(_) | Line::Silence => None,
    });
    told.map(|(at, change)| (since(at), change)).collect()
}

/// A property says nothing about cases that its lives never reach.
#[test]
fn lives_of_every_kind_are_lived() {
    let (mut reached, mut foreign, mut lost, mut begun_anew) = (Reached::default(), 0, 0, 0);
    for (grace, steps) in samples((graces(), steps()), 200) {
        let world = live(grace, 0, Timestamp::ZERO, &steps);
        reached.count(&world.log);
        begun_anew += world.begun_anew;
        for (user, token) in (0..PEOPLE).flat_map(|user| (0..40).map(move |token| (user, token))) {
            match world.check(user, token) {
                Err(Refusal::WrongUser) => foreign += 1,
                Err(Refusal::Lost { .. }) => lost += 1,
                _ => {}
            }
        }
    }
    assert!(reached.granted > 400 && reached.frozen > 120 && reached.thawed > 40, "{reached:?}");
    assert!(reached.released > 60 && reached.offline > 60 && reached.revoked > 60, "{reached:?}");
    assert!(reached.suspect > 60 && reached.returned > 120, "{reached:?}");
    assert!(begun_anew > 20, "{begun_anew}");
    assert!(foreign > 1_000 && lost > 300, "{foreign} {lost}");
}
