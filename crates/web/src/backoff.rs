//! How long to wait between dials that fail, and which part of the wait is random.

use core::time::Duration;

use liveness::reconnect::Backoff;

/// Draws numbers: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Copy, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The same seed draws the same numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, drawn from the whole of `u64`.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

/// A dial that fails at once must not be followed by the next one at once.
const LEAST: Duration = Duration::from_millis(1);

/// A page's backoff. The first wait is `first` long, and each following one twice the one before, up to `longest`. To each is
/// added a random share of itself, because other pages have lost the same server. It never ends. Less than a millisecond
/// counts as one millisecond.
///
/// The crate's own [`Backoff`] shortens a wait by its draw. So this is a [`Backoff`] from twice `first` to twice `longest`,
/// each wait shortened by up to a half.
pub fn page_backoff(first: Duration, longest: Duration, seed: u64) -> Backoff {
    let twice = |wait: Duration| wait.max(LEAST).saturating_add(wait.max(LEAST));
    Backoff::new(twice(first), twice(longest)).jitter(50).seeded(seed)
}
