//! Parses settings.

use alloc::borrow::ToOwned;
use alloc::string::String;

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::duration::{ParseDurationError, parse_duration};
use super::text::SETTINGS;
use super::{Config, ConfigBuilder, ConfigError, Evidence, Schedule, Suspicion};
use crate::event::{CloseCode, CloseCodeError};

/// Parses settings as [`Display`](#impl-Display-for-Config) shows them, `interval=5s timeout=10s`, separated by spaces: from
/// a flag, an environment variable, or a line of a file.
///
/// The names are those of the getters, which say what each setting means. A setting without a value has its default. A
/// setting may come only once. A duration is `never` or a text for [`parse_duration`](crate::parse_duration).
///
/// | name | values other than a duration |
/// |---|---|
/// | `schedule` | `quiet`, `steady` |
/// | `evidence` | `any-traffic`, `pong-only` |
/// | `suspicion` | `never`, `after:2s`, `adaptive:100ms` |
/// | `jitter` | per cent: `10` |
/// | `control_budget` | frames in a burst, and frames each second after: `128/16`; `never`: no limit |
/// | `close_code` | `3008` |
///
/// # Errors
///
/// [`ParseConfigError`]: the first setting that cannot be parsed, or that breaks a rule of [`ConfigBuilder::build`].
///
/// ```
/// use core::time::Duration;
/// use liveness::Config;
///
/// let config: Config = "interval=5s timeout=10s".parse()?;
/// assert_eq!(config.interval(), Duration::from_secs(5));
/// assert_eq!(config.to_string().parse::<Config>()?, config);
///
/// let error = "interval=5".parse::<Config>().unwrap_err();
/// assert_eq!(error.key(), "interval");
/// assert_eq!(
///     error.to_string(),
///     "`interval`: `5` is no duration; write a number with a unit, such as `20s` or `250ms`, or `never`",
/// );
/// # Ok::<(), liveness::ParseConfigError>(())
/// ```
impl FromStr for Config {
    type Err = ParseConfigError;

    fn from_str(text: &str) -> Result<Self, ParseConfigError> {
        Ok(Self::builder().parse(text)?.build()?)
    }
}

impl ConfigBuilder {
    /// Sets the settings of a text in the form of [`Config`'s](Config#impl-FromStr-for-Config), and keeps the others: for a
    /// program with defaults of its own, or to change a few settings of an existing config.
    ///
    /// # Errors
    ///
    /// [`ParseConfigError`]: the first setting that cannot be parsed.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::Config;
    ///
    /// let ours = Config::builder().interval(Duration::from_secs(10)).timeout(Duration::from_secs(12));
    /// let config = ours.parse("timeout=30s")?.build()?;
    /// assert_eq!((config.interval().as_secs(), config.timeout().as_secs()), (10, 30));
    /// # Ok::<(), liveness::ParseConfigError>(())
    /// ```
    pub fn parse(self, text: &str) -> Result<Self, ParseConfigError> {
        let mut settings = SettingsParser::new(self);
        for setting in text.split_whitespace() {
            settings.set(setting)?;
        }
        Ok(settings.builder)
    }
}

/// Parses settings one by one. Each may come once.
pub(crate) struct SettingsParser {
    pub(crate) builder: ConfigBuilder,
    /// A bit for each of `SETTINGS`.
    seen: u16,
}

impl SettingsParser {
    /// A parser that starts from these settings.
    pub(crate) const fn new(builder: ConfigBuilder) -> Self {
        Self { builder, seen: 0 }
    }

    /// Reads `KEY=VALUE`.
    pub(crate) fn set(&mut self, setting: &str) -> Result<(), ParseConfigError> {
        let error = |key: &str, problem| Err(ParseConfigError { key: key.to_owned(), problem });
        match setting.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                if value.contains([',', ';', '=']) {
                    return error(key, Problem::NotSeparated(value.to_owned()));
                }
                self.set_value(key, value)
            }
            _ => error(setting, Problem::NoValue),
        }
    }

    pub(crate) fn set_value(&mut self, key: &str, value: &str) -> Result<(), ParseConfigError> {
        let error = |problem| ParseConfigError { key: key.to_owned(), problem };
        let index = SETTINGS.iter().position(|(name, _)| *name == key);
        let bit = index.map_or(0, |index| 1_u16.wrapping_shl(u32::try_from(index).unwrap_or(0)));
        if self.seen & bit != 0 {
            return Err(error(Problem::Twice));
        }
        self.seen |= bit;
        self.builder = read(self.builder, key, value).map_err(error)?;
        Ok(())
    }
}

fn read(builder: ConfigBuilder, key: &str, value: &str) -> Result<ConfigBuilder, Problem> {
    Ok(match key {
        "interval" => builder.interval(or_never(value)?),
        "timeout" => builder.timeout(or_never(value)?),
        "probe_timeout" => builder.probe_timeout(or_never(value)?),
        "schedule" => builder.schedule(match value {
            "quiet" => Schedule::Quiet,
            "steady" => Schedule::Steady,
            _ => return wrong(value, "no schedule; write `quiet` or `steady`"),
        }),
        "evidence" => builder.evidence(match value {
            "any-traffic" => Evidence::AnyTraffic,
            "pong-only" => Evidence::PongOnly,
            _ => return wrong(value, "no evidence; write `any-traffic` or `pong-only`"),
        }),
        "suspicion" => builder.suspicion(match value.split_once(':') {
            None if value == "never" => Suspicion::Never,
            Some(("after", after)) => Suspicion::After(or_never(after)?),
            Some(("adaptive", at_least)) => Suspicion::Adaptive { at_least: or_never(at_least)? },
            _ => return wrong(value, "no suspicion; write `never`, `after:2s` or `adaptive:100ms`"),
        }),
        "idle_timeout" => builder.idle_timeout(or_never(value)?),
        "silence_timeout" => builder.silence_timeout(or_never(value)?),
        "close_timeout" => builder.close_timeout(finite(value)?),
        "jitter" => match number(value) {
            Some(percent) => builder.jitter(percent),
            None => {
                return wrong(value, "no percentage; write a whole number from 0 to 100, such as `10`");
            }
        },
        "stall_tolerance" => builder.stall_tolerance(or_never(value)?),
        "last_look" => builder.last_look(finite(value)?),
        "write_timeout" => builder.write_timeout(or_never(value)?),
        "control_budget" => match value.split_once('/').map(|(burst, rate)| (number(burst), number(rate))) {
            Some((Some(burst), Some(per_second))) => builder.control_budget(burst, per_second),
            None if value == "never" => builder.unlimited_control_frames(),
            _ => return wrong(value, NO_BUDGET),
        },
        "close_code" => match number::<u16>(value) {
            Some(code) => builder.close_code(CloseCode::try_from(code).map_err(Problem::CloseCode)?),
            None => return wrong(value, "no close code; write a number from 1000 to 4999, such as `3008`"),
        },
        "seed" => return Err(Problem::Seed),
        _ => return Err(Problem::UnknownKey),
    })
}

const NO_BUDGET: &str =
    "no budget; write frames in a burst and frames a second, such as `128/16`, or `never`";

fn wrong<T>(value: &str, what: &'static str) -> Result<T, Problem> {
    Err(Problem::Wrong { read: value.to_owned(), what })
}

fn or_never(value: &str) -> Result<Duration, Problem> {
    duration(value, true)
}

/// For a setting whose rule forbids `never`. It parses `never`, because the rule's error says why, but its own error does
/// not offer it.
fn finite(value: &str) -> Result<Duration, Problem> {
    duration(value, false)
}

fn duration(value: &str, or_never: bool) -> Result<Duration, Problem> {
    match value {
        "never" => Ok(Duration::MAX),
        _ => parse_duration(value).map_err(|error| Problem::Duration { error, or_never }),
    }
}

/// Digits only, because `parse` also accepts a sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The error of parsing a [`Config`]: the setting, the text, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseConfigError {
    key: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    NoValue,
    UnknownKey,
    Seed,
    Twice,
    NotSeparated(String),
    Duration {
        error: ParseDurationError,
        or_never: bool,
    },
    Wrong {
        read: String,
        /// "no schedule; write ...".
        what: &'static str,
    },
    CloseCode(CloseCodeError),
    Rule(ConfigError),
}

impl ParseConfigError {
    /// The name of the setting, as it was written.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// There is no setting with this name.
    #[cfg(feature = "transcript")]
    pub(crate) fn is_unknown_key(&self) -> bool {
        self.problem == Problem::UnknownKey
    }
}

/// The settings were parsed, but one is invalid: see [`ConfigBuilder::build`].
impl From<ConfigError> for ParseConfigError {
    fn from(error: ConfigError) -> Self {
        Self { key: error.field().to_owned(), problem: Problem::Rule(error) }
    }
}

impl fmt::Display for ParseConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.problem {
            Problem::NoValue => {
                write!(
                    f,
                    "`{key}` is not KEY=VALUE; write for example `interval=20s`, without spaces around the `=`"
                )
            }
            Problem::UnknownKey => {
                write!(f, "`{key}` is no setting; there are ")?;
                let [first @ .., (last, _)] = &SETTINGS;
                first.iter().try_for_each(|(name, _)| write!(f, "`{name}`, "))?;
                write!(f, "and `{last}`")
            }
            Problem::Seed => {
                write!(
                    f,
                    "`{key}` is no setting; it belongs to one connection, and stands only in a transcript"
                )
            }
            Problem::Twice => write!(f, "`{key}` is given twice; write each setting once"),
            Problem::NotSeparated(read) => {
                write!(
                    f,
                    "`{key}`: `{read}` is more than a value; separate settings by spaces, and by nothing else"
                )
            }
            Problem::Duration { error, or_never } => {
                write!(f, "`{key}`: {error}{}", if *or_never { ", or `never`" } else { "" })
            }
            Problem::Wrong { read, what } if read.is_empty() => write!(f, "`{key}`: an empty text is {what}"),
            Problem::Wrong { read, what } => write!(f, "`{key}`: `{read}` is {what}"),
            Problem::CloseCode(error) => write!(f, "`{key}`: {error}"),
            Problem::Rule(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ParseConfigError {}
