//! How settings are put together, and what is said of those that cannot be.

use core::fmt;
use core::time::Duration;

use super::{Config, Evidence, NEVER, Schedule, Setting, Suspicion};
use crate::event::CloseCode;
use crate::limiter::Budget;
use crate::time::nanos;

/// Builds a [`Config`]; see the getters of [`Config`] for what each setting means and its default.
///
/// A duration of more than 584 years is never, as `Duration::MAX` is.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is set until `build`"]
pub struct ConfigBuilder {
    pub(super) config: Config,
    /// `None`: a quarter of whatever `timeout` turns out to be.
    pub(super) stall_tolerance: Option<Duration>,
}

impl ConfigBuilder {
    /// Sets [`Config::interval`].
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.config.interval = nanos(interval);
        self
    }

    /// Sets [`Config::timeout`].
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = nanos(timeout);
        self
    }

    /// Sets [`Config::schedule`].
    pub const fn schedule(mut self, schedule: Schedule) -> Self {
        self.config.schedule = schedule;
        self
    }

    /// Sets [`Config::evidence`].
    pub const fn evidence(mut self, evidence: Evidence) -> Self {
        self.config.evidence = evidence;
        self
    }

    /// Sets [`Config::suspicion`].
    pub const fn suspicion(mut self, suspicion: Suspicion) -> Self {
        self.config.suspicion = suspicion;
        self
    }

    /// Sets [`Config::idle_timeout`].
    pub const fn idle_timeout(mut self, idle_timeout: Duration) -> Self {
        self.config.idle_timeout = nanos(idle_timeout);
        self
    }

    /// Sets [`Config::silence_timeout`].
    pub const fn silence_timeout(mut self, silence_timeout: Duration) -> Self {
        self.config.silence_timeout = nanos(silence_timeout);
        self
    }

    /// Sets [`Config::close_timeout`].
    pub const fn close_timeout(mut self, close_timeout: Duration) -> Self {
        self.config.close_timeout = nanos(close_timeout);
        self
    }

    /// Sets [`Config::jitter`], in per cent.
    pub const fn jitter(mut self, percent: u8) -> Self {
        self.config.jitter = percent;
        self
    }

    /// Sets [`Config::stall_tolerance`]. `Duration::MAX`: no lateness is ever forgiven.
    pub const fn stall_tolerance(mut self, stall_tolerance: Duration) -> Self {
        self.stall_tolerance = Some(stall_tolerance);
        self
    }

    /// Sets [`Config::last_look`].
    pub const fn last_look(mut self, last_look: Duration) -> Self {
        self.config.last_look = nanos(last_look);
        self
    }

    /// Sets [`Config::write_timeout`].
    pub const fn write_timeout(mut self, write_timeout: Duration) -> Self {
        self.config.write_timeout = nanos(write_timeout);
        self
    }

    /// Sets [`Config::control_budget`]: this many control frames in a burst, and this many each second after.
    pub const fn control_budget(mut self, burst: u32, per_second: u32) -> Self {
        self.config.control_budget = Some(Budget { burst, per_second });
        self
    }

    /// Lets the peer send any number of control frames.
    pub const fn unlimited_control_frames(mut self) -> Self {
        self.config.control_budget = None;
        self
    }

    /// Sets [`Config::close_code`].
    pub const fn close_code(mut self, close_code: CloseCode) -> Self {
        self.config.close_code = close_code;
        self
    }

    /// The settings, if they make sense.
    ///
    /// # Errors
    ///
    /// The first field with a wrong value, and the rule that it breaks.
    pub const fn build(mut self) -> Result<Config, ConfigError> {
        self.config.stall_tolerance = match self.stall_tolerance {
            Some(tolerance) => nanos(tolerance),
            None if self.config.timeout == NEVER => NEVER,
            None => self.config.timeout / 4,
        };
        self.config.suspect_after = match self.config.suspicion {
            Suspicion::Never => NEVER,
            Suspicion::After(after) => nanos(after),
            Suspicion::Adaptive { at_least } => nanos(at_least),
        };
        if let Some(error) = self.wrong() {
            return Err(error);
        }
        // At most a hundred hundredths of the interval: it does not wrap.
        let jitter = (self.config.interval / 100).wrapping_mul(self.config.jitter as u64);
        self.config.shortest_wait = match self.config.interval {
            NEVER => NEVER,
            interval => interval.wrapping_sub(jitter),
        };
        Ok(self.config)
    }

    /// The settings, for a `const`: a wrong value fails to compile, with the rule that it breaks.
    ///
    /// # Panics
    ///
    /// Outside a `const` or `static`, a wrong value panics: use [`ConfigBuilder::build`] there.
    #[must_use]
    pub const fn build_const(self) -> Config {
        match self.build() {
            Ok(config) => config,
            #[expect(clippy::panic, reason = "in a const this is the compile error")]
            Err(error) => panic!("{}", error.rule),
        }
    }

    /// One line for each rule.
    const fn wrong(&self) -> Option<ConfigError> {
        let config = &self.config;
        let burst = match config.control_budget {
            Some(budget) => budget.burst as u64,
            None => NEVER,
        };
        let rules: [(bool, &'static str, Value, &'static str); 10] = [
            (config.interval == 0, "interval", Value::Nanos(0), INTERVAL_RULE),
            (config.timeout == 0, "timeout", Value::Nanos(0), TIMEOUT_RULE),
            (config.idle_timeout == 0, "idle_timeout", Value::Nanos(0), IDLE_RULE),
            (config.silence_timeout == 0, "silence_timeout", Value::Nanos(0), SILENCE_RULE),
            (config.write_timeout == 0, "write_timeout", Value::Nanos(0), WRITE_RULE),
            (config.close_timeout == NEVER, "close_timeout", Value::Nanos(NEVER), CLOSE_RULE),
            (config.last_look == NEVER, "last_look", Value::Nanos(NEVER), LAST_LOOK_RULE),
            (config.suspect_after == 0, "suspicion", Value::Nanos(0), SUSPICION_RULE),
            (config.jitter > 100, "jitter", Value::Number(config.jitter as u64), JITTER_RULE),
            (burst == 0, "control_budget", Value::Number(0), BUDGET_RULE),
        ];
        let mut rules = rules.as_slice();
        while let [(broken, field, value, rule), rest @ ..] = rules {
            if *broken {
                return Some(ConfigError { field, value: *value, rule });
            }
            rules = rest;
        }
        None
    }
}

const INTERVAL_RULE: &str = "`interval` must be longer than zero: pings would never end";
const TIMEOUT_RULE: &str = "`timeout` must be longer than zero: no answer can come in no time";
const IDLE_RULE: &str = "`idle_timeout` must be longer than zero: every peer would be idle at once";
const SILENCE_RULE: &str = "`silence_timeout` must be longer than zero: every peer would be silent at once";
const WRITE_RULE: &str = "`write_timeout` must be longer than zero: no byte can be written in no time";
const CLOSE_RULE: &str = "`close_timeout` must be shorter than for ever: a dead peer would never be let go";
const LAST_LOOK_RULE: &str = "`last_look` must be shorter than for ever: no verdict would ever fall";
const SUSPICION_RULE: &str = "`suspicion` must be longer than zero: every ping would make its peer suspect";
const JITTER_RULE: &str =
    "`jitter` must be at most 100 per cent: a wait cannot be shortened by more than all of it";
const BUDGET_RULE: &str = "`control_budget` must be at least 1 in a burst: the first ping would be a flood";

/// A setting that cannot be: which one, what it was, and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    value: Value,
    /// "`field` must be ...: why": whole, for a compile error can show only a constant text.
    rule: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Nanos(u64),
    Number(u64),
}

impl ConfigError {
    /// The name of the wrong setting.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is ", self.field)?;
        match self.value {
            Value::Nanos(value) => Setting(value).fmt(f)?,
            Value::Number(value) => value.fmt(f)?,
        }
        let must = self.rule.split_once("` ").map_or(self.rule, |(_, must)| must);
        write!(f, ", but {must}")
    }
}

impl core::error::Error for ConfigError {}
