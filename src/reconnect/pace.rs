//! How often a new network may bring a dial forward.

use core::time::Duration;

use crate::time::{Timestamp, nanos};

/// So many new networks in a row are dialled over at once: a phone that leaves the house sees three or four.
const BURST: u64 = 5;
/// After those, one for each of these: 30 s. A network that flaps is no news any more, and the backoff goes on beside it.
const EACH: u64 = nanos(Duration::from_secs(30));

/// A token bucket, as the moment at which it will be full again (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace(Timestamp);

impl Pace {
    pub(super) const FULL: Self = Self(Timestamp::ZERO);

    /// The first moment from `now` on at which there is a token.
    pub(super) fn next(self, now: Timestamp) -> Timestamp {
        let first = self.0.as_nanos().saturating_sub((BURST.saturating_sub(1)).saturating_mul(EACH));
        Timestamp::from_nanos(first).max(now)
    }

    /// Takes the token of this moment, which is one that [`next`](Self::next) has named.
    pub(super) fn take(&mut self, at: Timestamp) {
        self.0 = self.0.max(at).after(EACH);
    }
}
