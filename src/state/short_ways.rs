//! Drivers ask these questions on their short ways. Nothing else shows the answers, because the long way comes to the same.

use std::vec::Vec;

use core::time::Duration;

use proptest::prelude::*;

use crate::config::{Config, Evidence};
use crate::event::{Event, Status};
use crate::liveness::Liveness;
use crate::time::Timestamp;

/// Milliseconds until the next deed, and the deed: mostly traffic.
fn deeds() -> impl Strategy<Value = Vec<(u64, u8)>> {
    let wait = prop_oneof![3 => Just(0), 2 => 0..20_u64, 2 => 0..6_000_u64];
    prop::collection::vec((wait, 0..16_u8), 1..60)
}

fn config(pong_only: bool, suspicious: bool) -> Config {
    let config =
        Config::builder().interval(Duration::from_secs(5)).timeout(Duration::from_secs(10)).jitter(0);
    let config = config.evidence(if pong_only { Evidence::PongOnly } else { Evidence::AnyTraffic });
    let config = config.silence_timeout(Duration::from_secs(if suspicious { 9 } else { 60 }));
    let suspicion = crate::config::Suspicion::After(Duration::from_secs(if suspicious { 1 } else { 60 }));
    config.suspicion(suspicion).build().unwrap()
}

fn event(deed: u8) -> Option<Event<'static>> {
    match deed {
        0..=5 => Some(Event::Data),
        6 => Some(Event::Progress),
        7 => Some(Event::Ping),
        8 => Some(Event::Pong(b"foreign!")),
        9 => Some(Event::Wrote),
        10 => Some(Event::Unread),
        11 => Some(Event::ReadPaused),
        12 => Some(Event::ReadResumed),
        _ => None,
    }
}

/// Lives, and asks before and after each deed.
fn live(deeds: &[(u64, u8)], config: Config, check: &mut dyn FnMut(&mut Liveness, Timestamp)) {
    let mut now = Timestamp::from_secs(100);
    let mut peer = Liveness::new(config, 7, now);
    for (wait, deed) in deeds {
        now += Duration::from_millis(*wait);
        check(&mut peer, now);
        match event(*deed) {
            Some(event) => peer.handle(event, now),
            None => while peer.poll(now).is_some() {},
        }
        check(&mut peer, now);
    }
}

/// A data message at this moment leaves the machine as it is.
fn is_unmoved(peer: &Liveness, now: Timestamp) -> bool {
    let mut moved = peer.clone();
    moved.handle(Event::Data, now);
    moved == *peer
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 300 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_machine_that_is_unmoved_by_data_is_not_moved_by_data(
        deeds in deeds(), pong_only in any::<bool>(), suspicious in any::<bool>(),
    ) {
        live(&deeds, config(pong_only, suspicious), &mut |peer, now| {
            // A moment that was not the latest too.
            for at in [now, now.saturating_sub(Duration::from_nanos(1)), now + Duration::from_nanos(1)] {
                assert!(!peer.is_unmoved_by_data(at) || is_unmoved(peer, at), "{peer:?} at {at}");
            }
            // Twice at one moment: the first says all.
            if peer.status() == Status::Online && !pong_only {
                let mut told = peer.clone();
                told.handle(Event::Data, now);
                let is_calm = told.poll_timeout() > Some(now) && !suspicious && told.awaited().is_none();
                assert!(!is_calm || told.is_unmoved_by_data(now) || !is_unmoved(&told, now), "{told:?} at {now}");
            }
        });
    }

    #[test]
    fn a_poll_of_a_machine_that_rests_finds_nothing_to_do(
        deeds in deeds(), pong_only in any::<bool>(), suspicious in any::<bool>(), later in 0..20_000_u64,
    ) {
        live(&deeds, config(pong_only, suspicious), &mut |peer, now| {
            for at in [now, now + Duration::from_millis(later), now.saturating_sub(Duration::from_nanos(1))] {
                if peer.rests_at(at) {
                    let mut polled = peer.clone();
                    assert_eq!(polled.poll(at), None);
                    assert!(polled.poll_timeout().is_none_or(|next| next > at));
                    assert_eq!(polled.poll_timeout(), peer.poll_timeout());
                }
            }
        });
    }

    #[test]
    fn the_latest_moment_is_the_latest_that_was_passed(moments in prop::collection::vec(0..1_000_u64, 1..20)) {
        let mut peer = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
        let mut latest = Timestamp::ZERO;
        for moment in moments {
            let now = Timestamp::from_millis(moment);
            peer.handle(Event::Data, now);
            latest = latest.max(now);
            assert_eq!(peer.latest(), latest);
        }
    }
}

#[test]
fn a_machine_rests_from_a_poll_without_an_action_to_the_moment_that_it_names() {
    let (now, nano) = (Timestamp::from_secs(100), Duration::from_nanos(1));
    let mut peer = Liveness::new(config(false, false), 7, now);
    assert!(!peer.rests_at(now));
    while peer.poll(now).is_some() {}
    let next = now + Duration::from_secs(5);
    assert_eq!(peer.poll_timeout(), Some(next));
    assert!(peer.rests_at(now) && peer.rests_at(now + nano) && peer.rests_at(next.saturating_sub(nano)));
    // Its time does not run backwards: an earlier moment needs a look.
    assert!(!peer.rests_at(now.saturating_sub(nano)) && !peer.rests_at(next) && !peer.rests_at(next + nano));
}

/// Otherwise the short ways would never be taken, and only a clock would tell.
#[test]
fn after_data_a_calm_machine_is_unmoved_by_more_at_that_moment_alone() {
    let now = Timestamp::from_secs(100);
    let mut peer = Liveness::new(config(false, false), 7, now);
    while peer.poll(now).is_some() {}
    assert!(!peer.is_unmoved_by_data(now));
    peer.handle(Event::Data, now);
    assert!(peer.is_unmoved_by_data(now));
    assert!(!peer.is_unmoved_by_data(now + Duration::from_nanos(1)));
    peer.handle(Event::Ping, now);
    assert!(!peer.is_unmoved_by_data(now));
}
