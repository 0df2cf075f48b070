//! Who is here, whatever happens to their connections.

mod late;
mod named;
pub(crate) mod reference;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use liveness::Status;
use liveness::presence::PresenceChange;
use proptest::prelude::*;

use self::reference::Input;
use self::world::{CONNECTIONS, Reached, Step, USERS, World};
use crate::samples::samples;

const SECOND: u64 = 1_000_000_000;

fn inputs() -> impl Strategy<Value = Input> {
    let (connection, user) = (0..CONNECTIONS, 0..USERS);
    let status = prop_oneof![Just(Status::Online), Just(Status::Suspect), Just(Status::Offline)];
    prop_oneof![
        // Mostly a connection belongs to one user, whatever the other inputs try.
        4 => connection.clone().prop_map(|connection| Input::Connect(connection, connection % USERS)),
        1 => (connection.clone(), user.clone()).prop_map(|(connection, user)| Input::Connect(connection, user)),
        6 => (connection.clone(), status).prop_map(|(connection, status)| Input::SetStatus(connection, status)),
        1 => connection.prop_map(Input::Disconnect),
        1 => user.prop_map(Input::RemoveUser),
    ]
}

/// Lengths that can coincide: a linger is some seconds long.
fn waits() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0..4_u64).prop_map(|seconds| seconds * SECOND),
        1 => Just(1),
        1 => Just(SECOND - 1),
        1 => Just(60 * SECOND),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => inputs().prop_map(Step::Input),
        1 => (inputs(), waits()).prop_map(|(input, by)| Step::Late(input, by)),
        3 => Just(Step::Poll),
        5 => waits().prop_map(Step::Wait),
        2 => waits().prop_map(Step::Sleep),
    ]
}

fn lingers() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => (0..4_u64).prop_map(Duration::from_secs),
        1 => Just(Duration::from_nanos(1)),
        1 => Just(Duration::MAX),
        1 => Just(Duration::from_secs(u64::MAX / SECOND)),
    ]
}

/// At the origin, at a time that counts from 1970, or shortly before the end of time.
fn starts() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 1 => Just(1_800_000_000 * SECOND), 1 => Just(u64::MAX - 20 * SECOND)]
}

fn live(linger: Duration, start: u64, steps: &[Step]) -> (Vec<PresenceChange<u8>>, Reached) {
    let mut world = World::new(linger, start);
    steps.iter().for_each(|step| world.step(*step));
    let lived = (world.changes.iter().map(|(_, change)| *change).collect(), world.reached);
    world.finish();
    lived
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// With duplicate, unknown, late and contradictory inputs, everything agrees with the definition: each change and its
    /// moment, each answer, and `poll_timeout`. Nothing is kept about users who have left.
    #[test]
    fn a_presence_is_what_its_history_says_by_definition(
        linger in lingers(),
        start in starts(),
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        live(linger, start, &steps);
    }

    #[test]
    fn joins_and_leaves_alternate_for_each_user(
        linger in lingers(),
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        let (changes, _) = live(linger, 0, &steps);
        let mut here = BTreeMap::new();
        for change in changes {
            let user = *change.user();
            let was = here.insert(user, change.status()).unwrap_or(Status::Offline);
            match change {
                PresenceChange::Joined(_) => prop_assert_eq!(was, Status::Offline),
                PresenceChange::Suspected(_) => prop_assert_eq!(was, Status::Online),
                PresenceChange::Recovered(_) => prop_assert_eq!(was, Status::Suspect),
                PresenceChange::Left(_) => prop_assert!(was != Status::Offline),
            }
        }
    }

    /// Only the distances between moments matter.
    #[test]
    fn shifted_in_time_a_life_is_the_same(
        linger in (0..4_u64).prop_map(Duration::from_secs),
        shift in 0..1_000_000 * SECOND,
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        prop_assert_eq!(live(linger, 0, &steps).0, live(linger, shift, &steps).0);
    }
}

/// A property says nothing about cases that its lives never reach.
#[test]
fn lives_of_every_kind_are_lived() {
    let mut all = Reached::default();
    let strategy = (lingers(), prop::collection::vec(steps(), 30..60));
    for (linger, steps) in samples(strategy, 200) {
        let (_, reached) = live(linger, 0, &steps);
        all.joined += reached.joined;
        all.suspected += reached.suspected;
        all.recovered += reached.recovered;
        all.left += reached.left;
        all.reloads += reached.reloads;
        all.late_reloads += reached.late_reloads;
        all.begun_anew += reached.begun_anew;
        all.claims += reached.claims;
        all.strays += reached.strays;
    }
    assert!(all.joined > 200 && all.left > 150 && all.suspected > 60 && all.recovered > 30, "{all:?}");
    assert!(
        all.reloads > 30 && all.late_reloads > 3 && all.begun_anew > 8 && all.claims > 30 && all.strays > 300,
        "{all:?}"
    );
}
