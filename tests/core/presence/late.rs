//! A late look does not count: a user who was away while the process slept is not reported as gone before the waiting
//! input is.

use std::time::Duration;

use liveness::presence::{Presence, PresenceChange};
use liveness::{Status, Timestamp};
use proptest::prelude::*;

use PresenceChange::{Joined, Left};

/// In milliseconds.
fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Ann, who reloads her page at 10 s.
fn reloading(linger: Duration) -> Presence<&'static str> {
    let mut presence = Presence::with_linger(linger);
    presence.connect(1, "ann", at(0));
    assert_eq!(presence.poll(at(0)), Some(Joined("ann")));
    presence.set_status(&1, Status::Offline, at(10_000));
    assert_eq!(presence.poll(at(10_000)), None);
    presence
}

const LINGER: Duration = Duration::from_secs(5);

#[test]
fn a_reload_while_the_server_stalls_is_no_farewell() {
    let mut presence = reloading(LINGER);
    // The process handles its timers first. Her new page's request is still in the backlog.
    assert_eq!((presence.poll(at(40_000)), presence.poll_timeout()), (None, Some(at(45_000))));
    presence.connect(2, "ann", at(40_010));
    assert_eq!((presence.poll(at(100_000)), presence.status(&"ann")), (None, Status::Online));
}

#[test]
fn a_linger_that_begins_anew_runs_out_like_another() {
    let mut presence = reloading(LINGER);
    assert_eq!(presence.poll(at(40_000)), None);
    assert_eq!(presence.poll(at(44_999)), None);
    assert_eq!(presence.poll(at(45_000)), Some(Left("ann")));
    // Only once: a driver that is always late still reaches the end.
    let mut presence = reloading(LINGER);
    assert_eq!(presence.poll(at(40_000)), None);
    assert_eq!(presence.poll(at(80_000)), Some(Left("ann")));
    // The next departure has its own second chance.
    presence.connect(3, "ann", at(80_000));
    assert_eq!(presence.poll(at(80_000)), Some(Joined("ann")));
    presence.set_status(&3, Status::Offline, at(80_000));
    assert_eq!(presence.poll(at(120_000)), None);
    assert_eq!(presence.poll(at(160_000)), Some(Left("ann")));
}

#[test]
fn late_is_more_than_a_quarter_of_the_linger() {
    let just = at(15_000) + LINGER / 4;
    assert_eq!(reloading(LINGER).poll(just), Some(Left("ann")));
    let late = just + Duration::from_nanos(1);
    let mut presence = reloading(LINGER);
    assert_eq!((presence.poll(late), presence.poll_timeout()), (None, Some(late + LINGER)));
}

#[test]
fn an_input_is_a_look_too_and_what_it_finds_late_is_late() {
    let mut presence = reloading(LINGER);
    // Bob is read first. Ann is next in the backlog.
    presence.connect(7, "bob", at(40_000));
    assert_eq!(presence.poll(at(40_000)), Some(Joined("bob")));
    assert_eq!((presence.poll(at(40_000)), presence.poll_timeout()), (None, Some(at(45_000))));
    // Inputs count as looks. Only the poll is late, by no more than they were.
    let mut presence = reloading(LINGER);
    for second in 11..=30 {
        presence.connect(7, "bob", at(second * 1_000));
    }
    assert_eq!(presence.poll(at(30_000)), Some(Left("ann")));
}

#[test]
fn a_goodbye_is_a_goodbye_however_late_it_is_seen() {
    let mut presence = Presence::with_linger(LINGER);
    presence.connect(1, "ann", at(0));
    presence.connect(2, "bob", at(0));
    assert_eq!([presence.poll(at(0)), presence.poll(at(0))], [Some(Joined("ann")), Some(Joined("bob"))]);
    presence.disconnect(&1, at(10_000));
    presence.remove_user(&"bob", at(10_000));
    assert_eq!(
        [presence.poll(at(90_000)), presence.poll(at(90_000))],
        [Some(Left("ann")), Some(Left("bob"))]
    );
    let mut presence = reloading(LINGER);
    presence.remove_user(&"ann", at(40_000));
    assert_eq!(presence.poll(at(90_000)), Some(Left("ann")), "she lingered anew, and then was removed");
}

#[test]
fn without_a_linger_nothing_begins_anew() {
    let mut presence = Presence::with_linger(Duration::ZERO);
    presence.connect(1, "ann", at(0));
    assert_eq!(presence.poll(at(0)), Some(Joined("ann")));
    presence.set_status(&1, Status::Offline, at(10_000));
    assert_eq!(presence.poll(at(90_000)), Some(Left("ann")));
}

#[test]
fn whoever_looks_only_when_asked_can_switch_it_off_or_set_it() {
    const PATIENT: Presence<&str> = Presence::with_linger(LINGER).stall_tolerance(Duration::MAX);
    for (mut presence, left) in [
        (PATIENT, Some(Left("ann"))),
        (Presence::with_linger(LINGER).stall_tolerance(Duration::from_secs(30)), Some(Left("ann"))),
        (Presence::with_linger(LINGER).stall_tolerance(Duration::from_secs(20)), None),
    ] {
        presence.connect(1, "ann", at(0));
        assert_eq!(presence.poll(at(0)), Some(Joined("ann")));
        presence.set_status(&1, Status::Offline, at(10_000));
        assert_eq!(presence.poll(at(40_000)), left);
    }
}

#[test]
fn a_linger_that_begins_anew_at_the_end_of_time_never_runs_out() {
    let end = Timestamp::MAX - Duration::from_secs(1);
    let mut presence = reloading(LINGER);
    assert_eq!((presence.poll(end), presence.poll_timeout()), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However long the process slept, and in whatever order it reads, a user who comes back within a linger of the
    /// waking has not left.
    #[test]
    fn nobody_is_called_out_for_what_we_slept_through(
        crowd in 1..20_u64,
        slept in 6_251..100_000_000_u64,
        back in prop::collection::vec(0..5_000_u64, 20),
        timers_first in any::<bool>(),
    ) {
        let mut presence = Presence::with_linger(LINGER);
        for user in 0..crowd {
            presence.connect(user, user, at(0));
        }
        while presence.poll(at(0)).is_some() {}
        for user in 0..crowd {
            presence.set_status(&user, Status::Offline, at(1_000));
        }
        let woken = 1_000 + slept;
        if timers_first {
            prop_assert_eq!(presence.poll(at(woken)), None);
        }
        let mut back: Vec<_> = (0..crowd).zip(back).map(|(user, after)| (woken + after, user)).collect();
        back.sort_unstable();
        let first = back[0].0;
        for (now, user) in back {
            if timers_first || now - first < 5_000 {
                presence.connect(100 + user, user, at(now));
            }
            prop_assert_eq!(presence.poll(at(now)), None);
        }
        prop_assert_eq!(presence.len() as u64, crowd);
    }

    /// The twin: if somebody looked all the time, a user who is not back in time has left.
    #[test]
    fn who_was_looked_for_in_vain_has_left(late in 0..=1_250_u64) {
        let mut presence = reloading(LINGER);
        prop_assert_eq!(presence.poll(at(15_000 + late)), Some(Left("ann")));
    }
}
