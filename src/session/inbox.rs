//! Messages that have arrived before the caller asked for them, and how many of them are kept.

use alloc::collections::VecDeque;

/// How much one connection keeps while its caller, or its peer, does not read.
///
/// A message is always taken whole, so the bytes may exceed their limit by one message.
///
/// ```
/// use liveness::session::Limits;
///
/// let small = Limits { messages: 8, ..Limits::DEFAULT };
/// assert_eq!((small.messages, small.bytes, small.answers), (8, 1 << 20, 64));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "callers write it as a literal with `..Limits::DEFAULT`")]
pub struct Limits {
    /// Messages that wait for the caller. 64 by default; zero counts as one.
    pub messages: usize,
    /// Bytes of these messages. 1 MiB by default; zero counts as one.
    pub bytes: usize,
    /// Answers that the peer asked for and has not yet received: Pongs, and answers in messages. 64 by default; zero counts
    /// as one.
    pub answers: usize,
}

impl Limits {
    /// 64 messages, 1 MiB, 64 answers.
    pub const DEFAULT: Self = Self { messages: 64, bytes: 1 << 20, answers: 64 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Messages that wait for the caller, first to last, each with its size in bytes.
pub(super) struct Inbox<T> {
    messages: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Inbox<T> {
    pub(super) const fn new() -> Self {
        Self { messages: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// There is no room for one more message. Its size does not count, because it is not known yet.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.messages.len() >= limits.messages.max(1) || self.bytes >= limits.bytes.max(1)
    }

    /// There is enough room to start reading again.
    pub(super) fn is_below_half(&self, limits: &Limits) -> bool {
        self.messages.len() <= limits.messages / 2 && self.bytes <= limits.bytes / 2
    }

    pub(super) fn push(&mut self, message: T, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.messages.push_back((message, bytes));
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let (message, bytes) = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        if self.messages.is_empty() {
            // An idle connection frees the memory of its old messages.
            self.messages = VecDeque::new();
        }
        Some(message)
    }
}
