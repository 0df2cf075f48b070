//! Clients that live: plain tungstenite, each with its own behaviour.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use liveness::{Clock, Timestamp};
use socket2::{Domain, Socket, Type};
use tungstenite::client::client_with_config;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, HandshakeError, Message, Result, WebSocket};

use crate::board::{Board, Change, Link, Rule};
use crate::cases::{CHAT, INTERVAL, LEAVE, TIMEOUT};

/// What a client does with its life. An error says how it lost its connection.
pub(crate) type Act = fn(&Seat) -> Result<()>;

const MIB: usize = 1 << 20;
/// Far less than the kernel would take by default, as on a small device.
const SMALL_BUFFER: usize = 64 * 1024;
/// Ten seconds of reading at `SLOWLY`.
const DOWNLOAD: usize = 32 * MIB;
/// In bytes a second. A ping behind the download is read after the 3 MiB or so that the kernel holds by then, which is in
/// time.
const SLOWLY: usize = 3 * MIB;
/// Without a limit.
const FREELY: usize = usize::MAX;

/// A client's place: where it connects, and by which name it is recorded.
pub(crate) struct Seat {
    /// Where its fault is recorded.
    pub(crate) board: Arc<Board>,
    /// The server's port.
    pub(crate) port: u16,
    /// The index of its case.
    pub(crate) case: usize,
    /// The rule that judges it.
    pub(crate) rule: Rule,
    /// Its number in the case.
    pub(crate) number: usize,
}

/// A client's stream, read no faster than its pace.
pub(crate) struct Line {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Both ports.
    pub(crate) link: Link,
    /// Bytes a second.
    pace: usize,
}

impl Line {
    /// The same life over another socket: one in front of a proxy.
    pub(crate) fn over(self, stream: TcpStream) -> Self {
        Self { stream, ..self }
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(SMALL_BUFFER);
        let count = self.stream.read(&mut buffer[..most])?;
        if self.pace < FREELY {
            thread::park_timeout(Duration::from_secs(1).mul_f64(count as f64 / self.pace as f64));
        }
        Ok(count)
    }
}

impl Write for Line {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// How a live client behaves.
#[derive(Clone, Copy)]
pub(crate) struct Manners {
    /// How often it says something; `Duration::MAX` for never.
    pub(crate) chat: Duration,
    /// How long it takes to answer a ping.
    pub(crate) think: Duration,
}

/// Talks, and answers at once.
pub(crate) const CHATTY: Manners = Manners { chat: CHAT, think: Duration::ZERO };

impl Seat {
    /// Connects, and is on the board from then on.
    pub(crate) fn dial(&self, receive_buffer: Option<usize>) -> io::Result<Line> {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if let Some(size) = receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        socket.connect(&server.into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        // A server that does not read must not keep our clients waiting.
        stream.set_write_timeout(Some(TIMEOUT))?;
        let link = Link { server: self.port, peer: stream.local_addr()?.port() };
        self.board.register(self.case, self.number, self.rule, link);
        Ok(Line { stream, link, pace: FREELY })
    }

    /// Connects and opens a WebSocket.
    pub(crate) fn open(&self) -> Result<WebSocket<Line>> {
        shake_hands(self.dial(None)?)
    }

    /// The demo's clock.
    pub(crate) fn clock(&self) -> Clock {
        self.board.clock
    }

    /// Behaves like a live client until this moment.
    pub(crate) fn converse(
        &self,
        socket: &mut WebSocket<Line>,
        manners: Manners,
        until: Timestamp,
    ) -> Result<()> {
        let mut chat_due = self.clock().now() + manners.chat;
        while self.clock().now() < until {
            if self.clock().now() >= chat_due {
                socket.send(Message::text("anybody there?"))?;
                chat_due += manners.chat;
            }
            let patience = chat_due.min(until).saturating_duration_since(self.clock().now());
            // Tungstenite holds its pong back until the next call, so a slow answer is a late call.
            if let Some(Message::Ping(_)) = receive(socket, patience)? {
                wait_until(self.clock(), until.min(self.clock().now() + manners.think));
            }
        }
        Ok(())
    }

    /// Notes on the board how a life ended that should last.
    pub(crate) fn keep(&self, link: Link, life: Result<()>) {
        if let Err(error) = life {
            self.board.record(link, Change::Lost(error.to_string()));
        }
    }
}

/// Opens a WebSocket over a connected line.
pub(crate) fn shake_hands(line: Line) -> Result<WebSocket<Line>> {
    let settings = WebSocketConfig::default().max_frame_size(Some(64 * MIB));
    let (socket, _) =
        client_with_config("ws://localhost/", line, Some(settings)).map_err(|error| match error {
            HandshakeError::Failure(error) => error,
            HandshakeError::Interrupted(_) => Error::Io(io::ErrorKind::WouldBlock.into()),
        })?;
    Ok(socket)
}

/// The next message, if it comes in time.
pub(crate) fn receive(socket: &mut WebSocket<Line>, patience: Duration) -> Result<Option<Message>> {
    // A timeout of zero would mean for ever.
    let patience = patience.max(Duration::from_millis(1));
    socket.get_ref().stream.set_read_timeout(Some(patience))?;
    match socket.read() {
        Ok(message) => Ok(Some(message)),
        Err(Error::Io(error)) if is_timeout(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A socket timeout is `WouldBlock` on Unix and `TimedOut` on Windows.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Waits for a moment.
pub(crate) fn wait_until(clock: Clock, moment: Timestamp) {
    while clock.now() < moment {
        thread::park_timeout(moment.saturating_duration_since(clock.now()));
    }
}

/// Sends nothing, and answers every ping.
pub(crate) fn idle(seat: &Seat) -> Result<()> {
    live(seat, Manners { chat: Duration::MAX, think: Duration::ZERO })
}

/// Sends nothing, and answers every ping when nine tenths of `TIMEOUT` are over.
pub(crate) fn answer_late(seat: &Seat) -> Result<()> {
    live(seat, Manners { chat: Duration::MAX, think: TIMEOUT.mul_f64(0.9) })
}

/// One of a crowd on a slow path. Some send so often that no ping is needed, and some do not. They are spread over the
/// cycle of a ping, so that the stall meets each of its phases.
pub(crate) fn stay(seat: &Seat) -> Result<()> {
    let chat = if seat.number % 2 == 0 { CHAT } else { INTERVAL.mul_f64(0.8) };
    wait_until(seat.clock(), Timestamp::ZERO + CHAT.mul_f64(seat.number as f64 / 8.0));
    live(seat, Manners { chat, think: Duration::from_millis(600) })
}

fn live(seat: &Seat, manners: Manners) -> Result<()> {
    let mut socket = seat.open()?;
    let life = seat.converse(&mut socket, manners, LEAVE);
    seat.keep(socket.get_ref().link, life);
    Ok(())
}

/// Asks for a large download, takes ten seconds to read it, and goes on talking.
pub(crate) fn read_slowly(seat: &Seat) -> Result<()> {
    let mut socket = shake_hands(seat.dial(Some(SMALL_BUFFER))?)?;
    let life = download(seat, &mut socket).and_then(|()| seat.converse(&mut socket, CHATTY, LEAVE));
    seat.keep(socket.get_ref().link, life);
    Ok(())
}

fn download(seat: &Seat, socket: &mut WebSocket<Line>) -> Result<()> {
    socket.get_mut().pace = SLOWLY;
    let asked_at = seat.clock().now();
    socket.send(Message::text(format!("flood {DOWNLOAD}")))?;
    while seat.clock().now() < LEAVE {
        match receive(socket, TIMEOUT)? {
            Some(Message::Binary(bytes)) if bytes.len() == DOWNLOAD => break,
            Some(_) | None => {}
        }
    }
    socket.get_mut().pace = FREELY;
    socket.send(Message::text("got it"))?;
    let took = seat.clock().now().saturating_duration_since(asked_at);
    if took < TIMEOUT * 3 || seat.clock().now() >= LEAVE {
        return Err(Error::Io(io::Error::other(format!("the download took {took:.1?}"))));
    }
    Ok(())
}
