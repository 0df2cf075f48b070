//! Dials a server: the look-up of its name, TCP, TLS, and the handshake.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::string::String;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::vec;
use std::vec::Vec;

use core::net::{IpAddr, SocketAddr};

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response;

use super::LiveSocket;
use super::handshake::Handshake;
use super::open::{Deadline, client_by};
use super::transport::{CountingSocket, MaybeTls};
use crate::config::Config;
use crate::driver::connecting::{Address, Tls, request_and_address, share};
use crate::driver::{ConnectError, Connector, HANDSHAKE_TIMEOUT, Stage};

/// The result of [`connect`]: a WebSocket over TCP, with TLS between them for `wss://`.
pub type ClientSocket = LiveSocket<MaybeTls<TcpStream>>;

/// Dials a server, opens a WebSocket to it and starts its heartbeat: `ws://host:port/path`, or `wss://` with feature
/// `rustls`.
///
/// It looks up the name, and tries each address in turn. All of it takes at most [`HANDSHAKE_TIMEOUT`].
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use liveness::Config;
/// use liveness::driver::tungstenite::connect;
///
/// let (mut socket, _response) = connect("ws://127.0.0.1:8080/", Config::DEFAULT)?;
/// loop {
///     println!("{}", socket.read()?); // the verdict is an error: dial again, as `Reconnect` says
/// }
/// # }
/// ```
///
/// # Errors
///
/// [`ConnectError`] says what was wrong, and [what to do next](ConnectError::then).
pub fn connect(
    request: impl IntoClientRequest,
    config: Config,
) -> Result<(ClientSocket, Response), ConnectError> {
    connect_with(request, &Connector::new(), config)
}

/// [`connect`] with a connector's TLS and settings.
///
/// # Errors
///
/// Those of [`connect`].
pub fn connect_with(
    request: impl IntoClientRequest,
    connector: &Connector,
    config: Config,
) -> Result<(ClientSocket, Response), ConnectError> {
    let deadline = Deadline::after(HANDSHAKE_TIMEOUT);
    let (request, address) = request_and_address(request)?;
    let tls = connector.tls_of(&address)?;
    let handshake = Handshake::client(request, connector.settings).map_err(ConnectError::Request)?;
    let transport = wrap(dial(&address, deadline)?, tls, &address)?;
    let (ready, response) = client_by(transport, handshake, deadline).map_err(ConnectError::of_handshake)?;
    Ok((ready.watch(config), response))
}

fn dial(address: &Address, deadline: Deadline) -> Result<TcpStream, ConnectError> {
    let mut refused = None;
    let addresses = look_up(address, deadline)?;
    for (tried, found) in addresses.iter().enumerate() {
        let patience = share(deadline.left(), addresses.len().saturating_sub(tried));
        if patience.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(found, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => refused = Some(error),
        }
    }
    Err(address.unreachable(refused))
}

/// Looks up a name on a separate thread, because a resolver has no other limit.
fn look_up(address: &Address, deadline: Deadline) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(ip) = address.host.parse::<IpAddr>() {
        return Ok(vec![(ip, address.port).into()]);
    }
    let failed = |error| ConnectError::LookUp { host: address.host.clone(), error };
    let (told, answer) = sync_channel(1);
    let (host, port): (String, u16) = (address.host.clone(), address.port);
    let look_up = move || {
        let found = (host, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // If it comes too late, nobody receives it.
        let _ = told.send(found);
    };
    thread::Builder::new().name("look up".into()).spawn(look_up).map_err(failed)?;
    match answer.recv_timeout(deadline.left()) {
        Ok(Ok(found)) if found.is_empty() => Err(failed(io::ErrorKind::NotFound.into())),
        Ok(found) => found.map_err(failed),
        Err(RecvTimeoutError::Timeout) => Err(ConnectError::TimedOut(Stage::LookUp)),
        Err(RecvTimeoutError::Disconnected) => Err(failed(io::ErrorKind::Other.into())),
    }
}

#[cfg(feature = "rustls")]
fn wrap(stream: TcpStream, tls: Option<Tls>, address: &Address) -> Result<MaybeTls<TcpStream>, ConnectError> {
    use std::boxed::Box;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConnection, StreamOwned};

    let socket = CountingSocket::new(stream);
    let Some(tls) = tls else { return Ok(MaybeTls::Plain(socket)) };
    let name =
        ServerName::try_from(address.host.clone()).map_err(|error| ConnectError::Tls(Box::new(error)))?;
    let connection = ClientConnection::new(tls, name).map_err(|error| ConnectError::Tls(Box::new(error)))?;
    Ok(MaybeTls::Tls(Box::new(StreamOwned::new(connection, socket))))
}

#[cfg(not(feature = "rustls"))]
fn wrap(stream: TcpStream, tls: Option<Tls>, _: &Address) -> Result<MaybeTls<TcpStream>, ConnectError> {
    let None = tls;
    Ok(MaybeTls::Plain(CountingSocket::new(stream)))
}
