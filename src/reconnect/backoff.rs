//! A backoff for those who want no crate for it.

use core::time::Duration;

use crate::payload::{mix, share};
use crate::time::nanos;

/// How long to wait between dials that fail: each wait is twice the one before, up to a longest, and each is shortened by a
/// share of itself that is drawn.
///
/// Take it to [`Reconnect::with_backoff`](super::Reconnect::with_backoff): the machine seeds it, and begins it anew where a
/// backoff begins anew. It is also an iterator without end, for a closure of your own.
///
/// ```
/// use core::time::Duration;
/// use liveness::reconnect::Backoff;
///
/// let waits = Backoff::new(Duration::from_secs(1), Duration::from_secs(10)).jitter(0).take(5);
/// assert!(waits.eq([1, 2, 4, 8, 10].map(Duration::from_secs)));
/// // By default a wait is at least half of that.
/// let first = Backoff::DEFAULT.seeded(7).next();
/// assert!(first.is_some_and(|wait| (500..=1000).contains(&wait.as_millis())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a backoff does nothing until a `Reconnect` is made with it"]
pub struct Backoff {
    first: u64,
    longest: u64,
    /// Per cent.
    jitter: u8,
    seed: u64,
    /// Waits drawn, ever: those after a new beginning are drawn anew too.
    drawn: u64,
    /// The next wait, before it is shortened.
    next: u64,
}

/// 1 s: a server that restarts is back in a few of them.
const FIRST: Duration = Duration::from_secs(1);
/// 60 s: a server that was away for an hour is found again within a minute.
const LONGEST: Duration = Duration::from_secs(60);
/// 50 %: clients that failed together spread over half of the wait, and no wait is shorter than the other half.
const JITTER: u8 = 50;
/// A dial that fails at once is not to be followed by the next at once.
const LEAST: u64 = 1_000_000;

impl Backoff {
    /// From 1 s to 60 s, each shortened by up to a half.
    pub const DEFAULT: Self = Self::new(FIRST, LONGEST);

    /// From `first` to `longest`. A `longest` that is shorter than `first` counts alone. Less than a millisecond counts as one:
    /// a dial that fails at once is not followed by the next at once.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        let longest = at_least(nanos(longest), LEAST);
        let first = at_least(nanos(first), LEAST);
        let first = if first < longest { first } else { longest };
        Self { first, longest, jitter: JITTER, seed: 0, drawn: 0, next: first }
    }

    /// By how much a wait is shortened at most, in per cent of it: a share that is drawn evenly for each wait. Default 50; 0: by
    /// nothing, so that clients that failed together dial together; more than 100 counts as 100.
    pub const fn jitter(mut self, percent: u8) -> Self {
        self.jitter = if percent > 100 { 100 } else { percent };
        self
    }

    /// The same with draws from this seed. Give each client another one. `Reconnect::with_backoff` does it by itself.
    pub const fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// From the first wait on.
    pub(super) const fn anew(&self) -> Self {
        Self { next: self.first, ..*self }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Never ends.
impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.longest);
        // A hundredth first: the product fits whatever the wait is.
        let most = (wait / 100).saturating_mul(u64::from(self.jitter));
        let less = share(mix(self.seed, self.drawn), most.saturating_add(1));
        self.drawn = self.drawn.wrapping_add(1);
        Some(Duration::from_nanos(wait.saturating_sub(less)))
    }
}

const fn at_least(nanos: u64, least: u64) -> u64 {
    if nanos < least { least } else { nanos }
}
