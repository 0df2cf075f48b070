//! A backoff, for programs that use no other crate for it.

use core::time::Duration;

use crate::payload::{mix, share};
use crate::time::nanos;

/// How long to wait between dials that fail. Each wait is twice the wait before it, up to a longest wait. The jitter then
/// shortens each wait by a random share.
///
/// Pass it to [`Reconnect::with_backoff`](super::Reconnect::with_backoff), which seeds it, and restarts it when a backoff
/// restarts. It is also an infinite iterator, for your own closure.
///
/// ```
/// use core::time::Duration;
/// use liveness::reconnect::Backoff;
///
/// let waits = Backoff::new(Duration::from_secs(1), Duration::from_secs(10)).jitter(0).take(5);
/// assert!(waits.eq([1, 2, 4, 8, 10].map(Duration::from_secs)));
/// // By default the jitter takes at most half of each.
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
    /// The number of draws so far. A restart does not reset it, so that the same draws do not come again.
    drawn: u64,
    /// The next wait, before the jitter.
    next: u64,
}

/// 1 s: a server that restarts is back after a few seconds.
const FIRST: Duration = Duration::from_secs(1);
/// 60 s: after an outage of an hour, a client is back within a minute.
const LONGEST: Duration = Duration::from_secs(60);
/// 50 %: clients that failed together spread over half of the wait, and every wait is at least half as long.
const JITTER: u8 = 50;
/// At least a millisecond: a dial that fails at once must not cause the next dial at once.
const LEAST: u64 = 1_000_000;

impl Backoff {
    /// Waits from 1 s to 60 s, with a jitter of 50 %.
    pub const DEFAULT: Self = Self::new(FIRST, LONGEST);

    /// Waits from `first` to `longest`. If `longest` is shorter than `first`, all waits are `longest`. A wait of less than a
    /// millisecond counts as one millisecond, because a dial that fails at once must not cause the next dial at once.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        let longest = at_least(nanos(longest), LEAST);
        let first = at_least(nanos(first), LEAST);
        let first = if first < longest { first } else { longest };
        Self { first, longest, jitter: JITTER, seed: 0, drawn: 0, next: first }
    }

    /// Sets by how much a wait is shortened at most, in per cent. Each wait has its own even draw. Default 50. 0: no jitter,
    /// so that clients that failed together dial together. More than 100 counts as 100.
    pub const fn jitter(mut self, percent: u8) -> Self {
        self.jitter = if percent > 100 { 100 } else { percent };
        self
    }

    /// Sets the seed of the draws. Give each client a different seed. `Reconnect::with_backoff` sets it by itself.
    pub const fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same backoff, at its first wait.
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
        // Divide first, so that the product fits for any wait.
        let most = (wait / 100).saturating_mul(u64::from(self.jitter));
        let less = share(mix(self.seed, self.drawn), most.saturating_add(1));
        self.drawn = self.drawn.wrapping_add(1);
        Some(Duration::from_nanos(wait.saturating_sub(less)))
    }
}

const fn at_least(nanos: u64, least: u64) -> u64 {
    if nanos < least { least } else { nanos }
}
