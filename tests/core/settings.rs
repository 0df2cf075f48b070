//! Settings through the public door: a setting is read as it was set, errors name what is wrong, and what follows from
//! the settings.

use std::panic::catch_unwind;
use std::time::Duration;

use liveness::{CloseCode, Config, ConfigBuilder, Evidence, Schedule, Suspicion};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn what_is_set_is_what_is_got_and_what_is_shown() {
    let config = Config::builder()
        .interval(secs(2))
        .timeout(secs(3))
        .probe_timeout(Duration::from_millis(2_500))
        .schedule(Schedule::Steady)
        .evidence(Evidence::PongOnly)
        .suspicion(Suspicion::After(secs(1)))
        .idle_timeout(secs(4))
        .silence_timeout(secs(5))
        .close_timeout(secs(6))
        .jitter(7)
        .stall_tolerance(secs(8))
        .last_look(secs(9))
        .write_timeout(secs(10))
        .control_budget(11, 12)
        .close_code(CloseCode::GOING_AWAY)
        .build()
        .unwrap();
    assert_eq!((config.interval(), config.timeout()), (secs(2), secs(3)));
    assert_eq!(config.probe_timeout(), Duration::from_millis(2_500));
    assert_eq!((config.schedule(), config.evidence()), (Schedule::Steady, Evidence::PongOnly));
    assert_eq!(config.suspicion(), Suspicion::After(secs(1)));
    assert_eq!((config.idle_timeout(), config.silence_timeout()), (secs(4), secs(5)));
    assert_eq!((config.close_timeout(), config.jitter()), (secs(6), 7));
    assert_eq!((config.stall_tolerance(), config.last_look()), (secs(8), secs(9)));
    assert_eq!((config.write_timeout(), config.control_budget()), (secs(10), Some((11, 12))));
    assert_eq!(config.close_code(), CloseCode::GOING_AWAY);
    assert_eq!(
        config.to_string(),
        "interval=2s timeout=3s schedule=steady probe_timeout=2.5s evidence=pong-only suspicion=after:1s \
         idle_timeout=4s silence_timeout=5s close_timeout=6s jitter=7 stall_tolerance=8s last_look=9s write_timeout=10s \
         control_budget=11/12 close_code=1001"
    );
    assert_eq!(config.to_builder().build(), Ok(config));
}

#[test]
fn the_defaults_are_those_that_are_documented() {
    assert_eq!(
        Config::DEFAULT.to_string(),
        "interval=20s timeout=25s schedule=quiet probe_timeout=never evidence=any-traffic suspicion=never \
         idle_timeout=never silence_timeout=never close_timeout=5s jitter=10 stall_tolerance=6.25s last_look=0.01s \
         write_timeout=never control_budget=128/16 close_code=3008"
    );
    assert_eq!(Config::DEFAULT.control_budget(), Some((128, 16)));
    assert_eq!(Config::builder().unlimited_control_frames().build().unwrap().control_budget(), None);
    assert_eq!(Config::builder().build(), Ok(Config::default()));
}

#[test]
fn the_presets_ask_twice_before_a_verdict_and_find_the_dead_as_soon_as_they_say() {
    for (preset, text, at_most) in [
        (Config::BETWEEN_SERVERS, "interval=2s timeout=5s", 7_010),
        (Config::DESKTOP, "interval=5s timeout=10s suspicion=after:2s", 15_010),
        (Config::MOBILE, "interval=12s timeout=25s suspicion=after:4s", 37_010),
    ] {
        assert_eq!(text.parse(), Ok(preset));
        assert!(preset.interval() * 2 <= preset.timeout());
        assert_eq!(preset.detection_bound(Duration::ZERO), Duration::from_millis(at_most));
        // Common proxies close a connection that is silent for a minute.
        assert!(preset.interval() < secs(30));
        assert_eq!(preset.warnings().count(), 0);
    }
}

#[test]
fn the_tolerance_is_a_quarter_of_the_timeout_and_never_where_that_is_never() {
    let tolerance = |timeout| Config::builder().timeout(timeout).build().unwrap().stall_tolerance();
    assert_eq!(tolerance(secs(10)), Duration::from_millis(2_500));
    assert_eq!(tolerance(Duration::MAX), Duration::MAX);
    // More than 584 years counts as never.
    assert_eq!(tolerance(secs(600 * 365 * 24 * 3600)), Duration::MAX);
}

#[test]
fn a_driver_that_reports_its_writing_gets_a_clock_for_it_unless_there_is_one() {
    let config = Config::builder().timeout(secs(7));
    assert_eq!(config.build().unwrap().for_drivers().write_timeout(), secs(7));
    assert_eq!(config.write_timeout(secs(3)).build().unwrap().for_drivers().write_timeout(), secs(3));
}

#[test]
fn a_wrong_setting_is_named_with_its_value_and_the_rule() {
    let never = Duration::MAX;
    let zero = Duration::ZERO;
    let with = |set: fn(ConfigBuilder, Duration) -> ConfigBuilder, value| set(Config::builder(), value);
    let suspicion = |suspicion| Config::builder().suspicion(suspicion);
    for (builder, field, says) in [
        (
            with(ConfigBuilder::interval, zero),
            "interval",
            "`interval` must be greater than zero (got 0s), otherwise pings would never end",
        ),
        (with(ConfigBuilder::timeout, zero), "timeout", "`timeout` must be greater than zero (got 0s)"),
        (
            with(ConfigBuilder::probe_timeout, zero),
            "probe_timeout",
            "`probe_timeout` must be greater than zero (got 0s)",
        ),
        (
            with(ConfigBuilder::idle_timeout, zero),
            "idle_timeout",
            "`idle_timeout` must be greater than zero (got 0s), otherwise every peer would be idle at once",
        ),
        (
            with(ConfigBuilder::silence_timeout, zero),
            "silence_timeout",
            "`silence_timeout` must be greater than zero (got 0s), otherwise every peer would be silent at once",
        ),
        (
            with(ConfigBuilder::write_timeout, zero),
            "write_timeout",
            "`write_timeout` must be greater than zero (got 0s)",
        ),
        (
            with(ConfigBuilder::close_timeout, never),
            "close_timeout",
            "`close_timeout` must be finite (got never), otherwise a dead peer would be kept for ever",
        ),
        (
            with(ConfigBuilder::last_look, never),
            "last_look",
            "`last_look` must be finite (got never), otherwise no verdict would ever be given",
        ),
        (
            suspicion(Suspicion::After(zero)),
            "suspicion",
            "`suspicion` must be greater than zero (got 0s), otherwise every ping would make its peer suspect",
        ),
        (
            suspicion(Suspicion::Adaptive { at_least: zero }),
            "suspicion",
            "`suspicion` must be greater than zero (got 0s), otherwise every ping would make its peer suspect",
        ),
        (Config::builder().jitter(101), "jitter", "`jitter` must be between 0 and 100 per cent (got 101)"),
        (Config::builder().jitter(255), "jitter", "`jitter` must be between 0 and 100 per cent (got 255)"),
        (
            Config::builder().control_budget(0, 16),
            "control_budget",
            "`control_budget` must be at least 1 in a burst (got 0), otherwise the first ping would be a flood",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.field(), field);
        assert_eq!(error.to_string(), says);
        // A panic has the same text, in full.
        let panic = catch_unwind(|| builder.build_const()).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>(), Some(&error.to_string()));
    }
    let edge = Config::builder().jitter(100).control_budget(1, 0).last_look(zero).close_timeout(zero);
    assert!(edge.build().is_ok());
}

#[test]
fn settings_that_are_surely_a_mistake_are_accepted_and_named() {
    // Both sides of each limit.
    for (text, warning) in [
        ("", None),
        ("interval=1ms", None),
        (
            "interval=0.999999ms",
            Some(
                "`interval` is 0.000999999s: more than a thousand pings a second for each connection; write seconds",
            ),
        ),
        ("silence_timeout=20.000000001s", None),
        (
            "silence_timeout=20s",
            Some(
                "`silence_timeout` is 20s, but `interval` is 20s: a peer that only answers pings is silent for as long, and is \
                 closed; make `silence_timeout` longer than `interval` and a round trip",
            ),
        ),
        // The end that only listens.
        ("interval=never silence_timeout=1s", None),
        ("interval=never silence_timeout=never", None),
        ("timeout=1s last_look=1s", None),
        ("timeout=never last_look=1h", None),
        (
            "timeout=1ms last_look=10ms",
            Some(
                "`last_look` is 0.01s, but `timeout` is 0.001s: a verdict takes longer to confirm than an answer may take; make \
                 `last_look` a small part of `timeout`, such as 0.01s of some seconds",
            ),
        ),
        ("timeout=5s suspicion=after:4.999999999s", None),
        (
            "timeout=5s suspicion=after:5s",
            Some(
                "`suspicion` is after 5s, but `timeout` is 5s: no peer is ever suspect; make `suspicion` shorter than `timeout`, \
                 or never",
            ),
        ),
        (
            "timeout=5s suspicion=adaptive:6s write_timeout=6s",
            Some(
                "`suspicion` is after 6s, but `timeout` is 5s: no peer is ever suspect; make `suspicion` shorter than `timeout`, \
                 or never",
            ),
        ),
        // A ping can make its peer suspect while the ping is being written.
        ("timeout=5s suspicion=after:6s write_timeout=7s", None),
        ("timeout=never suspicion=after:6s", None),
        ("timeout=never suspicion=never", None),
    ] {
        let config: Config = text.parse().unwrap();
        let warnings: Vec<String> = config.warnings().map(|warning| warning.to_string()).collect();
        assert_eq!(
            warnings.iter().map(String::as_str).collect::<Vec<_>>(),
            Vec::from_iter(warning),
            "{text}"
        );
    }
    let all: Config = "interval=1ns silence_timeout=1ns timeout=1ms suspicion=after:1s".parse().unwrap();
    assert_eq!(all.warnings().count(), 4);
}

#[test]
fn the_detection_bound_is_what_its_settings_add_up_to() {
    let config = Config::builder().interval(secs(5)).timeout(secs(10)).last_look(secs(1)).jitter(0);
    let silent = config.silence_timeout(secs(12));
    let pongs = silent.evidence(Evidence::PongOnly);
    let millis = Duration::from_millis;
    for (config, late, bound) in [
        // interval + timeout + last_look + 3 * lateness.
        (config, millis(0), millis(16_000)),
        (config, millis(100), millis(16_300)),
        // As late as the tolerance, and a nanosecond more: then there is another timeout and another lateness.
        (config, millis(2_500), millis(23_500)),
        (config, millis(2_500) + Duration::from_nanos(1), millis(36_000) + Duration::from_nanos(4)),
        (config.write_timeout(secs(3)), millis(100), millis(19_300)),
        (config.write_timeout(secs(3)), millis(3_000), millis(44_000)),
        (config.interval(Duration::MAX), millis(0), Duration::MAX),
        (config.timeout(Duration::MAX), millis(0), Duration::MAX),
        // silence_timeout + last_look + 2 * lateness, if that is less; if it is forgiven, the same once more.
        (silent, millis(100), millis(13_200)),
        (silent, millis(3_000), millis(34_000)),
        (silent.interval(Duration::MAX), millis(0), millis(13_000)),
        (pongs, millis(100), millis(16_300)),
        (pongs.interval(Duration::MAX), millis(0), Duration::MAX),
    ] {
        let config = config.build().unwrap();
        assert_eq!(config.detection_bound(late), bound, "{late:?} late: {config}");
    }
}
