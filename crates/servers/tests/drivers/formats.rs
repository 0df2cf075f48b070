//! Feature `serde`: settings from a file, and what is logged, as JSON and as postcard.

use std::time::Duration;

use liveness::{
    Action, CloseCode, Config, Event, Evidence, Liveness, Payload, Reason, Schedule, Status, Suspicion,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, from_value, json, to_value};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn settings_are_a_map_of_the_names_and_texts_that_they_are_shown_with() {
    let config = Config::builder()
        .timeout(Duration::MAX)
        .schedule(Schedule::Steady)
        .evidence(Evidence::PongOnly)
        .suspicion(Suspicion::After(secs(2)))
        .build()
        .unwrap();
    let map = json!({
        "interval": "20s",
        "timeout": "never",
        "schedule": "steady",
        "probe_timeout": "never",
        "evidence": "pong-only",
        "suspicion": "after:2s",
        "idle_timeout": "never",
        "silence_timeout": "never",
        "close_timeout": "5s",
        "jitter": 10,
        "stall_tolerance": "never",
        "last_look": "0.01s",
        "write_timeout": "never",
        "control_budget": "128/16",
        "close_code": 3008,
    });
    assert_eq!(to_value(config).unwrap(), map);
    assert_eq!(from_value::<Config>(map).unwrap(), config);
}

#[test]
fn settings_that_are_written_are_read_as_the_same() {
    for config in [
        Config::DEFAULT,
        Config::BETWEEN_SERVERS,
        Config::DESKTOP,
        Config::MOBILE,
        "suspicion=adaptive:0.1s control_budget=never jitter=0 stall_tolerance=0s".parse().unwrap(),
        "interval=1ns timeout=18446744073.709551614s idle_timeout=1h silence_timeout=1m write_timeout=1us"
            .parse()
            .unwrap(),
    ] {
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config, "{text}");
    }
}

#[test]
fn a_setting_that_is_missing_is_at_its_default_and_a_number_may_be_a_text() {
    assert_eq!(from_value::<Config>(json!({})).unwrap(), Config::DEFAULT);
    let config: Config = from_value(json!({"timeout": "8s", "jitter": "5", "close_code": "4000"})).unwrap();
    assert_eq!(config, "timeout=8s jitter=5 close_code=4000".parse().unwrap());
    // As in a builder, `stall_tolerance` follows `timeout`.
    assert_eq!(config.stall_tolerance(), secs(2));
}

/// The messages for settings that cannot be read.
#[track_caller]
fn refused(settings: Value, says: &str) {
    let error = from_value::<Config>(settings).unwrap_err().to_string();
    assert_eq!(error, says);
}

#[test]
fn what_is_wrong_is_named_with_its_key() {
    let no_duration = "is no duration; write a number with a unit, such as `20s` or `250ms`, or `never`";
    refused(json!({"interval": "20"}), &format!("`interval`: `20` {no_duration}"));
    refused(json!({"interval": 20}), &format!("`interval`: `20` {no_duration}"));
    refused(json!({"interval": -20}), &format!("`interval`: `-20` {no_duration}"));
    refused(
        json!({"interval": true}),
        "invalid type: boolean `true`, expected a text or a number as the value of `interval`",
    );
    refused(
        json!({"timeout": null}),
        "invalid type: null, expected a text or a number as the value of `timeout`",
    );
    refused(
        json!({"jitter": 300}),
        "`jitter`: `300` is no percentage; write a whole number from 0 to 100, such as `10`",
    );
    refused(
        json!({"close_code": 1015}),
        "`close_code`: 1015 may not go on the wire: it says inside an endpoint that the TLS handshake failed (RFC 6455 7.4.1)",
    );
    refused(
        json!({"interval": "0s"}),
        &Config::builder().interval(Duration::ZERO).build().unwrap_err().to_string(),
    );
    refused(json!("interval=5s"), "invalid type: string \"interval=5s\", expected a map of settings");
    let unknown = from_value::<Config>(json!({"intervall": "5s"})).unwrap_err().to_string();
    assert!(unknown.starts_with("`intervall` is no setting; there are `interval`, `timeout`,"), "{unknown}");
    let twice = serde_json::from_str::<Config>(r#"{"jitter": 1, "jitter": 2}"#).unwrap_err().to_string();
    assert!(twice.starts_with("`jitter` is given twice; write each setting once"), "{twice}");
}

/// A settings file that has more than our settings.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Settings {
    listen: String,
    heartbeat: Config,
    #[serde(default)]
    told: Option<CloseCode>,
}

#[test]
fn settings_are_a_part_of_a_larger_file() {
    let text = r#"{"listen": "[::]:80", "heartbeat": {"interval": "5s"}, "told": 1012}"#;
    let settings: Settings = serde_json::from_str(text).unwrap();
    let heartbeat = Config::builder().interval(secs(5)).build().unwrap();
    let told = Some(CloseCode::SERVICE_RESTART);
    assert_eq!(settings, Settings { listen: "[::]:80".into(), heartbeat, told });
    let error =
        serde_json::from_str::<Settings>(r#"{"listen": "", "heartbeat": {"interval": "5"}}"#).unwrap_err();
    // With the place, if the format has one.
    assert!(error.to_string().contains("`interval`: `5` is no duration") && error.line() == 1, "{error}");
}

#[test]
fn a_format_that_is_not_for_people_has_the_settings_as_one_text() {
    for config in [Config::DEFAULT, Config::MOBILE] {
        let bytes = postcard::to_allocvec(&config).unwrap();
        assert_eq!(bytes, postcard::to_allocvec(&config.to_string()).unwrap());
        assert_eq!(postcard::from_bytes(&bytes), Ok(config));
    }
    let wrong = postcard::to_allocvec("interval=5").unwrap();
    assert!(postcard::from_bytes::<Config>(&wrong).is_err());
}

#[test]
fn what_is_logged_is_in_the_words_of_a_transcript() {
    let start = Timestamp::ZERO;
    let mut peer = Liveness::new("interval=5s jitter=0".parse().unwrap(), 7, start);
    let _online = peer.poll(start);
    let now = Timestamp::from_secs(5);
    let Some(Action::SendPing(payload)) = peer.poll(now) else { panic!("no ping") };
    peer.handle(Event::Pong(payload.as_bytes()), now + Duration::from_millis(40));
    for (logged, says) in [
        (to_value(now + Duration::from_nanos(1)), json!("5.000000001s")),
        (to_value(payload), json!(payload.to_string())),
        (to_value(peer.status()), json!("online")),
        (to_value(Reason::PingTimeout), json!("ping-timeout")),
        (to_value(Reason::PeerClosed(Some(1001))), json!("peer-closed 1001")),
        (to_value(CloseCode::TIMEOUT), json!(3008)),
        (
            to_value(peer.rtt()),
            json!({"latest": "0.04s", "smoothed": "0.04s", "variation": "0.02s", "min": "0.04s"}),
        ),
        (
            to_value(peer.stats()),
            json!({"pings": 1, "answers": 1, "stalls_forgiven": 0, "suspicions_survived": 0}),
        ),
    ] {
        assert_eq!(logged.unwrap(), says);
    }
}

/// This value is read back as it was written. The other text is refused with this error.
#[track_caller]
fn reads<T: Serialize + for<'a> Deserialize<'a> + PartialEq + std::fmt::Debug>(
    value: T,
    other: Value,
    says: &str,
) {
    assert_eq!(from_value::<T>(to_value(&value).unwrap()).unwrap(), value);
    assert_eq!(from_value::<T>(other).unwrap_err().to_string(), says);
}

#[test]
fn moments_codes_states_and_payloads_are_read_as_they_are_written() {
    let no_duration = "`12.5` is no duration; write a number with a unit, such as `20s` or `250ms`";
    for nanos in [0, 1, 12_500_000_000, u64::MAX] {
        reads(Timestamp::from_nanos(nanos), json!("12.5"), no_duration);
    }
    let why =
        "1006 may not go on the wire: it says inside an endpoint that no Close frame came (RFC 6455 7.4.1)";
    reads(CloseCode::TRY_AGAIN_LATER, json!(1006), why);
    for status in [Status::Online, Status::Suspect, Status::Offline] {
        reads(status, json!("gone"), "`gone` is no status; write `online`, `suspect` or `offline`");
    }
    let payload: Payload = from_value(json!("0123456789abcdef")).unwrap();
    assert_eq!(payload.as_bytes(), &[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
    reads(payload, json!("0123"), "`0123` is no payload; write 16 hexadecimal digits in lower case");
}
