//! The one place that reads a clock.

use core::time::Duration;
use std::time::{Instant, SystemTime};

use super::Timestamp;

/// Ties [`Timestamp`]s to [`std::time::Instant`]: the origin is the moment of [`Clock::new`].
///
/// ```
/// use liveness::Clock;
///
/// let clock = Clock::new();
/// let now = clock.now();
/// assert_eq!(clock.at(clock.instant(now)), now);
/// ```
///
/// # While the machine sleeps
///
/// On Linux and macOS `Instant` stands still while the machine is suspended; on Windows it runs. If it stands still, a
/// laptop that slept for a night does not notice: its next ping is as far away as in the evening. There are two solutions.
/// Use a [`SleepDetector`](crate::SleepDetector) and tell the machines. Or use a clock that counts sleep
/// ([`with_source`](Self::with_source)): after a sleep every deadline is then seen late, and each peer gets a ping at once
/// (rule 6 of the [crate](crate#the-rules)).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    source: Option<Source>,
}

/// A clock other than `Instant`, and its reading at the origin.
#[derive(Clone, Copy, Debug)]
struct Source {
    read: fn() -> Duration,
    origin: Duration,
}

impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn new() -> Self {
        Self::with_origin(Instant::now())
    }

    /// A clock with this origin, for a driver whose runtime has its own clock.
    #[must_use]
    pub const fn with_origin(origin: Instant) -> Self {
        Self { origin, source: None }
    }

    /// A clock that reads this function, which returns the time since any fixed moment. The origin is now. If the function
    /// goes back, the clock stands still.
    ///
    /// Use it for a clock that counts sleep. On Linux that is `CLOCK_BOOTTIME`, which this example reads with the crate
    /// [rustix](https://docs.rs/rustix). On macOS it is `CLOCK_MONOTONIC`, which is not what `Instant` reads there. Set
    /// timers by [`instant`](Self::instant): no timer fires while the machine sleeps, and after the sleep those that have
    /// passed fire first.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use core::time::Duration;
    /// use liveness::{Clock, Timestamp};
    /// use rustix::time::{ClockId, clock_gettime};
    ///
    /// fn since_boot() -> Duration {
    ///     let now = clock_gettime(ClockId::Boottime);
    ///     Duration::from_secs(now.tv_sec.unsigned_abs()) + Duration::from_nanos(now.tv_nsec.unsigned_abs())
    /// }
    ///
    /// let clock = Clock::with_source(since_boot);
    /// assert!(clock.now() < Timestamp::from_secs(60));
    /// # }
    /// ```
    #[must_use]
    pub fn with_source(read: fn() -> Duration) -> Self {
        Self { source: Some(Source { read, origin: read() }), ..Self::new() }
    }

    /// The present moment.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> Timestamp {
        match self.source {
            None => self.at(Instant::now()),
            Some(source) => Timestamp::from((source.read)().saturating_sub(source.origin)),
        }
    }

    /// The wall clock, since 1970. Pass it to [`SleepDetector::observe`](crate::SleepDetector::observe), and use it for
    /// nothing else, because people and time servers change it. Before 1970 it is zero.
    ///
    /// ```
    /// use liveness::{Clock, SleepDetector};
    ///
    /// let (clock, mut sleep) = (Clock::new(), SleepDetector::DEFAULT);
    /// // In each turn of a loop:
    /// assert_eq!(sleep.observe(clock.now(), clock.wall()), None);
    /// ```
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn wall(&self) -> Timestamp {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().into()
    }

    /// The moment of an [`Instant`]; an instant before the origin counts as the origin. With a [source](Self::with_source),
    /// the moment is as far from the present as the instant is.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn at(&self, instant: Instant) -> Timestamp {
        if self.source.is_none() {
            return Timestamp::ZERO.saturating_add(instant.saturating_duration_since(self.origin));
        }
        let (now, present) = (self.now(), Instant::now());
        let later = now.saturating_add(instant.saturating_duration_since(present));
        later.saturating_sub(present.saturating_duration_since(instant))
    }

    /// How long to wait from now until this deadline, for timers that take a duration; zero if the deadline has passed.
    /// `None` stays `None`: wait for ever, or until the next event.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::{Clock, Config, Liveness};
    ///
    /// let clock = Clock::new();
    /// let peer = Liveness::new(Config::DEFAULT, 7, clock.now());
    /// // The first action is due now, so the wait is zero.
    /// assert_eq!(clock.until(peer.poll_timeout()), Some(Duration::ZERO));
    /// assert_eq!(clock.until(None), None);
    /// ```
    #[must_use]
    pub fn until(&self, deadline: Option<Timestamp>) -> Option<Duration> {
        deadline.map(|at| at.saturating_duration_since(self.now()))
    }

    /// The [`Instant`] of a moment, for timers that take one. If the platform cannot represent it, the result is a far
    /// instant that the platform can represent. With a [source](Self::with_source), the instant is as far from the present
    /// as the moment is.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn instant(&self, at: Timestamp) -> Instant {
        if self.source.is_none() {
            return after(self.origin, at.as_duration());
        }
        let (now, present) = (self.now(), Instant::now());
        let passed = now.saturating_duration_since(at);
        let earlier = present.checked_sub(passed).unwrap_or(present);
        after(earlier, at.saturating_duration_since(now))
    }
}

/// This long after the instant, or as far as the platform can represent.
fn after(instant: Instant, wait: Duration) -> Instant {
    const YEAR: u64 = 365 * 24 * 3600;
    let exact = instant.checked_add(wait);
    exact
        .or_else(|| instant.checked_add(Duration::from_secs(30 * YEAR)))
        .or_else(|| instant.checked_add(Duration::from_secs(YEAR)))
        .unwrap_or(instant)
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
