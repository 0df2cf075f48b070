//! Opening: tungstenite's own handshakes over a counted transport, bounded in time.

use std::io;

use tungstenite::WebSocket;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response;
use tungstenite::handshake::server::{Callback, NoCallback};
use tungstenite::handshake::{HandshakeError, HandshakeRole};
use tungstenite::protocol::WebSocketConfig;

use super::LiveSocket;
use crate::config::Config;
use crate::driver::HANDSHAKE_TIMEOUT;
use crate::driver::counting_socket::{BlockingSocket, CountingSocket, Transport};
use crate::time::Clock;

/// Accepts a WebSocket from a client, and watches it.
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept<S: BlockingSocket>(
    stream: S,
    config: Config,
) -> Result<LiveSocket<CountingSocket<S>>, tungstenite::Error> {
    Ok(LiveSocket::new(accept_raw(stream, None)?, config))
}

/// Accepts a WebSocket with tungstenite's own settings, ready for [`LiveSocket::new`].
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept_raw<S: BlockingSocket>(
    stream: S,
    settings: Option<WebSocketConfig>,
) -> Result<WebSocket<CountingSocket<S>>, tungstenite::Error> {
    accept_over(CountingSocket::new(stream), settings)
}

/// Accepts a WebSocket over any [`Transport`]: a TLS stream around a [`CountingSocket`].
///
#[cfg_attr(feature = "rustls", doc = "```no_run")]
#[cfg_attr(not(feature = "rustls"), doc = "```ignore")]
/// # #![allow(dead_code)]
/// # type Tls = std::sync::Arc<rustls::ServerConfig>;
/// # fn serve(stream: std::net::TcpStream, tls: Tls) -> Result<(), Box<dyn std::error::Error>> {
/// use liveness::Config;
/// use liveness::driver::CountingSocket;
/// use liveness::driver::tungstenite::{LiveSocket, accept_over};
/// use rustls::{ServerConnection, StreamOwned};
///
/// let transport = StreamOwned::new(ServerConnection::new(tls)?, CountingSocket::new(stream));
/// let mut socket = LiveSocket::new(accept_over(transport, None)?, Config::DEFAULT);
/// # let _ = socket.read();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept_over<S: Transport>(
    transport: S,
    settings: Option<WebSocketConfig>,
) -> Result<WebSocket<S>, tungstenite::Error> {
    accept_hdr(transport, NoCallback, settings)
}

/// As [`accept_over`], and shows the request to a callback of tungstenite's, which may add headers or refuse it: for its
/// path, a cookie, an origin.
///
/// ```no_run
/// # #![allow(dead_code)]
/// # fn serve(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// use liveness::Config;
/// use liveness::driver::CountingSocket;
/// use liveness::driver::tungstenite::{LiveSocket, accept_hdr};
/// use tungstenite::handshake::server::{Request, Response};
///
/// let mut path = String::new();
/// let look = |request: &Request, response: Response| {
///     path = request.uri().path().to_owned();
///     Ok(response)
/// };
/// let socket = accept_hdr(CountingSocket::new(stream), look, None)?;
/// let mut socket = LiveSocket::new(socket, Config::DEFAULT);
/// println!("{path}: {}", socket.read()?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`], or where the callback refuses.
pub fn accept_hdr<S: Transport, C: Callback>(
    mut transport: S,
    callback: C,
    settings: Option<WebSocketConfig>,
) -> Result<WebSocket<S>, tungstenite::Error> {
    begin_handshake(&mut transport);
    tungstenite::accept_hdr_with_config(transport, callback, settings).map_err(failure)
}

/// Opens a WebSocket to a server over a connected stream, and watches it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::net::TcpStream;
///
/// use liveness::Config;
/// use liveness::driver::tungstenite::client;
///
/// let stream = TcpStream::connect("127.0.0.1:8080")?;
/// let (mut socket, _response) = client("ws://127.0.0.1:8080/", stream, Config::DEFAULT)?;
/// loop {
///     println!("{}", socket.read()?); // the verdict is the error: dial again, as `Reconnect` says
/// }
/// # }
/// ```
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn client<R: IntoClientRequest, S: BlockingSocket>(
    request: R,
    stream: S,
    config: Config,
) -> Result<(LiveSocket<CountingSocket<S>>, Response), tungstenite::Error> {
    let (socket, response) = client_over(request, CountingSocket::new(stream))?;
    Ok((LiveSocket::new(socket, config), response))
}

/// Opens a WebSocket over any [`Transport`]: a TLS stream around a [`CountingSocket`].
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn client_over<R: IntoClientRequest, S: Transport>(
    request: R,
    mut transport: S,
) -> Result<(WebSocket<S>, Response), tungstenite::Error> {
    begin_handshake(&mut transport);
    tungstenite::client(request, transport).map_err(failure)
}

fn begin_handshake(transport: &mut impl Transport) {
    let clock = Clock::new();
    transport.counting_socket().get_ref().tune();
    transport.counting_socket().begin_handshake(clock, clock.now().saturating_add(HANDSHAKE_TIMEOUT));
}

/// A blocking handshake is interrupted only by a socket that somebody made non-blocking.
fn failure<R: HandshakeRole>(error: HandshakeError<R>) -> tungstenite::Error {
    match error {
        HandshakeError::Failure(error) => error,
        HandshakeError::Interrupted(_) => tungstenite::Error::Io(io::ErrorKind::WouldBlock.into()),
    }
}
