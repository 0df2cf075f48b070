//! What holds for every protocol, when two machines live over it.

use std::time::Duration;

use liveness::dialect::Mute;
use liveness::{Action, Config, Liveness, Reason, Schedule, Timestamp};

use super::pair::{End, LATENCY, Pair};
use super::peers::{Protocol, protocols};
use super::{asked, payload};

const HOUR: Timestamp = Timestamp::from_secs(3_600);

/// Neither end has given a verdict.
fn assert_all_live(name: &str, pair: &Pair) {
    for (end, who) in [(&pair.client, "client"), (&pair.server, "server")] {
        assert_eq!(end.verdict, None, "{name}: the {who}'s, {}", end.machine.report(pair.now));
    }
}

/// With `Steady` no interval passes without a beat, whatever else is sent, because the peer may count only beats.
fn assert_beats(name: &str, end: &End, since: Timestamp, until: Timestamp) {
    if end.config().schedule() != Schedule::Steady || end.config().interval() == Duration::MAX {
        return;
    }
    let mut previous = since;
    for at in end.beats.iter().copied().filter(|at| *at > since).chain([until]) {
        assert!(at <= previous + end.config().interval(), "{name}: no beat from {previous} to {at}");
        previous = at;
    }
}

/// A driver can ask beforehand what an end will send as a ping.
#[test]
fn an_end_says_truly_whether_it_asks() {
    let mut ends = [0, 0];
    for protocol in protocols() {
        for end in [&protocol.client, &protocol.server] {
            let mut dialect = (end.dialect)();
            let asks = dialect.asks();
            assert_eq!(asked(&mut dialect, payload("0123456789abcdef")).is_some(), asks, "{}", protocol.name);
            // An end that never asks has a config without pings. So a driver that checks this loses nothing.
            let pings = end.config.interval() < Duration::MAX;
            assert!(asks || !pings, "{}: {:?}", protocol.name, end.config);
            ends[usize::from(asks)] += 1;
        }
    }
    assert!(ends[0] >= 12 && ends[1] >= 30, "{ends:?}");
}

#[test]
fn two_silent_ends_live() {
    let mut asked = 0;
    for protocol in protocols() {
        let mut pair = Pair::new(&protocol, 7);
        pair.run(HOUR);
        assert_all_live(protocol.name, &pair);
        for end in [&pair.client, &pair.server] {
            assert_beats(protocol.name, end, Timestamp::ZERO, HOUR);
            assert!(end.data == 0 || protocol.name == "nothing but data", "{}", protocol.name);
        }
        assert!(pair.client.beats.len() + pair.server.beats.len() >= 25, "{}: who beats?", protocol.name);
        asked += usize::from(pair.client.answers + pair.server.answers > 25);
    }
    assert!(asked >= 18, "of those with an answer only {asked} were asked");
}

#[test]
fn two_ends_that_talk_live_and_beat_all_the_same() {
    for protocol in protocols() {
        let mut pair = Pair::new(&protocol, 8).talking(Duration::from_secs(1));
        pair.run(Timestamp::from_secs(900));
        assert_all_live(protocol.name, &pair);
        assert!(pair.client.data >= 890 && pair.server.data >= 890, "{}", protocol.name);
        for end in [&pair.client, &pair.server] {
            assert_beats(protocol.name, end, Timestamp::ZERO, Timestamp::from_secs(900));
        }
    }
}

/// The live end of a pair whose other end froze, and what that end sent.
fn assert_found(name: &str, live: &End, frozen: Timestamp, now: Timestamp) -> bool {
    let bound = live.config().detection_bound(Duration::ZERO);
    if bound == Duration::MAX {
        assert_eq!(live.verdict, None, "{name}: it has no clock that could give a verdict");
        return false;
    }
    let Some((at, reason)) = live.verdict else { panic!("{name}: not found, {}", live.machine.report(now)) };
    assert!(at <= frozen + LATENCY + bound, "{name}: found at {at}, frozen at {frozen}, bound {bound:?}");
    // The verdict does not come too soon either: what was under way when it froze still counted for a whole timeout.
    let patience = live.config().timeout().min(live.config().silence_timeout());
    assert!(
        at >= frozen.saturating_add(patience.saturating_sub(live.config().interval().min(patience))),
        "{name}"
    );
    let expected =
        if live.config().timeout() == Duration::MAX { Reason::Silent } else { Reason::PingTimeout };
    assert_eq!(reason, expected, "{name}");
    true
}

#[test]
fn an_end_that_freezes_is_found_within_the_bound() {
    let mut found = 0;
    for protocol in protocols() {
        for (seed, talks) in [(1, false), (2, true), (3, false), (4, true), (5, false), (6, true)] {
            let begin = || {
                let pair = Pair::new(&protocol, seed);
                let mut pair = if talks { pair.talking(Duration::from_secs(1)) } else { pair };
                pair.run(Timestamp::from_millis(300_000 + 7_777 * seed));
                pair
            };
            let forever = Duration::from_secs(1_000_000);
            let mut pair = begin();
            let frozen = pair.now;
            pair.freeze_client(forever);
            pair.run(HOUR);
            found += usize::from(assert_found(protocol.name, &pair.server, frozen, HOUR));

            let mut pair = begin();
            pair.freeze_server(forever);
            pair.run(HOUR);
            found += usize::from(assert_found(protocol.name, &pair.client, frozen, HOUR));
        }
    }
    assert!(found >= 6 * 35, "only {found} could judge");
}

/// The protocol, with settings that never give a verdict.
fn judged_by_one(protocol: &Protocol, judge_is_client: bool) -> Pair {
    let forgiving = |config: Config| {
        let builder = config.to_builder().timeout(Duration::MAX).silence_timeout(Duration::MAX);
        builder.unlimited_control_frames().build().unwrap()
    };
    let (mut client, mut server) = (protocol.client, protocol.server);
    let other = if judge_is_client { &mut server } else { &mut client };
    other.config = forgiving(other.config);
    Pair::new(&Protocol { name: protocol.name, client, server }, 9)
}

/// However long we were stopped, what the peer sent meanwhile is read first. Beats that need no answer are no flood. If
/// they need one, the peer would have given us up before there were too many.
#[test]
fn an_end_that_slept_judges_nobody_when_it_wakes() {
    let mut read = 0;
    for protocol in protocols() {
        for judge_is_client in [true, false] {
            let judge = if judge_is_client { protocol.client } else { protocol.server };
            let longest = if judge.config.control_budget().is_none() { 240 } else { 15 };
            for minutes in [1, 10, longest] {
                let mut pair = judged_by_one(&protocol, judge_is_client);
                pair.run(Timestamp::from_secs(100));
                let before = [&pair.client, &pair.server].map(End::heard);
                let sleep = Duration::from_secs(60 * minutes);
                if judge_is_client {
                    pair.freeze_client(sleep)
                } else {
                    pair.freeze_server(sleep)
                }
                pair.run(pair.now + sleep + Duration::from_secs(1));
                assert_all_live(protocol.name, &pair);
                read += if judge_is_client {
                    pair.client.heard() - before[0]
                } else {
                    pair.server.heard() - before[1]
                };
            }
        }
    }
    assert!(read > 10_000, "only {read} were heard at once");
}

/// `probe` at an end that must never ask: nothing is sent, and no verdict is given.
#[test]
fn an_end_that_never_asks_is_none_that_times_out() {
    let mut mute = 0;
    for protocol in protocols() {
        let mut pair = Pair::new(&protocol, 3);
        for second in (0..600).step_by(20) {
            pair.run(Timestamp::from_millis(second * 1_000 + 500));
            pair.probe();
        }
        pair.run(HOUR);
        assert_all_live(protocol.name, &pair);
        for end in [&pair.client, &pair.server] {
            if end.config().interval() == Duration::MAX {
                assert_eq!(
                    (end.beats.len(), end.config().timeout()),
                    (0, Duration::MAX),
                    "{}",
                    protocol.name
                );
                mute += 1;
            }
        }
    }
    assert!(mute >= 10, "only {mute} never ask");
}

/// If an answer names its ping or comes in order, every answer is counted, and the round trip is right.
#[test]
fn answers_are_counted_and_timed() {
    let mut timed = 0;
    for protocol in protocols() {
        let mut pair = Pair::new(&protocol, 11);
        pair.run(HOUR);
        let mut pings = 0;
        for asks in [&pair.client, &pair.server] {
            if asks.config().timeout() == Duration::MAX {
                continue;
            }
            let stats = asks.machine.stats();
            assert_eq!(stats.answers, stats.pings, "{}: {}", protocol.name, asks.machine.report(HOUR));
            pings += stats.pings;
            if let Some(rtt) = asks.machine.rtt() {
                assert_eq!(rtt.latest, 2 * LATENCY, "{}", protocol.name);
                timed += 1;
            }
        }
        let asks = [&pair.client, &pair.server].iter().any(|end| end.config().timeout() < Duration::MAX);
        assert!(!asks || pings > 20, "{}: only {pings} pings", protocol.name);
    }
    assert!(timed >= 20, "only {timed} were timed");
}

/// No number in a peer's hello causes a panic.
#[test]
fn any_numbers_make_a_config() {
    use liveness::dialect::{
        centrifugo, discord, engine_io, exchange, graphql, pusher, signalr, stomp::HeartBeat,
    };
    let numbers = [0, 1, 999, 25_000, u64::MAX / 1_000, u64::MAX].map(Duration::from_millis);
    for first in numbers.into_iter().chain([Duration::MAX, Duration::from_nanos(1)]) {
        for second in numbers.into_iter().chain([Duration::MAX]) {
            let heart_beat = HeartBeat { sends: first, wants: second };
            let configs = [
                engine_io::server_config(first, second),
                engine_io::client_config(first, second),
                graphql::keep_alive_client_config(first),
                pusher::client_config(first),
                discord::client_config(first),
                signalr::config(first, second),
                heart_beat.config(heart_beat),
                centrifugo::client_config(first),
                exchange::kucoin_config(first, second),
                exchange::deribit_config(first),
                Mute::config(first),
            ];
            for config in configs {
                let mut machine = Liveness::new(config, 1, Timestamp::ZERO);
                assert_eq!(machine.poll(Timestamp::ZERO), Some(Action::MarkOnline));
                assert!(config.interval() >= Duration::from_nanos(1));
            }
        }
    }
}

/// No config has a setting that is surely a mistake.
#[test]
fn no_config_is_a_mistake() {
    for protocol in protocols() {
        for end in [protocol.client, protocol.server] {
            assert_eq!(end.config.warnings().next(), None, "{}", protocol.name);
        }
    }
}

/// The schedule and the budget come from the protocol. A mistake here closes more connections than a wrong byte.
#[test]
fn each_protocol_has_its_schedule_and_its_budget() {
    use liveness::dialect::{
        action_cable, ddp, discord, engine_io, exchange, graphql, json_rpc, phoenix, ping_pong, pusher,
        signalr, stomp,
    };
    let steady = [
        engine_io::SERVER_CONFIG,
        graphql::TransportWs::CLIENT_CONFIG,
        graphql::KEEP_ALIVE_SERVER_CONFIG,
        phoenix::Client::CONFIG,
        ping_pong::CONFIG,
        pusher::CLIENT_CONFIG,
        discord::CLIENT_CONFIG,
        signalr::CONFIG,
        stomp::CONFIG,
        stomp::HeartBeat::default().config(stomp::HeartBeat::default()),
        action_cable::SERVER_CONFIG,
        exchange::OKX_CONFIG,
        exchange::BYBIT_CONFIG,
        exchange::KRAKEN_CONFIG,
    ];
    for config in steady {
        assert_eq!(config.schedule(), Schedule::Steady);
    }
    for config in [graphql::TransportWs::SERVER_CONFIG, pusher::SERVER_CONFIG, json_rpc::CONFIG, ddp::CONFIG]
    {
        assert_eq!(config.schedule(), Schedule::Quiet);
    }
    // Any number of beats that need no answer may come. Beats that are answered are limited.
    let any_number = [
        Mute::config(Duration::from_secs(10)),
        graphql::KEEP_ALIVE_CLIENT_CONFIG,
        signalr::CONFIG,
        stomp::CONFIG,
        action_cable::CLIENT_CONFIG,
        exchange::KRAKEN_CONFIG,
    ];
    for config in any_number {
        assert_eq!(config.control_budget(), None);
    }
    for config in [engine_io::CLIENT_CONFIG, phoenix::Server::CONFIG, graphql::TransportWs::SERVER_CONFIG] {
        assert_eq!(config.control_budget(), Config::DEFAULT.control_budget());
    }
}
