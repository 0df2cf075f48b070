//! Two machines over a link: what they promise on any network.

use std::time::Duration;

use liveness::sim::{End, LinkProfile, Pair};
use liveness::strategy::configs;
use liveness::{Action, CloseCode, Config, Event, Reason, Schedule, Status, Timestamp};
use proptest::prelude::*;

const BROWSER: Config = Config::builder().interval(Duration::MAX).timeout(Duration::MAX).build_const();
const TENTH: Duration = Duration::from_millis(100);

/// What an end does until this moment.
fn actions(pair: &mut Pair, of: End, until: Timestamp) -> Vec<(Timestamp, Action)> {
    let mut seen = Vec::new();
    while let Some((now, end, action)) = pair.next_until(until) {
        if end == of {
            seen.push((now, action));
        }
        assert!(seen.len() < 200_000, "it never ends");
    }
    assert_eq!(pair.now(), until);
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Accurate: an outage that leaves enough time for the answer ends no connection, whatever the other settings are,
    /// and however long the server was stopped.
    #[test]
    fn nobody_is_dropped_whose_answer_comes_in_time(
        config in configs(TENTH),
        share in 0..=100_u64,
        seed: u64,
        begins in 0..5_000_u64,
        stall in 0..5_000_u64,
    ) {
        let profile = LinkProfile::new(Duration::from_millis(10)).jitter(Duration::from_millis(20));
        let spare = config.timeout().min(Duration::from_secs(10)).saturating_sub(Duration::from_millis(60));
        let mut pair = Pair::new(config, BROWSER, profile, seed);
        pair.link.outage(Timestamp::from_millis(begins), spare.mul_f64(share as f64 / 100.0));
        let mut seen = actions(&mut pair, End::Server, Timestamp::from_millis(2_000));
        pair.stall(End::Server, Duration::from_millis(stall));
        seen.extend(actions(&mut pair, End::Server, Timestamp::from_millis(60_000)));
        for (now, action) in seen {
            prop_assert_ne!(action, Action::MarkOffline(Reason::PingTimeout), "at {}", now);
        }
    }

    /// Complete: after a cut, both ends know it within their bound.
    #[test]
    fn both_ends_of_a_cut_are_told_within_their_bound(
        server in configs(TENTH),
        client in configs(TENTH),
        seed: u64,
        cut in 0..5_000_u64,
    ) {
        let mut pair = Pair::new(server, client, LinkProfile::new(Duration::from_millis(10)), seed);
        let cut = Timestamp::from_millis(cut);
        pair.link.cut(cut);
        // It counts from the last evidence or the last byte written. What arrives does so before the cut.
        let written_last = cut + Duration::from_millis(1);
        let mut pending = vec![(End::Server, server), (End::Client, client)];
        pending.retain(|(_, config)| config.detection_bound(Duration::ZERO) < Duration::MAX);
        let until = Timestamp::from_secs(30);
        while let Some((now, end, action)) = pair.next_until(until) {
            if let Action::MarkOffline(_) = action {
                let bound = pending.iter().find(|(of, _)| *of == end).map(|(_, config)| config.detection_bound(Duration::ZERO));
                let latest = bound.map_or(Timestamp::MAX, |bound| written_last + bound);
                prop_assert!(now <= latest, "{end:?} at {now}, later than {latest}");
                pending.retain(|(of, _)| *of != end);
            }
        }
        prop_assert!(pending.is_empty(), "{pending:?} never knew");
    }

    #[test]
    fn the_same_seed_makes_the_same_life(server in configs(TENTH), client in configs(TENTH), seed: u64) {
        let life = || {
            let mut pair = Pair::new(server, client, LinkProfile::MOBILE, seed);
            pair.link.outage(Timestamp::from_secs(2), Duration::from_secs(1));
            actions(&mut pair, End::Server, Timestamp::from_secs(20))
        };
        prop_assert_eq!(life(), life());
    }

    /// Total: no settings make two machines and a link spin.
    #[test]
    fn any_two_settings_live_together(server: Config, client: Config, seed: u64) {
        let mut pair = Pair::new(server, client, LinkProfile::INSTANT, seed);
        let (mut latest, mut at_once) = (Timestamp::ZERO, 0);
        for _ in 0..200 {
            let Some((now, ..)) = pair.next_until(Timestamp::from_secs(3600)) else { break };
            at_once = if now == latest { at_once + 1 } else { 1 };
            latest = now;
            // A whole life of each end, at most.
            prop_assert!(at_once <= 12, "{at_once} actions at {now}");
        }
    }
}

#[test]
fn a_quarter_of_pings_is_exact_to_the_nanosecond() {
    let minute = Duration::from_secs(60);
    let config = Config::builder().interval(minute).jitter(0).schedule(Schedule::Steady).build().unwrap();
    let mut pair = Pair::new(config, BROWSER, LinkProfile::new(Duration::from_micros(12_345)), 7);
    let mut due = Timestamp::ZERO;
    for (now, action) in actions(&mut pair, End::Server, Timestamp::from_secs(90 * 24 * 3600)) {
        if let Action::SendPing(_) = action {
            due += minute;
            assert_eq!(now, due);
        }
    }
    let pings = 90 * 24 * 60;
    assert_eq!((pair.server.stats().pings, pair.server.stats().answers), (pings, pings - 1));
    let rtt = pair.server.rtt().unwrap();
    assert_eq!((rtt.latest, rtt.min), (Duration::from_micros(2 * 12_345), rtt.latest));
    assert_eq!(pair.server.status(), Status::Online);
}

#[test]
fn a_closing_handshake_takes_the_link_both_ways_and_ends_both() {
    let latency = Duration::from_millis(30);
    let mut pair = Pair::new(Config::DEFAULT, BROWSER, LinkProfile::new(latency), 7);
    let start = Timestamp::from_secs(1);
    while pair.next_until(start).is_some() {}
    pair.server.close(CloseCode::GOING_AWAY, start);
    let mut ends = Vec::new();
    while let Some((now, end, action)) = pair.next_until(Timestamp::from_secs(100)) {
        ends.push((now.saturating_duration_since(start).as_millis(), end, action));
    }
    let code = CloseCode::GOING_AWAY;
    let expected = [
        (0, End::Server, Action::MarkOffline(Reason::LocalClosed)),
        (0, End::Server, Action::Close(Some(code))),
        (30, End::Client, Action::MarkOffline(Reason::PeerClosed(Some(1001)))),
        (30, End::Client, Action::Close(Some(code))),
        (60, End::Server, Action::Disconnect),
        (90, End::Client, Action::Disconnect),
    ];
    assert_eq!(ends, expected);
}

#[test]
fn messages_are_heard_by_the_other_end_and_keep_it_quiet() {
    let mut pair = Pair::new(Config::DEFAULT, BROWSER, LinkProfile::HOME, 7);
    for second in (0..600).step_by(5) {
        pair.send(End::Client, 100);
        pair.send(End::Server, 100);
        while pair.next_until(Timestamp::from_secs(second)).is_some() {}
    }
    // The first wait is drawn from the whole interval. The later waits never end, because data comes sooner.
    assert!(pair.server.stats().pings <= 1, "{:?}", pair.server.stats());
    let report = pair.server.report(pair.now()).to_string();
    assert!(report.contains("(data)"), "{report}");
}

#[test]
fn an_end_that_has_given_up_says_nothing_more_and_answers_nobody() {
    let mut pair = Pair::new(Config::DEFAULT, Config::DEFAULT, LinkProfile::new(Duration::from_secs(1)), 7);
    while pair.next_until(Timestamp::ZERO).is_some() {}
    pair.client.probe(Timestamp::ZERO);
    pair.server.handle(Event::Eof, Timestamp::ZERO);
    pair.send(End::Server, 100);
    assert_eq!(pair.link.down.under_way(), 0);
    // By then the server's end has reached the client, and the client's ping has reached the server.
    let told = actions(&mut pair, End::Server, Timestamp::from_millis(1_500));
    assert_eq!(told.last(), Some(&(Timestamp::ZERO, Action::Disconnect)));
    assert_eq!((pair.client.stats().pings, pair.link.down.under_way()), (1, 0));
}

#[test]
fn a_shorter_stall_does_not_end_a_longer_one() {
    let mut pair = Pair::new(Config::DEFAULT, BROWSER, LinkProfile::INSTANT, 7);
    pair.stall(End::Server, Duration::from_secs(9));
    pair.stall(End::Server, Duration::from_secs(1));
    let told = actions(&mut pair, End::Server, Timestamp::from_secs(9));
    assert_eq!(told.first(), Some(&(Timestamp::from_secs(9), Action::MarkOnline)));
}

#[test]
fn a_stalled_end_does_nothing_and_reads_everything_when_it_is_back() {
    let config = Config::builder().schedule(Schedule::Steady).jitter(0).build().unwrap();
    let mut pair = Pair::new(config, BROWSER, LinkProfile::INSTANT, 7);
    let at = Timestamp::from_secs;
    assert_eq!(actions(&mut pair, End::Server, at(10)).len(), 1);
    pair.client.handle(Event::Wrote, at(10));
    pair.stall(End::Client, Duration::from_secs(35));
    pair.stall(End::Server, Duration::from_secs(90));
    // The ping of 20 s goes out at 100 s, to a client that is back. So no peer is suspected.
    let seen = actions(&mut pair, End::Server, at(119));
    assert!(matches!(seen[..], [(first, Action::SendPing(_))] if first == at(100)), "{seen:?}");
    // A client that stays away for longer than the timeout is gone.
    pair.stall(End::Client, Duration::from_secs(1000));
    let seen = actions(&mut pair, End::Server, at(200));
    let timed_out = Action::MarkOffline(Reason::PingTimeout);
    assert!(seen.contains(&(at(145) + config.last_look(), timed_out)), "{seen:?}");
}
