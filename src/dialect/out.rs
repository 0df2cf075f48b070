//! A message without an allocation.

use core::fmt::{self, Write as _};

use super::{LONGEST, Message, Out};

/// Holds the one message that a dialect writes, of at most [`LONGEST`] bytes, without an allocation.
///
/// ```
/// use liveness::dialect::{Message, Out as _, OutBuffer};
///
/// let mut out = OutBuffer::new();
/// assert_eq!(out.message(), None);
/// out.text(format_args!("pong {}", 7));
/// assert_eq!(out.message(), Some(Message::Text("pong 7")));
///
/// // What does not fit is not sent in half.
/// out.text(format_args!("{:300}", ""));
/// assert_eq!(out.message(), None);
/// ```
#[derive(Clone, Debug)]
pub struct OutBuffer {
    bytes: [u8; LONGEST],
    len: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    Text,
    Binary,
}

impl OutBuffer {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; LONGEST], len: 0, kind: Kind::Nothing }
    }

    /// What was written last. `None`: nothing, or more than fits.
    #[must_use]
    pub fn message(&self) -> Option<Message<'_>> {
        let bytes = self.bytes.get(..self.len)?;
        match self.kind {
            Kind::Nothing => None,
            Kind::Text => self.as_text().map(Message::Text),
            Kind::Binary => Some(Message::Binary(bytes)),
        }
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.len = 0;
        self.kind = Kind::Nothing;
    }

    /// All that was pushed, if it is text.
    pub(super) fn as_text(&self) -> Option<&str> {
        core::str::from_utf8(self.bytes.get(..self.len)?).ok()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> fmt::Result {
        let end = self.len.saturating_add(bytes.len());
        let place = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    fn keep(&mut self, written: fmt::Result, kind: Kind) {
        match written {
            Ok(()) => self.kind = kind,
            Err(fmt::Error) => self.clear(),
        }
    }
}

impl Default for OutBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Out for OutBuffer {
    fn text(&mut self, text: fmt::Arguments<'_>) {
        self.clear();
        let written = Writer(self).write_fmt(text);
        self.keep(written, Kind::Text);
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.clear();
        let written = self.push(bytes);
        self.keep(written, Kind::Binary);
    }
}

/// Takes formatted text piece by piece.
struct Writer<'a>(&'a mut OutBuffer);

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push(text.as_bytes())
    }
}
