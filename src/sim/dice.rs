//! Chance that can be repeated.

use core::time::Duration;

use crate::time::{Timestamp, nanos};

/// Numbers that look random and are the same for the same seed, on every machine, in every version of this crate: the
/// chance of a simulation. Nothing else: who knows one number knows them all.
///
/// ```
/// use core::time::Duration;
/// use liveness::sim::Dice;
///
/// let mut dice = Dice::new(7);
/// assert!((1..=6).contains(&(1 + dice.below(6))));
/// assert!(dice.duration(Duration::from_secs(3)) <= Duration::from_secs(3));
/// assert_eq!(Dice::new(7).below(1000), Dice::new(7).below(1000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as this seed says.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number: a seed for something else.
    // SplitMix64 (Steele, Lea, Flood 2014): a counter, and a mixer whose every output bit depends on every input bit.
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `end`, each as likely as any other; zero where there is none.
    pub const fn below(&mut self, end: u64) -> u64 {
        // The upper half of the product: as even as a remainder, without its division.
        ((self.roll() as u128).wrapping_mul(end as u128) >> 64) as u64
    }

    /// Yes, once in so many times.
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
