//! Opens a blocking WebSocket: a handshake over a socket, with a time limit.

use std::io;

use core::time::Duration;

use tungstenite::Error;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response;
use tungstenite::handshake::server::Callback;
use tungstenite::protocol::WebSocketConfig;

use super::LiveSocket;
use super::handshake::{Handshake, Opened};
use super::transport::{BlockingSocket, CountingSocket, Transport};
use crate::config::Config;
use crate::driver::HANDSHAKE_TIMEOUT;
use crate::payload::random_seed;
use crate::time::{Clock, Timestamp};

/// An open WebSocket without a heartbeat.
#[derive(Debug)]
pub struct Ready<S> {
    transport: S,
    opened: Opened,
}

impl<S: Transport> Ready<S> {
    /// Starts the heartbeat.
    ///
    /// A driver sees writes, so a `write_timeout` of never becomes as long as `timeout`. Otherwise a ping behind a large
    /// download would count as written long before it leaves.
    #[must_use]
    pub fn watch(self, config: Config) -> LiveSocket<S> {
        self.watch_with_clock(config, Clock::new())
    }

    /// Starts the heartbeat, and reads this clock: for one that
    /// [counts the sleep](Clock#while-the-machine-sleeps) of the machine.
    #[must_use]
    pub fn watch_with_clock(self, config: Config, clock: Clock) -> LiveSocket<S> {
        let connection = self.opened.watch(config, random_seed(), clock.now());
        LiveSocket::new(self.transport, connection, clock)
    }
}

/// Accepts a WebSocket from a client, and starts its heartbeat.
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept<S: BlockingSocket>(stream: S, config: Config) -> Result<LiveSocket<CountingSocket<S>>, Error> {
    Ok(accept_raw(stream, None)?.watch(config))
}

/// Accepts a WebSocket with tungstenite's own settings. [`Ready::watch`] starts the heartbeat.
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept_raw<S: BlockingSocket>(
    stream: S,
    settings: Option<WebSocketConfig>,
) -> Result<Ready<CountingSocket<S>>, Error> {
    accept_over(CountingSocket::new(stream), settings)
}

/// Accepts a WebSocket over any [`Transport`], such as a TLS stream around a [`CountingSocket`], with tungstenite's own
/// settings. [`Ready::watch`] starts the heartbeat.
///
#[cfg_attr(feature = "rustls", doc = "```no_run")]
#[cfg_attr(not(feature = "rustls"), doc = "```ignore")]
/// # #![allow(dead_code)]
/// # type Tls = std::sync::Arc<rustls::ServerConfig>;
/// # fn serve(stream: std::net::TcpStream, tls: Tls) -> Result<(), Box<dyn std::error::Error>> {
/// use liveness::Config;
/// use liveness::driver::tungstenite::{CountingSocket, accept_over};
/// use rustls::{ServerConnection, StreamOwned};
///
/// let transport = StreamOwned::new(ServerConnection::new(tls)?, CountingSocket::new(stream));
/// let mut socket = accept_over(transport, None)?.watch(Config::DEFAULT);
/// # let _ = socket.read();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept_over<S: Transport>(transport: S, settings: Option<WebSocketConfig>) -> Result<Ready<S>, Error> {
    open(transport, Handshake::server(settings), Deadline::after(HANDSHAKE_TIMEOUT)).map(|(ready, _)| ready)
}

/// Like [`accept_over`], with a callback of tungstenite's for the request. The callback may add headers, or refuse the
/// request, for example by its path, a cookie or an origin.
///
/// ```no_run
/// # #![allow(dead_code)]
/// # fn serve(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// use liveness::Config;
/// use liveness::driver::tungstenite::{CountingSocket, accept_hdr};
/// use tungstenite::handshake::server::{Request, Response};
///
/// let mut path = String::new();
/// let look = |request: &Request, response: Response| {
///     path = request.uri().path().to_owned();
///     Ok(response)
/// };
/// let mut socket = accept_hdr(CountingSocket::new(stream), look, None)?.watch(Config::DEFAULT);
/// println!("{path}: {}", socket.read()?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`], or if the callback refuses.
pub fn accept_hdr<S: Transport, C: Callback + Send>(
    transport: S,
    callback: C,
    settings: Option<WebSocketConfig>,
) -> Result<Ready<S>, Error> {
    open(transport, Handshake::server_with(callback, settings), Deadline::after(HANDSHAKE_TIMEOUT))
        .map(|(ready, _)| ready)
}

/// Opens a WebSocket to a server over a connected stream, and starts its heartbeat.
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn client<R: IntoClientRequest, S: BlockingSocket>(
    request: R,
    stream: S,
    config: Config,
) -> Result<(LiveSocket<CountingSocket<S>>, Response), Error> {
    let (ready, response) = client_over(request, CountingSocket::new(stream), None)?;
    Ok((ready.watch(config), response))
}

/// Opens a WebSocket over any [`Transport`], such as a TLS stream around a [`CountingSocket`], with tungstenite's own
/// settings. [`Ready::watch`] starts the heartbeat.
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn client_over<R: IntoClientRequest, S: Transport>(
    request: R,
    transport: S,
    settings: Option<WebSocketConfig>,
) -> Result<(Ready<S>, Response), Error> {
    client_by(transport, Handshake::client(request, settings)?, Deadline::after(HANDSHAKE_TIMEOUT))
}

/// A client's handshake, with a deadline.
pub(super) fn client_by<S: Transport>(
    transport: S,
    handshake: Handshake<'_>,
    deadline: Deadline,
) -> Result<(Ready<S>, Response), Error> {
    match open(transport, handshake, deadline)? {
        (ready, Some(response)) => Ok((ready, response)),
        (_, None) => Err(Error::AlreadyClosed),
    }
}

/// A deadline on the system's clock.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    clock: Clock,
    at: Timestamp,
}

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        let clock = Clock::new();
        Self { clock, at: clock.now().saturating_add(time) }
    }

    pub(super) fn left(&self) -> Duration {
        self.at.saturating_duration_since(self.clock.now())
    }
}

fn open<S: Transport>(
    mut transport: S,
    mut handshake: Handshake<'_>,
    deadline: Deadline,
) -> Result<(Ready<S>, Option<Response>), Error> {
    transport.counting_socket().get_ref().tune();
    transport.counting_socket().get_ref().set_nonblocking(true)?;
    loop {
        let opened = handshake.poll();
        if let Ok(Some(mut opened)) = opened {
            // The response, at a server.
            while !opened.pipe().output.is_empty() || transport.wants_write() {
                let pipe = opened.pipe();
                match write_once(&mut transport, pipe.output.as_slice()) {
                    Err(error) if would_block(&error) => wait(&mut transport, false, true, deadline)?,
                    written => opened.pipe().output.consume(written?),
                }
            }
            let response = opened.take_response();
            return Ok((Ready { transport, opened }, response));
        }
        while handshake.wants_write() || transport.wants_write() {
            match handshake.write_to(&mut transport) {
                Err(error) if would_block(&error) => break,
                written => drop(written?),
            }
        }
        opened?;
        match handshake.read_from(&mut transport) {
            Err(error) if would_block(&error) => {
                let write = handshake.wants_write() || transport.wants_write();
                wait(&mut transport, true, write, deadline)?;
            }
            read => drop(read?),
        }
    }
}

fn write_once(transport: &mut impl Transport, bytes: &[u8]) -> io::Result<usize> {
    let count = if bytes.is_empty() { 0 } else { transport.write(bytes)? };
    transport.flush().map(|()| count)
}

fn wait(transport: &mut impl Transport, read: bool, write: bool, deadline: Deadline) -> io::Result<()> {
    let left = deadline.left();
    if left.is_zero() {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "the handshake took longer than 10 s"));
    }
    transport.counting_socket().get_ref().wait(read, write, Some(left)).map(drop)
}

/// Try again when the socket is ready. A signal is not a failure either.
fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
