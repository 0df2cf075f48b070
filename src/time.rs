//! Moments on the caller's clock, and (feature `std`) a clock to take them from.

#[cfg(feature = "std")]
mod clock;

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;

#[cfg(feature = "std")]
pub use self::clock::Clock;

/// A moment: whole nanoseconds since an origin that the caller chooses.
///
/// The machines never read a clock. They compare the moments that the caller passes, so any monotonic source works:
/// [`Clock`] for `std`, a timer register on bare metal, a counter in a test. The caller chooses the origin: adding a
/// constant to every moment of a connection changes nothing.
///
/// All arithmetic saturates, also with the operators. Nothing is earlier than the origin or later than the far end,
/// [`Timestamp::MAX`] (584 years after the origin), and a difference is never below zero. The far end means *never*.
///
/// ```
/// use core::time::Duration;
/// use liveness::Timestamp;
///
/// let start = Timestamp::from_secs(5);
/// let later = start + Duration::from_millis(250);
/// assert_eq!(later - start, Duration::from_millis(250));
/// // A clock that stepped back gives a time of zero.
/// assert_eq!(start - later, Duration::ZERO);
/// // Nothing is past either end.
/// assert_eq!(start - Duration::from_secs(6), Timestamp::ZERO);
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

    /// The moment this many microseconds after the origin, or [`Timestamp::MAX`] if that is past the far end.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// The moment this many milliseconds after the origin, or [`Timestamp::MAX`] if that is past the far end.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The moment this many seconds after the origin, or [`Timestamp::MAX`] if that is past the far end.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since the origin; 584 years for [`Timestamp::MAX`].
    ///
    /// ```
    /// use liveness::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_millis(1_500).as_duration().as_secs_f64(), 1.5);
    /// ```
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.0)
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

    /// The time from `earlier` to this moment; zero if `earlier` is not earlier.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `nanos` later, for the machines, whose durations are in nanoseconds.
    pub(crate) const fn after(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this moment.
    pub(crate) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The next line of a grid, at or after this moment. `mesh` is the distance of the lines in nanoseconds, a power of two.
    pub(crate) const fn on_grid(self, mesh: u64) -> Self {
        let last = mesh.saturating_sub(1);
        match self.0.checked_add(last) {
            Some(late) => Self(late & !last),
            None => self,
        }
    }

    /// No poll came for longer than `tolerance` after this deadline; `before` is the poll before this one. A process that
    /// slept must not judge by deadlines that passed meanwhile.
    pub(crate) fn is_seen_late(self, before: Self, now: Self, tolerance: u64) -> bool {
        now.since(self.max(before)) > tolerance
    }

    /// The moment for a caller: `None` for the far end, which never comes.
    pub(crate) const fn or_never(self) -> Option<Self> {
        if self.0 == u64::MAX { None } else { Some(self) }
    }
}

/// The moment this long after the origin; [`Timestamp::MAX`] for more than 584 years.
impl From<Duration> for Timestamp {
    fn from(since_origin: Duration) -> Self {
        Self(nanos(since_origin))
    }
}

/// Saturates at [`Timestamp::MAX`]: see [`Timestamp::saturating_add`].
impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

/// Saturates at [`Timestamp::MAX`]: see [`Timestamp::saturating_add`].
impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = self.saturating_add(duration);
    }
}

/// The time from the other moment to this one; zero if the other is later: see [`Timestamp::saturating_duration_since`].
impl Sub for Timestamp {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// Saturates at [`Timestamp::ZERO`]: see [`Timestamp::saturating_sub`].
impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        self.saturating_sub(duration)
    }
}

/// Saturates at [`Timestamp::ZERO`]: see [`Timestamp::saturating_sub`].
impl SubAssign<Duration> for Timestamp {
    fn sub_assign(&mut self, duration: Duration) {
        *self = self.saturating_sub(duration);
    }
}

/// Exact seconds, as transcripts write moments: `12.5s`. With a precision, that many digits after the point, at most nine,
/// rounded: for logs.
///
/// ```
/// use liveness::Timestamp;
///
/// let moment = Timestamp::from_nanos(12_500_035_467);
/// assert_eq!(format!("{moment}"), "12.500035467s");
/// assert_eq!(format!("{moment:.3}"), "12.500s");
/// assert_eq!(format!("{moment:>9.1}|"), "    12.5s|");
/// ```
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Seconds(self.0).fmt(f)
    }
}

/// Nanoseconds, shown as seconds without trailing zeros (`0s`, `0.2s`, `12.000000001s`), or with as many digits as the
/// precision, and padded like a text.
pub(crate) struct Seconds(pub(crate) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction, digits) = match f.precision() {
            None => exact(self.0),
            Some(digits) => rounded(self.0, digits),
        };
        // ilog10 is floor(log10), which is one less than the number of digits. Zero has one digit too. The `s` adds one.
        let whole_width = whole.checked_ilog10().map_or(2, |log| log.saturating_add(2)) as usize;
        let width = whole_width.saturating_add(if digits > 0 { digits.saturating_add(1) } else { 0 });
        let padding = f.width().unwrap_or(0).saturating_sub(width);
        let before = match f.align() {
            Some(fmt::Alignment::Right) => padding,
            Some(fmt::Alignment::Center) => padding / 2,
            Some(fmt::Alignment::Left) | None => 0,
        };
        pad(f, before)?;
        if digits > 0 {
            write!(f, "{whole}.{fraction:0digits$}s")?;
        } else {
            write!(f, "{whole}s")?;
        }
        pad(f, padding.saturating_sub(before))
    }
}

fn pad(f: &mut fmt::Formatter<'_>, width: usize) -> fmt::Result {
    use fmt::Write as _;
    let fill = f.fill();
    (0..width).try_for_each(|_| f.write_char(fill))
}

const SECOND: u64 = 1_000_000_000;

/// Whole seconds, the digits after the point, and their number: the fewest digits that are exact.
const fn exact(nanos: u64) -> (u64, u64, usize) {
    let (whole, mut fraction) = (nanos / SECOND, nanos % SECOND);
    let mut digits = 9_usize;
    while digits > 0 && fraction % 10 == 0 {
        fraction /= 10;
        digits = digits.saturating_sub(1);
    }
    (whole, fraction, digits)
}

/// The same with at most `digits` digits, rounded to the nearest, and a half up.
fn rounded(nanos: u64, digits: usize) -> (u64, u64, usize) {
    let digits = digits.min(9);
    let (whole, mut fraction) = (nanos / SECOND, nanos % SECOND);
    let (mut a_second, mut dropped) = (SECOND, 0);
    for _ in digits..9 {
        (fraction, dropped, a_second) = (fraction / 10, fraction % 10, a_second / 10);
    }
    fraction = fraction.saturating_add(u64::from(dropped >= 5));
    if fraction == a_second { (whole.saturating_add(1), 0, digits) } else { (whole, fraction, digits) }
}

/// Whole nanoseconds of a duration; never, if they do not fit.
#[expect(clippy::cast_possible_truncation, reason = "larger values have returned already")]
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// The duration of these nanoseconds, which may mean never: `u64::MAX` is `Duration::MAX`.
pub(crate) const fn duration(nanos: u64) -> Duration {
    if nanos == u64::MAX { Duration::MAX } else { Duration::from_nanos(nanos) }
}
