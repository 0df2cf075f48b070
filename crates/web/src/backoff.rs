//! How long to wait between dials that fail, and what is drawn.

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

    /// The next one, of all numbers there are.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

/// A dial that fails at once is not to be followed by the next at once.
const LEAST: Duration = Duration::from_millis(1);

/// A page's backoff: the first wait is `first` long, each one twice the one before, up to `longest`; and each is longer than
/// that by a share of itself that is drawn, because others have lost the same server. It never ends. Less than a
/// millisecond counts as one.
///
/// The crate's own [`Backoff`] shortens a wait by its draw. So this is the one from twice `first` to twice `longest`, each
/// shortened by up to a half.
pub fn page_backoff(first: Duration, longest: Duration, seed: u64) -> Backoff {
    let twice = |wait: Duration| wait.max(LEAST).saturating_add(wait.max(LEAST));
    Backoff::new(twice(first), twice(longest)).jitter(50).seeded(seed)
}
