//! Dials a server: the look-up of its name, TCP, TLS, and the handshake.

use std::boxed::Box;
use std::io;
use std::vec::Vec;

use core::future::Future;
use core::net::SocketAddr;

use ::tokio::net::{TcpStream, lookup_host};
use ::tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_with_config};
use tungstenite::Error;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{Request, Response};
use tungstenite::protocol::WebSocketConfig;

use crate::config::Config;
use crate::driver::connecting::{Address, Tls, request_and_address, share};
use crate::driver::tokio::{Counted, LiveStream};
use crate::driver::{ConnectError, Connector, HANDSHAKE_TIMEOUT, Stage, tune};
use crate::session::Role;

/// The result of [`connect`]: a WebSocket over TCP, with TLS between them for `wss://`. Bytes are counted below the TLS.
pub type ClientStream = LiveStream<WebSocketStream<MaybeTlsStream<Counted<TcpStream>>>>;

/// Dials a server, opens a WebSocket to it and starts its heartbeat: `ws://host:port/path`, or `wss://` with feature
/// `rustls`.
///
/// It looks up the name, tries each address in turn, and [tunes](tune) the socket. All of it takes at most
/// [`HANDSHAKE_TIMEOUT`]. If you drop the future, the dial ends.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::StreamExt;
/// use liveness::Config;
/// use liveness::driver::tokio_tungstenite::connect;
///
/// let (mut socket, _response) = connect("ws://127.0.0.1:8080/", Config::DEFAULT).await?;
/// while let Some(message) = socket.next().await {
///     println!("{}", message?); // the verdict is an error: dial again, as `Reconnect` says
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`ConnectError`] says what was wrong, and [what to do next](ConnectError::then).
pub async fn connect(
    request: impl IntoClientRequest,
    config: Config,
) -> Result<(ClientStream, Response), ConnectError> {
    connect_with(request, &Connector::new(), config).await
}

/// [`connect`] with a connector's TLS and settings.
///
/// # Errors
///
/// Those of [`connect`].
pub async fn connect_with(
    request: impl IntoClientRequest,
    connector: &Connector,
    config: Config,
) -> Result<(ClientStream, Response), ConnectError> {
    let deadline = sleep(HANDSHAKE_TIMEOUT).deadline();
    let (request, address) = request_and_address(request)?;
    let tls = connector.tls_of(&address)?;
    let stream = dial(&address, deadline).await?;
    tune(&stream);
    let stream = Counted::new(stream);
    let counters = stream.counters().clone();
    let handshake = shake_hands(request, stream, tls, connector.settings);
    // On the heap, because a handshake's future is large, and a connection lives longer.
    let opened = by(deadline, Stage::Handshake, Box::pin(handshake)).await?;
    let (socket, response) = opened.map_err(ConnectError::of_handshake)?;
    Ok((LiveStream::new(socket, config).counted(counters).role(Role::Client), response))
}

type Opened = (WebSocketStream<MaybeTlsStream<Counted<TcpStream>>>, Response);

/// The handshake of TLS, if there is any, and of the WebSocket.
async fn shake_hands(
    request: Request,
    stream: Counted<TcpStream>,
    tls: Option<Tls>,
    settings: Option<WebSocketConfig>,
) -> Result<Opened, Error> {
    #[cfg(feature = "rustls")]
    if let Some(tls) = tls {
        let over = Some(tokio_tungstenite::Connector::Rustls(tls));
        return tokio_tungstenite::client_async_tls_with_config(request, stream, settings, over).await;
    }
    #[cfg(not(feature = "rustls"))]
    let None = tls;
    client_async_with_config(request, MaybeTlsStream::Plain(stream), settings).await
}

async fn dial(address: &Address, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let mut refused = None;
    let addresses = look_up(address, deadline).await?;
    for (tried, found) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let patience = share(left, addresses.len().saturating_sub(tried));
        match timeout(patience, TcpStream::connect(found)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => refused = Some(error),
            Err(_) => {}
        }
    }
    Err(address.unreachable(refused))
}

async fn look_up(address: &Address, deadline: Instant) -> Result<Vec<SocketAddr>, ConnectError> {
    let failed = |error| ConnectError::LookUp { host: address.host.clone(), error };
    let host = (&*address.host, address.port);
    let found: Vec<_> = by(deadline, Stage::LookUp, lookup_host(host)).await?.map_err(failed)?.collect();
    if found.is_empty() { Err(failed(io::ErrorKind::NotFound.into())) } else { Ok(found) }
}

async fn by<F: Future>(deadline: Instant, stage: Stage, future: F) -> Result<F::Output, ConnectError> {
    timeout_at(deadline, future).await.map_err(|_| ConnectError::TimedOut(stage))
}
