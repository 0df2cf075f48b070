//! One direction of a link, compared with one that ticks. Every nanosecond, bytes leave and messages travel, unless there
//! is an outage.

use std::time::Duration;

use liveness::Timestamp;
use liveness::sim::{Link, LinkProfile, OneWay};
use proptest::prelude::*;

use crate::samples::samples;

const LONG: u64 = 10_000;

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

#[derive(Clone, Debug)]
enum Step {
    /// Send this many bytes.
    Send(u64),
    /// An outage from this long after now, for this long; for good if the end is `None`.
    Outage(u64, Option<u64>),
    /// The caller polls, and takes what is there.
    Poll,
}

/// Steps, and how long each is after the last.
fn steps(cuts: bool) -> impl Strategy<Value = Vec<(u64, Step)>> {
    let lasts = if cuts {
        prop::option::weighted(0.9, 0..40_u64).boxed()
    } else {
        (0..40_u64).prop_map(Some).boxed()
    };
    let step = prop_oneof![
        5 => (0..6_u64).prop_map(Step::Send),
        2 => (0..50_u64, lasts).prop_map(|(from, lasts)| Step::Outage(from, lasts)),
        2 => Just(Step::Poll),
    ];
    prop::collection::vec((prop_oneof![Just(0), 0..30_u64], step), 1..40)
}

/// A rate that takes this many nanoseconds for each byte; zero means no rate.
fn profile(latency: u64, byte: u64) -> LinkProfile {
    let profile = LinkProfile::new(Duration::from_nanos(latency));
    1_000_000_000_u64.checked_div(byte).map_or(profile, |rate| profile.rate(rate))
}

/// When each message arrives, in the order of arrival.
fn arrivals(direction: &mut OneWay<usize>, steps: &[(u64, Step)]) -> Vec<(usize, u64)> {
    let (mut now, mut sent, mut arrived) = (0, 0, Vec::new());
    let mut latest = at(0);
    let mut take = |direction: &mut OneWay<usize>, now: u64, until: u64| {
        latest = latest.max(at(now));
        while let Some(due) = direction.poll_timeout().filter(|due| *due <= at(until)) {
            if due > latest {
                latest = due;
                assert_eq!(direction.poll(due.saturating_sub(Duration::from_nanos(1))), None, "early");
            }
            arrived.push((direction.poll(due).expect("it is due"), due.as_nanos()));
        }
    };
    for (after, step) in steps {
        // What is due at the very moment of a step comes after the step.
        if let Some(until) = (now + after).checked_sub(1) {
            take(direction, now, until);
        }
        now += after;
        match step {
            Step::Send(bytes) => {
                direction.send(sent, usize::try_from(*bytes).unwrap(), at(now));
                sent += 1;
            }
            Step::Outage(from, Some(lasts)) => direction.outage(at(now + from), Duration::from_nanos(*lasts)),
            Step::Outage(from, None) => direction.cut(at(now + from)),
            Step::Poll => take(direction, now, now),
        }
    }
    take(direction, now, u64::MAX - 1);
    assert_eq!((direction.poll_timeout(), direction.under_way()), (None, 0));
    arrived
}

/// The same, ticking. For each message: the nanoseconds until its bytes have left, and from then until it arrives.
fn ticking(latency: u64, byte: u64, steps: &[(u64, Step)]) -> Vec<(usize, u64)> {
    let (mut messages, mut arrived, mut sent) = (Vec::<(usize, u64, u64)>::new(), Vec::new(), 0);
    let mut out = vec![false; usize::try_from(LONG).unwrap()];
    let mut begins = 0;
    let moments: Vec<u64> = steps
        .iter()
        .map(|(after, _)| {
            begins += after;
            begins
        })
        .collect();
    for now in 0..LONG {
        for (moment, (_, step)) in moments.iter().zip(steps) {
            if *moment != now {
                continue;
            }
            match step {
                Step::Send(bytes) => {
                    messages.push((sent, bytes * byte, latency));
                    sent += 1;
                }
                Step::Outage(from, lasts) => {
                    let ends = lasts.map_or(LONG, |lasts| now + from + lasts);
                    (now + from..ends).for_each(|at| out[usize::try_from(at).unwrap()] = true);
                }
                Step::Poll => deliver(&mut messages, &mut arrived, &out, now),
            }
        }
        deliver(&mut messages, &mut arrived, &out, now);
        if !out[usize::try_from(now).unwrap()] {
            for (_, leaves, travels) in &mut messages {
                if *leaves > 0 {
                    *leaves -= 1;
                    break;
                }
                *travels -= 1;
            }
        }
    }
    arrived
}

fn deliver(messages: &mut Vec<(usize, u64, u64)>, arrived: &mut Vec<(usize, u64)>, out: &[bool], now: u64) {
    if out[usize::try_from(now).unwrap()] {
        return;
    }
    while messages.first().is_some_and(|(_, leaves, travels)| leaves + travels == 0) {
        arrived.push((messages.remove(0).0, now));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_direction_is_as_one_that_ticks(latency in 0..30_u64, byte in 0..5_u64, steps in steps(true)) {
        let byte = if byte == 3 { 8 } else { byte };
        let arrived = arrivals(&mut OneWay::new(profile(latency, byte), 7), &steps);
        prop_assert_eq!(arrived, ticking(latency, byte, &steps));
    }

    /// With jitter the exact times are unknown. But these laws hold.
    #[test]
    fn what_is_sent_arrives_in_order_not_too_soon_and_at_the_rate(
        latency in 0..30_u64,
        jitter in 0..30_u64,
        rate in prop_oneof![100_000_000..3_000_000_000_u64, 1..u64::MAX],
        seed: u64,
        steps in steps(false),
    ) {
        let profile = LinkProfile::new(Duration::from_nanos(latency)).jitter(Duration::from_nanos(jitter)).rate(rate);
        let arrived = arrivals(&mut OneWay::new(profile, seed), &steps);
        let mut sends = Vec::new();
        let mut now = 0;
        for (after, step) in &steps {
            now += after;
            if let Step::Send(bytes) = step {
                sends.push((now, u128::from(*bytes)));
            }
        }
        // Nothing is lost, and nothing overtakes.
        let order: Vec<usize> = arrived.iter().map(|(number, _)| *number).collect();
        prop_assert_eq!(order, (0..sends.len()).collect::<Vec<_>>());
        let takes = |bytes: u128| u64::try_from(bytes * 1_000_000_000 / u128::from(rate)).unwrap();
        for (number, there) in &arrived {
            let (sent, bytes) = sends[*number];
            prop_assert!(*there >= sent + latency + takes(bytes), "message {number} after {}", there - sent);
        }
        // The receiving end never gets more than the rate.
        for (first, last) in (0..arrived.len()).flat_map(|first| (first + 1..arrived.len()).map(move |last| (first, last))) {
            let bytes = sends[first + 1..=last].iter().map(|(_, bytes)| bytes).sum();
            prop_assert!(arrived[last].1 - arrived[first].1 >= takes(bytes), "{first} to {last}");
        }
        // Nothing comes later than it must: at most the jitter later than in a direction without jitter.
        let steady = LinkProfile::new(Duration::from_nanos(latency)).rate(rate);
        for ((_, late), (_, punctual)) in arrived.iter().zip(arrivals(&mut OneWay::new(steady, 0), &steps)) {
            let out = steps.iter().map(|(_, step)| match step {
                Step::Outage(_, Some(lasts)) => *lasts,
                Step::Outage(_, None) | Step::Send(_) | Step::Poll => 0,
            });
            prop_assert!(punctual <= *late && *late <= punctual + jitter + out.sum::<u64>());
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_run(seed: u64, steps in steps(true)) {
        let profile = LinkProfile::MOBILE;
        prop_assert_eq!(arrivals(&mut OneWay::new(profile, seed), &steps), arrivals(&mut OneWay::new(profile, seed), &steps));
    }

    #[test]
    fn no_times_and_sizes_break_a_direction(
        calls in prop::collection::vec((0..4_u8, any::<Timestamp>(), any::<u64>(), any::<usize>()), 1..50),
        rate: u64,
    ) {
        let longest = Duration::from_nanos(u64::MAX);
        for profile in [LinkProfile::MOBILE, LinkProfile::new(longest).jitter(longest).rate(rate)] {
            let mut direction = OneWay::new(profile, 7);
            for (call, at, nanos, bytes) in &calls {
                match call {
                    0 => direction.send((), *bytes, *at),
                    1 => direction.outage(*at, Duration::from_nanos(*nanos)),
                    2 => drop(direction.poll(*at)),
                    _ => drop(direction.unsent(*at)),
                }
            }
            prop_assert_eq!(direction.poll_timeout().is_some(), direction.under_way() > 0);
        }
    }
}

#[test]
fn the_ticking_direction_loses_and_delays_as_often_as_it_delivers() {
    // The twin of the comparison, which would also hold for a direction where nothing happens.
    let (mut lost, mut delayed, mut punctual) = (0, 0, 0);
    for steps in samples(steps(true), 200) {
        let sent: Vec<u64> = steps
            .iter()
            .scan(0, |now, (after, step)| {
                *now += after;
                Some((*now, step.clone()))
            })
            .filter_map(|(now, step)| matches!(step, Step::Send(_)).then_some(now))
            .collect();
        let arrived = arrivals(&mut OneWay::new(profile(10, 0), 7), &steps);
        lost += sent.len() - arrived.len();
        for (number, there) in arrived {
            if there == sent[number] + 10 { punctual += 1 } else { delayed += 1 }
        }
    }
    assert!(lost > 100 && delayed > 100 && punctual > 100, "{lost} {delayed} {punctual}");
}

#[test]
fn an_outage_flushes_in_order_and_at_once_where_there_is_no_rate() {
    let mut direction = OneWay::new(LinkProfile::new(Duration::from_millis(5)), 7);
    let at = Timestamp::from_millis;
    direction.send(0, 1000, at(0));
    direction.outage(at(10), Duration::from_millis(90));
    for number in 1..10 {
        direction.send(number, 1000, at(number * 10));
    }
    assert_eq!(direction.poll(at(5)), Some(0));
    assert_eq!(direction.poll(at(104)), None);
    assert_eq!(
        (1..10).map(|_| direction.poll(at(105)).unwrap()).collect::<Vec<_>>(),
        (1..10).collect::<Vec<_>>()
    );
}

#[test]
fn what_would_arrive_before_a_cut_does_and_nothing_after() {
    let mut direction = OneWay::new(LinkProfile::new(Duration::from_millis(5)), 7);
    let at = Timestamp::from_millis;
    direction.send("in time", 1, at(4));
    direction.send("too late", 1, at(5));
    direction.cut(at(10));
    direction.send("much too late", 1, at(10));
    assert_eq!(
        (direction.poll(at(9)), direction.poll(Timestamp::MAX), direction.under_way()),
        (Some("in time"), None, 0)
    );
    assert!(!direction.is_out(at(9)) && direction.is_out(at(10)));
}

#[test]
fn jitter_reaches_both_its_ends_and_what_lies_between() {
    let mut tenths = [0; 10];
    for seed in 0..10_000 {
        let mut direction =
            OneWay::new(LinkProfile::new(Duration::from_nanos(100)).jitter(Duration::from_nanos(99)), seed);
        direction.send((), 1, Timestamp::ZERO);
        let extra = direction.poll_timeout().unwrap().as_nanos() - 100;
        tenths[usize::try_from(extra / 10).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|count| (850..=1150).contains(count)), "{tenths:?}");
}

#[test]
fn what_has_not_left_yet_is_known_to_the_byte() {
    let mut direction = OneWay::new(LinkProfile::HOME.rate(1000), 7);
    let at = Timestamp::from_millis;
    direction.send((), 500, at(0));
    direction.send((), 500, at(0));
    assert_eq!([0, 1, 999, 1000].map(|now| direction.unsent(at(now))), [1000, 999, 1, 0]);
    // A byte has left only in part.
    assert_eq!(direction.unsent(Timestamp::from_micros(1_500)), 999);
    direction.outage(at(600), Duration::from_secs(9));
    assert_eq!([600, 9600, 10_000].map(|now| direction.unsent(at(now))), [400, 400, 0]);
}

#[test]
fn the_two_directions_of_a_link_are_two() {
    let mut link = Link::asymmetric(LinkProfile::MOBILE, LinkProfile::INSTANT, 7);
    link.up.cut(Timestamp::ZERO);
    link.up.send("up", 1, Timestamp::ZERO);
    link.down.send("down", 1, Timestamp::ZERO);
    assert_eq!(link.poll_timeout(), Some(Timestamp::ZERO));
    assert_eq!((link.up.poll(Timestamp::MAX), link.down.poll(Timestamp::ZERO)), (None, Some("down")));
    // Their jitter differs too.
    let mut link = Link::new(LinkProfile::MOBILE, 7);
    link.up.send("up", 1, Timestamp::ZERO);
    link.down.send("down", 1, Timestamp::ZERO);
    assert_ne!(link.up.poll_timeout(), link.down.poll_timeout());
}

#[test]
fn a_year_on_the_wire_is_exact_to_the_nanosecond() {
    // 333 bytes a second, a byte every three seconds, and a second's outage every hour: a hundredth of the capacity.
    let mut direction = OneWay::new(LinkProfile::new(Duration::from_nanos(7)).rate(333), 7);
    let (mut now, hour) = (Timestamp::ZERO, Duration::from_secs(3600));
    for hours in 0..365 * 24 {
        direction.outage(now, Duration::from_secs(1));
        direction.send(hours, 1, now);
        let due = direction.poll_timeout().unwrap();
        assert_eq!(due.saturating_duration_since(now), Duration::from_nanos(1_000_000_000 + 3_003_004 + 7));
        assert_eq!(direction.poll(due), Some(hours));
        now += hour;
    }
    assert_eq!(now, Timestamp::from_secs(365 * 24 * 3600));
}
