//! Reproducible random numbers.

use core::time::Duration;

use crate::payload::{mix, share};
use crate::time::{Timestamp, nanos};

/// Numbers that look random, and that are the same for the same seed, on every machine and in every version of this crate.
/// They are for simulations only: anybody who knows one of them can compute all that follow.
///
/// ```
/// use core::time::Duration;
/// use liveness::sim::Rng;
///
/// let mut rng = Rng::new(7);
/// assert!((1..=6).contains(&(1 + rng.below(6))));
/// assert!(rng.duration(Duration::from_secs(3)) <= Duration::from_secs(3));
/// assert_eq!(Rng::new(7).below(1000), Rng::new(7).below(1000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    seed: u64,
    drawn: u64,
}

impl Rng {
    /// A generator with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Any number, for example a seed for something else.
    pub const fn next_u64(&mut self) -> u64 {
        let number = mix(self.seed, self.drawn);
        self.drawn = self.drawn.wrapping_add(1);
        number
    }

    /// An evenly distributed number below `end`; zero if `end` is zero.
    pub const fn below(&mut self, end: u64) -> u64 {
        share(self.next_u64(), end)
    }

    /// True once in this many times, on average.
    pub const fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A duration of at most `longest`, to the nanosecond.
    pub const fn duration(&mut self, longest: Duration) -> Duration {
        Duration::from_nanos(self.below(nanos(longest).saturating_add(1)))
    }

    /// A moment at most `longest` after `start`.
    pub const fn moment(&mut self, start: Timestamp, longest: Duration) -> Timestamp {
        start.saturating_add(self.duration(longest))
    }
}
