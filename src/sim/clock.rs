//! A clock that moves only when the test moves it.

use core::time::Duration;

use crate::time::Timestamp;

/// A simulated clock. It stands still until you move it, and jumps instead of ticking.
///
/// ```
/// use core::time::Duration;
/// use liveness::sim::SimClock;
/// use liveness::{Config, Liveness, Timestamp};
///
/// let mut clock = SimClock::new();
/// let mut peer = Liveness::new(Config::DEFAULT, 7, clock.now());
/// while !peer.is_finished() {
///     while peer.poll(clock.now()).is_some() {}
///     clock.jump([peer.poll_timeout()]); // and whatever else has a deadline
/// }
/// assert!(clock.now() <= Timestamp::from_secs(46));
///
/// clock.advance(Duration::from_secs(365 * 24 * 3600));
/// assert!(clock.now() > Timestamp::from_secs(365 * 24 * 3600));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimClock {
    now: Timestamp,
}

impl SimClock {
    /// A clock at [`Timestamp::ZERO`].
    #[must_use]
    pub const fn new() -> Self {
        Self { now: Timestamp::ZERO }
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets this much time pass.
    pub fn advance(&mut self, by: Duration) {
        self.now = self.now.saturating_add(by);
    }

    /// Goes to that moment. Does nothing if the moment is past.
    pub fn advance_to(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
    }

    /// Goes to the earliest of these moments and returns the new time. Pass the `poll_timeout` of everything in the
    /// simulation. `None`: nothing more will happen, and no time passes.
    pub fn jump(&mut self, moments: impl IntoIterator<Item = Option<Timestamp>>) -> Option<Timestamp> {
        let earliest = moments.into_iter().flatten().min()?;
        self.advance_to(earliest);
        Some(self.now)
    }
}
