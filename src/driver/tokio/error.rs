//! Why a stream or a sink failed.

use std::sync::Arc;

use core::fmt;

use crate::event::Reason;

/// An error of the library or of the transport. Clones show the same one, so both halves of a socket are told.
pub type Cause = Arc<dyn core::error::Error + Send + Sync>;

/// Why a stream or a sink failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection is over.
    Offline {
        /// Why.
        reason: Reason,
        /// The socket's error, where one ended the connection: a frame against the protocol, a transport that failed.
        cause: Option<Cause>,
    },
    /// The socket refused this message, such as one that is too large. The connection lives on.
    Rejected(Cause),
}

impl Error {
    /// Why the connection is over; `None` where it is not.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Offline { reason, .. } => Some(*reason),
            Self::Rejected(_) => None,
        }
    }
}

/// The reason in words, and after a colon the socket's error, where there is one: `no answer to a ping in time`.
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
