//! A queue of events in time order.

use alloc::collections::BinaryHeap;
use core::cmp::Ordering;

use crate::time::Timestamp;

/// A queue in time order. Entries of one moment keep the order in which they were pushed.
#[derive(Clone, Debug)]
pub(super) struct EventQueue<T> {
    entries: BinaryHeap<Entry<T>>,
    pushed: u64,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    at: Timestamp,
    number: u64,
    what: T,
}

impl<T> EventQueue<T> {
    pub(super) const fn new() -> Self {
        Self { entries: BinaryHeap::new(), pushed: 0 }
    }

    pub(super) fn push(&mut self, at: Timestamp, what: T) {
        self.pushed = self.pushed.saturating_add(1);
        self.entries.push(Entry { at, number: self.pushed, what });
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.entries.peek().map(|entry| entry.at)
    }

    /// The next entry that is due by `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        if self.next_at()? > now {
            return None;
        }
        self.entries.pop().map(|entry| (entry.at, entry.what))
    }
}

/// The heap returns its greatest entry, so the earliest entry is the greatest.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at).then(other.number.cmp(&self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}
