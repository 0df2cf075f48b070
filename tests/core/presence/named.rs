//! The promises, one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use liveness::presence::{DEFAULT_LINGER, Presence, PresenceChange};
use liveness::{Action, CloseCode, Config, Event, Fleet, Key, Liveness, Reason, Status, Timestamp};
use proptest::prelude::*;

use PresenceChange::{Joined, Left, Recovered, Suspected};

const LINGER: Duration = Duration::from_secs(5);
const TIMEOUT: Action = Action::MarkOffline(Reason::PingTimeout);

/// In milliseconds.
fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Everything that there is to report at this moment.
#[track_caller]
fn drain<U: Ord + Clone, C: Ord + Clone>(
    presence: &mut Presence<U, C>,
    now: Timestamp,
) -> Vec<PresenceChange<U>> {
    let changes: Vec<_> = std::iter::from_fn(|| presence.poll(now)).take(10_000).collect();
    assert!(presence.poll_timeout().is_none_or(|next| next > now), "it spins");
    changes
}

/// Ann, with connection 1, already reported.
fn ann() -> Presence<&'static str> {
    let mut presence = Presence::with_linger(LINGER);
    presence.connect(1, "ann", at(0));
    assert_eq!(drain(&mut presence, at(0)), [Joined("ann")]);
    presence
}

/// Only the settings and the time are left.
#[track_caller]
fn assert_nothing_kept<U: Ord + Clone + std::fmt::Debug>(presence: &Presence<U>, now: Timestamp) {
    let mut fresh = Presence::with_linger(presence.linger());
    assert_eq!(fresh.poll(now), None);
    assert_eq!(*presence, fresh);
}

#[test]
fn a_new_presence_is_empty_and_waits_for_nothing() {
    let mut presence = Presence::<u32>::new();
    assert_eq!(presence, Presence::default());
    assert_eq!((presence.linger(), DEFAULT_LINGER), (Duration::from_secs(5), Duration::from_secs(5)));
    assert_eq!((presence.poll(at(9)), presence.poll_timeout()), (None, None));
    assert_eq!((presence.len(), presence.is_empty(), presence.suspects()), (0, true, 0));
    assert_eq!(
        (presence.status(&7), presence.user(&1), presence.connections(&7).next()),
        (Status::Offline, None, None)
    );
}

#[test]
fn a_user_of_two_connections_joins_once_and_leaves_with_the_last() {
    let mut presence = ann();
    presence.connect(2, "ann", at(1_000));
    assert_eq!(drain(&mut presence, at(1_000)), []);
    assert_eq!(presence.connections(&"ann").copied().collect::<Vec<_>>(), [1, 2]);
    presence.set_status(&1, Status::Offline, at(2_000));
    assert_eq!((drain(&mut presence, at(9_000)), presence.poll_timeout()), (vec![], None));
    presence.set_status(&2, Status::Offline, at(10_000));
    assert_eq!(presence.poll_timeout(), Some(at(15_000)));
    assert_eq!(drain(&mut presence, at(15_000)), [Left("ann")]);
    assert_nothing_kept(&presence, at(15_000));
}

#[test]
fn a_user_is_suspect_while_every_connection_is() {
    let mut presence = ann();
    presence.connect(2, "ann", at(0));
    presence.set_status(&1, Status::Suspect, at(1));
    assert_eq!(drain(&mut presence, at(1)), []);
    presence.set_status(&2, Status::Suspect, at(2));
    assert_eq!(drain(&mut presence, at(2)), [Suspected("ann")]);
    assert_eq!((presence.len(), presence.suspects(), presence.status(&"ann")), (1, 1, Status::Suspect));
    presence.set_status(&2, Status::Online, at(3));
    assert_eq!(drain(&mut presence, at(3)), [Recovered("ann")]);
    assert_eq!((presence.len(), presence.suspects(), presence.status(&"ann")), (1, 0, Status::Online));
    // The connection that is online ends. The other one is not heard either.
    presence.set_status(&2, Status::Offline, at(4));
    assert_eq!(drain(&mut presence, at(4)), [Suspected("ann")]);
    // A new connection has the same effect as one that recovers.
    presence.connect(3, "ann", at(5));
    assert_eq!(drain(&mut presence, at(5)), [Recovered("ann")]);
}

#[test]
fn what_was_not_told_yet_is_not_answered_yet() {
    let mut presence = Presence::with_linger(LINGER);
    presence.connect(1, "ann", at(0));
    presence.set_status(&1, Status::Suspect, at(0));
    assert_eq!((presence.status(&"ann"), presence.len(), presence.iter().count()), (Status::Offline, 0, 0));
    assert_eq!(presence.poll_timeout(), Some(at(0)));
    assert_eq!(presence.poll(at(0)), Some(Joined("ann")));
    assert_eq!((presence.status(&"ann"), presence.suspects()), (Status::Online, 0));
    assert_eq!(presence.poll_timeout(), Some(at(0)), "there is more to tell");
    assert_eq!(presence.poll(at(0)), Some(Suspected("ann")));
    assert_eq!((presence.status(&"ann"), presence.suspects()), (Status::Suspect, 1));
    assert_eq!(presence.poll(at(0)), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However it ended, whatever was polled meanwhile, and whether or not the connection's identity is new.
    #[test]
    fn a_reload_within_linger_yields_nothing(
        linger in 1..10_000_000_000_u64,
        share in 0.0..1.0,
        polls in prop::collection::vec(0.0..1.0, 0..4),
        next in 1..3_u64,
    ) {
        let moment = |share: f64| Timestamp::from_nanos(7 + (linger as f64 * share) as u64);
        let mut presence = Presence::with_linger(Duration::from_nanos(linger));
        presence.connect(1_u64, "ann", moment(0.0));
        prop_assert_eq!(presence.poll(moment(0.0)), Some(Joined("ann")));
        presence.set_status(&1, Status::Offline, moment(0.0));
        let mut polls: Vec<_> = polls.into_iter().map(|poll| share * poll).collect();
        polls.sort_by(f64::total_cmp);
        for poll in polls {
            prop_assert_eq!(presence.poll(moment(poll)), None);
            prop_assert_eq!(presence.status(&"ann"), Status::Online);
            prop_assert_eq!(presence.connections(&"ann").next(), None);
        }
        presence.connect(next, "ann", moment(share));
        prop_assert_eq!(presence.poll(Timestamp::MAX), None);
        prop_assert_eq!((presence.status(&"ann"), presence.poll_timeout()), (Status::Online, None));
    }

    /// Both sides of the deadline, to the nanosecond.
    #[test]
    fn a_leave_falls_exactly_at_linger(linger in 1..10_000_000_000_u64, gone in 0..10_000_000_000_u64) {
        let mut presence = Presence::with_linger(Duration::from_nanos(linger));
        presence.connect(1_u64, "ann", Timestamp::ZERO);
        prop_assert_eq!(presence.poll(Timestamp::ZERO), Some(Joined("ann")));
        presence.set_status(&1, Status::Offline, Timestamp::from_nanos(gone));
        prop_assert_eq!(presence.poll_timeout(), Some(Timestamp::from_nanos(gone + linger)));
        prop_assert_eq!(presence.poll(Timestamp::from_nanos(gone + linger - 1)), None);
        prop_assert_eq!(presence.status(&"ann"), Status::Online);
        prop_assert_eq!(presence.poll(Timestamp::from_nanos(gone + linger)), Some(Left("ann")));
        prop_assert_eq!(presence.status(&"ann"), Status::Offline);
    }

    /// A list that is kept from the changes always agrees with the answers, and no poll is needless.
    #[test]
    fn the_questions_and_the_changes_agree_and_nothing_spins(
        inputs in prop::collection::vec((0..8_u64, 0..4_u32, 0..4_u8, 0..3_000_u64), 1..80),
    ) {
        let mut presence = Presence::with_linger(Duration::from_secs(1));
        let (mut list, mut now, mut polls) = (BTreeMap::new(), 0, 0);
        for (connection, user, what, wait) in &inputs {
            match what {
                0 => presence.connect(*connection, *user, at(now)),
                1 => presence.handle(connection, Action::MarkOnline, at(now)),
                2 => presence.handle(connection, Action::MarkSuspect, at(now)),
                _ => presence.handle(connection, TIMEOUT, at(now)),
            }
            let until = now + wait;
            while let Some(due) = presence.poll_timeout().filter(|due| *due <= at(until)) {
                polls += 1;
                let change = presence.poll(due);
                prop_assert!(change.is_some(), "polled needlessly at {due}");
                let change = change.unwrap();
                match change.status() {
                    Status::Offline => list.remove(change.user()),
                    status @ (Status::Online | Status::Suspect) => list.insert(*change.user(), status),
                };
                prop_assert!(list.iter().map(|(user, status)| (user, *status)).eq(presence.iter()));
                prop_assert_eq!(list.len(), presence.len());
            }
            now = until;
        }
        // An input causes at most two changes now, and one when the linger is over. Here no input claims connections of
        // more than one user.
        prop_assert!(polls <= 3 * inputs.len());
    }
}

#[test]
fn a_crowd_that_leaves_at_once_is_told_one_at_a_time_in_order() {
    let mut presence = Presence::with_linger(LINGER);
    for user in (0..1_000_u64).rev() {
        presence.connect(user, user, at(0));
    }
    let joined = drain(&mut presence, at(0));
    assert_eq!(joined, (0..1_000).map(Joined).collect::<Vec<_>>());
    for user in (0..1_000).rev() {
        presence.set_status(&user, Status::Offline, at(100));
    }
    assert_eq!(presence.poll(at(5_099)), None);
    for user in 0..1_000 {
        assert_eq!(presence.poll_timeout(), Some(at(5_100)));
        assert_eq!(presence.len(), 1_000 - user as usize);
        assert_eq!(presence.poll(at(5_100)), Some(Left(user)));
    }
    assert_eq!(presence.poll(at(5_100)), None);
    assert_nothing_kept(&presence, at(5_100));
}

#[test]
fn those_who_leave_come_first_and_in_the_order_of_their_moments() {
    let mut presence = Presence::with_linger(LINGER);
    for user in [1, 2, 3] {
        presence.connect(user, user, at(0));
    }
    assert_eq!(drain(&mut presence, at(0)).len(), 3);
    presence.set_status(&3, Status::Offline, at(1));
    presence.set_status(&2, Status::Offline, at(2));
    presence.set_status(&1, Status::Suspect, at(3));
    presence.connect(9, 9, at(3));
    presence.connect(8, 8, at(3));
    assert_eq!(drain(&mut presence, at(6_000)), [Left(3), Left(2), Suspected(1), Joined(8), Joined(9)]);
}

#[test]
fn nothing_is_kept_of_users_long_gone() {
    let mut presence = Presence::with_linger(LINGER);
    let (mut joined, mut left) = (0, 0);
    let mut step = |presence: &mut Presence<u64>, now| {
        for change in drain(presence, now) {
            match change {
                Joined(_) => joined += 1,
                Left(_) => left += 1,
                Suspected(_) | Recovered(_) => panic!("{change:?}"),
            }
        }
        (joined, left)
    };
    for user in 0..10_000_u64 {
        presence.connect(user, user, at(7 * user));
        step(&mut presence, at(7 * user));
        presence.set_status(&user, Status::Offline, at(7 * user));
        step(&mut presence, at(7 * user));
        assert!(presence.len() <= 5_000 / 7 + 1, "{} are here", presence.len());
    }
    let mut done = (0, 0);
    while let Some(next) = presence.poll_timeout() {
        done = step(&mut presence, next);
    }
    assert_eq!(done, (10_000, 10_000));
    assert_nothing_kept(&presence, at(74_993));
}

#[test]
fn who_came_and_went_between_two_polls_was_not_here() {
    let mut presence = Presence::with_linger(LINGER);
    presence.connect(1, "ann", at(0));
    presence.set_status(&1, Status::Offline, at(1));
    assert_eq!((presence.poll_timeout(), drain(&mut presence, at(9_000))), (None, vec![]));
    assert_nothing_kept(&presence, at(9_000));
    // The same for a short suspicion.
    let mut presence = ann();
    presence.set_status(&1, Status::Suspect, at(1));
    presence.set_status(&1, Status::Online, at(2));
    assert_eq!((presence.poll_timeout(), drain(&mut presence, at(2))), (None, vec![]));
}

#[test]
fn who_is_back_before_the_poll_has_not_left_however_late_it_comes() {
    let mut presence = ann();
    presence.set_status(&1, Status::Offline, at(1_000));
    presence.connect(2, "ann", at(60_000));
    assert_eq!((presence.poll_timeout(), drain(&mut presence, at(60_000))), (None, vec![]));
    // The linger begins again with the next end.
    presence.set_status(&2, Status::Offline, at(61_000));
    assert_eq!(presence.poll(at(65_999)), None);
    assert_eq!(presence.poll(at(66_000)), Some(Left("ann")));
}

#[test]
fn a_suspect_lingers_as_a_suspect() {
    let mut presence = ann();
    presence.set_status(&1, Status::Suspect, at(1_000));
    assert_eq!(drain(&mut presence, at(1_000)), [Suspected("ann")]);
    presence.handle(&1, TIMEOUT, at(2_000));
    assert_eq!((drain(&mut presence, at(2_000)), presence.status(&"ann")), (vec![], Status::Suspect));
    let mut returning = presence.clone();
    returning.connect(2, "ann", at(3_000));
    assert_eq!(drain(&mut returning, at(3_000)), [Recovered("ann")]);
    assert_eq!(presence.poll(at(6_999)), None);
    assert_eq!(drain(&mut presence, at(7_000)), [Left("ann")]);
    assert_eq!(presence.suspects(), 0);
}

#[test]
fn a_suspicion_that_nobody_was_told_of_does_not_linger() {
    let mut presence = ann();
    presence.set_status(&1, Status::Suspect, at(1_000));
    presence.set_status(&1, Status::Offline, at(1_000));
    assert_eq!((drain(&mut presence, at(1_000)), presence.status(&"ann")), (vec![], Status::Online));
    assert_eq!(drain(&mut presence, at(6_000)), [Left("ann")]);
}

#[test]
fn a_goodbye_does_not_linger() {
    let mut presence = ann();
    presence.connect(2, "ann", at(0));
    presence.disconnect(&1, at(1_000));
    assert_eq!(
        (drain(&mut presence, at(1_000)), presence.user(&1)),
        (vec![], None),
        "she is at the other still"
    );
    presence.disconnect(&2, at(2_000));
    assert_eq!(presence.poll_timeout(), Some(at(2_000)));
    assert_eq!(drain(&mut presence, at(2_000)), [Left("ann")]);
    assert_nothing_kept(&presence, at(2_000));
}

#[test]
fn who_logs_out_leaves_with_all_connections_and_at_once() {
    let mut presence = ann();
    presence.connect(2, "ann", at(0));
    presence.connect(3, "bob", at(0));
    presence.set_status(&2, Status::Suspect, at(0));
    assert_eq!(drain(&mut presence, at(0)), [Joined("bob")]);
    presence.remove_user(&"ann", at(1_000));
    assert_eq!((presence.user(&1), presence.user(&2), presence.user(&3)), (None, None, Some(&"bob")));
    assert_eq!(drain(&mut presence, at(1_000)), [Left("ann")]);
    // Whatever is reported about her old connections means nothing.
    presence.set_status(&1, Status::Online, at(1_001));
    presence.handle(&2, Action::MarkOffline(Reason::LocalClosed), at(1_001));
    assert_eq!(drain(&mut presence, at(1_001)), []);
    presence.remove_user(&"eve", at(1_001));
    presence.remove_user(&"bob", at(1_001));
    assert_eq!(drain(&mut presence, at(1_001)), [Left("bob")]);
    assert_nothing_kept(&presence, at(1_001));
}

#[test]
fn who_logs_out_while_lingering_lingers_no_more() {
    let mut presence = ann();
    presence.set_status(&1, Status::Offline, at(1_000));
    presence.remove_user(&"ann", at(2_000));
    assert_eq!(presence.poll_timeout(), Some(at(2_000)));
    assert_eq!(drain(&mut presence, at(2_000)), [Left("ann")]);
    assert_nothing_kept(&presence, at(2_000));
}

#[test]
fn without_linger_a_reload_is_seen() {
    let mut presence = Presence::with_linger(Duration::ZERO);
    presence.connect(1, "ann", at(0));
    assert_eq!(drain(&mut presence, at(0)), [Joined("ann")]);
    presence.set_status(&1, Status::Offline, at(1));
    assert_eq!(presence.poll_timeout(), Some(at(1)));
    assert_eq!(drain(&mut presence, at(1)), [Left("ann")]);
    presence.connect(2, "ann", at(2));
    assert_eq!(drain(&mut presence, at(2)), [Joined("ann")]);
}

#[test]
fn with_linger_never_only_who_logs_out_leaves() {
    // The far end of time is never, however it is reached.
    for linger in [Duration::MAX, Duration::from_nanos(u64::MAX)] {
        let mut presence = Presence::with_linger(linger);
        assert_eq!(presence.linger(), Duration::MAX);
        presence.connect(1, "ann", at(0));
        assert_eq!(drain(&mut presence, at(0)), [Joined("ann")]);
        presence.set_status(&1, Status::Offline, at(1));
        assert_eq!((presence.poll(Timestamp::MAX), presence.poll_timeout()), (None, None));
        let mut presence = ann();
        presence.set_status(&1, Status::Offline, Timestamp::from_nanos(u64::MAX - 1));
        assert_eq!((presence.poll(Timestamp::MAX), presence.poll_timeout()), (None, None));
    }
    let mut presence = Presence::with_linger(Duration::MAX);
    presence.connect(1, "ann", at(0));
    assert_eq!(drain(&mut presence, at(0)), [Joined("ann")]);
    presence.disconnect(&1, at(2));
    assert_eq!(drain(&mut presence, at(2)), [Left("ann")]);
}

#[test]
fn a_clock_that_steps_back_counts_as_no_time() {
    let mut presence = ann();
    assert_eq!(presence.poll(at(50_000)), None);
    presence.set_status(&1, Status::Offline, at(10));
    assert_eq!(presence.poll_timeout(), Some(at(55_000)));
    assert_eq!(presence.poll(at(20_000)), None);
    assert_eq!(presence.poll(at(54_999)), None);
    assert_eq!(drain(&mut presence, at(55_000)), [Left("ann")]);
    // Each input moves it too.
    for step in 0..4 {
        let mut presence = ann();
        presence.connect(2, "bob", at(0));
        match step {
            0 => presence.connect(3, "eve", at(8_000)),
            1 => presence.set_status(&2, Status::Online, at(8_000)),
            2 => presence.disconnect(&9, at(8_000)),
            _ => presence.remove_user(&"eve", at(8_000)),
        }
        presence.set_status(&1, Status::Offline, at(0));
        drain(&mut presence, at(0));
        assert_eq!(presence.poll_timeout(), Some(at(13_000)), "input {step}");
    }
}

#[test]
fn a_connection_belongs_to_the_user_connected_with_it_last() {
    let mut presence = ann();
    presence.connect(1, "bob", at(1_000));
    assert_eq!(presence.user(&1), Some(&"bob"));
    assert_eq!(drain(&mut presence, at(1_000)), [Joined("bob")]);
    // For Ann it has ended, so she lingers.
    assert_eq!((presence.status(&"ann"), presence.poll_timeout()), (Status::Online, Some(at(6_000))));
    presence.set_status(&1, Status::Suspect, at(2_000));
    assert_eq!(drain(&mut presence, at(2_000)), [Suspected("bob")]);
    assert_eq!(drain(&mut presence, at(6_000)), [Left("ann")]);
    assert_eq!(presence.iter().collect::<Vec<_>>(), [(&"bob", Status::Suspect)]);
}

#[test]
fn an_identity_that_is_used_again_is_a_new_connection() {
    let mut presence = ann();
    presence.set_status(&1, Status::Suspect, at(1));
    presence.set_status(&1, Status::Offline, at(2));
    presence.connect(1, "bob", at(3));
    assert_eq!(drain(&mut presence, at(3)), [Joined("bob")]);
    assert_eq!((presence.status(&"bob"), presence.user(&1)), (Status::Online, Some(&"bob")));
    assert_eq!(drain(&mut presence, at(5_002)), [Left("ann")]);
}

#[test]
fn connected_twice_a_connection_is_one_and_online() {
    let mut presence = ann();
    presence.set_status(&1, Status::Suspect, at(1));
    assert_eq!(drain(&mut presence, at(1)), [Suspected("ann")]);
    presence.connect(1, "ann", at(2));
    assert_eq!(drain(&mut presence, at(2)), [Recovered("ann")]);
    assert_eq!(presence.connections(&"ann").count(), 1);
    presence.set_status(&1, Status::Offline, at(3));
    assert_eq!(drain(&mut presence, at(5_003)), [Left("ann")]);
}

#[test]
fn late_double_and_unknown_inputs_are_nothing() {
    let mut presence = ann();
    presence.set_status(&1, Status::Online, at(1));
    assert_eq!(presence.poll_timeout(), None);
    presence.set_status(&2, Status::Online, at(1));
    presence.set_status(&2, Status::Suspect, at(1));
    presence.disconnect(&2, at(1));
    assert_eq!((drain(&mut presence, at(1)), presence.user(&2)), (vec![], None));
    presence.set_status(&1, Status::Offline, at(2));
    // A second end does not delay the first. A pong after the verdict revives nothing.
    presence.set_status(&1, Status::Offline, at(1_000));
    presence.set_status(&1, Status::Online, at(1_000));
    presence.disconnect(&1, at(1_000));
    assert_eq!((presence.poll_timeout(), presence.user(&1)), (Some(at(5_002)), None));
    assert_eq!(drain(&mut presence, at(5_002)), [Left("ann")]);
    presence.set_status(&1, Status::Online, at(6_000));
    assert_eq!(drain(&mut presence, at(6_000)), []);
    assert_nothing_kept(&presence, at(6_000));
}

#[test]
fn only_what_concerns_the_user_of_all_actions_is_something() {
    let mut machine = Liveness::new(Config::DEFAULT, 1, at(0));
    machine.probe(at(0));
    assert_eq!(machine.poll(at(0)), Some(Action::MarkOnline));
    let ping = machine.poll(at(0)).unwrap();
    assert!(matches!(ping, Action::SendPing(_)));
    let mut presence = ann();
    for action in [ping, Action::Close(Some(CloseCode::TIMEOUT)), Action::Close(None), Action::Disconnect] {
        presence.handle(&1, action, at(1));
        assert_eq!((drain(&mut presence, at(1)), presence.poll_timeout()), (vec![], None), "{action:?}");
        assert_eq!(presence.connections(&"ann").count(), 1, "{action:?}");
    }
    presence.handle(&1, Action::MarkSuspect, at(2));
    assert_eq!(drain(&mut presence, at(2)), [Suspected("ann")]);
    presence.handle(&1, Action::MarkOnline, at(3));
    assert_eq!(drain(&mut presence, at(3)), [Recovered("ann")]);
    presence.handle(&1, Action::MarkOffline(Reason::Idle), at(4));
    assert_eq!(drain(&mut presence, at(5_004)), [Left("ann")]);
}

/// The whole way, from silence on the wire to the list: suspect, given up, lingering, gone, each when it was promised.
#[test]
fn behind_a_fleet_a_silent_user_is_gone_within_the_bound_and_the_linger() {
    let config = Config::builder()
        .interval(Duration::from_secs(2))
        .timeout(Duration::from_secs(3))
        .suspicion(liveness::Suspicion::After(Duration::from_secs(1)))
        .build()
        .unwrap();
    let mut fleet = Fleet::new(config, 7);
    let mut presence = Presence::<&str, Key>::with_linger(LINGER);
    let (silent, talking) = (fleet.insert(at(0)).unwrap(), fleet.insert(at(0)).unwrap());
    presence.connect(silent, "ann", at(0));
    presence.connect(talking, "bob", at(0));
    let (mut told, mut now, mut turns) = (Vec::new(), at(0), 0);
    while now < at(60_000) {
        turns += 1;
        assert!(turns < 1_000, "it spins at {now}");
        fleet.handle(talking, Event::Data, now).unwrap();
        while let Some((key, action)) = fleet.poll(now) {
            presence.handle(&key, action, now);
        }
        while let Some(change) = presence.poll(now) {
            told.push((change, now));
        }
        let next = [fleet.poll_timeout(), presence.poll_timeout()].into_iter().flatten().min();
        now = next.unwrap_or(Timestamp::MAX).min(now + Duration::from_millis(500));
    }
    let [(Joined("ann"), _), (Joined("bob"), _), (Suspected("ann"), suspected), (Left("ann"), left)] =
        told[..]
    else {
        panic!("{told:?}")
    };
    let bound = config.detection_bound(fleet.tick());
    assert!(suspected <= at(3_010) && left <= at(0) + bound + LINGER, "{told:?}");
    assert!(left >= at(0) + config.timeout() + LINGER, "{told:?}");
}
