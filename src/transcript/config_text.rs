//! The settings of a `config` line, and durations.

use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use core::str::FromStr;
use core::time::Duration;

use super::parse::{Parsed, close_code, number, shown};
use crate::config::{Config, ConfigBuilder, Evidence, Schedule, Suspicion};

/// A duration as transcripts and command lines write it: a number and `s` (or `ms`, `us`, `ns`, `m`, `h`).
///
/// ```
/// use core::time::Duration;
/// use liveness::transcript::parse_duration;
///
/// assert_eq!(parse_duration("12.5s")?, Duration::from_millis(12_500));
/// assert_eq!(parse_duration("200ms")?, Duration::from_millis(200));
/// assert_eq!(
///     parse_duration("soon").unwrap_err(),
///     "read `soon`; expected a time such as `12.5s` or `200ms`",
/// );
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
///
/// A sentence that says what was read and what was expected. Nothing is rounded: a fraction of a nanosecond is an
/// error, and so is what is longer than 584 years.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("read {}; expected a time such as `12.5s` or `200ms`", shown(text));
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let unit: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(wrong());
    }
    let too_long = || format!("read {}; expected at most 584 years, which is 18446744073s", shown(text));
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    let mut nanos = whole.checked_mul(unit).ok_or_else(too_long)?;
    let mut digit_worth = unit;
    for digit in fraction.trim_end_matches('0').bytes() {
        if digit_worth % 10 != 0 {
            return Err(format!("read {}; expected nothing finer than a nanosecond", shown(text)));
        }
        digit_worth /= 10;
        let worth = u64::from(digit.wrapping_sub(b'0')).saturating_mul(digit_worth);
        nanos = nanos.checked_add(worth).ok_or_else(too_long)?;
    }
    Ok(Duration::from_nanos(nanos))
}

pub(super) struct ConfigParser {
    pub(super) builder: ConfigBuilder,
    pub(super) seed: u64,
    seen: Vec<String>,
}

impl Default for ConfigParser {
    fn default() -> Self {
        Self { builder: Config::builder(), seed: 0, seen: Vec::new() }
    }
}

const KEYS: &str = "interval, timeout, schedule, evidence, suspicion, idle_timeout, silence_timeout, close_timeout, jitter, \
    stall_tolerance, last_look, write_timeout, control_budget, close_code or seed";

impl ConfigParser {
    pub(super) fn set(&mut self, setting: &str) -> Parsed<()> {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("read {} as a setting; expected KEY=VALUE", shown(setting)))?;
        if self.seen.iter().any(|seen| seen == key) {
            return Err(format!("read `{key}` a second time; expected each setting once"));
        }
        self.seen.push(key.to_owned());
        let builder = self.builder;
        self.builder = match key {
            "interval" => builder.interval(or_never(value)?),
            "timeout" => builder.timeout(or_never(value)?),
            "schedule" => builder.schedule(schedule(value)?),
            "evidence" => builder.evidence(evidence(value)?),
            "suspicion" => builder.suspicion(suspicion(value)?),
            "idle_timeout" => builder.idle_timeout(or_never(value)?),
            "silence_timeout" => builder.silence_timeout(or_never(value)?),
            "close_timeout" => builder.close_timeout(or_never(value)?),
            "jitter" => builder.jitter(number(value, "per cent, a whole number from 0 to 100")?),
            "stall_tolerance" => builder.stall_tolerance(or_never(value)?),
            "last_look" => builder.last_look(or_never(value)?),
            "write_timeout" => builder.write_timeout(or_never(value)?),
            "control_budget" => control_budget(builder, value)?,
            "close_code" => builder.close_code(close_code(value)?),
            "seed" => {
                self.seed = number(value, "a seed, a whole number of 64 bits")?;
                builder
            }
            _ => return Err(format!("read {} as a setting; expected {KEYS}", shown(key))),
        };
        Ok(())
    }
}

fn or_never(value: &str) -> Parsed<Duration> {
    if value == "never" {
        Ok(Duration::MAX)
    } else {
        parse_duration(value).map_err(|error| format!("{error}, or `never`"))
    }
}

fn schedule(value: &str) -> Parsed<Schedule> {
    match value {
        "quiet" => Ok(Schedule::Quiet),
        "steady" => Ok(Schedule::Steady),
        _ => Err(format!("read {} as a schedule; expected `quiet` or `steady`", shown(value))),
    }
}

fn evidence(value: &str) -> Parsed<Evidence> {
    match value {
        "any-traffic" => Ok(Evidence::AnyTraffic),
        "pong-only" => Ok(Evidence::PongOnly),
        _ => Err(format!("read {} as evidence; expected `any-traffic` or `pong-only`", shown(value))),
    }
}

fn suspicion(value: &str) -> Parsed<Suspicion> {
    match value.split_once(':') {
        None if value == "never" => Ok(Suspicion::Never),
        Some(("after", after)) => Ok(Suspicion::After(or_never(after)?)),
        Some(("adaptive", at_least)) => Ok(Suspicion::Adaptive { at_least: or_never(at_least)? }),
        _ => Err(format!(
            "read {} as a suspicion; expected `never`, `after:2s` or `adaptive:100ms`",
            shown(value)
        )),
    }
}

fn control_budget(builder: ConfigBuilder, value: &str) -> Parsed<ConfigBuilder> {
    if value == "never" {
        return Ok(builder.unlimited_control_frames());
    }
    let what = "frames in a burst and frames a second, such as `128/16`, or `never`";
    let (burst, per_second) =
        value.split_once('/').ok_or_else(|| format!("read {}; expected {what}", shown(value)))?;
    Ok(builder.control_budget(number(burst, what)?, number(per_second, what)?))
}

/// Settings as a `config` line writes them: `interval=5s timeout=10s`. What is not named is at its default; the names
/// are those of the getters. A time is `12.5s`, `200ms` or `never`.
///
/// | name | values beside a time |
/// |---|---|
/// | `schedule` | `quiet`, `steady` |
/// | `evidence` | `any-traffic`, `pong-only` |
/// | `suspicion` | `never`, `after:2s`, `adaptive:100ms` |
/// | `jitter` | per cent: `10` |
/// | `control_budget` | a burst, and so many a second: `128/16`; `never`: any number |
/// | `close_code` | `3008` |
///
/// ```
/// use core::time::Duration;
/// use liveness::Config;
///
/// let config: Config = "interval=5s timeout=10s".parse()?;
/// assert_eq!(config.interval(), Duration::from_secs(5));
/// assert_eq!(
///     "interval=5".parse::<Config>().unwrap_err(),
///     "read `5`; expected a time such as `12.5s` or `200ms`, or `never`",
/// );
/// # Ok::<(), String>(())
/// ```
impl FromStr for Config {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut settings = ConfigParser::default();
        for setting in text.split_whitespace() {
            if setting.starts_with("seed=") {
                return Err(
                    "read `seed`; expected it only in a transcript, for it belongs to one connection".into(),
                );
            }
            settings.set(setting)?;
        }
        settings.builder.build().map_err(|error| error.to_string())
    }
}
