//! The errors of the stream and of the sink.

use std::sync::Arc;

use core::fmt;

use crate::event::Reason;

/// An error of the library or of the transport. Clones share it, so both halves of a socket get it.
pub type Cause = Arc<dyn core::error::Error + Send + Sync>;

/// Why a stream or a sink failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection is over.
    Offline {
        /// Why.
        reason: Reason,
        /// The socket's error, if an error ended the connection: a frame against the protocol, a transport that failed.
        cause: Option<Cause>,
    },
    /// The socket refused this message, for example because it is too large. The connection is not affected.
    Rejected(Cause),
}

impl Error {
    /// Why the connection is over; `None` if it is not.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Offline { reason, .. } => Some(*reason),
            Self::Rejected(_) => None,
        }
    }
}

/// The reason in words, and after a colon the socket's error, if there is one: `no answer to a ping in time`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline { reason, cause: Some(cause) } => write!(f, "{}: {cause}", reason.description()),
            Self::Offline { reason, cause: None } => f.write_str(reason.description()),
            Self::Rejected(error) => write!(f, "not sent: {error}"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Offline { cause: Some(cause), .. } | Self::Rejected(cause) => Some(&**cause),
            Self::Offline { cause: None, .. } => None,
        }
    }
}
