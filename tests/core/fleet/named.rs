//! What a fleet promises in addition to its machines.

use std::collections::HashSet;
use std::time::Duration;

use liveness::transcript::{Page, Recorder};
use liveness::{Action, CloseCode, Config, Event, Fleet, FleetError, Key, Reason, Status, Timestamp};

use liveness_testing::assert_replays;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Everything that there is to do at this moment, and the number of polls that it took.
#[track_caller]
fn drain(fleet: &mut Fleet, now: Timestamp) -> Vec<(Key, Action)> {
    let mut actions = Vec::new();
    for _ in 0..1_000_000 {
        while let Some(action) = fleet.poll(now) {
            actions.push(action);
        }
        if fleet.poll_timeout() != Some(now) {
            return actions;
        }
    }
    panic!("the fleet never rests");
}

#[test]
fn a_tick_is_as_long_as_it_was_wished_but_never_nothing() {
    assert_eq!(Fleet::new(Config::DEFAULT, 1).tick(), Duration::from_millis(4));
    assert_eq!(Fleet::with_tick(Config::DEFAULT, 1, Duration::ZERO).tick(), Duration::from_nanos(1));
}

#[test]
fn an_empty_fleet_waits_for_nothing() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    assert_eq!((fleet.poll(at(5)), fleet.poll_timeout(), fleet.len()), (None, None, 0));
}

#[test]
fn a_connection_is_marked_online_at_once_and_waits_for_its_first_ping() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let key = fleet.insert(at(5)).unwrap();
    assert_eq!(fleet.poll_timeout(), Some(at(5)));
    assert_eq!(fleet.poll(at(5)), Some((key, Action::MarkOnline)));
    assert_eq!(fleet.poll(at(5)), None);
    assert_eq!(fleet.status(key), Ok(Status::Online));
    let next = fleet.poll_timeout().unwrap();
    assert!(next > at(5) && next <= at(20_009), "{next}");
}

#[test]
fn a_key_of_a_connection_that_ended_never_fits_another() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let mut seen = HashSet::new();
    for round in 0..1_000 {
        let key = fleet.insert(at(round)).unwrap();
        assert_eq!(key.index(), 0, "the place is used again");
        assert!(seen.insert(key), "{key:?} twice");
        fleet.handle(key, Event::Eof, at(round)).unwrap();
        let actions: Vec<_> = drain(&mut fleet, at(round)).into_iter().map(|(_, action)| action).collect();
        let end = [Action::MarkOnline, Action::MarkOffline(Reason::TransportClosed), Action::Disconnect];
        assert_eq!(actions, end);
        assert_eq!(seen.iter().filter(|key| fleet.get(**key).is_ok()).count(), 0);
    }
    assert_eq!(fleet.poll_timeout(), None);
}

#[test]
fn a_number_that_is_no_key_is_stale() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let key = fleet.insert(at(0)).unwrap();
    fleet.remove(key).unwrap();
    for bits in [0, 1, 255, 256, u64::from(u32::MAX), u64::MAX, key.to_bits() ^ 1 << 32] {
        let key = Key::from_bits(bits);
        assert!(fleet.handle(key, Event::Data, at(0)).is_err(), "{key:?}");
        assert!(fleet.remove(key).is_err(), "{key:?}");
    }
    assert_eq!(fleet.len(), 0);
}

#[test]
fn a_key_is_its_number_and_no_two_have_one() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let mut seen = HashSet::new();
    let first = fleet.insert(at(0)).unwrap();
    fleet.remove(first).unwrap();
    // Use the same place again, and others.
    for key in [first].into_iter().chain((0..10).map(|_| fleet.insert(at(0)).unwrap())) {
        let bits = key.to_bits();
        assert!(bits < 1 << 56 && seen.insert(bits), "{key:?} is {bits}");
        assert_eq!(Key::from_bits(bits), key);
    }
}

#[test]
fn a_removed_connection_gives_back_its_machine_and_does_nothing_more() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let key = fleet.insert(at(0)).unwrap();
    drain(&mut fleet, at(0));
    let machine = fleet.remove(key).unwrap();
    assert_eq!(machine.status(), Status::Online);
    assert_eq!((fleet.len(), fleet.poll_timeout()), (0, None));
    assert!(fleet.remove(key).unwrap_err().to_string().contains("gone"));
}

#[test]
fn each_class_keeps_its_own_settings() {
    let slow = Config::builder().interval(Duration::from_secs(60)).jitter(0).build_const();
    let quick = Config::builder().interval(Duration::from_secs(1)).jitter(0).build_const();
    let mut fleet = Fleet::new(slow, 1);
    let config = fleet.add_config(quick).unwrap();
    let a = fleet.insert(at(0)).unwrap();
    let b = fleet.insert_with(config, at(0)).unwrap();
    drain(&mut fleet, at(0));
    let first = fleet.poll_timeout().unwrap();
    assert_eq!(first, at(1_000));
    let pinged: Vec<_> = drain(&mut fleet, first).into_iter().map(|(key, _)| key).collect();
    assert_eq!(pinged, [b]);
    assert_eq!((fleet.get(a).unwrap().config(), fleet.get(b).unwrap().config()), (&slow, &quick));
}

#[test]
fn what_does_not_fit_is_said_clearly() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let last = (1..255).map(|_| fleet.add_config(Config::DEFAULT).unwrap()).last().unwrap();
    let error = fleet.add_config(Config::DEFAULT).unwrap_err();
    assert_eq!(error, FleetError::TooManyConfigs);
    assert!(error.to_string().contains("255 configs"));
    assert!(fleet.insert_with(last, at(0)).is_ok());
    let mut other = Fleet::new(Config::DEFAULT, 1);
    let error = other.insert_with(last, at(0)).unwrap_err();
    assert_eq!(error, FleetError::UnknownConfig);
    assert!(error.to_string().contains("add_config"));
}

/// One call makes the whole fleet due for a ping. Each poll does a part, and no connection is treated differently.
#[test]
fn a_probe_of_all_pings_everyone_and_nobody_who_comes_after() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let before: Vec<_> = (0..1_000).map(|_| fleet.insert(at(0)).unwrap()).collect();
    drain(&mut fleet, at(0));
    fleet.remove(before[3]).unwrap();
    fleet.probe_all(at(1));
    let after = fleet.insert(at(1)).unwrap();
    assert_eq!(fleet.poll_timeout(), Some(at(1)));
    let mut pinged = HashSet::new();
    for (key, action) in drain(&mut fleet, at(1)) {
        if matches!(action, Action::SendPing(_)) {
            assert!(pinged.insert(key));
        } else {
            assert_eq!((key, action), (after, Action::MarkOnline));
        }
    }
    assert_eq!(pinged.len(), 999);
    // The place is freed before the broadcast, and used again after it.
    assert_eq!(fleet.insert(at(2)).unwrap().index(), before[3].index());
}

#[test]
fn two_wishes_for_all_are_both_granted() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let keys: Vec<_> = (0..1_000).map(|_| fleet.insert(at(0)).unwrap()).collect();
    drain(&mut fleet, at(0));
    fleet.probe_all(at(1));
    fleet.close_all(CloseCode::GOING_AWAY, at(1));
    // If asked in the middle of the broadcast, each connection is closed already.
    assert_eq!(fleet.status(keys[999]), Ok(Status::Offline));
    let actions = drain(&mut fleet, at(1));
    let verdicts = actions.iter().filter(|(_, action)| *action == Action::MarkOffline(Reason::LocalClosed));
    assert_eq!((verdicts.count(), actions.len()), (1_000, 2_000));
    // No peer echoes the Close.
    assert_eq!(drain(&mut fleet, at(6_001)).len(), 1_000);
    assert!(fleet.is_empty());
}

/// A poll that finds nothing to do for a while returns to the caller, and goes on at the next call.
#[test]
fn a_poll_looks_at_64_connections_at_most() {
    let config = Config::builder().jitter(0).build_const();
    let mut fleet = Fleet::new(config, 1);
    let keys: Vec<_> = (0..640).map(|_| fleet.insert(at(0)).unwrap()).collect();
    drain(&mut fleet, at(0));
    // All would be pinged at 20 s. But each was written to and heard at 10 s.
    for key in &keys {
        fleet.handle(*key, Event::Data, at(10_000)).unwrap();
        fleet.handle(*key, Event::Wrote, at(10_000)).unwrap();
    }
    assert_eq!(fleet.poll_timeout(), Some(at(20_000)));
    for _ in 0..10 {
        assert_eq!(fleet.poll(at(20_000)), None);
    }
    assert_eq!(fleet.poll_timeout(), Some(at(30_000)));
    assert_eq!(drain(&mut fleet, at(30_000)).len(), 640);
}

/// The host slept for hours. Each connection is forgiven once, and the fleet does not walk through the ticks between.
#[test]
fn a_leap_of_hours_forgives_everyone_and_skips_the_ticks_between() {
    let config = Config::builder().jitter(0).build_const();
    let mut fleet = Fleet::with_tick(config, 1, Duration::from_millis(1));
    for _ in 0..100 {
        fleet.insert(at(0)).unwrap();
    }
    drain(&mut fleet, at(0));
    let pings = drain(&mut fleet, at(20_000));
    assert_eq!(pings.len(), 100);
    let woken = at(20_000 + 3 * 3_600_000);
    let fresh = drain(&mut fleet, woken);
    assert!(fresh.iter().all(|(_, action)| matches!(action, Action::SendPing(_))), "{fresh:?}");
    assert_eq!(fresh.len(), 100);
    assert!(fleet.iter().all(|(_, machine)| machine.stats().stalls_forgiven == 1));
}

#[test]
fn long_and_endless_waits_are_kept() {
    let month = Duration::from_secs(30 * 86_400);
    let config =
        Config::builder().interval(Duration::MAX).idle_timeout(month).last_look(Duration::ZERO).build_const();
    let mut fleet = Fleet::new(config, 1);
    let endless = fleet.add_config(Config::builder().interval(Duration::MAX).build_const()).unwrap();
    let idle = fleet.insert(at(0)).unwrap();
    fleet.insert_with(endless, at(0)).unwrap();
    drain(&mut fleet, at(0));
    let mut wakes = 0;
    let (at, verdict) = loop {
        let next = fleet.poll_timeout().unwrap();
        wakes += 1;
        if let Some((key, action)) = fleet.poll(next) {
            assert_eq!(key, idle);
            break (next, action);
        }
    };
    assert_eq!(verdict, Action::MarkOffline(Reason::Idle));
    assert!(at >= Timestamp::ZERO + month && at < Timestamp::ZERO + month + Duration::from_millis(4));
    assert!(wakes < 200_000, "{wakes} wake-ups in a month");
}

/// The fuzzer found this: the clock leaps, and a poll's full number of looks finds nothing to hand out. The looks that
/// follow from them lie beyond the turn in which the leap began.
#[test]
fn a_poll_that_ends_in_the_middle_of_a_leap_comes_back() {
    let hour = Duration::from_secs(3_600);
    let config = Config::builder().interval(Duration::MAX).idle_timeout(hour).build_const();
    for count in [63, 64, 65, 128] {
        let mut fleet = Fleet::new(config, 1);
        for _ in 0..count {
            fleet.insert(at(0)).unwrap();
        }
        drain(&mut fleet, at(0));
        let woken = Timestamp::ZERO + hour * 3;
        assert_eq!(drain(&mut fleet, woken), [], "the verdicts wait for their last look");
        let next = fleet.poll_timeout().unwrap();
        assert!(next > woken && next < woken + Duration::from_millis(14), "{next}");
        let verdicts = drain(&mut fleet, next);
        assert_eq!(verdicts.len(), 2 * count, "offline and close, each");
    }
}

/// At the far end of time there is no whole tick left. What was due before is still done, and then there is nothing.
#[test]
fn a_fleet_comes_to_rest_at_the_far_end_of_time() {
    for tick in [1, 7, 4_000_000] {
        let config = Config::builder().interval(Duration::from_millis(1)).jitter(0).build_const();
        let mut fleet = Fleet::with_tick(config, 1, Duration::from_nanos(tick));
        let before = Timestamp::MAX.saturating_sub(Duration::from_millis(2));
        let key = fleet.insert(before).unwrap();
        assert_eq!(drain(&mut fleet, before), [(key, Action::MarkOnline)]);
        let next = fleet.poll_timeout().unwrap();
        assert!(next > before);
        let actions = drain(&mut fleet, Timestamp::MAX);
        assert!(matches!(actions[..], [(_, Action::SendPing(_))]), "{actions:?}");
        assert_eq!(fleet.poll_timeout(), None);
    }
}

/// Complete, for a fleet: a peer that is silent from the start is offline within the bound of a driver that is a tick
/// late. Some of those that come at other moments of a tick are within a tick of that bound.
#[test]
fn the_dead_of_a_fleet_are_noticed_within_the_detection_bound_and_some_within_a_tick_of_it() {
    let tick = Duration::from_millis(64);
    let config =
        Config::builder().interval(Duration::from_secs(5)).timeout(Duration::from_secs(10)).jitter(0);
    let config = config.build().unwrap();
    let mut longest = Duration::ZERO;
    for phase in 0..64 {
        let mut fleet = Fleet::with_tick(config, 7, tick);
        let opened = at(1_000 + phase);
        fleet.insert(opened).unwrap();
        let mut now = opened;
        let offline = loop {
            if drain(&mut fleet, now).iter().any(|(_, action)| matches!(action, Action::MarkOffline(_))) {
                break now;
            }
            now = fleet.poll_timeout().unwrap();
        };
        longest = longest.max(offline.saturating_duration_since(opened));
    }
    let bound = config.detection_bound(Fleet::with_tick(config, 7, tick).tick());
    assert!(longest <= bound && longest + tick > bound, "{longest:?} of {bound:?}");
}

#[test]
fn the_debug_text_of_a_million_is_a_line() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    let key = fleet.insert(at(1)).unwrap();
    assert!(format!("{fleet:?}").starts_with("Fleet { len: 1, now: "), "{fleet:?}");
    assert_eq!(format!("{key:?}"), "Key(0 of generation 0 with config 0)");
}

/// A connection, and what a recorder on it writes.
fn insert_recorded(fleet: &mut Fleet, now: Timestamp) -> (Key, Page) {
    let page = Page::default();
    let key = fleet.insert(now).unwrap();
    fleet.observe(key, Recorder::new(page.clone()), now).unwrap();
    (key, page)
}

#[test]
fn a_recorded_connection_replays_to_the_same_life() {
    let mut fleet = Fleet::new(Config::DEFAULT, 1);
    fleet.insert(at(0)).unwrap();
    let (key, page) = insert_recorded(&mut fleet, at(3));
    let mut handed_out = 0;
    let mut now = at(3);
    for step in 0..40_u64 {
        handed_out += drain(&mut fleet, now).iter().filter(|(of, _)| *of == key).count();
        match step {
            0..3 => fleet.handle(key, Event::Data, now).unwrap(),
            3 => fleet.probe_all(now),
            5 => fleet.probe(key, now).unwrap(),
            _ => {}
        }
        now = fleet.poll_timeout().map_or(now, |next| next.max(now)) + Duration::from_millis(step % 7);
    }
    assert!(fleet.get(key).is_err(), "it lived to its end");
    let text = page.text();
    assert_replays(&text);
    assert_eq!(text.lines().filter(|line| line.contains(" > ")).count(), handed_out, "{text}");
}

#[test]
fn who_is_watched_sees_that_all_are_closed_before_anything_that_comes_after() {
    for spoken_to in [false, true] {
        let mut fleet = Fleet::new(Config::DEFAULT, 1);
        let (key, page) = insert_recorded(&mut fleet, at(0));
        drain(&mut fleet, at(0));
        fleet.close_all(CloseCode::GOING_AWAY, at(10));
        if spoken_to {
            fleet.handle(key, Event::Data, at(10)).unwrap();
        }
        drain(&mut fleet, at(10));
        fleet.handle(key, Event::Eof, at(20)).unwrap();
        drain(&mut fleet, at(20));
        assert!(fleet.get(key).is_err(), "it lived to its end");
        let text = page.text();
        let came: Vec<_> =
            text.lines().filter_map(|line| line.split_once(" < ")).map(|(_, came)| came).collect();
        let expected: &[&str] = match spoken_to {
            false => &["open", "local-close 1001", "eof"],
            true => &["open", "local-close 1001", "data", "eof"],
        };
        assert_eq!(came, expected, "{text}");
        assert_replays(&text);
    }
}

#[test]
fn a_connection_may_get_other_settings_and_keeps_its_key() {
    let slow = Config::builder().interval(Duration::from_secs(30)).jitter(0).build().unwrap();
    let fast = Config::builder().interval(Duration::from_secs(5)).jitter(0).build().unwrap();
    let mut fleet = Fleet::with_tick(slow, 1, Duration::from_nanos(1));
    let faster = fleet.add_config(fast).unwrap();
    let [key, other] = [(); 2].map(|()| fleet.insert(Timestamp::ZERO).unwrap());
    let poll = |fleet: &mut Fleet, at: u64| -> Vec<(Key, Action)> {
        std::iter::from_fn(|| fleet.poll(Timestamp::from_secs(at))).collect()
    };
    assert_eq!(poll(&mut fleet, 0).len(), 2);
    fleet.reconfigure(key, faster, Timestamp::from_secs(1)).unwrap();
    assert_eq!(fleet.get(key).unwrap().config(), &fast);
    assert_eq!(fleet.get(other).unwrap().config(), &slow);
    assert!(matches!(poll(&mut fleet, 5)[..], [(pinged, Action::SendPing(_))] if pinged == key));
    // An answer to an earlier ping is still an answer, and the oldest awaited ping is known by its payload.
    let awaited = fleet.awaited(key).unwrap().unwrap();
    fleet.handle(key, Event::Pong(awaited.as_bytes()), Timestamp::from_secs(6)).unwrap();
    assert_eq!((fleet.stats(key).unwrap().answers, fleet.awaited(key)), (1, Ok(None)));
    assert_eq!(fleet.verdict(key), Ok(None));
    assert!(fleet.report(key, Timestamp::from_secs(7)).unwrap().to_string().contains("1 answered"));

    let mut foreign = Fleet::new(slow, 1);
    let config = (0..2).map(|_| foreign.add_config(slow).unwrap()).last().unwrap();
    assert_eq!(fleet.reconfigure(key, config, Timestamp::from_secs(8)), Err(FleetError::UnknownConfig));
    fleet.remove(key).unwrap();
    assert_eq!(fleet.reconfigure(key, faster, Timestamp::from_secs(8)), Err(FleetError::StaleKey));
    // The next connection in this place has the settings that are asked for, and nothing of the one before.
    let next = fleet.insert(Timestamp::from_secs(9)).unwrap();
    assert_eq!((next.index(), fleet.get(next).unwrap().config()), (key.index(), &slow));
}
