//! The errors of a dial.

use std::boxed::Box;
use std::io;
use std::string::String;

use core::error::Error as StdError;
use core::fmt;
use core::time::Duration;

use tungstenite::Error;
use tungstenite::handshake::client::Response;

use crate::driver::HANDSHAKE_TIMEOUT;
use crate::reconnect::OnClose;

/// Why `connect` failed. [`then`](Self::then) is what a [`Reconnect`](crate::Reconnect) should do next.
///
/// ```
/// use liveness::driver::ConnectError;
/// use liveness::reconnect::OnClose;
///
/// let error = ConnectError::Scheme("http".into());
/// assert_eq!(error.to_string(), "an address begins with ws:// or wss://, and not with http://");
/// assert_eq!(error.then(), OnClose::Stop); // it would be wrong again next time
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is invalid, or a header cannot be sent.
    Request(Error),
    /// The address begins with this scheme instead of `ws` or `wss`.
    Scheme(String),
    /// The address needs TLS, and the program has none. The text says what is missing.
    NoTls(&'static str),
    /// The name has no address, or no name server answered.
    LookUp {
        /// The name.
        host: String,
        /// The system's error.
        error: io::Error,
    },
    /// No address of the server accepted the connection.
    Unreachable {
        /// The name, or the IP address.
        host: String,
        /// The port.
        port: u16,
        /// The error of the last address.
        error: io::Error,
    },
    /// The dial took longer than [`HANDSHAKE_TIMEOUT`] in all, and ended in this stage.
    TimedOut(Stage),
    /// The server's certificate is not trusted, or another rule of TLS is broken.
    Tls(Box<dyn StdError + Send + Sync>),
    /// The server answered without opening a WebSocket: 401, 404, 503.
    Refused(Box<Response>),
    /// The connection ended before the WebSocket was open, or the answer was invalid.
    Handshake(Error),
}

/// The stages of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The look-up of the server's name.
    LookUp,
    /// The TCP connection.
    Connect,
    /// The handshakes of TLS and of the WebSocket.
    Handshake,
}

impl ConnectError {
    /// The server's answer if it opened no WebSocket: its status, its headers, and the part of its body that came.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        match self {
            Self::Refused(response) => Some(response),
            Self::Request(_) | Self::Scheme(_) | Self::NoTls(_) | Self::LookUp { .. } => None,
            Self::Unreachable { .. } | Self::TimedOut(_) | Self::Tls(_) | Self::Handshake(_) => None,
        }
    }

    /// How long the server asked the client to wait: the seconds of its `Retry-After` (RFC 9110 10.2.3). `None`: there is
    /// none, or it is a date, which this does not read, because no two clocks agree.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let header = self.response()?.headers().get("retry-after")?;
        header.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
    }

    /// What to do next: pass it to [`Reconnect::failed_with`](crate::Reconnect::failed_with).
    ///
    /// It is [`Stop`](OnClose::Stop) if the next dial would fail in the same way: the address is wrong, the program has no
    /// TLS, or the server's answer says so ([`OnClose::by_status`]). Otherwise the backoff decides. If the server sent
    /// `Retry-After`, the dial does not come earlier. It comes later by up to a quarter of that time, because all clients
    /// got the same answer.
    #[must_use]
    pub fn then(&self) -> OnClose {
        match self {
            Self::Request(_) | Self::Scheme(_) | Self::NoTls(_) => OnClose::Stop,
            Self::LookUp { .. } | Self::Unreachable { .. } | Self::TimedOut(_) => OnClose::AT_ONCE,
            // The certificate may be that of a hotel's login page, or the server may renew it soon.
            Self::Tls(_) | Self::Handshake(_) => OnClose::AT_ONCE,
            Self::Refused(response) => {
                let asked = self.retry_after().unwrap_or_default();
                let spread = asked.checked_div(4).unwrap_or_default();
                OnClose::by_status(response.status().as_u16()).not_before(asked).spread_over(spread)
            }
        }
    }

    /// Sorts an error of the handshakes.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the errors of another crate")]
    pub(in crate::driver) fn of_handshake(error: Error) -> Self {
        match error {
            Error::Http(response) => Self::Refused(response),
            Error::Io(error) => Self::of_transport(error),
            Error::Tls(error) => Self::Tls(Box::new(error)),
            other => Self::Handshake(other),
        }
    }

    fn of_transport(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut {
            return Self::TimedOut(Stage::Handshake);
        }
        #[cfg(feature = "rustls")]
        let error = match error.downcast::<rustls::Error>() {
            Ok(error) => return Self::Tls(Box::new(error)),
            Err(error) => error,
        };
        Self::Handshake(Error::Io(error))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => {
                write!(
                    f,
                    "the address or a header is wrong: {error}; an address looks like wss://example.com/path"
                )
            }
            Self::Scheme(none) if none.is_empty() => {
                f.write_str("an address begins with ws:// or wss://, and this one with neither")
            }
            Self::Scheme(other) => {
                write!(f, "an address begins with ws:// or wss://, and not with {other}://")
            }
            Self::NoTls(lack) => f.write_str(lack),
            Self::LookUp { host, error } => write!(f, "no address was found for {host}: {error}"),
            Self::Unreachable { host, port, error } => {
                write!(f, "port {port} of {host} takes no connection: {error}")
            }
            Self::TimedOut(stage) => {
                write!(f, "{} in {} s", stage.description(), HANDSHAKE_TIMEOUT.as_secs())
            }
            Self::Tls(error) => write!(f, "no connection by TLS: {error}"),
            Self::Refused(response) => {
                write!(f, "the server answered {}, and opened no WebSocket", response.status())
            }
            Self::Handshake(error) => write!(f, "the WebSocket was not opened: {error}"),
        }
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Request(error) | Self::Handshake(error) => Some(error),
            Self::LookUp { error, .. } | Self::Unreachable { error, .. } => Some(error),
            Self::Tls(error) => Some(&**error),
            Self::Scheme(_) | Self::NoTls(_) | Self::TimedOut(_) | Self::Refused(_) => None,
        }
    }
}

impl Stage {
    const fn description(self) -> &'static str {
        match self {
            Self::LookUp => "the server's name was not looked up",
            Self::Connect => "the server took no connection",
            Self::Handshake => "the server did not finish the handshake",
        }
    }
}
