//! A queue of events in time order.

use alloc::collections::BTreeMap;

use crate::time::Timestamp;

/// A queue in time order. Entries of one moment keep the order in which they were pushed.
#[derive(Clone, Debug)]
pub(super) struct EventQueue<T> {
    /// By their moments, and by how many entries had been pushed before.
    entries: BTreeMap<(Timestamp, u64), T>,
    pushed: u64,
}

impl<T> EventQueue<T> {
    pub(super) const fn new() -> Self {
        Self { entries: BTreeMap::new(), pushed: 0 }
    }

    pub(super) fn push(&mut self, at: Timestamp, what: T) {
        self.entries.insert((at, self.pushed), what);
        self.pushed = self.pushed.saturating_add(1);
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next entry that is due by `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        let entry = self.entries.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), what) = entry.remove_entry();
        Some((at, what))
    }
}
