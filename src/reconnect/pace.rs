//! How often a new network may cause a dial at once.

use core::time::Duration;

use crate::time::{Timestamp, nanos};

/// This many new networks in a row cause a dial at once: a phone that leaves the house sees three or four.
const BURST: u64 = 5;
/// After those, one every 30 s. A change of a network that changes all the time means little, and the backoff goes on
/// anyway.
const EACH: u64 = nanos(Duration::from_secs(30));

/// A token bucket, stored as the moment at which it will be full again (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace(Timestamp);

impl Pace {
    pub(super) const FULL: Self = Self(Timestamp::ZERO);

    /// The first moment from `now` on with a token.
    pub(super) fn next(self, now: Timestamp) -> Timestamp {
        let first = self.0.as_nanos().saturating_sub((BURST.saturating_sub(1)).saturating_mul(EACH));
        Timestamp::from_nanos(first).max(now)
    }

    /// Takes the token of this moment, which [`next`](Self::next) has returned.
    pub(super) fn take(&mut self, at: Timestamp) {
        self.0 = self.0.max(at).after(EACH);
    }
}
