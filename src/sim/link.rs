//! Both directions of a connection.

use core::time::Duration;

use super::dice::Dice;
use super::wire::{Path, Wire};
use crate::time::Timestamp;

/// A connection between a client and a server: two [`Wire`]s that know nothing of each other.
///
/// Half of a broken connection is the interesting half: cut one wire, and each end sees something else.
///
/// ```
/// use liveness::Timestamp;
/// use liveness::sim::{Link, Path};
///
/// let now = Timestamp::ZERO;
/// let mut link = Link::new(Path::HOME, 7);
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
    pub up: Wire<T>,
    /// From the server to the client.
    pub down: Wire<T>,
}

impl<T> Link<T> {
    /// A link that is the same both ways.
    #[must_use]
    pub const fn new(path: Path, seed: u64) -> Self {
        Self::asymmetric(path, path, seed)
    }

    /// A link whose directions differ.
    #[must_use]
    pub const fn asymmetric(up: Path, down: Path, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        Self { up: Wire::new(up, dice.roll()), down: Wire::new(down, dice.roll()) }
    }

    /// An [`outage`](Wire::outage) both ways: a tunnel, a closed lid, a failed router.
    pub fn outage(&mut self, from: Timestamp, lasts: Duration) {
        self.up.outage(from, lasts);
        self.down.outage(from, lasts);
    }

    /// A [`cut`](Wire::cut) both ways: a pulled cable, a box on the path that has forgotten the connection.
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
