//! What a client decides before and during a dial, for all drivers. It uses no socket.

mod error;
#[cfg(feature = "rustls")]
mod tls;

use std::io;
use std::string::String;
#[cfg(feature = "rustls")]
use std::sync::Arc;

use core::fmt;
use core::time::Duration;

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Request;
use tungstenite::protocol::WebSocketConfig;

pub use self::error::{ConnectError, Stage};
use crate::session::Role;

/// How a client connects: with which TLS, and with which settings of tungstenite.
///
/// Use it with [`tungstenite::connect_with`](super::tungstenite::connect_with) and
/// [`tokio_tungstenite::connect_with`](super::tokio_tungstenite::connect_with). Keep one for all dials of a program.
///
#[cfg_attr(all(feature = "rustls", feature = "tokio-tungstenite"), doc = "```no_run")]
#[cfg_attr(not(all(feature = "rustls", feature = "tokio-tungstenite")), doc = "```ignore")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use liveness::Config;
/// use liveness::driver::Connector;
/// use liveness::driver::tokio_tungstenite::connect_with;
/// use rustls::{ClientConfig, RootCertStore};
///
/// // Trust only your own certificate authority.
/// let mut roots = RootCertStore::empty();
/// roots.add(std::fs::read("authority.der")?.into())?;
/// let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
///
/// let connector = Connector::new().tls(Arc::new(tls));
/// let (socket, _response) = connect_with("wss://localhost/", &connector, Config::DEFAULT).await?;
/// # drop(socket);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "a connector does nothing until `connect_with` is called with it"]
pub struct Connector {
    #[cfg(feature = "rustls")]
    tls: Option<Arc<rustls::ClientConfig>>,
    pub(super) settings: Option<WebSocketConfig>,
}

impl Connector {
    /// The connector of `connect`: the system's certificates, and tungstenite's default settings.
    pub const fn new() -> Self {
        Self {
            #[cfg(feature = "rustls")]
            tls: None,
            settings: None,
        }
    }

    /// Sets the TLS of `wss://`: your own certificates, a client's certificate, a provider. The next dial resumes its
    /// sessions.
    ///
    /// Without it the system checks certificates (`rustls-platform-verifier`), with the provider of cryptography that the
    /// program has [installed](rustls::crypto::CryptoProvider::install_default), or with ring if feature `rustls-ring` is
    /// on. The first dial that needs it decides this for the whole process. On Android, pass the program's context to
    /// `rustls-platform-verifier` first.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, tls: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets the limits and buffers of the WebSocket. Default: tungstenite's.
    pub const fn settings(mut self, settings: WebSocketConfig) -> Self {
        self.settings = Some(settings);
        self
    }

    /// The TLS of a dial; `None` if the address needs none.
    #[cfg(feature = "rustls")]
    pub(super) fn tls_of(&self, address: &Address) -> Result<Option<Tls>, ConnectError> {
        match (&self.tls, address.secure) {
            (_, false) => Ok(None),
            (Some(tls), true) => Ok(Some(Arc::clone(tls))),
            (None, true) => tls::of_the_system().map(Some),
        }
    }

    /// Without the feature there is no TLS: always `None`, or an error.
    #[cfg(not(feature = "rustls"))]
    pub(super) fn tls_of(&self, address: &Address) -> Result<Option<Tls>, ConnectError> {
        if address.secure {
            return Err(ConnectError::NoTls(
                "wss:// needs TLS: build the crate `liveness` with its feature `rustls`",
            ));
        }
        Ok(None)
    }
}

/// The TLS of a dial.
#[cfg(feature = "rustls")]
pub(super) type Tls = Arc<rustls::ClientConfig>;
/// Without the feature there is no TLS.
#[cfg(not(feature = "rustls"))]
pub(super) type Tls = core::convert::Infallible;

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Connector");
        #[cfg(feature = "rustls")]
        shown.field("tls", &self.tls.is_some());
        shown.field("settings", &self.settings).finish()
    }
}

/// The server's address.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// A name, or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secure: bool,
}

impl Address {
    /// Nothing at this address accepted the connection. An error of one of several IP addresses says more than a timeout of
    /// another.
    pub(super) fn unreachable(&self, error: Option<io::Error>) -> ConnectError {
        let (host, port) = (self.host.clone(), self.port);
        error.map_or(ConnectError::TimedOut(Stage::Connect), |error| ConnectError::Unreachable {
            host,
            port,
            error,
        })
    }
}

/// Tungstenite's name of an end.
pub(super) const fn tungstenite_role(role: Role) -> tungstenite::protocol::Role {
    match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    }
}

/// Checks a request, and finds its address.
pub(super) fn request_and_address(
    request: impl IntoClientRequest,
) -> Result<(Request, Address), ConnectError> {
    let request = request.into_client_request().map_err(ConnectError::Request)?;
    let uri = request.uri();
    let secure = match uri.scheme_str() {
        Some("ws") => false,
        Some("wss") => true,
        other => return Err(ConnectError::Scheme(other.unwrap_or_default().into())),
    };
    let no_host = || ConnectError::Request(tungstenite::error::UrlError::NoHostName.into());
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(no_host)?;
    // A URL writes an IPv6 address in brackets.
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).into();
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    Ok((request, Address { host, port, secure }))
}

/// How long to try the next of this many addresses: an equal share of the remaining time, so that an address that never
/// answers does not use the time of the others.
pub(super) fn share(left: Duration, addresses: usize) -> Duration {
    let addresses = u32::try_from(addresses).unwrap_or(u32::MAX);
    left.checked_div(addresses).unwrap_or(left)
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::ToString;

    use super::*;

    #[track_caller]
    fn address(url: &str) -> Address {
        request_and_address(url).unwrap().1
    }

    #[test]
    fn an_address_has_a_host_a_port_and_a_scheme() {
        for (url, host, port, secure) in [
            ("ws://example.com/room?a=b", "example.com", 80, false),
            ("wss://example.com", "example.com", 443, true),
            ("wss://example.com:8443/", "example.com", 8443, true),
            ("ws://[::1]:9000/", "::1", 9000, false),
            ("wss://[2001:db8::1]/", "2001:db8::1", 443, true),
            ("ws://192.0.2.1:1/", "192.0.2.1", 1, false),
        ] {
            let found = address(url);
            assert_eq!((&*found.host, found.port, found.secure), (host, port, secure), "{url}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_in_words() {
        for (url, words) in [
            ("http://example.com/", "begins with ws:// or wss://, and not with http://"),
            ("example.com", "begins with ws:// or wss://"),
            ("/room", "looks like wss://example.com/path"),
            ("ws://", "looks like wss://example.com/path"),
            ("ws:///room", "looks like wss://example.com/path"),
            ("ws://exam ple.com/", "looks like wss://example.com/path"),
            ("", "looks like wss://example.com/path"),
        ] {
            let error = request_and_address(url).unwrap_err();
            assert!(error.to_string().contains(words), "{url:?}: {error}");
        }
    }

    #[test]
    fn each_address_has_an_equal_share_of_what_is_left() {
        let second = Duration::from_secs(1);
        assert_eq!(share(10 * second, 1), 10 * second);
        assert_eq!(share(10 * second, 4), second * 5 / 2);
        assert_eq!(share(Duration::ZERO, 3), Duration::ZERO);
        // Nobody asks.
        assert_eq!(share(second, 0), second);
        // In turn, each used up: together they are the whole.
        let mut left = 10 * second;
        for addresses in (1..=3).rev() {
            left -= share(left, addresses);
        }
        assert_eq!(left, Duration::ZERO);
    }

    #[test]
    fn an_address_that_refuses_says_more_than_one_that_never_answers() {
        let address = address("ws://example.com/");
        assert!(matches!(address.unreachable(None), ConnectError::TimedOut(Stage::Connect)));
        let refused = address.unreachable(Some(io::ErrorKind::ConnectionRefused.into())).to_string();
        assert!(refused.starts_with("port 80 of example.com takes no connection"), "{refused}");
    }

    #[test]
    #[cfg(not(feature = "rustls"))]
    fn without_the_feature_tls_is_refused_by_its_name() {
        let error = Connector::new().tls_of(&address("wss://example.com/")).unwrap_err();
        assert!(error.to_string().contains("feature `rustls`"), "{error}");
        assert!(Connector::new().tls_of(&address("ws://example.com/")).unwrap().is_none());
    }

    #[test]
    fn a_connector_shows_no_keys() {
        assert!(format!("{:?}", Connector::new()).starts_with("Connector {"));
    }
}
