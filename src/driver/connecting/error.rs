//! Why there is no connection.

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

/// Why `connect` came to nothing. [`then`](Self::then) is what a [`Reconnect`](crate::Reconnect) should do about it.
///
/// ```
/// use liveness::driver::ConnectError;
/// use liveness::reconnect::OnClose;
///
/// let error = ConnectError::Scheme("http".into());
/// assert_eq!(error.to_string(), "an address begins with ws:// or wss://, and not with http://");
/// assert_eq!(error.then(), OnClose::Stop); // it would be as wrong the next time
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is none, or a header cannot be sent.
    Request(Error),
    /// The address begins with this, and not with `ws` or `wss`.
    Scheme(String),
    /// The address wants TLS, and the program has none: what it lacks, in words.
    NoTls(&'static str),
    /// The name has no address, or nobody could be asked for it.
    LookUp {
        /// The name.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// No address of the server took the connection.
    Unreachable {
        /// The name, or the IP address.
        host: String,
        /// The port.
        port: u16,
        /// What the last address that was tried came to.
        error: io::Error,
    },
    /// It took longer than [`HANDSHAKE_TIMEOUT`] in all, and this is what was waited for.
    TimedOut(Stage),
    /// The server's certificate is not to be trusted, or another rule of TLS is broken.
    Tls(Box<dyn StdError + Send + Sync>),
    /// The server answered, and opened no WebSocket: 401, 404, 503.
    Refused(Box<Response>),
    /// The connection ended before the WebSocket was open, or the answer was none.
    Handshake(Error),
}

/// What a client waits for before a WebSocket is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The addresses of the server's name.
    LookUp,
    /// The TCP connection.
    Connect,
    /// The handshakes of TLS and of the WebSocket.
    Handshake,
}

impl ConnectError {
    /// The server's answer, where it opened no WebSocket: its status, its headers, and what there was of its body.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        match self {
            Self::Refused(response) => Some(response),
            Self::Request(_) | Self::Scheme(_) | Self::NoTls(_) | Self::LookUp { .. } => None,
            Self::Unreachable { .. } | Self::TimedOut(_) | Self::Tls(_) | Self::Handshake(_) => None,
        }
    }

    /// How long the server asked to be left alone: the seconds of its `Retry-After` (RFC 9110 10.2.3). A date is not
    /// understood, because no two clocks agree on it: `None`, as where there is none.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let header = self.response()?.headers().get("retry-after")?;
        header.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
    }

    /// What follows: for [`Reconnect::failed_with`](crate::Reconnect::failed_with).
    ///
    /// *Stop*, where the same dial would come to the same end: the address is wrong, the program has no TLS, the server's answer
    /// says so ([`OnClose::by_status`]). Otherwise *as the backoff says*. Where the server sent `Retry-After`, not before that;
    /// and because all its clients were told the same, later by up to a quarter of it.
    #[must_use]
    pub fn then(&self) -> OnClose {
        match self {
            Self::Request(_) | Self::Scheme(_) | Self::NoTls(_) => OnClose::Stop,
            Self::LookUp { .. } | Self::Unreachable { .. } | Self::TimedOut(_) => OnClose::AT_ONCE,
            // A certificate may be the portal's of a hotel, or be renewed the next minute.
            Self::Tls(_) | Self::Handshake(_) => OnClose::AT_ONCE,
            Self::Refused(response) => {
                let asked = self.retry_after().unwrap_or_default();
                let spread = asked.checked_div(4).unwrap_or_default();
                OnClose::by_status(response.status().as_u16()).not_before(asked).spread_over(spread)
            }
        }
    }

    /// What an error of the handshakes means.
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
