//! Blocking tungstenite: a WebSocket that does its own heartbeating.
//!
//! [`accept`] or [`client`] a socket, then call [`LiveSocket::read`] in a loop, as before. Pings go out and deadlines
//! are kept while it waits; when the peer is given up, it closes the socket and returns the reason as an error.
//!
//! ```no_run
//! use std::net::TcpListener;
//! use std::thread;
//!
//! use liveness::Config;
//! use liveness::driver::tungstenite::accept;
//!
//! for stream in TcpListener::bind("127.0.0.1:8080")?.incoming().flatten() {
//!     thread::spawn(move || {
//!         let Ok(mut socket) = accept(stream, Config::DEFAULT) else { return };
//!         let offline = loop {
//!             match socket.read() {
//!                 Ok(message) => drop(socket.send(message)),
//!                 Err(offline) => break offline,
//!             }
//!         };
//!         println!("{offline}");
//!     });
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What tungstenite does by itself stays its own: it answers pings and echoes a Close; the driver sees to it that
//! both are flushed.
//!
//! # What it costs, what it bounds
//!
//! No thread and no timer: socket timeouts are set from `poll_timeout`. While a large message is being written, the
//! driver goes on reading, for the peer's pongs count; up to [`INBOX_MESSAGES`] messages or [`INBOX_BYTES`] bytes are kept
//! for the next [`LiveSocket::read`], then it stops listening and says so to the machine: nobody is judged unheard.

use std::boxed::Box;
use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::io::{self, Read as _};
use std::net::Shutdown;
use std::string::String;

use core::fmt;
use core::hash::BuildHasher;
use core::time::Duration;

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response;
use tungstenite::handshake::{HandshakeError, HandshakeRole};
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::meter::{Meter, Socket, Transport};
use crate::config::Config;
use crate::event::{Action, CloseCode, Event, Reason, Status};
use crate::liveness::{Liveness, Machine};
use crate::time::Clock;

/// How long the opening handshake may take, from the first byte to the last.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many messages are kept while the caller writes instead of reading.
pub const INBOX_MESSAGES: usize = 64;
/// How many bytes of messages are kept while the caller writes instead of reading.
pub const INBOX_BYTES: usize = 1 << 20;

/// How long one attempt to write may block: often enough for the pongs of a peer that reads slowly.
const WRITE_SLICE: Duration = Duration::from_millis(20);
/// How long one attempt to read may block while there is something to write.
const READ_SLICE: Duration = Duration::from_millis(5);
/// A rest after each read once the verdict has fallen, so that a peer that floods on costs nothing.
const CLOSING_REST: Duration = Duration::from_millis(5);

/// Accepts a WebSocket from a client, and watches it.
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept<S: Socket>(stream: S, config: Config) -> Result<LiveSocket<Meter<S>>, tungstenite::Error> {
    Ok(LiveSocket::new(accept_unwatched(stream, None)?, config))
}

/// Accepts a WebSocket with tungstenite's own settings, ready for [`LiveSocket::new`] or [`LiveSocket::with_machine`].
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept_unwatched<S: Socket>(
    stream: S,
    settings: Option<WebSocketConfig>,
) -> Result<WebSocket<Meter<S>>, tungstenite::Error> {
    accept_over(Meter::new(stream), settings)
}

/// Accepts a WebSocket over any [`Transport`]: a TLS stream around a [`Meter`].
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn accept_over<S: Transport>(
    mut transport: S,
    settings: Option<WebSocketConfig>,
) -> Result<WebSocket<S>, tungstenite::Error> {
    begin_handshake(&mut transport);
    tungstenite::accept_with_config(transport, settings).map_err(failure)
}

/// Opens a WebSocket to a server over a connected stream, and watches it.
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub fn client<R: IntoClientRequest, S: Socket>(
    request: R,
    stream: S,
    config: Config,
) -> Result<(LiveSocket<Meter<S>>, Response), tungstenite::Error> {
    let (socket, response) = client_over(request, Meter::new(stream))?;
    Ok((LiveSocket::new(socket, config), response))
}

/// Opens a WebSocket over any [`Transport`]: a TLS stream around a [`Meter`].
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
    transport.meter().begin_handshake(clock, clock.now().saturating_add(HANDSHAKE_TIMEOUT));
}

/// A blocking handshake is interrupted only by a socket that somebody made non-blocking.
fn failure<R: HandshakeRole>(error: HandshakeError<R>) -> tungstenite::Error {
    match error {
        HandshakeError::Failure(error) => error,
        HandshakeError::Interrupted(_) => tungstenite::Error::Io(io::ErrorKind::WouldBlock.into()),
    }
}

/// The connection is over, and closed.
#[derive(Debug)]
pub struct Offline {
    reason: Reason,
    cause: Option<tungstenite::Error>,
}

impl Offline {
    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Tungstenite's error, where one ended the connection: a frame against the protocol, a socket that failed.
    #[must_use]
    pub const fn cause(&self) -> Option<&tungstenite::Error> {
        self.cause.as_ref()
    }
}

impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl core::error::Error for Offline {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

type Watcher = Box<dyn FnMut(Action, &Liveness) + Send>;

/// A WebSocket and the machine that judges its peer.
///
/// Bytes that are there are read before any deadline is judged, and the time of a judgement is taken before that
/// reading: a process that was stopped in between judges nobody by what it had not read.
pub struct LiveSocket<S: Transport, M: Machine = Liveness> {
    /// `None` once disconnected.
    socket: Option<WebSocket<S>>,
    machine: M,
    clock: Clock,
    watcher: Option<Watcher>,
    inbox: VecDeque<Message>,
    inbox_bytes: usize,
    /// Reading is paused because the inbox is full.
    paused: bool,
    /// Something may wait in tungstenite's write buffer.
    unflushed: bool,
    /// A ping is in that buffer.
    ping_unflushed: bool,
    /// Nothing that arrives can be understood any more; it is only waited for to end.
    deaf: bool,
    cause: Option<tungstenite::Error>,
    /// What the caller gave as the text of its Close.
    farewell: Option<String>,
    close_frame: Option<CloseFrame>,
}

impl<S: Transport> LiveSocket<S> {
    /// Watches a WebSocket that is open.
    ///
    /// A driver sees writes, so a `write_timeout` of never becomes as long as `timeout`: else a ping behind a large
    /// download would count as written long before it is.
    pub fn new(socket: WebSocket<S>, config: Config) -> Self {
        let clock = Clock::new();
        let machine = Liveness::new(driven(config), random_seed(), clock.now());
        Self::with_machine(socket, machine, clock)
    }
}

/// The settings that a driver runs with: `write_timeout`, where it is never, is as long as `timeout`.
#[must_use]
pub fn driven(config: Config) -> Config {
    if config.write_timeout() < Duration::MAX {
        return config;
    }
    // Every timeout of a valid config is a valid write timeout.
    config.to_builder().write_timeout(config.timeout()).build().unwrap_or(config)
}

/// A seed that differs from connection to connection.
#[must_use]
pub fn random_seed() -> u64 {
    RandomState::new().hash_one(0)
}

impl<S: Transport, M: Machine> LiveSocket<S, M> {
    /// Watches a WebSocket with a machine of the caller's, such as a
    /// [`Recorder`](crate::transcript::Recorder), that was made at this clock's time, with a config from [`driven`].
    pub fn with_machine(socket: WebSocket<S>, machine: M, clock: Clock) -> Self {
        Self {
            socket: Some(socket),
            machine,
            clock,
            watcher: None,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            paused: false,
            unflushed: false,
            ping_unflushed: false,
            deaf: false,
            cause: None,
            farewell: None,
            close_frame: None,
        }
    }

    /// Shows every action to `watcher` as it is carried out: `MarkOnline`, `MarkSuspect`, `MarkOffline` and
    /// `Disconnect` are what a presence list wants.
    #[must_use]
    pub fn on_action(mut self, watcher: impl FnMut(Action, &Liveness) + Send + 'static) -> Self {
        self.watcher = Some(Box::new(watcher));
        self
    }

    /// The machine: its `status`, `rtt`, `stats` and `report`.
    pub fn liveness(&self) -> &Liveness {
        self.machine.liveness()
    }

    /// The clock of the machine's timestamps.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// The Close frame that the peer sent, once it has.
    pub const fn close_frame(&self) -> Option<&CloseFrame> {
        self.close_frame.as_ref()
    }

    /// The next data message; until it comes, all the heartbeating.
    ///
    /// # Errors
    ///
    /// [`Offline`], when the connection is over and its socket closed. Messages that arrived before come first.
    pub fn read(&mut self) -> Result<Message, Offline> {
        loop {
            if self.is_due() {
                self.judge();
            }
            if let Some(message) = self.take() {
                return Ok(message);
            }
            if self.socket.is_none() {
                return Err(self.offline());
            }
            self.turn(None);
        }
    }

    /// Writes a message and flushes it, heartbeating and reading while the peer is slow to take it.
    ///
    /// # Errors
    ///
    /// [`Offline`], when the connection is over or closing.
    pub fn send(&mut self, message: Message) -> Result<(), Offline> {
        let mut message = Some(message);
        loop {
            let Some(socket) = &mut self.socket else { return Err(self.offline()) };
            if !socket.can_write() {
                return self.finish();
            }
            match message.take() {
                Some(Message::Close(frame)) => {
                    let code = frame.as_ref().and_then(|frame| CloseCode::new(frame.code.into()));
                    let text = frame.as_ref().map_or("", |frame| frame.reason.as_str());
                    self.close(code.unwrap_or(CloseCode::NORMAL), text);
                }
                Some(unwritten) => message = self.write(unwritten),
                None if self.unflushed => self.turn(Some(Duration::ZERO)),
                None => return Ok(()),
            }
        }
    }

    /// Closes: a Close frame with this code and text, at most 123 bytes of it, then [`read`](Self::read) until it
    /// returns [`Offline`].
    pub fn close(&mut self, code: CloseCode, text: &str) {
        self.farewell = Some(at_most_123_bytes(text).into());
        self.machine.close(code, self.clock.now());
        self.judge();
    }

    /// Makes a ping due now: the network changed, the laptop woke, a user is waiting.
    pub fn probe(&mut self) {
        self.machine.probe(self.clock.now());
        self.judge();
    }

    // -- The turn

    /// Writes what waits, reads what comes within `patience`, and judges if a deadline has come.
    fn turn(&mut self, patience: Option<Duration>) {
        self.flush();
        let due = self.machine.liveness().poll_timeout();
        let left = due.map(|due| due.saturating_duration_since(self.clock.now()));
        let slice = self.unflushed.then_some(READ_SLICE);
        let patience = [left, slice, patience].into_iter().flatten().min();
        if self.may_read() {
            self.receive(patience);
        }
        if self.is_due() {
            self.judge();
        }
    }

    fn is_due(&self) -> bool {
        self.machine.liveness().poll_timeout().is_some_and(|due| due <= self.clock.now())
    }

    /// Reads everything that has arrived by now, then lets the machine judge as of now.
    fn judge(&mut self) {
        let now = self.clock.now();
        for _ in 0..READS_BEFORE_VERDICT {
            if self.is_offline() || !self.may_read() || self.receive(Some(Duration::ZERO)) == Receipt::Drained
            {
                break;
            }
        }
        if !self.may_read() && !self.paused {
            self.paused = true;
            self.hear(Event::ReadPaused);
        }
        while let Some(action) = self.machine.poll(now) {
            self.carry_out(action);
            if let Some(watcher) = &mut self.watcher {
                watcher(action, self.machine.liveness());
            }
        }
        self.flush();
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::SendPing(payload) => {
                self.ping_unflushed = true;
                let _ = self.write(Message::Ping(payload.as_bytes().to_vec().into()));
            }
            Action::Close(code) => self.write_close(code),
            Action::Disconnect => self.disconnect(),
            Action::MarkOnline | Action::MarkSuspect | Action::MarkOffline(_) => {}
        }
    }

    fn is_offline(&self) -> bool {
        self.machine.liveness().status() == Status::Offline
    }

    // -- Reading

    /// There is room for what might come. After the verdict what does not fit is dropped.
    fn may_read(&self) -> bool {
        self.is_offline() || (self.inbox.len() < INBOX_MESSAGES && self.inbox_bytes < INBOX_BYTES)
    }

    /// One read of the socket, or one message that an earlier one brought.
    fn receive(&mut self, patience: Option<Duration>) -> Receipt {
        if self.is_offline() {
            std::thread::park_timeout(CLOSING_REST);
        }
        let Some(socket) = &mut self.socket else { return Receipt::Drained };
        let (received, sent) = counts(socket);
        if let Err(error) = socket.get_mut().meter().begin_turn(patience, WRITE_SLICE) {
            self.failed(error.into());
            return Receipt::Drained;
        }
        if self.deaf {
            return self.swallow();
        }
        let result = socket.read();
        let progress = counts(socket).0 > received;
        if counts(socket).1 > sent {
            self.hear(Event::Wrote);
        }
        match result {
            Ok(message) => self.arrived(message),
            Err(error) => {
                if progress {
                    self.hear(Event::Progress);
                }
                self.failed(error);
            }
        }
        self.receipt()
    }

    /// Reads and drops what nobody can understand any more, to learn when it ends.
    fn swallow(&mut self) -> Receipt {
        let Some(socket) = &mut self.socket else { return Receipt::Drained };
        let mut scrap = [0; 16 * 1024];
        // The meter has seen the error or the end, if it was one.
        let _ = socket.get_mut().meter().read(&mut scrap);
        self.receipt()
    }

    /// Whether there may be more; and the end of the transport, which the meter sees under any layer of TLS.
    fn receipt(&mut self) -> Receipt {
        let Some(socket) = &mut self.socket else { return Receipt::Drained };
        let meter = socket.get_mut().meter();
        if meter.ended() {
            self.hear(Event::Eof);
            return Receipt::Drained;
        }
        if meter.drained() { Receipt::Drained } else { Receipt::More }
    }

    fn arrived(&mut self, message: Message) {
        match message {
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => {
                self.hear(Event::Data);
                if self.may_keep() {
                    self.inbox_bytes = self.inbox_bytes.saturating_add(message.len());
                    self.inbox.push_back(message);
                }
            }
            Message::Ping(_) => {
                // Tungstenite has its pong ready, and would send it with the next read.
                self.unflushed = true;
                self.hear(Event::Ping);
            }
            Message::Pong(payload) => self.hear(Event::Pong(&payload)),
            Message::Close(frame) => {
                self.unflushed = true;
                self.hear(Event::Close(frame.as_ref().map(|frame| frame.code.into())));
                self.close_frame = frame;
            }
        }
    }

    fn may_keep(&self) -> bool {
        self.inbox.len() < INBOX_MESSAGES
    }

    fn take(&mut self) -> Option<Message> {
        let message = self.inbox.pop_front()?;
        self.inbox_bytes = self.inbox_bytes.saturating_sub(message.len());
        if self.paused && self.may_read() {
            self.paused = false;
            self.hear(Event::ReadResumed);
        }
        Some(message)
    }

    fn hear(&mut self, event: Event<'_>) {
        self.machine.handle(event, self.clock.now());
    }

    // -- Writing

    /// Gives a message to tungstenite, and back if its buffer is full.
    fn write(&mut self, message: Message) -> Option<Message> {
        let clean = !self.unflushed;
        self.unflushed = true;
        match self.moving(|socket| socket.write(message)) {
            Some(tungstenite::Error::WriteBufferFull(message)) if !clean => Some(*message),
            Some(error) => {
                self.failed(error);
                None
            }
            None => None,
        }
    }

    fn write_close(&mut self, code: Option<CloseCode>) {
        self.unflushed = true;
        if matches!(self.machine.liveness().verdict(), Some(Reason::PeerClosed(_))) {
            // Tungstenite has the echo ready; `judge` flushes it.
            return;
        }
        let text = self.farewell.take();
        let text =
            text.unwrap_or_else(|| self.machine.liveness().verdict().map_or("", Reason::as_str).into());
        let frame = code.map(|code| CloseFrame { code: code.get().into(), reason: text.into() });
        if let Some(error) = self.moving(|socket| socket.close(frame)) {
            self.failed(error);
        }
    }

    /// Writes what waits in tungstenite's buffer, for at most a slice of time.
    fn flush(&mut self) {
        if !self.unflushed || self.socket.is_none() {
            return;
        }
        match self.moving(WebSocket::flush) {
            None => self.flushed(),
            // A server's echo is written, and with it everything.
            Some(error @ tungstenite::Error::ConnectionClosed) => {
                self.flushed();
                self.failed(error);
            }
            Some(error) => self.failed(error),
        }
    }

    fn flushed(&mut self) {
        self.unflushed = false;
        if self.ping_unflushed {
            self.ping_unflushed = false;
            self.hear(Event::PingSent);
        }
        if let Some(socket) = self.socket.as_mut().filter(|_| self.deaf) {
            // Our last word is out: tell the peer, so that it hangs up.
            socket.get_mut().meter().shutdown(Shutdown::Write);
        }
    }

    /// Does something to the socket that writes, within a turn, and reports the bytes that moved.
    fn moving(
        &mut self,
        write: impl FnOnce(&mut WebSocket<S>) -> tungstenite::Result<()>,
    ) -> Option<tungstenite::Error> {
        let socket = self.socket.as_mut()?;
        let (_, sent) = counts(socket);
        if let Err(error) = socket.get_mut().meter().begin_turn(Some(Duration::ZERO), WRITE_SLICE) {
            return Some(error.into());
        }
        let result = write(socket);
        if counts(socket).1 > sent {
            self.hear(Event::Wrote);
        }
        result.err()
    }

    // -- Ending

    /// Sorts tungstenite's errors: not now, all is said, the transport is gone, or the peer broke the rules.
    fn failed(&mut self, error: tungstenite::Error) {
        use tungstenite::Error;
        use tungstenite::error::ProtocolError;
        let code = match &error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Error::ConnectionClosed | Error::AlreadyClosed => {
                self.deaf = true;
                return self.flushed_if_clean();
            }
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_) | Error::Tls(_) => {
                self.cause = Some(error);
                return self.hear(Event::Eof);
            }
            Error::Capacity(_) | Error::WriteBufferFull(_) => CloseCode::TOO_BIG,
            Error::Utf8(_) => CloseCode::INVALID_PAYLOAD,
            Error::Protocol(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => CloseCode::PROTOCOL_ERROR,
        };
        // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
        self.farewell = Some(at_most_123_bytes(&std::format!("{error}")).into());
        self.cause = Some(error);
        self.deaf = true;
        self.machine.close(code, self.clock.now());
    }

    fn flushed_if_clean(&mut self) {
        if !self.unflushed {
            self.flushed();
        }
    }

    fn disconnect(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.get_mut().meter().shutdown(Shutdown::Both);
        }
    }

    /// Heartbeats until the socket is closed.
    fn finish(&mut self) -> Result<(), Offline> {
        while self.socket.is_some() {
            self.turn(None);
        }
        Err(self.offline())
    }

    fn offline(&mut self) -> Offline {
        let reason = self.machine.liveness().verdict().unwrap_or(Reason::TransportClosed);
        Offline { reason, cause: self.cause.take() }
    }
}

/// More than a full inbox takes, and a bound where a peer sends faster than we read.
const READS_BEFORE_VERDICT: usize = 16 * 1024;

/// Whether a read left anything unread.
#[derive(PartialEq, Eq)]
enum Receipt {
    More,
    Drained,
}

/// Bytes received and sent.
fn counts<S: Transport>(socket: &mut WebSocket<S>) -> (u64, u64) {
    let meter = socket.get_mut().meter();
    (meter.received(), meter.sent())
}

/// RFC 6455 5.5: a control frame holds 125 bytes, of which the code takes two.
fn at_most_123_bytes(text: &str) -> &str {
    let end = (0..=text.len().min(123)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

impl<S: Transport, M: Machine> fmt::Debug for LiveSocket<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSocket")
            .field("machine", self.machine.liveness())
            .field("open", &self.socket.is_some())
            .field("inbox", &self.inbox.len())
            .field("paused", &self.paused)
            .field("unflushed", &self.unflushed)
            .finish_non_exhaustive()
    }
}
