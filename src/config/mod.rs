//! The settings of a heartbeat: intervals, timeouts and policies, checked once.

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
    /// When either direction has been silent for `interval`, and not earlier than `interval` after the latest ping. It is
    /// the cheapest, because traffic replaces pings. Our own writes replace no ping while nothing arrives.
    #[default]
    Quiet,
    /// Every `interval` after the previous ping, whatever arrives. For regular round-trip times, and for peers that count
    /// only pings.
    Steady,
}

/// What counts as a sign of life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// Every event that comes from the peer.
    #[default]
    AnyTraffic,
    /// A Pong that answers one of our pings; nothing else.
    PongOnly,
}

/// When an unanswered ping makes a peer suspect. It is only a hint; the verdict waits for `timeout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suspicion {
    /// No suspicion.
    #[default]
    Never,
    /// After this long. It never fires if it is not shorter than the timeout of the same wait: `timeout`, a probe's
    /// `probe_timeout`, or `write_timeout` while the machine waits only for the writing.
    After(Duration),
    /// After the smoothed round-trip time and four times its variation (RFC 6298's timeout), at least `at_least`;
    /// never before the first sample.
    Adaptive {
        /// The least time to wait, because on a fast path the estimate is far below the delay of a scheduler or a radio.
        at_least: Duration,
    },
}

/// A [`Suspicion`] without its duration, which another field keeps. This needs half the memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SuspicionKind {
    Never,
    After,
    Adaptive,
}

/// The settings of a [`Liveness`](crate::Liveness). Every existing `Config` is valid.
///
/// ```
/// use core::time::Duration;
/// use liveness::Config;
///
/// // An invalid value in a `const` does not compile.
/// const CONFIG: Config = Config::builder()
///     .interval(Duration::from_secs(5))
///     .timeout(Duration::from_secs(10))
///     .build_const();
///
/// // For an invalid value from a file, the error says what is wrong.
/// let error = Config::builder().timeout(Duration::ZERO).build().unwrap_err();
/// assert_eq!(error.to_string(), "`timeout` must be greater than zero (got 0s)");
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
    // Computed once, because every ping needs them.
    /// The shortest wait for a ping, after the largest jitter.
    pub(crate) shortest_wait: u64,
    /// How long `suspicion` waits at least; never without suspicion.
    pub(crate) suspect_after: u64,
}

/// 20 s: less than half of the 60 s after which common proxies close a silent connection, so one lost ping does no harm.
const INTERVAL: Duration = Duration::from_secs(20);
/// 25 s: just above a step of TCP's retransmission ladder, so that it rides out an outage of twenty seconds; and longer than the
/// interval, so that a second ping goes out before the verdict.
const TIMEOUT: Duration = Duration::from_secs(25);
/// 50 ms: twenty wake-ups a second serve any number of connections, and no user notices the difference.
const COARSEST_GRID: u64 = 50_000_000;
/// 5 s: enough for a Close and its echo over a bad path. A dead peer costs no more than that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// 10 ms: more than an event loop takes from its timers to its sockets.
const LAST_LOOK: Duration = Duration::from_millis(10);
/// 10 %: spreads pings, and the interval still means something.
const JITTER: u8 = 10;
/// 128 and 16 a second: a hundred times the frames of any heartbeat, at a negligible cost.
const CONTROL_BUDGET: Budget = Budget { burst: 128, per_second: 16 };

impl Config {
    /// Every setting at its default: for any network and most proxies. If you know more about your peers, use
    /// [`BETWEEN_SERVERS`](Self::BETWEEN_SERVERS), [`DESKTOP`](Self::DESKTOP) or [`MOBILE`](Self::MOBILE).
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

    /// A builder with the defaults.
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

    /// A builder with these settings, to change some of them. `stall_tolerance` keeps its value, even if you change
    /// `timeout`.
    pub const fn to_builder(self) -> ConfigBuilder {
        ConfigBuilder { config: self, stall_tolerance: Some(duration(self.stall_tolerance)) }
    }

    /// These settings, for a driver that reports `Wrote` and `PingSent`: a `write_timeout` of never becomes as long as
    /// `timeout`. With a `write_timeout` of never, a ping counts as sent when it is handed out, which is too early behind a
    /// large download.
    ///
    /// ```
    /// let config = liveness::Config::DEFAULT.for_drivers();
    /// assert_eq!(config.write_timeout(), config.timeout());
    /// ```
    #[must_use]
    pub const fn for_drivers(mut self) -> Self {
        if self.write_timeout == NEVER {
            // Every valid `timeout` is a valid `write_timeout`.
            self.write_timeout = self.timeout;
        }
        self
    }

    /// The longest time that a silent peer can stay undetected, if the driver polls at most `lateness` late.
    ///
    /// The bound counts from the last evidence or, if `write_timeout` is set, from the last byte that entered the transport,
    /// whichever is later. After a pause in reading it counts from the end of the pause. `Unread` may delay the verdict by
    /// at most one `timeout` and one `last_look`. `Duration::MAX` means never. That is the result if `interval` or `timeout`
    /// is never, unless a `silence_timeout` counts: it does not count if only pongs are evidence.
    ///
    /// Up to a lateness of `stall_tolerance`, the bound is `interval + timeout + last_look + 3 * lateness`, and it is exact.
    /// With a larger lateness, one more `timeout + lateness` may come, because a driver that stalls suspects itself first. A
    /// finite `write_timeout` is added to each `timeout`. The drivers of this crate set one, so for their connections use
    /// [`for_drivers`](Self::for_drivers).
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::Config;
    ///
    /// let bound = Config::DEFAULT.detection_bound(Duration::from_millis(30));
    /// assert_eq!(bound, Duration::from_millis(20_000 + 25_000 + 10 + 90));
    ///
    /// // Behind a download that the peer no longer reads, a ping may wait as long to be written as to be answered.
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
        // Under pong-only a peer may send data without giving evidence. Then its silence says nothing.
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

    /// How long to wait for the next ping; [`Schedule`] says from when. Default 20 s. `Duration::MAX`: no pings except those
    /// of `probe`. A value below a millisecond is valid, but a [mistake](Self::warnings).
    #[must_use]
    pub const fn interval(&self) -> Duration {
        duration(self.interval)
    }

    /// The distance of the grid lines at which pings of the schedule wake a driver: at most a 256th of the interval and 50
    /// ms. It is a power of two in nanoseconds, so that the lines of a coarse grid are also lines of every finer grid.
    pub(crate) const fn grid(&self) -> u64 {
        let most = self.interval / 256;
        let most = if most < COARSEST_GRID { most } else { COARSEST_GRID };
        if most == 0 { 1 } else { 1 << most.ilog2() }
    }

    /// How long an answer may take. Default 25 s; `Duration::MAX`: for ever. Then pings still go out, so proxies keep the
    /// connection open, and suspicion still counts.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        duration(self.timeout)
    }

    /// How long the answer to a ping of [`probe`](crate::Liveness::probe) may take, if that is shorter than the rest of the
    /// wait. For a phone that woke, or a person who looks at the page. Default `Duration::MAX`: as long as any other answer.
    #[must_use]
    pub const fn probe_timeout(&self) -> Duration {
        duration(self.probe_timeout)
    }

    /// How long a peer may go without a data message or a part of one. Default `Duration::MAX`: for ever.
    #[must_use]
    pub const fn idle_timeout(&self) -> Duration {
        duration(self.idle_timeout)
    }

    /// How long a peer may send nothing at all. Default `Duration::MAX`: for ever. A value not longer than `interval` is
    /// valid, but a [mistake](Self::warnings): a peer that only answers pings is silent for that long.
    #[must_use]
    pub const fn silence_timeout(&self) -> Duration {
        duration(self.silence_timeout)
    }

    /// How long to wait for the peer's part of a closing handshake. Default 5 s; it cannot be `Duration::MAX`.
    #[must_use]
    pub const fn close_timeout(&self) -> Duration {
        duration(self.close_timeout)
    }

    /// How late the driver may see a deadline before it counts as stalled. Default: a quarter of `timeout`. `Duration::MAX`:
    /// it never does.
    #[must_use]
    pub const fn stall_tolerance(&self) -> Duration {
        duration(self.stall_tolerance)
    }

    /// How long a verdict waits after it was noted. Default 10 ms; zero: it does not wait; it cannot be `Duration::MAX`. A
    /// value longer than `timeout` is valid, but a [mistake](Self::warnings).
    #[must_use]
    pub const fn last_look(&self) -> Duration {
        duration(self.last_look)
    }

    /// How long the transport may take no byte while a ping waits to be written. Default `Duration::MAX`: a ping counts as
    /// written when it is handed out. If it is finite, the driver must report `Wrote` and `PingSent`.
    #[must_use]
    pub const fn write_timeout(&self) -> Duration {
        duration(self.write_timeout)
    }

    /// When an unanswered ping makes a peer suspect. Default never. A duration not shorter than `timeout` is valid, but a
    /// [mistake](Self::warnings), because the verdict comes first.
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

    /// The code of our Close frame to a peer that did not answer. Default 3008 (IANA: Timeout).
    #[must_use]
    pub const fn close_code(&self) -> CloseCode {
        self.close_code
    }

    /// By how many per cent, at most, a wait for the next ping is shortened: 0 to 100. Default 10; zero: exactly periodic.
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
