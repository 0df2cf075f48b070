//! Moments on the caller's clock, and (feature `std`) a clock to take them from.

use core::fmt;
use core::ops::{Add, AddAssign};
use core::time::Duration;

/// A moment: whole nanoseconds since an origin that the caller picks.
///
/// The machines never read a clock. They compare moments that they are handed, so any monotonic source will
/// do: [`Clock`] for `std`, a timer register on bare metal, a counter in a test. The origin is the caller's
/// business; adding a constant to every moment of a life changes nothing.
///
/// Arithmetic saturates. The far end, [`Timestamp::MAX`] (584 years after the origin), stands for *never*.
///
/// ```
/// use core::time::Duration;
/// use liveness::Timestamp;
///
/// let start = Timestamp::from_secs(5);
/// let later = start + Duration::from_millis(250);
/// assert_eq!(later.saturating_duration_since(start), Duration::from_millis(250));
/// // A clock that stepped back counts as no time.
/// assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
/// // Past the far end there is nothing.
/// assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// The far end of time: never.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment this many nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment this many microseconds after the origin, or [`Timestamp::MAX`] where that is past the far end.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// The moment this many milliseconds after the origin, or [`Timestamp::MAX`] where that is past the far end.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The moment this many seconds after the origin, or [`Timestamp::MAX`] where that is past the far end.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `duration` later, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// The moment `duration` earlier, at least [`Timestamp::ZERO`].
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// The time from `earlier` to this moment; zero where `earlier` is not earlier.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `nanos` later: the arithmetic of the machines, whose durations are nanoseconds already.
    pub(crate) const fn after(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this moment.
    pub(crate) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `None` for the far end: what a caller sees of a deadline that never comes.
    pub(crate) const fn or_never(self) -> Option<Self> {
        if self.0 == u64::MAX { None } else { Some(self) }
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = self.saturating_add(duration);
    }
}

/// Seconds, exactly: `12.5s`, the way transcripts write moments.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Seconds(self.0).fmt(f)
    }
}

/// Nanoseconds, shown as seconds without trailing zeros (`0s`, `0.2s`, `12.000000001s`) and padded as a text is.
pub(crate) struct Seconds(pub(crate) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECOND: u64 = 1_000_000_000;
        let (whole, mut fraction) = (self.0 / SECOND, self.0 % SECOND);
        let mut digits = 9;
        while digits > 0 && fraction % 10 == 0 {
            fraction /= 10;
            digits = usize::saturating_sub(digits, 1);
        }
        // ilog10 is floor(log10), so one less than the number of digits; zero has one digit too. With the `s`, two.
        let whole_width = whole.checked_ilog10().map_or(2, |log| log.saturating_add(2)) as usize;
        let width = whole_width.saturating_add(if digits > 0 { digits.saturating_add(1) } else { 0 });
        if digits > 0 {
            write!(f, "{whole}.{fraction:0digits$}s")?;
        } else {
            write!(f, "{whole}s")?;
        }
        for _ in width..f.width().unwrap_or(0) {
            f.write_str(" ")?;
        }
        Ok(())
    }
}

/// Whole nanoseconds of a duration; what does not fit is never.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit was turned away")]
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// The duration behind nanoseconds that may mean never: `u64::MAX` is `Duration::MAX`.
pub(crate) const fn duration(nanos: u64) -> Duration {
    if nanos == u64::MAX { Duration::MAX } else { Duration::from_nanos(nanos) }
}

/// Ties [`Timestamp`]s to [`std::time::Instant`]: the origin is the moment of [`Clock::new`].
///
/// ```
/// use liveness::Clock;
///
/// let clock = Clock::new();
/// let now = clock.now();
/// assert_eq!(clock.at(clock.instant(now)), now);
/// ```
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

#[cfg(feature = "std")]
impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// A clock with this origin: for drivers whose runtime has a clock of its own.
    #[must_use]
    pub const fn with_origin(origin: std::time::Instant) -> Self {
        Self { origin }
    }

    /// The present moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> Timestamp {
        self.at(std::time::Instant::now())
    }

    /// The moment of an [`Instant`](std::time::Instant); one before the origin counts as the origin.
    #[must_use]
    pub fn at(&self, instant: std::time::Instant) -> Timestamp {
        Timestamp::ZERO.saturating_add(instant.saturating_duration_since(self.origin))
    }

    /// The [`Instant`](std::time::Instant) of a moment, for timers that want one. Where the platform cannot
    /// express it (it is as good as never), the furthest of a few round distances that it can.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> std::time::Instant {
        const YEAR: u64 = 365 * 24 * 3600;
        let exact = self.origin.checked_add(Duration::from_nanos(at.as_nanos()));
        exact
            .or_else(|| self.origin.checked_add(Duration::from_secs(30 * YEAR)))
            .or_else(|| self.origin.checked_add(Duration::from_secs(YEAR)))
            .unwrap_or(self.origin)
    }
}

#[cfg(feature = "std")]
impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
