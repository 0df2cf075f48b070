//! How long to wait between dials that fail.

use core::time::Duration;

/// Draws numbers: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Copy, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The same seed draws the same numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, of all numbers there are.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

/// Each wait twice the one before, up to a longest; and each longer than that by a part of itself that is drawn, for others
/// have lost the same server. It never ends.
#[derive(Clone, Copy, Debug)]
pub struct Doubling {
    next: u64,
    longest: u64,
    rng: Rng,
}

impl Doubling {
    /// From `first` to `longest`, and up to as much again. Less than a millisecond counts as one: a dial that fails at once
    /// is not to be followed by the next at once.
    #[must_use]
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let least = 1_000_000;
        Self { next: nanos(first).max(least), longest: nanos(longest).max(least), rng: Rng::new(seed) }
    }
}

impl Iterator for Doubling {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next.min(self.longest);
        self.next = wait.saturating_mul(2);
        // The product of two words of 64 bits fits, and its upper half is below `wait`.
        let more = (u128::from(self.rng.draw()) * u128::from(wait)) >> 64;
        Some(Duration::from_nanos(wait.saturating_add(u64::try_from(more).unwrap_or(0))))
    }
}
