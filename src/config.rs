//! What a heartbeat should do: intervals, deadlines and policies, checked once.

use core::fmt;
use core::time::Duration;

use crate::event::CloseCode;
use crate::limiter::Budget;
use crate::time::{Seconds, duration, nanos};

/// Never, in nanoseconds: what `Duration::MAX` becomes.
pub(crate) const NEVER: u64 = u64::MAX;

/// When a ping is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a setting that callers choose from")]
pub enum Schedule {
    /// When either direction has been silent for `interval`. Cheapest: traffic replaces pings.
    #[default]
    Quiet,
    /// Each `interval` after the previous ping, whatever arrives. For steady round-trip times.
    Steady,
}

/// What counts as a sign of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a setting that callers choose from")]
pub enum Evidence {
    /// Every event of the peer's side.
    #[default]
    AnyTraffic,
    /// A Pong that answers one of our pings; nothing else.
    PongOnly,
}

/// When an unanswered ping makes a peer suspect. A hint that takes nothing away; the verdict waits for `timeout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a setting that callers choose from")]
pub enum Suspicion {
    /// No suspicion.
    #[default]
    Never,
    /// After this long. Not shorter than `timeout`, it never fires.
    After(Duration),
    /// After the smoothed round-trip time and four times its variance (RFC 6298's timeout), at least `at_least`;
    /// never before the first sample.
    Adaptive {
        /// The least time to wait. On a fast path the estimate is far below what a scheduler or a radio adds.
        at_least: Duration,
    },
}

/// The settings of a [`Liveness`](crate::Liveness). One that exists is valid.
///
/// ```
/// use core::time::Duration;
/// use liveness::Config;
///
/// // A wrong value in a `const` does not compile.
/// const CONFIG: Config = Config::builder()
///     .interval(Duration::from_secs(5))
///     .timeout(Duration::from_secs(10))
///     .build_const();
///
/// // One that comes from a file is an error that says what is wrong.
/// let error = Config::builder().timeout(Duration::ZERO).build().unwrap_err();
/// assert_eq!(error.to_string(), "`timeout` is 0s, but must be longer than zero: no answer can come in no time");
/// # assert_eq!(CONFIG.interval(), Duration::from_secs(5));
/// ```
///
/// ```compile_fail
/// const CONFIG: liveness::Config =
///     liveness::Config::builder().interval(core::time::Duration::ZERO).build_const();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Config {
    pub(crate) interval: u64,
    pub(crate) timeout: u64,
    pub(crate) idle_timeout: u64,
    pub(crate) silence_timeout: u64,
    pub(crate) close_timeout: u64,
    pub(crate) stall_tolerance: u64,
    pub(crate) last_look: u64,
    pub(crate) write_timeout: u64,
    pub(crate) suspicion: Suspicion,
    pub(crate) control_budget: Option<Budget>,
    pub(crate) close_code: CloseCode,
    pub(crate) jitter: u8,
    pub(crate) schedule: Schedule,
    pub(crate) evidence: Evidence,
    // Worked out once, for every ping asks for them.
    /// What jitter leaves of the interval at least.
    pub(crate) shortest_wait: u64,
    /// How long `suspicion` waits, at least.
    pub(crate) suspect_after: u64,
}

/// 20 s: under half of the 60 s after which common proxies drop a silent connection, so one lost ping is no loss.
const INTERVAL: Duration = Duration::from_secs(20);
/// 20 s: long enough for TCP's retransmissions to ride out an outage of ten seconds, as a handover between cells makes.
const TIMEOUT: Duration = Duration::from_secs(20);
/// 5 s: a Close and its echo over a bad path; a dead peer costs no more than that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// 10 ms: more than an event loop takes to get from its timers to its sockets.
const LAST_LOOK: Duration = Duration::from_millis(10);
/// 10 %: spreads pings without making the interval a lie.
const JITTER: u8 = 10;
/// 128 and 16 a second: a hundred times what any heartbeat sends, and far below what costs us anything.
const CONTROL_BUDGET: Budget = Budget { burst: 128, per_second: 16 };

impl Config {
    /// Every setting at its default.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::{CloseCode, Config, Evidence, Schedule, Suspicion};
    ///
    /// let config = Config::DEFAULT;
    /// assert_eq!(config.interval(), Duration::from_secs(20));
    /// assert_eq!(config.timeout(), Duration::from_secs(20));
    /// assert_eq!(config.schedule(), Schedule::Quiet);
    /// assert_eq!(config.evidence(), Evidence::AnyTraffic);
    /// assert_eq!(config.suspicion(), Suspicion::Never);
    /// assert_eq!(config.idle_timeout(), Duration::MAX);
    /// assert_eq!(config.silence_timeout(), Duration::MAX);
    /// assert_eq!(config.close_timeout(), Duration::from_secs(5));
    /// assert_eq!(config.jitter(), 10);
    /// assert_eq!(config.stall_tolerance(), Duration::from_secs(5));
    /// assert_eq!(config.last_look(), Duration::from_millis(10));
    /// assert_eq!(config.write_timeout(), Duration::MAX);
    /// assert_eq!(config.control_budget(), Some((128, 16)));
    /// assert_eq!(config.close_code(), CloseCode::TIMEOUT);
    /// ```
    pub const DEFAULT: Self = Self::builder().build_const();

    /// Starts from the defaults.
    pub const fn builder() -> ConfigBuilder {
        ConfigBuilder {
            config: Self {
                interval: nanos(INTERVAL),
                timeout: nanos(TIMEOUT),
                idle_timeout: NEVER,
                silence_timeout: NEVER,
                close_timeout: nanos(CLOSE_TIMEOUT),
                stall_tolerance: 0,
                last_look: nanos(LAST_LOOK),
                write_timeout: NEVER,
                suspicion: Suspicion::Never,
                control_budget: Some(CONTROL_BUDGET),
                close_code: CloseCode::TIMEOUT,
                jitter: JITTER,
                schedule: Schedule::Quiet,
                evidence: Evidence::AnyTraffic,
                shortest_wait: 0,
                suspect_after: NEVER,
            },
            stall_tolerance: None,
        }
    }

    /// Starts from these settings, to change some: a driver sets `write_timeout` so.
    pub const fn to_builder(self) -> ConfigBuilder {
        ConfigBuilder { config: self, stall_tolerance: Some(duration(self.stall_tolerance)) }
    }

    /// These settings for a driver that reports `Wrote` and `PingSent`: a `write_timeout` of never becomes as long as
    /// `timeout`. Without a clock for its writing a ping counts as sent when it is handed out, and behind a large
    /// download that is long before it is.
    ///
    /// ```
    /// let config = liveness::Config::DEFAULT.driven();
    /// assert_eq!(config.write_timeout(), config.timeout());
    /// ```
    #[must_use]
    pub const fn driven(mut self) -> Self {
        if self.write_timeout == NEVER {
            // Every timeout of a valid config is a valid write timeout.
            self.write_timeout = self.timeout;
        }
        self
    }

    /// The longest a peer that has gone silent can stay undetected, if the driver polls at most `lateness` late.
    ///
    /// Counted from the later of its last evidence and, where `write_timeout` is set, the last byte that entered
    /// the transport. Reading must not be paused meanwhile. `Duration::MAX`: never, as where `interval` or
    /// `timeout` is never (a `silence_timeout` then still counts, unless only pongs are evidence).
    ///
    /// The bound is `interval + timeout + last_look + 3 * lateness`, and tight, up to a lateness of
    /// `stall_tolerance`; a driver later than that may owe the peer one more `timeout + lateness`, for a driver that
    /// stalls suspects itself first. A finite `write_timeout` is added to each `timeout`: the drivers of this crate set one,
    /// so for their connections ask it of [`driven`](Self::driven).
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::Config;
    ///
    /// let bound = Config::DEFAULT.detection_bound(Duration::from_millis(30));
    /// assert_eq!(bound, Duration::from_millis(20_000 + 20_000 + 10 + 90));
    ///
    /// // Behind a download that the peer has stopped to take, its ping may wait for as long as it may be awaited.
    /// let driven = Config::DEFAULT.driven().detection_bound(Duration::from_millis(30));
    /// assert_eq!(driven, bound + Config::DEFAULT.timeout());
    /// ```
    #[must_use]
    pub const fn detection_bound(&self, lateness: Duration) -> Duration {
        let late = nanos(lateness);
        let stalled = late > self.stall_tolerance;
        let write = if self.write_timeout == NEVER { 0 } else { self.write_timeout };
        let clocks = self.timeout.saturating_add(write);

        let mut ping = self.interval.saturating_add(clocks).saturating_add(self.last_look);
        ping = ping.saturating_add(late.saturating_mul(3));
        // Under pong-only a peer may talk and give no evidence: then its silence says nothing.
        let silence = match self.evidence {
            Evidence::AnyTraffic => self.silence_timeout,
            Evidence::PongOnly => NEVER,
        };
        let mut silence = silence.saturating_add(self.last_look);
        silence = silence.saturating_add(late.saturating_mul(2));
        if stalled {
            ping = ping.saturating_add(clocks).saturating_add(late);
            silence = silence.saturating_add(self.silence_timeout).saturating_add(late);
        }
        duration(if ping < silence { ping } else { silence })
    }

    /// How long silence lasts before a ping. Default 20 s; `Duration::MAX`: no pings but for `probe`.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        duration(self.interval)
    }

    /// How long an answer may take. Default 20 s; `Duration::MAX`: for ever (keepalive only).
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        duration(self.timeout)
    }

    /// How long a peer may go without a data message. Default `Duration::MAX`: for ever.
    #[must_use]
    pub const fn idle_timeout(&self) -> Duration {
        duration(self.idle_timeout)
    }

    /// How long a peer may send nothing at all. Default `Duration::MAX`: for ever.
    #[must_use]
    pub const fn silence_timeout(&self) -> Duration {
        duration(self.silence_timeout)
    }

    /// How long the peer's part of a closing handshake may take. Default 5 s.
    #[must_use]
    pub const fn close_timeout(&self) -> Duration {
        duration(self.close_timeout)
    }

    /// How late a deadline may be seen before the driver is taken to have stalled. Default a quarter of `timeout`.
    #[must_use]
    pub const fn stall_tolerance(&self) -> Duration {
        duration(self.stall_tolerance)
    }

    /// How long a verdict waits after it was first seen due. Default 10 ms; zero: it does not wait.
    #[must_use]
    pub const fn last_look(&self) -> Duration {
        duration(self.last_look)
    }

    /// How long the transport may take no byte while a ping waits to be written. Default `Duration::MAX`: a
    /// ping counts as written when handed out. Finite, it obliges the driver to report `Wrote` and `PingSent`.
    #[must_use]
    pub const fn write_timeout(&self) -> Duration {
        duration(self.write_timeout)
    }

    /// When an unanswered ping makes a peer suspect. Default never.
    #[must_use]
    pub const fn suspicion(&self) -> Suspicion {
        self.suspicion
    }

    /// Control frames allowed in a burst, and each second after. Default 128 and 16; `None`: any number.
    #[must_use]
    pub const fn control_budget(&self) -> Option<(u32, u32)> {
        match self.control_budget {
            Some(budget) => Some((budget.burst, budget.per_second)),
            None => None,
        }
    }

    /// The code of the Close frame that tells a peer it was given up. Default 3008 (IANA: Timeout).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        self.close_code
    }

    /// By how many per cent, at most, a wait for the next ping is shortened. Default 10; zero: exactly periodic.
    #[must_use]
    pub const fn jitter(&self) -> u8 {
        self.jitter
    }

    /// When a ping is due. Default [`Schedule::Quiet`].
    #[must_use]
    pub const fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// What counts as a sign of life. Default [`Evidence::AnyTraffic`].
    #[must_use]
    pub const fn evidence(&self) -> Evidence {
        self.evidence
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The settings as the `config` line of a transcript, every one under its own name.
///
/// ```
/// assert!(liveness::Config::DEFAULT.to_string().starts_with("interval=20s timeout=20s schedule=quiet"));
/// ```
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interval={} timeout={}", Setting(self.interval), Setting(self.timeout))?;
        f.write_str(match self.schedule {
            Schedule::Quiet => " schedule=quiet",
            Schedule::Steady => " schedule=steady",
        })?;
        f.write_str(match self.evidence {
            Evidence::AnyTraffic => " evidence=any-traffic",
            Evidence::PongOnly => " evidence=pong-only",
        })?;
        match self.suspicion {
            Suspicion::Never => f.write_str(" suspicion=never"),
            Suspicion::After(after) => write!(f, " suspicion=after:{}", Setting(nanos(after))),
            Suspicion::Adaptive { at_least } => write!(f, " suspicion=adaptive:{}", Setting(nanos(at_least))),
        }?;
        write!(f, " idle_timeout={}", Setting(self.idle_timeout))?;
        write!(f, " silence_timeout={}", Setting(self.silence_timeout))?;
        write!(f, " close_timeout={} jitter={}", Setting(self.close_timeout), self.jitter)?;
        write!(f, " stall_tolerance={}", Setting(self.stall_tolerance))?;
        write!(f, " last_look={}", Setting(self.last_look))?;
        write!(f, " write_timeout={}", Setting(self.write_timeout))?;
        match self.control_budget {
            Some(budget) => write!(f, " control_budget={}/{}", budget.burst, budget.per_second),
            None => f.write_str(" control_budget=never"),
        }?;
        write!(f, " close_code={}", self.close_code)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({self})")
    }
}

/// A duration of the config, as text.
struct Setting(u64);

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == NEVER { f.write_str("never") } else { Seconds(self.0).fmt(f) }
    }
}

/// Builds a [`Config`]; see the getters of [`Config`] for what each setting means and its default.
///
/// A duration of more than 584 years is never, as `Duration::MAX` is.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is set until `build`"]
pub struct ConfigBuilder {
    config: Config,
    /// `None`: a quarter of whatever `timeout` turns out to be.
    stall_tolerance: Option<Duration>,
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
    pub const fn no_control_budget(mut self) -> Self {
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
