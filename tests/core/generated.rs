//! What the features `arbitrary` and `proptest` generate: every valid value, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use liveness::sim::Rng;
use liveness::strategy::configs;
use liveness::transcript::Transcript;
use liveness::{CloseCode, Config, Event, Evidence, Schedule, Suspicion, Timestamp};
use proptest::prelude::{Strategy, any};

use crate::samples::samples;

const RUNS: usize = 5_000;

/// As a fuzzer makes them, from bytes that look random.
fn fuzzed<T: for<'a> Arbitrary<'a>>() -> Vec<T> {
    let mut rng = Rng::new(1);
    let one = |_| {
        let bytes: Vec<u8> = (0..256).map(|_| u8::try_from(rng.below(256)).unwrap()).collect();
        T::arbitrary(&mut Unstructured::new(&bytes)).unwrap()
    };
    (0..RUNS).map(one).collect()
}

fn drawn<S: Strategy>(strategy: S) -> Vec<S::Value> {
    samples(strategy, RUNS).collect()
}

/// Each kind of value that each setting may have, by name.
fn kinds(config: &Config) -> Vec<String> {
    let longest = Duration::from_nanos(u64::MAX - 1);
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    let kind = |duration: Duration| match duration {
        Duration::ZERO => "none",
        Duration::MAX => "never",
        long if long == longest => "longest",
        long if long == century => "century",
        short if short == Duration::from_nanos(1) => "1ns",
        _ => "some",
    };
    let (suspicion, suspicious) = match config.suspicion() {
        Suspicion::Never => ("unsuspecting", Duration::MAX),
        Suspicion::After(after) => ("after", after),
        Suspicion::Adaptive { at_least } => ("adaptive", at_least),
        other => panic!("{other:?} is not generated"),
    };
    let waits = [
        ("interval", config.interval()),
        ("timeout", config.timeout()),
        ("idle_timeout", config.idle_timeout()),
        ("silence_timeout", config.silence_timeout()),
        ("write_timeout", config.write_timeout()),
        ("close_timeout", config.close_timeout()),
        ("last_look", config.last_look()),
        ("stall_tolerance", config.stall_tolerance()),
        (suspicion, suspicious),
    ];
    let mut kinds: Vec<String> = waits.iter().map(|(name, wait)| format!("{name} {}", kind(*wait))).collect();
    kinds.push(format!("{:?}", config.schedule()));
    kinds.push(format!("{:?}", config.evidence()));
    kinds.push(match config.control_budget() {
        None => "no budget".into(),
        Some((_, 0)) => "budget that never refills".into(),
        Some((1, _)) => "burst of one".into(),
        Some(_) => "budget".into(),
    });
    kinds.push(match config.jitter() {
        0 => "periodic".into(),
        100 => "all jitter".into(),
        _ => "jitter".into(),
    });
    if config.close_code() != CloseCode::TIMEOUT {
        kinds.push("close code".into());
    }
    kinds
}

#[track_caller]
fn assert_reaches_everything(configs: &[Config]) {
    let seen: BTreeSet<String> = configs.iter().flat_map(kinds).collect();
    let mut wanted = Vec::new();
    for wait in ["interval", "timeout", "idle_timeout", "silence_timeout", "write_timeout"] {
        wanted.extend(["1ns", "some", "longest", "never"].map(|kind| format!("{wait} {kind}")));
    }
    wanted.extend(["none", "1ns", "some", "never"].map(|kind| format!("stall_tolerance {kind}")));
    for mark in ["close_timeout", "last_look"] {
        wanted.extend(["none", "1ns", "some", "century"].map(|kind| format!("{mark} {kind}")));
    }
    wanted.extend(
        ["unsuspecting never", "after 1ns", "after some", "adaptive 1ns", "adaptive some"].map(Into::into),
    );
    wanted.extend([Schedule::Quiet, Schedule::Steady].map(|schedule| format!("{schedule:?}")));
    wanted.extend([Evidence::AnyTraffic, Evidence::PongOnly].map(|evidence| format!("{evidence:?}")));
    wanted.extend(["no budget", "budget that never refills", "burst of one", "budget"].map(Into::into));
    wanted.extend(["periodic", "all jitter", "jitter", "close code"].map(Into::into));
    let missing: Vec<_> = wanted.iter().filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}

#[test]
fn settings_reach_every_value_worth_reaching_and_are_valid() {
    for configs in [fuzzed::<Config>(), drawn(any::<Config>())] {
        assert_reaches_everything(&configs);
        // The configs exist, so they are valid. Building one again from its values gives the same config.
        assert!(configs.iter().all(|config| config.to_builder().build() == Ok(*config)));
    }
}

#[test]
fn settings_written_into_a_transcript_can_be_read_again() {
    for config in fuzzed::<Config>() {
        let text = format!("config {config}\n0s < open\n0s < end\n");
        let read = text.parse::<Transcript>();
        assert!(read.is_ok(), "{text}{read:?}");
    }
}

#[test]
fn settings_of_a_unit_are_a_few_of_it_or_never() {
    let unit = Duration::from_millis(100);
    for config in drawn(configs(unit)) {
        for wait in [config.interval(), config.timeout(), config.idle_timeout(), config.silence_timeout()] {
            let units = wait.as_nanos() / unit.as_nanos();
            assert!(
                wait == Duration::MAX || (1..=30).contains(&units) && wait.as_nanos() % unit.as_nanos() == 0
            );
        }
        assert!(config.last_look() <= 4 * unit && config.close_timeout() <= 6 * unit);
    }
    // The ends of the scale.
    let _ = drawn(configs(Duration::ZERO));
    let _ = drawn(configs(Duration::MAX));
}

#[test]
fn every_close_code_that_may_go_on_the_wire_is_made() {
    let all = (0..=u16::MAX).filter_map(CloseCode::new).collect::<BTreeSet<_>>();
    // 5,000 draws from 3,996 codes leave out 1,143 of them on average.
    for codes in [fuzzed::<CloseCode>(), drawn(any::<CloseCode>())] {
        let seen: BTreeSet<_> = codes.into_iter().collect();
        assert!(seen.is_subset(&all) && all.len() - seen.len() < 1250, "{} of {}", seen.len(), all.len());
    }
    // From these bytes the fuzzer makes each code once.
    let made: BTreeSet<_> = (0..3996_u16)
        .map(|index| CloseCode::arbitrary(&mut Unstructured::new(&index.to_be_bytes())).unwrap())
        .collect();
    assert_eq!(made, all);
}

#[test]
fn every_event_is_made_and_a_pong_is_the_fuzzers_own_bytes() {
    let names = |event: &Event<'_>| format!("{event:?}").split('(').next().unwrap().to_owned();
    let drawn: BTreeSet<String> = drawn(any::<Event<'static>>()).iter().map(names).collect();
    let mut fuzzed = BTreeSet::new();
    let (mut lengths, mut rng) = (BTreeSet::new(), Rng::new(1));
    for _ in 0..4 * RUNS {
        let bytes: Vec<u8> = (0..200).map(|_| u8::try_from(rng.below(256)).unwrap()).collect();
        let event = Event::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        fuzzed.insert(names(&event));
        if let Event::Pong(payload) = event {
            lengths.insert(payload.len());
            assert!(payload.is_empty() || bytes.as_ptr_range().contains(&payload.as_ptr()));
        }
    }
    assert_eq!((fuzzed.len(), &fuzzed), (12, &drawn));
    assert_eq!(lengths, (0..=125).collect());
    // If the bytes run out, there is still an event.
    assert_eq!(Event::arbitrary(&mut Unstructured::new(&[])).unwrap(), Event::Data);
}

#[test]
fn moments_come_near_both_ends_of_time_and_between() {
    let moments = drawn(any::<Timestamp>());
    let minute = Duration::from_secs(60);
    let late = moments.iter().filter(|at| **at >= Timestamp::MAX.saturating_sub(minute)).count();
    let early = moments.iter().filter(|at| **at < Timestamp::ZERO + minute).count();
    assert!(early > 250 && late > 250 && early + late < 3_750, "{early} {late}");
    let halves = fuzzed::<Timestamp>().iter().filter(|at| at.as_nanos() > u64::MAX / 2).count();
    assert!((2_250..2_750).contains(&halves), "{halves}");
}
