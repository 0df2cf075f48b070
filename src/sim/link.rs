//! Both directions of a connection.

use core::time::Duration;

use super::one_way::{LinkProfile, OneWay};
use super::rng::Rng;
use crate::time::Timestamp;

/// A connection between a client and a server: two independent [`OneWay`]s.
///
/// Cut one direction only, and the two ends see different things.
///
/// ```
/// use liveness::Timestamp;
/// use liveness::sim::{Link, LinkProfile};
///
/// let now = Timestamp::ZERO;
/// let mut link = Link::new(LinkProfile::HOME, 7);
/// link.down.cut(now);
/// link.up.send("do you hear me?", 15, now);
/// link.down.send("yes", 3, now);
/// assert_eq!(link.up.under_way(), 1);
/// assert_eq!(link.down.under_way(), 0);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Link<T> {
    /// From the client to the server.
    pub up: OneWay<T>,
    /// From the server to the client.
    pub down: OneWay<T>,
}

impl<T> Link<T> {
    /// A link with the same profile in both directions.
    #[must_use]
    pub const fn new(profile: LinkProfile, seed: u64) -> Self {
        Self::asymmetric(profile, profile, seed)
    }

    /// A link with a profile for each direction.
    #[must_use]
    pub const fn asymmetric(up: LinkProfile, down: LinkProfile, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self { up: OneWay::new(up, rng.next_u64()), down: OneWay::new(down, rng.next_u64()) }
    }

    /// An [`outage`](OneWay::outage) in both directions: a tunnel, a closed lid, a failed router.
    pub fn outage(&mut self, from: Timestamp, lasts: Duration) {
        self.up.outage(from, lasts);
        self.down.outage(from, lasts);
    }

    /// A [`cut`](OneWay::cut) in both directions: a pulled cable, or a router on the path that has lost its state.
    pub fn cut(&mut self, at: Timestamp) {
        self.up.cut(at);
        self.down.cut(at);
    }

    /// When the next message arrives at either end.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.up.poll_timeout().into_iter().chain(self.down.poll_timeout()).min()
    }
}
