//! What a WebSocket library's error means for the connection.

use crate::event::CloseCode;

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an error that means something else would need another treatment"
)]
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

/// What an error of tungstenite means.
#[cfg(any(feature = "tungstenite", feature = "tokio-tungstenite"))]
pub(super) fn of_tungstenite(error: &::tungstenite::Error) -> Fault {
    use ::tungstenite::Error;
    use ::tungstenite::error::ProtocolError;
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Fault::Over,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) | Error::Tls(_) => {
            Fault::Gone
        }
        Error::WriteBufferFull(_) => Fault::Refused,
        Error::Capacity(_) => Fault::Against(CloseCode::TOO_BIG),
        Error::Utf8(_) => Fault::Against(CloseCode::INVALID_PAYLOAD),
        Error::Protocol(_) | Error::AttackAttempt | Error::Url(_) | Error::Http(_) | Error::HttpFormat(_) => {
            Fault::Against(CloseCode::PROTOCOL_ERROR)
        }
    }
}
