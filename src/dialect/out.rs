//! A message to send: without an allocation, and with one.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use core::fmt::{self, Write as _};

use super::{LONGEST, Message, Out};

/// Holds the message that a dialect writes, of at most [`LONGEST`] bytes, without an allocation.
///
/// ```
/// use liveness::dialect::{Message, Out as _, OutBuffer};
///
/// let mut out = OutBuffer::new();
/// assert_eq!(out.message(), None);
/// out.text(format_args!("pong {}", 7));
/// assert_eq!(out.message(), Some(Message::Text("pong 7")));
///
/// // A message that does not fit is not kept in part.
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
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; LONGEST], len: 0, kind: Kind::Nothing }
    }

    /// The message that was written last. `None`: nothing was written, or it did not fit.
    #[must_use]
    pub fn message(&self) -> Option<Message<'_>> {
        let bytes = self.bytes.get(..self.len)?;
        match self.kind {
            Kind::Nothing => None,
            Kind::Text => self.as_text().map(Message::Text),
            Kind::Binary => Some(Message::Binary(bytes)),
        }
    }

    /// Empties the buffer.
    pub fn clear(&mut self) {
        self.len = 0;
        self.kind = Kind::Nothing;
    }

    /// The bytes so far, if they are text.
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

/// A data message of any length that owns its bytes.
///
/// A [`Session`](crate::session::Session) returns these. An `Option` of one is an [`Out`] that keeps the message that was
/// written last:
///
/// ```
/// use liveness::dialect::{Message, MessageBuf, Out as _};
///
/// let mut out: Option<MessageBuf> = None;
/// out.text(format_args!("pong {}", 7));
/// assert_eq!(out.as_ref().map(MessageBuf::as_message), Some(Message::Text("pong 7")));
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has no third kind of data message")]
pub enum MessageBuf {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

#[cfg(feature = "alloc")]
impl MessageBuf {
    /// The message, borrowed.
    #[must_use]
    pub fn as_message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

#[cfg(feature = "alloc")]
impl Out for Option<MessageBuf> {
    fn text(&mut self, text: fmt::Arguments<'_>) {
        *self = Some(MessageBuf::Text(alloc::fmt::format(text)));
    }
    fn binary(&mut self, bytes: &[u8]) {
        *self = Some(MessageBuf::Binary(bytes.to_vec()));
    }
}

/// Receives formatted text piece by piece.
struct Writer<'a>(&'a mut OutBuffer);

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push(text.as_bytes())
    }
}
