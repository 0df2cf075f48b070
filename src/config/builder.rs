//! The builder of a config, and its errors.

use core::fmt;
use core::time::Duration;

use super::{Config, Evidence, NEVER, Schedule, Suspicion, SuspicionKind};
use crate::event::CloseCode;
use crate::limiter::Budget;
use crate::time::nanos;

/// Builds a [`Config`]; see the getters of [`Config`] for what each setting means and its default.
///
/// A duration of more than 584 years means never, like `Duration::MAX`.
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ConfigBuilder {
    pub(super) config: Config,
    /// `None`: a quarter of `timeout`.
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

    /// Sets [`Config::probe_timeout`].
    pub const fn probe_timeout(mut self, probe_timeout: Duration) -> Self {
        self.config.probe_timeout = nanos(probe_timeout);
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
        (self.config.suspicion, self.config.suspect_after) = match suspicion {
            Suspicion::Never => (SuspicionKind::Never, NEVER),
            Suspicion::After(after) => (SuspicionKind::After, nanos(after)),
            Suspicion::Adaptive { at_least } => (SuspicionKind::Adaptive, nanos(at_least)),
        };
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

    /// The settings, if each has a valid value.
    ///
    /// It accepts some settings that are surely a mistake: an `interval` of a nanosecond, a `silence_timeout` shorter than
    /// the `interval`, a `last_look` longer than the `timeout`. The rules also define what the machine does with these. They
    /// are not errors, because tests, fuzzers and transcripts draw settings at random: each such tool would have to know how
    /// settings depend on each other, and you could not change two settings one after the other. [`Config::warnings`]
    /// returns them.
    ///
    /// # Errors
    ///
    /// The first setting with an invalid value, and the rule that it breaks.
    pub const fn build(mut self) -> Result<Config, ConfigError> {
        self.config.stall_tolerance = match self.stall_tolerance {
            Some(tolerance) => nanos(tolerance),
            None if self.config.timeout == NEVER => NEVER,
            None => self.config.timeout / 4,
        };
        if let Some(error) = self.wrong() {
            return Err(error);
        }
        // At most a hundred hundredths of the interval, so it does not wrap.
        let jitter = (self.config.interval / 100).wrapping_mul(self.config.jitter as u64);
        self.config.shortest_wait = match self.config.interval {
            NEVER => NEVER,
            interval => interval.wrapping_sub(jitter),
        };
        Ok(self.config)
    }

    /// The settings, for a `const`: an invalid value fails to compile, with the text of [`build`](Self::build)'s error.
    ///
    /// # Panics
    ///
    /// Outside of a `const` or `static`, an invalid value panics at the caller's line, with the same text. For settings from
    /// a file or a flag use [`build`](Self::build), whose error you can show.
    #[must_use]
    #[track_caller]
    pub const fn build_const(self) -> Config {
        match self.build() {
            Ok(config) => config,
            #[expect(clippy::panic, reason = "in a const this is the compile error")]
            Err(error) => panic!("{}", error.message().as_str()),
        }
    }

    /// One line for each rule.
    const fn wrong(&self) -> Option<ConfigError> {
        let config = &self.config;
        let burst = match config.control_budget {
            Some(budget) => budget.burst as u64,
            None => NEVER,
        };
        let rules: [(bool, &'static str, Value, Rule); 11] = [
            (config.interval == 0, "interval", Value::ZERO, INTERVAL_RULE),
            (config.timeout == 0, "timeout", Value::ZERO, TIMEOUT_RULE),
            (config.probe_timeout == 0, "probe_timeout", Value::ZERO, TIMEOUT_RULE),
            (config.idle_timeout == 0, "idle_timeout", Value::ZERO, IDLE_RULE),
            (config.silence_timeout == 0, "silence_timeout", Value::ZERO, SILENCE_RULE),
            (config.write_timeout == 0, "write_timeout", Value::ZERO, TIMEOUT_RULE),
            (config.close_timeout == NEVER, "close_timeout", Value::NEVER, CLOSE_RULE),
            (config.last_look == NEVER, "last_look", Value::NEVER, LAST_LOOK_RULE),
            (config.suspect_after == 0, "suspicion", Value::ZERO, SUSPICION_RULE),
            (config.jitter > 100, "jitter", Value::Number(config.jitter), JITTER_RULE),
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

/// What a setting "must be", and why, where that is not obvious.
type Rule = &'static (&'static str, &'static str);

const ABOVE_ZERO: &str = "greater than zero";
const INTERVAL_RULE: Rule = &(ABOVE_ZERO, ", otherwise pings would never end");
const TIMEOUT_RULE: Rule = &(ABOVE_ZERO, "");
const IDLE_RULE: Rule = &(ABOVE_ZERO, ", otherwise every peer would be idle at once");
const SILENCE_RULE: Rule = &(ABOVE_ZERO, ", otherwise every peer would be silent at once");
const CLOSE_RULE: Rule = &("finite", ", otherwise a dead peer would be kept for ever");
const LAST_LOOK_RULE: Rule = &("finite", ", otherwise no verdict would ever be given");
const SUSPICION_RULE: Rule = &(ABOVE_ZERO, ", otherwise every ping would make its peer suspect");
const JITTER_RULE: Rule = &("between 0 and 100 per cent", "");
const BUDGET_RULE: Rule = &("at least 1 in a burst", ", otherwise the first ping would be a flood");

/// An invalid setting: its name, its value, and the rule that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: &'static str,
    value: Value,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Duration(&'static str),
    Number(u8),
}

impl Value {
    /// The two invalid durations, as text.
    const ZERO: Self = Self::Duration("0s");
    const NEVER: Self = Self::Duration("never");
}

impl ConfigError {
    /// The name of the setting.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The text, made without formatting, because a const panic cannot format.
    const fn message(&self) -> Message {
        let (must_be, why) = *self.rule;
        let start = Message::EMPTY.and("`").and(self.field).and("` must be ").and(must_be).and(" (got ");
        let value = match self.value {
            Value::Duration(text) => start.and(text),
            Value::Number(number) => start.and_number(number),
        };
        value.and(")").and(why)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message().as_str())
    }
}

impl core::error::Error for ConfigError {}

/// A short ASCII text, made at compile time.
struct Message {
    bytes: [u8; 160],
    len: usize,
}

impl Message {
    const EMPTY: Self = Self { bytes: [0; 160], len: 0 };

    /// Appends a text, as far as there is room.
    const fn and(mut self, text: &str) -> Self {
        let mut text = text.as_bytes();
        while let [first, rest @ ..] = text {
            self = self.and_byte(*first);
            text = rest;
        }
        self
    }

    const fn and_number(self, number: u8) -> Self {
        let start = if number < 10 { self } else { self.and_number(number / 10) };
        start.and_byte(b'0'.wrapping_add(number % 10))
    }

    const fn and_byte(mut self, byte: u8) -> Self {
        if let Some((_, [place, ..])) = self.bytes.split_at_mut_checked(self.len) {
            *place = byte;
            self.len = self.len.saturating_add(1);
        }
        self
    }

    const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.len);
        match core::str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "an invalid setting",
        }
    }
}
