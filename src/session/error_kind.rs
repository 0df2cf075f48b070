//! Sorts the errors of WebSocket libraries.

use crate::event::CloseCode;

/// What a WebSocket library's error means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The closing handshake is complete.
    Closed,
    /// The transport ended or failed.
    Transport,
    /// The peer broke the protocol. We close with this code (RFC 6455 7.1.7).
    Protocol(CloseCode),
    /// The library refused one of our messages. The connection is not affected.
    Rejected,
}

#[cfg(any(feature = "tungstenite", feature = "tokio-tungstenite"))]
impl From<&::tungstenite::Error> for ErrorKind {
    /// Sorts tungstenite's errors, for a driver that uses its WebSocket. Handle `WouldBlock` before: it is not an error.
    ///
    /// ```
    /// use liveness::CloseCode;
    /// use liveness::session::ErrorKind;
    /// use tungstenite::Error;
    /// use tungstenite::error::CapacityError;
    ///
    /// let large = Error::Capacity(CapacityError::MessageTooLong { size: 70_000, max_size: 65_536 });
    /// assert_eq!(ErrorKind::from(&large), ErrorKind::Protocol(CloseCode::TOO_BIG)); // `close` with this code
    /// assert_eq!(ErrorKind::from(&Error::ConnectionClosed), ErrorKind::Closed); // `Event::Eof`
    /// ```
    fn from(error: &::tungstenite::Error) -> Self {
        use ::tungstenite::Error;
        use ::tungstenite::error::ProtocolError;
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Closed,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) | Error::Tls(_) => {
                Self::Transport
            }
            Error::WriteBufferFull(_) => Self::Rejected,
            Error::Capacity(_) => Self::Protocol(CloseCode::TOO_BIG),
            Error::Utf8(_) => Self::Protocol(CloseCode::INVALID_PAYLOAD),
            Error::Protocol(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => Self::Protocol(CloseCode::PROTOCOL_ERROR),
        }
    }
}
