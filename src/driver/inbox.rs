//! What arrives while the caller writes instead of reading.

use std::collections::VecDeque;

/// How many messages are kept while the caller writes instead of reading.
pub const INBOX_MESSAGES: usize = 64;
/// How many bytes of messages are kept while the caller writes instead of reading.
pub const INBOX_BYTES: usize = 1 << 20;

/// Messages that wait for the caller, first to last, each with its size in bytes.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    messages: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Inbox<T> {
    pub(super) const fn new() -> Self {
        Self { messages: VecDeque::new(), bytes: 0 }
    }

    /// For one more message: how large it is, is known when it is there.
    pub(super) fn has_room(&self) -> bool {
        self.messages.len() < INBOX_MESSAGES && self.bytes < INBOX_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn push(&mut self, message: T, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.messages.push_back((message, bytes));
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let (message, bytes) = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Some(message)
    }
}
