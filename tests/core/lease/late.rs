//! A late look does not count: an arbiter that slept takes the lease from nobody before the waiting input is reported.

use std::time::Duration;

use liveness::lease::{Lease, LeaseChange, Loss};
use liveness::{Status, Timestamp};
use proptest::prelude::*;

const GRACE: Duration = Duration::from_secs(5);

fn s(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

/// Ann holds it, and is suspect from 10 s on. Bob waits.
fn frozen(pen: Lease<&'static str>) -> Lease<&'static str> {
    let mut pen = pen;
    pen.request("ann", s(0));
    pen.request("bob", s(0));
    assert!(matches!(pen.poll(s(0)), Some(LeaseChange::Granted { user: "ann", .. })));
    pen.set_status(&"ann", Status::Suspect, s(10));
    assert!(matches!(pen.poll(s(10)), Some(LeaseChange::Frozen { .. })));
    pen
}

/// The user who lost it, and why, if somebody did.
fn lost(pen: &mut Lease<&'static str>, now: Timestamp) -> Option<Loss> {
    match pen.poll(now) {
        Some(LeaseChange::Lost { user: "ann", reason, .. }) => Some(reason),
        None => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_arbiter_that_slept_waits_for_the_holder_once_more() {
    let mut pen = frozen(Lease::new(GRACE));
    assert_eq!((lost(&mut pen, s(100)), pen.poll_timeout()), (None, Some(s(105))));
    // Her answer comes 50 ms after waking.
    pen.set_status(&"ann", Status::Online, s(100) + Duration::from_millis(50));
    assert!(matches!(pen.poll(s(101)), Some(LeaseChange::Thawed { user: "ann", .. })));
    assert_eq!(pen.poll_timeout(), None);
}

#[test]
fn a_grace_that_began_anew_runs_out_and_does_not_begin_again() {
    let mut pen = frozen(Lease::new(GRACE));
    assert_eq!(lost(&mut pen, s(100)), None);
    assert_eq!(lost(&mut pen, s(104)), None);
    assert_eq!(lost(&mut pen, s(105)), Some(Loss::GraceExpired));
    // A driver that is always late still reaches the end.
    let mut pen = frozen(Lease::new(GRACE));
    assert_eq!(lost(&mut pen, s(100)), None);
    assert_eq!(lost(&mut pen, s(200)), Some(Loss::GraceExpired));
}

#[test]
fn each_suspicion_has_its_own() {
    let mut pen = frozen(Lease::new(GRACE));
    assert_eq!(lost(&mut pen, s(100)), None);
    pen.set_status(&"ann", Status::Online, s(101));
    pen.set_status(&"ann", Status::Suspect, s(110));
    while pen.poll(s(110)).is_some() {}
    assert_eq!((lost(&mut pen, s(200)), pen.poll_timeout()), (None, Some(s(205))));
    assert_eq!(pen.holder().and_then(|held| held.frozen_since), Some(s(110)), "that is told as it was");
    // The next holder has such a second chance too.
    assert_eq!(lost(&mut pen, s(205)), Some(Loss::GraceExpired));
    assert!(matches!(pen.poll(s(205)), Some(LeaseChange::Granted { user: "bob", .. })));
    pen.request("cid", s(205));
    pen.set_status(&"bob", Status::Suspect, s(206));
    assert!(matches!(pen.poll(s(206)), Some(LeaseChange::Frozen { .. })));
    assert_eq!((pen.poll(s(300)), pen.poll_timeout()), (None, Some(s(305))));
}

#[test]
fn late_is_more_than_a_quarter_of_the_grace() {
    let just = s(15) + GRACE / 4;
    assert_eq!(lost(&mut frozen(Lease::new(GRACE)), just), Some(Loss::GraceExpired));
    let late = just + Duration::from_nanos(1);
    let mut pen = frozen(Lease::new(GRACE));
    assert_eq!((lost(&mut pen, late), pen.poll_timeout()), (None, Some(late + GRACE)));
    for (tolerance, expected) in [(84, None), (85, Some(Loss::GraceExpired))] {
        let mut pen = frozen(Lease::new(GRACE).stall_tolerance(Duration::from_secs(tolerance)));
        assert_eq!(lost(&mut pen, s(100)), expected, "{tolerance}");
    }
    let mut pen = frozen(Lease::new(GRACE).stall_tolerance(Duration::MAX));
    assert_eq!(lost(&mut pen, s(1_000_000)), Some(Loss::GraceExpired));
}

#[test]
fn an_input_is_a_look_too_and_what_it_finds_late_is_late() {
    let mut pen = frozen(Lease::new(GRACE));
    pen.request("cid", s(100));
    assert_eq!((lost(&mut pen, s(100)), pen.poll_timeout()), (None, Some(s(105))));
    // Inputs count as looks.
    let mut pen = frozen(Lease::new(GRACE));
    for second in 11..=30 {
        pen.request("cid", s(second));
    }
    assert_eq!(lost(&mut pen, s(30)), Some(Loss::GraceExpired));
}

#[test]
fn a_grace_that_nobody_waited_for_is_not_late() {
    let mut pen = Lease::new(GRACE);
    pen.request("ann", s(0));
    assert!(matches!(pen.poll(s(0)), Some(LeaseChange::Granted { .. })));
    pen.set_status(&"ann", Status::Suspect, s(10));
    assert!(matches!(pen.poll(s(10)), Some(LeaseChange::Frozen { .. })));
    // There was nothing to look at.
    assert_eq!(pen.poll_timeout(), None);
    pen.request("bob", s(100));
    assert_eq!(lost(&mut pen, s(100) + Duration::from_millis(900)), Some(Loss::GraceExpired));
}

#[test]
fn without_a_grace_and_with_one_without_end_nothing_begins_anew() {
    let mut pen = frozen(Lease::new(Duration::MAX));
    assert_eq!((lost(&mut pen, s(1_000_000)), pen.poll_timeout()), (None, None));
    let mut pen = Lease::new(Duration::ZERO);
    pen.request("ann", s(0));
    pen.request("bob", s(0));
    assert!(matches!(pen.poll(s(0)), Some(LeaseChange::Granted { .. })));
    pen.set_status(&"ann", Status::Suspect, s(10));
    assert_eq!(lost(&mut pen, s(100)), Some(Loss::GraceExpired));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However long the arbiter slept, and whatever it reads first, a holder that is heard within a grace of the waking
    /// keeps it.
    #[test]
    fn no_holder_loses_it_for_what_the_arbiter_slept_through(
        slept in 6_251..100_000_000_u64,
        heard in 0..5_000_u64,
        others in prop::collection::vec(0..5_000_u64, 0..10),
        timers_first in any::<bool>(),
    ) {
        let mut pen = frozen(Lease::new(GRACE));
        let woken = s(10) + Duration::from_millis(slept);
        let at = |after| woken + Duration::from_millis(after);
        if timers_first {
            prop_assert_eq!(pen.poll(woken), None);
        } else {
            pen.release(&"dan", woken);
        }
        let mut others: Vec<_> = others.into_iter().filter(|after| *after <= heard).collect();
        others.sort_unstable();
        for after in others {
            pen.request("cid", at(after));
            prop_assert_eq!(pen.poll(at(after)), None);
        }
        pen.set_status(&"ann", Status::Online, at(heard));
        let thawed = matches!(pen.poll(at(heard)), Some(LeaseChange::Thawed { user: "ann", .. }));
        prop_assert!(thawed);
        prop_assert_eq!(pen.holder().map(|held| *held.user), Some("ann"));
    }

    /// The twin: if somebody looked all the time, it is lost when the grace is over.
    #[test]
    fn a_holder_who_was_looked_for_in_vain_loses_it(late in 0..=1_250_u64) {
        let mut pen = frozen(Lease::new(GRACE));
        prop_assert_eq!(lost(&mut pen, s(15) + Duration::from_millis(late)), Some(Loss::GraceExpired));
    }
}
