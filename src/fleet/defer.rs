//! Putting off the next look at a connection.

use super::{Fleet, Key, StaleKey};
use crate::time::Timestamp;

impl Fleet {
    /// Skips this connection in [`poll`](Self::poll) until `until`, even if a deadline has passed. An event that makes
    /// something due ends the deferral.
    ///
    /// For a loop that reads no more than a share of each socket in a turn: what is still unread may hold the answer. So
    /// defer each connection that has more to read, after its turn, until later than its next one; and when all has been
    /// read, until [`Timestamp::ZERO`], which is as if it had never been deferred. Bound how often, or a peer that sends
    /// for ever is never judged. What the machine then sees late counts as its driver's lateness (rule 6).
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn defer(&mut self, key: Key, until: Timestamp) -> Result<(), StaleKey> {
        let (_, state) = self.peek(key).ok_or(StaleKey)?;
        let at = state.look_at().max(until);
        self.wheel.set(key.slot(), at);
        Ok(())
    }
}
