//! Tungstenite's opening handshake without a socket: bytes in, bytes out.

use std::boxed::Box;
use std::io::{self, Read, Write};

use core::fmt;

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::{ClientHandshake, Response};
use tungstenite::handshake::server::{Callback, NoCallback, ServerHandshake, write_response};
use tungstenite::handshake::{HandshakeError, HandshakeRole, MidHandshake};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, WebSocket};

use super::connection::Connection;
use super::pipe::{self, End, Pipe};
use crate::config::Config;
use crate::session::Role;
use crate::time::Timestamp;

/// An opening handshake. It has no deadline, so set your own, such as
/// [`HANDSHAKE_TIMEOUT`](crate::driver::HANDSHAKE_TIMEOUT).
///
/// Repeat these calls: [`write_to`](Self::write_to) while [`wants_write`](Self::wants_write), then
/// [`read_from`](Self::read_from), then [`poll`](Self::poll).
///
/// ```
/// use liveness::driver::tungstenite::Handshake;
/// use liveness::{Config, Timestamp};
///
/// let now = Timestamp::ZERO;
/// let mut client = Handshake::client("ws://localhost/", None)?;
/// let mut server = Handshake::server(None);
///
/// // In place of a network.
/// server.receive(client.outgoing());
/// let Some(server) = server.poll()? else { panic!("the request is complete") };
/// let server = server.watch(Config::DEFAULT, 7, now);
/// client.receive(server.outgoing()); // its response
/// let client = client.poll()?.expect("the response is complete");
/// assert_eq!(client.response().map(|response| response.status().as_u16()), Some(101));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Handshake<'a> {
    /// `None` after the end.
    step: Option<Box<dyn Step<'a> + Send + 'a>>,
    /// The bytes of a refusal.
    refusal: Pipe,
}

/// An open WebSocket without a heartbeat.
pub struct Opened {
    socket: WebSocket<Pipe>,
    role: Role,
    response: Option<Response>,
}

impl Opened {
    /// The server's response; `None` at a server.
    #[must_use]
    pub const fn response(&self) -> Option<&Response> {
        self.response.as_ref()
    }

    pub(super) fn pipe(&mut self) -> &mut Pipe {
        self.socket.get_mut()
    }

    pub(super) fn take_response(&mut self) -> Option<Response> {
        self.response.take()
    }

    /// Starts the heartbeat. `seed` is that of [`Liveness::new`](crate::Liveness::new), and `now` is the present.
    #[must_use]
    pub fn watch(self, config: Config, seed: u64, now: Timestamp) -> Connection {
        Connection::new(self.socket, self.role, config, seed, now)
    }
}

impl Handshake<'static> {
    /// A server's handshake. `settings` are tungstenite's; `None`: its defaults with a read buffer of 4 KiB, because a connection
    /// has a buffer of its own.
    #[must_use]
    pub fn server(settings: Option<WebSocketConfig>) -> Self {
        Self::server_with(NoCallback, settings)
    }

    /// A client's handshake, with this request or address.
    ///
    /// # Errors
    ///
    /// The request is not one for a WebSocket.
    pub fn client(request: impl IntoClientRequest, settings: Option<WebSocketConfig>) -> Result<Self, Error> {
        let request = request.into_client_request()?;
        let handshake = ClientHandshake::start(Pipe::default(), request, Some(pipe::settings(settings)))?;
        let mut this = Self { step: Some(Box::new(Client(handshake))), refusal: Pipe::default() };
        // Make the request, so that it can be sent.
        this.advance()?;
        Ok(this)
    }
}

impl<'a> Handshake<'a> {
    /// A server's handshake with a callback of tungstenite's, which may add headers, or refuse the request.
    #[must_use]
    pub fn server_with(callback: impl Callback + Send + 'a, settings: Option<WebSocketConfig>) -> Self {
        let handshake = ServerHandshake::start(Pipe::default(), callback, Some(pipe::settings(settings)));
        Self { step: Some(Box::new(Server(handshake))), refusal: Pipe::default() }
    }

    /// The open WebSocket; `None`: the handshake is not complete.
    ///
    /// # Errors
    ///
    /// The handshake failed. [`outgoing`](Self::outgoing) then has the answer for the peer: send it, then close.
    pub fn poll(&mut self) -> Result<Option<Opened>, Error> {
        self.advance()
    }

    /// Reads once from the transport. Returns how many bytes came; zero: the peer sends no more.
    ///
    /// # Errors
    ///
    /// Those of the transport, `WouldBlock` among them.
    pub fn read_from(&mut self, transport: &mut impl Read) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        let count = transport.read(&mut buffer)?;
        if count == 0 {
            self.pipe().end = Some(End::Eof);
        }
        self.receive(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// Takes bytes that arrived: for loops that read by completion.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.pipe().input.extend(bytes);
    }

    /// Whether something waits to be written.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.outgoing().is_empty()
    }

    /// Writes once to the transport. Returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// Those of the transport, `WouldBlock` among them.
    pub fn write_to(&mut self, transport: &mut impl Write) -> io::Result<usize> {
        let count = transport.write(self.outgoing())?;
        self.sent(count);
        transport.flush()?;
        Ok(count)
    }

    /// The bytes to write next.
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        self.step.as_ref().map_or(&self.refusal, |step| step.pipe()).output.as_slice()
    }

    /// Reports that this many bytes of [`outgoing`](Self::outgoing) have left.
    pub fn sent(&mut self, count: usize) {
        self.pipe().output.consume(count);
    }

    fn pipe(&mut self) -> &mut Pipe {
        match &mut self.step {
            Some(step) => step.pipe_mut(),
            None => &mut self.refusal,
        }
    }

    fn advance(&mut self) -> Result<Option<Opened>, Error> {
        let Some(step) = self.step.take() else { return Err(Error::AlreadyClosed) };
        match step.go() {
            Ok(Progress::Opened(opened)) => Ok(Some(*opened)),
            Ok(Progress::Waiting(step)) => {
                self.step = Some(step);
                Ok(None)
            }
            Err(error) => {
                if let Error::Http(response) = &error {
                    // A pipe takes every byte, so this never fails.
                    let _ = write_response(&mut self.refusal, response);
                    if let Some(body) = response.body() {
                        self.refusal.output.extend(body);
                    }
                }
                Err(error)
            }
        }
    }
}

enum Progress<'a> {
    Opened(Box<Opened>),
    Waiting(Box<dyn Step<'a> + Send + 'a>),
}

/// The handshake of either role.
trait Step<'a> {
    fn pipe(&self) -> &Pipe;
    fn pipe_mut(&mut self) -> &mut Pipe;
    fn go(self: Box<Self>) -> Result<Progress<'a>, Error>;
}

struct Server<C: Callback>(MidHandshake<ServerHandshake<Pipe, C>>);
struct Client(MidHandshake<ClientHandshake<Pipe>>);

impl<'a, C: Callback + Send + 'a> Step<'a> for Server<C> {
    fn pipe(&self) -> &Pipe {
        self.0.get_ref().get_ref()
    }
    fn pipe_mut(&mut self) -> &mut Pipe {
        self.0.get_mut().get_mut()
    }
    fn go(self: Box<Self>) -> Result<Progress<'a>, Error> {
        Ok(match unless_interrupted(self.0.handshake())? {
            Ok(socket) => Progress::Opened(Box::new(Opened { socket, role: Role::Server, response: None })),
            Err(handshake) => Progress::Waiting(Box::new(Self(handshake))),
        })
    }
}

impl<'a> Step<'a> for Client {
    fn pipe(&self) -> &Pipe {
        self.0.get_ref().get_ref()
    }
    fn pipe_mut(&mut self) -> &mut Pipe {
        self.0.get_mut().get_mut()
    }
    fn go(self: Box<Self>) -> Result<Progress<'a>, Error> {
        Ok(match unless_interrupted(self.0.handshake())? {
            Ok((socket, response)) => {
                Progress::Opened(Box::new(Opened { socket, role: Role::Client, response: Some(response) }))
            }
            Err(handshake) => Progress::Waiting(Box::new(Self(handshake))),
        })
    }
}

/// An interrupted handshake has not failed: it waits for more bytes.
fn unless_interrupted<R: HandshakeRole>(
    result: Result<R::FinalResult, HandshakeError<R>>,
) -> Result<Result<R::FinalResult, MidHandshake<R>>, Error> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(HandshakeError::Interrupted(handshake)) => Ok(Err(handshake)),
        Err(HandshakeError::Failure(error)) => Err(error),
    }
}

impl fmt::Debug for Handshake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("unsent", &self.outgoing().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("role", &self.role).finish_non_exhaustive()
    }
}
