//! Jitter: how long the waits between pings are (rule 2).

use std::time::Duration;

use liveness::transcript::{Page, Recorder};
use liveness::{Action, Config, Event, Liveness, Observed, Timestamp};
use proptest::prelude::*;

use super::lives::SECOND;

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Jitter: a wait is never longer than `interval`, and never shorter than its share allows. The first wait is any
    /// part of it. Answers make no difference.
    #[test]
    fn jitter_only_shortens(jitter in 0..=100_u8, seed: u64, answers: bool) {
        let config = Config::builder().interval(Duration::from_secs(5)).timeout(Duration::MAX).jitter(jitter);
        let config = config.build().unwrap();
        let page = Page::default();
        let mut machine = Observed::new(Liveness::new(config, seed, Timestamp::ZERO));
        machine.observe(Recorder::new(page.clone()), Timestamp::ZERO);
        let mut waits = Vec::new();
        let mut pinged_at = 0;
        while waits.len() < 20 {
            let Some(now) = machine.poll_timeout() else { break };
            while let Some(action) = machine.poll(now) {
                if let Action::SendPing(payload) = action {
                    waits.push(now.as_nanos() - std::mem::replace(&mut pinged_at, now.as_nanos()));
                    if answers {
                        machine.handle(Event::Pong(payload.as_bytes()), now);
                    }
                }
            }
        }
        drop(machine);
        let text = page.text();
        let shortest = 5 * SECOND / 100 * u64::from(100 - jitter);
        let first = if jitter == 0 { 5 * SECOND..=5 * SECOND } else { 1..=5 * SECOND };
        let kept = first.contains(&waits[0]) && waits[1..].iter().all(|wait| (shortest..=5 * SECOND).contains(wait));
        prop_assert!(kept, "waits of {waits:?} ns:\n{text}");
        let varied = waits[1..].windows(2).any(|pair| pair[0] != pair[1]);
        prop_assert!(varied == (jitter > 0), "waits of {waits:?} ns:\n{text}");
    }
}

#[test]
fn the_first_waits_of_many_machines_cover_the_whole_interval() {
    let config = Config::DEFAULT;
    let mut tenths = [0; 10];
    for seed in 0..10_000 {
        let mut machine = Liveness::new(config, seed, Timestamp::ZERO);
        assert_eq!(machine.poll(Timestamp::ZERO), Some(Action::MarkOnline));
        let first = machine.poll_timeout().unwrap().as_nanos();
        assert!((1..=20 * SECOND).contains(&first));
        tenths[usize::try_from((first - 1) / (2 * SECOND)).unwrap()] += 1;
    }
    // In the last tenth some have been pinged already, as if they had always been pinged.
    assert!(tenths[..9].iter().all(|count| (900..=1_200).contains(count)), "{tenths:?}");
    assert!((400..=600).contains(&tenths[9]), "{tenths:?}");
}

/// All clients reconnect in one instant. No hundredth of any of the following intervals has more than 1.3 % of its pings,
/// even where the second round meets the end of the first.
#[test]
fn a_herd_that_comes_at_once_is_pinged_evenly_from_the_first_interval_on() {
    const HUNDREDTH: u64 = 20 * SECOND / 100;
    let mut pings = [[0_u32; 100]; 4];
    for seed in 0..30_000 {
        let mut machine = Liveness::new(Config::DEFAULT, seed, Timestamp::ZERO);
        while let Some(now) = machine.poll_timeout() {
            let hundredth = usize::try_from(now.as_nanos() / HUNDREDTH).unwrap();
            let Some(interval) = pings.get_mut(hundredth / 100) else { break };
            while let Some(action) = machine.poll(now) {
                if let Action::SendPing(payload) = action {
                    interval[hundredth % 100] += 1;
                    machine.handle(Event::Pong(payload.as_bytes()), now);
                }
            }
        }
    }
    for interval in pings {
        let (busiest, all) = (interval.iter().max().unwrap(), interval.iter().sum::<u32>());
        assert!(busiest * 1_000 <= all * 13, "{busiest} of {all} in one hundredth");
    }
}

#[test]
fn later_waits_are_shortened_by_at_most_the_jitter_and_each_by_another_share() {
    let mut machine = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
    let mut sent = Vec::new();
    while sent.len() < 200 {
        let now = machine.poll_timeout().unwrap();
        while let Some(action) = machine.poll(now) {
            if let Action::SendPing(payload) = action {
                sent.push(now.as_nanos());
                machine.handle(Event::Pong(payload.as_bytes()), now);
            }
        }
    }
    let mut waits: Vec<u64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.iter().all(|wait| (18 * SECOND..=20 * SECOND).contains(wait)), "{waits:?}");
    waits.sort_unstable();
    assert!(waits[20] < 18 * SECOND + SECOND / 2 && waits[180] > 19 * SECOND + SECOND / 2, "not uniform");
    waits.dedup();
    assert!(waits.len() > 190);
}
