//! The errors of a connection and of a message.

use std::sync::Arc;

use core::fmt;

use tungstenite::Message;

use crate::event::Reason;

/// The connection is over.
#[derive(Clone, Debug)]
pub struct Offline {
    pub(super) reason: Reason,
    pub(super) cause: Option<Arc<tungstenite::Error>>,
}

impl Offline {
    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Tungstenite's error, if one ended the connection: a frame against the protocol, a socket that failed.
    #[must_use]
    pub fn cause(&self) -> Option<&tungstenite::Error> {
        self.cause.as_deref()
    }
}

/// The reason in words, and after a colon tungstenite's error, if there is one: `no answer to a ping in time`.
impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.description())?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl core::error::Error for Offline {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as _)
    }
}

/// Why a message was not sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection is over or closing.
    Offline(Offline),
    /// The message is larger than tungstenite's setting `max_write_buffer_size` allows. The connection is not affected.
    TooLarge(Message),
}

impl Error {
    /// Why the connection is over; `None` if it is not.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Offline(offline) => Some(offline.reason()),
            Self::TooLarge(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline(offline) => offline.fmt(f),
            Self::TooLarge(message) => write_too_large(f, message),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Offline(offline) => offline.source(),
            Self::TooLarge(_) => None,
        }
    }
}

impl From<Offline> for Error {
    fn from(offline: Offline) -> Self {
        Self::Offline(offline)
    }
}

/// The text of the only error that does not end the connection.
pub(super) fn write_too_large(f: &mut fmt::Formatter<'_>, message: &Message) -> fmt::Result {
    write!(f, "not sent: a message of {} bytes exceeds max_write_buffer_size", message.len())
}
