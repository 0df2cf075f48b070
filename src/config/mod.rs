//! What a heartbeat should do: intervals, deadlines and policies, checked once.

mod builder;
#[cfg(feature = "alloc")]
mod duration;
#[cfg(feature = "alloc")]
mod parse;
mod presets;
mod text;
mod warning;

use core::time::Duration;

pub use self::builder::{ConfigBuilder, ConfigError};
#[cfg(feature = "alloc")]
pub use self::duration::{ParseDurationError, parse_duration};
#[cfg(feature = "alloc")]
pub use self::parse::ParseConfigError;
#[cfg(any(feature = "serde", feature = "transcript"))]
pub(crate) use self::parse::SettingsParser;
#[cfg(feature = "serde")]
pub(crate) use self::text::{SETTINGS, Show};
pub use self::warning::ConfigWarning;
use crate::event::CloseCode;
use crate::limiter::Budget;
use crate::time::{duration, nanos};

/// Never, in nanoseconds: what `Duration::MAX` becomes.
pub(crate) const NEVER: u64 = u64::MAX;

/// When a ping is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schedule {
    /// When either direction has been silent for `interval`, and not sooner than `interval` after the latest ping. Cheapest:
    /// traffic replaces pings. A write of ours replaces none while nothing arrives.
    #[default]
    Quiet,
    /// Each `interval` after the previous ping, whatever arrives. For steady round-trip times, and for peers that count
    /// nothing but pings.
    Steady,
}

/// What counts as a sign of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// Every event of the peer's side.
    #[default]
    AnyTraffic,
    /// A Pong that answers one of our pings; nothing else.
    PongOnly,
}

/// When an unanswered ping makes a peer suspect. A hint that takes nothing away; the verdict waits for `timeout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suspicion {
    /// No suspicion.
    #[default]
    Never,
    /// After this long. Where it is not shorter than the clock's own timeout (`timeout`, a probe's `probe_timeout`, or
    /// `write_timeout` while only the writing is waited for), it never fires.
    After(Duration),
    /// After the smoothed round-trip time and four times its variation (RFC 6298's timeout), at least `at_least`;
    /// never before the first sample.
    Adaptive {
        /// The least time to wait. On a fast path the estimate is far below what a scheduler or a radio adds.
        at_least: Duration,
    },
}

/// A [`Suspicion`] without its duration, which is kept beside it: half as large.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SuspicionKind {
    Never,
    After,
    Adaptive,
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
    pub(crate) probe_timeout: u64,
    pub(crate) idle_timeout: u64,
    pub(crate) silence_timeout: u64,
    pub(crate) close_timeout: u64,
    pub(crate) stall_tolerance: u64,
    pub(crate) last_look: u64,
    pub(crate) write_timeout: u64,
    pub(crate) suspicion: SuspicionKind,
    pub(crate) control_budget: Option<Budget>,
    pub(crate) close_code: CloseCode,
    pub(crate) jitter: u8,
    pub(crate) schedule: Schedule,
    pub(crate) evidence: Evidence,
    // Worked out once, because every ping needs them.
    /// What jitter leaves of the interval at least.
    pub(crate) shortest_wait: u64,
    /// How long `suspicion` waits, at least; never where it does not.
    pub(crate) suspect_after: u64,
}

/// 20 s: under half of the 60 s after which common proxies drop a silent connection, so one lost ping is no loss.
const INTERVAL: Duration = Duration::from_secs(20);
/// 25 s: just above a step of TCP's retransmission ladder, so that it rides out an outage of twenty seconds; and longer than the
/// interval, so that a second ping goes out before the verdict.
const TIMEOUT: Duration = Duration::from_secs(25);
/// 50 ms: twenty wake-ups a second serve any crowd, and nobody sees the difference.
const COARSEST_GRID: u64 = 50_000_000;
/// 5 s: a Close and its echo over a bad path; a dead peer costs no more than that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// 10 ms: more than an event loop takes to get from its timers to its sockets.
const LAST_LOOK: Duration = Duration::from_millis(10);
/// 10 %: spreads pings without making the interval a lie.
const JITTER: u8 = 10;
/// 128 and 16 a second: a hundred times what any heartbeat sends, and far below what costs us anything.
const CONTROL_BUDGET: Budget = Budget { burst: 128, per_second: 16 };

impl Config {
    /// Every setting at its default: for any network and most proxies. [`BETWEEN_SERVERS`](Self::BETWEEN_SERVERS),
    /// [`DESKTOP`](Self::DESKTOP) and [`MOBILE`](Self::MOBILE) are for peers that more is known about.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::{CloseCode, Config, Evidence, Schedule, Suspicion};
    ///
    /// let config = Config::DEFAULT;
    /// assert_eq!(config.interval(), Duration::from_secs(20));
    /// assert_eq!(config.timeout(), Duration::from_secs(25));
    /// assert_eq!(config.probe_timeout(), Duration::MAX);
    /// assert_eq!(config.schedule(), Schedule::Quiet);
    /// assert_eq!(config.evidence(), Evidence::AnyTraffic);
    /// assert_eq!(config.suspicion(), Suspicion::Never);
    /// assert_eq!(config.idle_timeout(), Duration::MAX);
    /// assert_eq!(config.silence_timeout(), Duration::MAX);
    /// assert_eq!(config.close_timeout(), Duration::from_secs(5));
    /// assert_eq!(config.jitter(), 10);
    /// assert_eq!(config.stall_tolerance(), Duration::from_millis(6_250));
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
                probe_timeout: NEVER,
                idle_timeout: NEVER,
                silence_timeout: NEVER,
                close_timeout: nanos(CLOSE_TIMEOUT),
                stall_tolerance: 0,
                last_look: nanos(LAST_LOOK),
                write_timeout: NEVER,
                suspicion: SuspicionKind::Never,
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

    /// Starts from these settings, to change some: a driver sets `write_timeout` so. `stall_tolerance` stays as it is, whatever
    /// becomes of `timeout`.
    pub const fn to_builder(self) -> ConfigBuilder {
        ConfigBuilder { config: self, stall_tolerance: Some(duration(self.stall_tolerance)) }
    }

    /// These settings for a driver that reports `Wrote` and `PingSent`: a `write_timeout` of never becomes as long as
    /// `timeout`. Without a clock for its writing a ping counts as sent when it is handed out, and behind a large
    /// download that is long before it is.
    ///
    /// ```
    /// let config = liveness::Config::DEFAULT.for_drivers();
    /// assert_eq!(config.write_timeout(), config.timeout());
    /// ```
    #[must_use]
    pub const fn for_drivers(mut self) -> Self {
        if self.write_timeout == NEVER {
            // Every timeout of a valid config is a valid write timeout.
            self.write_timeout = self.timeout;
        }
        self
    }

    /// The longest a peer that has gone silent can stay undetected, if the driver polls at most `lateness` late.
    ///
    /// The bound counts from the last evidence or, if `write_timeout` is set, from the last byte that entered the transport,
    /// whichever is later. After a pause in reading it counts from the end of the pause. `Unread` may put the verdict off by one
    /// `timeout` and one `last_look` at most. `Duration::MAX` means never: `interval` or `timeout` is never (a `silence_timeout`
    /// then still counts, unless only pongs are evidence).
    ///
    /// Up to a lateness of `stall_tolerance`, the bound is `interval + timeout + last_look + 3 * lateness`, and it is reached. A
    /// driver that is later may add one more `timeout + lateness`, because a driver that stalls suspects itself first. A finite
    /// `write_timeout` is added to each `timeout`. The drivers of this crate set one, so for their connections ask
    /// [`for_drivers`](Self::for_drivers).
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::Config;
    ///
    /// let bound = Config::DEFAULT.detection_bound(Duration::from_millis(30));
    /// assert_eq!(bound, Duration::from_millis(20_000 + 25_000 + 10 + 90));
    ///
    /// // Behind a download that the peer has stopped to take, its ping may wait for as long as it may be awaited.
    /// let for_drivers = Config::DEFAULT.for_drivers().detection_bound(Duration::from_millis(30));
    /// assert_eq!(for_drivers, bound + Config::DEFAULT.timeout());
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

    /// How long silence lasts before a ping. Default 20 s. `Duration::MAX`: no pings except those of `probe`. Below a millisecond
    /// it is accepted, and a [mistake](Self::warnings).
    #[must_use]
    pub const fn interval(&self) -> Duration {
        duration(self.interval)
    }

    /// The mesh of the grid on which pings of the schedule ring: at most a 256th of the interval and 50 ms. A power of two of
    /// nanoseconds, so that the lines of a coarse grid are lines of every finer one.
    pub(crate) const fn grid(&self) -> u64 {
        let most = self.interval / 256;
        let most = if most < COARSEST_GRID { most } else { COARSEST_GRID };
        if most == 0 { 1 } else { 1 << most.ilog2() }
    }

    /// How long an answer may take. Default 25 s; `Duration::MAX`: for ever. Pings go on, so the connection is kept open
    /// against the idle timers of proxies, and suspicion still counts.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        duration(self.timeout)
    }

    /// How long the answer to a ping of [`probe`](crate::Liveness::probe) may take, where that is shorter than what is left
    /// of the wait. For a phone that woke, or a person who looks at the page. Default `Duration::MAX`: as long as any other.
    #[must_use]
    pub const fn probe_timeout(&self) -> Duration {
        duration(self.probe_timeout)
    }

    /// How long a peer may go without a data message. Default `Duration::MAX`: for ever.
    #[must_use]
    pub const fn idle_timeout(&self) -> Duration {
        duration(self.idle_timeout)
    }

    /// How long a peer may send nothing at all. Default `Duration::MAX`: for ever. Not longer than `interval` it is accepted, and a
    /// [mistake](Self::warnings): a peer that only answers pings is silent for that long.
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

    /// How long a verdict waits after it was first seen due. Default 10 ms; zero: it does not wait. Longer than `timeout` it is
    /// accepted, and a [mistake](Self::warnings).
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

    /// When an unanswered ping makes a peer suspect. Default never. Not shorter than `timeout` it is accepted, and a
    /// [mistake](Self::warnings): the verdict falls first.
    #[must_use]
    pub const fn suspicion(&self) -> Suspicion {
        match self.suspicion {
            SuspicionKind::Never => Suspicion::Never,
            SuspicionKind::After => Suspicion::After(duration(self.suspect_after)),
            SuspicionKind::Adaptive => Suspicion::Adaptive { at_least: duration(self.suspect_after) },
        }
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
