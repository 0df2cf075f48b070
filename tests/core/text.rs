//! Settings and durations as text: what is shown can be read again, and an error names what cannot be read.

use std::time::Duration;

use liveness::{Config, Suspicion, parse_duration};
use proptest::prelude::*;

proptest! {
    #[test]
    fn settings_that_are_shown_are_read_as_the_same(config: Config) {
        let text = config.to_string();
        prop_assert_eq!(text.parse::<Config>(), Ok(config));
        // In any order, and with any white space between.
        let reversed: Vec<&str> = text.split(' ').rev().collect();
        prop_assert_eq!(reversed.join("\n \t").parse::<Config>(), Ok(config));
    }

    #[test]
    fn durations_that_are_shown_are_read_as_the_same(nanos: u64) {
        let shown = liveness::Timestamp::from_nanos(nanos).to_string();
        prop_assert_eq!(parse_duration(&shown), Ok(Duration::from_nanos(nanos)));
    }

    #[test]
    fn no_text_is_too_odd_to_be_read_or_refused(text: String) {
        let _ = parse_duration(&text);
        let _ = text.parse::<Config>();
        let _ = format!("interval={text}").parse::<Config>();
    }
}

#[test]
fn what_is_not_named_is_at_its_default() {
    assert_eq!("".parse(), Ok(Config::DEFAULT));
    let config: Config = " timeout=8s  interval=4s\n".parse().unwrap();
    let built = Config::builder().interval(Duration::from_secs(4)).timeout(Duration::from_secs(8)).build();
    assert_eq!(Ok(config), built);
    // As in a builder, `stall_tolerance` follows `timeout`.
    assert_eq!(config.stall_tolerance(), Duration::from_secs(2));
}

#[test]
fn a_suspicion_of_more_than_584_years_is_one_of_never() {
    let eons = Duration::from_secs(1 << 40);
    for (suspicion, never) in [
        (Suspicion::After(eons), Suspicion::After(Duration::MAX)),
        (Suspicion::Adaptive { at_least: eons }, Suspicion::Adaptive { at_least: Duration::MAX }),
    ] {
        assert_eq!(Config::builder().suspicion(suspicion).build().unwrap().suspicion(), never);
    }
}

#[test]
fn a_duration_is_a_number_and_a_unit() {
    for (text, nanos) in [
        ("0s", 0),
        ("1ns", 1),
        ("2us", 2_000),
        ("250ms", 250_000_000),
        ("12.5s", 12_500_000_000),
        ("0.000000001s", 1),
        ("1.50m", 90_000_000_000),
        ("0.5h", 1_800_000_000_000),
        ("18446744073.709551615s", u64::MAX),
    ] {
        assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
    }
}

/// The error for a text that is not a duration.
#[track_caller]
fn no_duration(text: &str, says: &str) {
    assert_eq!(parse_duration(text).unwrap_err().to_string(), says);
}

#[test]
fn what_is_no_duration_is_told_what_is_one() {
    const RIGHT: &str = "is no duration; write a number with a unit, such as `20s` or `250ms`";
    for text in
        ["20", "s", "20 s", " 20s", "-20s", "+20s", "1e3s", "1.s", ".5s", "1.2.3s", "20sec", "20S", "never"]
    {
        no_duration(text, &format!("`{text}` {RIGHT}"));
    }
    no_duration("", &format!("an empty text {RIGHT}"));
    no_duration("18446744074s", "`18446744074s` is longer than 584 years; write at most `18446744073s`");
    no_duration(
        "99999999999999999999s",
        "`99999999999999999999s` is longer than 584 years; write at most `18446744073s`",
    );
    no_duration(
        "18446744073.709551616s",
        "`18446744073.709551616s` is longer than 584 years; write at most `18446744073s`",
    );
    no_duration("0.5ns", "`0.5ns` is finer than a nanosecond; write whole nanoseconds");
}

/// The setting that cannot be read, and its error.
#[track_caller]
fn refused(text: &str, key: &str, says: &str) {
    let error = text.parse::<Config>().unwrap_err();
    assert_eq!((error.key(), error.to_string().as_str()), (key, says));
}

#[test]
fn a_duration_without_a_unit_is_refused_with_its_key() {
    const RIGHT: &str = "is no duration; write a number with a unit, such as `20s` or `250ms`";
    refused("interval=20", "interval", &format!("`interval`: `20` {RIGHT}, or `never`"));
    refused("jitter=5 timeout=", "timeout", &format!("`timeout`: an empty text {RIGHT}, or `never`"));
    refused("suspicion=after:2", "suspicion", &format!("`suspicion`: `2` {RIGHT}, or `never`"));
    // The error for a setting that must not be never does not offer never.
    refused("close_timeout=5", "close_timeout", &format!("`close_timeout`: `5` {RIGHT}"));
    refused("last_look=soon", "last_look", &format!("`last_look`: `soon` {RIGHT}"));
}

#[test]
fn settings_are_separated_by_spaces() {
    const RIGHT: &str = "is more than a value; separate settings by spaces, and by nothing else";
    refused("interval=5s,timeout=6s", "interval", &format!("`interval`: `5s,timeout=6s` {RIGHT}"));
    refused("interval=5s, timeout=6s", "interval", &format!("`interval`: `5s,` {RIGHT}"));
    refused("interval=5s;timeout=6s", "interval", &format!("`interval`: `5s;timeout=6s` {RIGHT}"));
    const PAIR: &str = "is not KEY=VALUE; write for example `interval=20s`, without spaces around the `=`";
    refused("interval = 5s", "interval", &format!("`interval` {PAIR}"));
    refused("interval: 5s", "interval:", &format!("`interval:` {PAIR}"));
    refused("5s", "5s", &format!("`5s` {PAIR}"));
    refused("=5s", "=5s", &format!("`=5s` {PAIR}"));
}

#[test]
fn a_key_that_is_none_is_told_all_that_are() {
    let known = "`interval`, `timeout`, `schedule`, `probe_timeout`, `evidence`, `suspicion`, `idle_timeout`, \
                 `silence_timeout`, `close_timeout`, `jitter`, `stall_tolerance`, `last_look`, `write_timeout`, `control_budget`, and `close_code`";
    refused("intervall=5s", "intervall", &format!("`intervall` is no setting; there are {known}"));
    refused("Interval=5s", "Interval", &format!("`Interval` is no setting; there are {known}"));
    refused(
        "seed=7",
        "seed",
        "`seed` is no setting; it belongs to one connection, and stands only in a transcript",
    );
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    for setting in Config::DEFAULT.to_string().split(' ') {
        let (key, _) = setting.split_once('=').unwrap();
        refused(
            &format!("{setting} {setting}"),
            key,
            &format!("`{key}` is given twice; write each setting once"),
        );
    }
}

#[test]
fn a_builder_keeps_what_the_text_does_not_name() {
    for setting in Config::MOBILE.to_string().split(' ') {
        let same = Config::MOBILE.to_builder().parse(setting).unwrap();
        assert_eq!(same.build(), Ok(Config::MOBILE), "{setting}");
    }
    let longer = Config::MOBILE.to_builder().parse(" timeout=40s  jitter=0 ").unwrap().build().unwrap();
    let by_code = Config::MOBILE.to_builder().timeout(Duration::from_secs(40)).jitter(0);
    assert_eq!(by_code.build(), Ok(longer));
    assert_eq!(Config::MOBILE.to_builder().parse("").unwrap().build(), Ok(Config::MOBILE));
    let twice = Config::MOBILE.to_builder().parse("timeout=40s timeout=40s").unwrap_err();
    assert_eq!(twice.key(), "timeout");
    // A rule is broken by all settings together, and so only `build` can say it.
    assert!(Config::builder().parse("interval=0s").unwrap().build().is_err());
}

#[test]
fn a_word_that_is_none_of_a_settings_is_told_which_are() {
    for (text, key, says) in [
        ("schedule=often", "schedule", "`often` is no schedule; write `quiet` or `steady`"),
        ("schedule=", "schedule", "an empty text is no schedule; write `quiet` or `steady`"),
        ("evidence=pong", "evidence", "`pong` is no evidence; write `any-traffic` or `pong-only`"),
        ("suspicion=2s", "suspicion", "`2s` is no suspicion; write `never`, `after:2s` or `adaptive:100ms`"),
        (
            "close_code=3008s",
            "close_code",
            "`3008s` is no close code; write a number from 1000 to 4999, such as `3008`",
        ),
        (
            "close_code=70000",
            "close_code",
            "`70000` is no close code; write a number from 1000 to 4999, such as `3008`",
        ),
        (
            "close_code=999",
            "close_code",
            "999 may not go on the wire: codes are 1000 to 4999 (RFC 6455 7.4.2)",
        ),
    ] {
        refused(text, key, &format!("`{key}`: {says}"));
    }
    for share in ["", "ten", "10%", "-1", "+1", "256"] {
        let error = format!("jitter={share}").parse::<Config>().unwrap_err().to_string();
        assert!(
            error.ends_with("is no percentage; write a whole number from 0 to 100, such as `10`"),
            "{error}"
        );
    }
    for budget in ["", "128", "128/", "/16", "128/16/1", "-1/16", "128/never", "4294967296/1"] {
        let error = format!("control_budget={budget}").parse::<Config>().unwrap_err().to_string();
        let right = "is no budget; write frames in a burst and frames a second, such as `128/16`, or `never`";
        assert!(error.ends_with(right), "{error}");
    }
}

#[test]
fn settings_that_break_a_rule_are_refused_as_a_builder_refuses_them() {
    for (text, builder) in [
        ("interval=0s", Config::builder().interval(Duration::ZERO)),
        ("last_look=never", Config::builder().last_look(Duration::MAX)),
        ("jitter=101", Config::builder().jitter(101)),
        ("control_budget=0/16", Config::builder().control_budget(0, 16)),
    ] {
        let error = builder.build().unwrap_err();
        refused(text, error.field(), &error.to_string());
    }
}
