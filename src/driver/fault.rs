//! What a WebSocket library's error means for the connection.

use crate::event::CloseCode;

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// All is said: the closing handshake is complete.
    Over,
    /// The transport ended or failed.
    Gone,
    /// The peer broke the protocol, and is to be told so (RFC 6455 7.1.7).
    Against(CloseCode),
    /// A message of ours was not taken; nothing else is wrong.
    Refused,
}

#[cfg(any(feature = "tungstenite", feature = "tokio-tungstenite"))]
impl From<&::tungstenite::Error> for Fault {
    /// Sorts tungstenite's errors, for whoever drives its WebSocket. `WouldBlock` is none: turn it away before.
    ///
    /// ```
    /// use liveness::CloseCode;
    /// use liveness::driver::Fault;
    /// use tungstenite::Error;
    /// use tungstenite::error::CapacityError;
    ///
    /// let large = Error::Capacity(CapacityError::MessageTooLong { size: 70_000, max_size: 65_536 });
    /// assert_eq!(Fault::from(&large), Fault::Against(CloseCode::TOO_BIG)); // `close` with this code
    /// assert_eq!(Fault::from(&Error::ConnectionClosed), Fault::Over); // `Event::Eof`
    /// ```
    fn from(error: &::tungstenite::Error) -> Self {
        use ::tungstenite::Error;
        use ::tungstenite::error::ProtocolError;
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Over,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) | Error::Tls(_) => {
                Self::Gone
            }
            Error::WriteBufferFull(_) => Self::Refused,
            Error::Capacity(_) => Self::Against(CloseCode::TOO_BIG),
            Error::Utf8(_) => Self::Against(CloseCode::INVALID_PAYLOAD),
            Error::Protocol(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => Self::Against(CloseCode::PROTOCOL_ERROR),
        }
    }
}
