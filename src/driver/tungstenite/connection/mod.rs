//! A WebSocket without a socket: bytes in, bytes out.

mod input;
mod output;

use std::sync::Arc;

use core::fmt;

use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::Offline;
use super::errors::write_too_large;
use super::pipe::{self, Pipe};
use crate::config::Config;
use crate::dialect::Dialect;
use crate::driver::connecting::tungstenite_role;
use crate::event::{Action, CloseCode, Event, Reason};
use crate::liveness::Liveness;
use crate::observer::{Observed, Observer};
use crate::session::{Limits, Role, Session};
use crate::time::Timestamp;

/// A WebSocket with its heartbeat, for any loop that moves bytes: tungstenite's framing, a [`Session`] and a [`Liveness`] in
/// one piece. It has no socket and no clock.
///
/// Your loop repeats this turn, in this order, and reads the clock (`now`) at its beginning:
///
/// 1. while [`wants_write`](Self::wants_write): [`write_to`](Self::write_to), until `WouldBlock`;
/// 2. take the messages with [`recv`](Self::recv), before the first read too, because a message may have waited for step 1;
///    while [`wants_read`](Self::wants_read): [`read_from`](Self::read_from), until `WouldBlock`, and `recv` after each;
/// 3. [`poll`](Self::poll) until `None`. The connection has carried out each action, except [`Action::Disconnect`]: for
///    that, call [`write_rest`](Self::write_rest) and close the socket;
/// 4. if [`wants_shutdown`](Self::wants_shutdown): shut the socket's write half, and call [`shut`](Self::shut);
/// 5. wait until the socket is readable (if `wants_read`) or writable (if `wants_write`), or until
///    [`poll_timeout`](Self::poll_timeout).
///
/// If your thread loses its processor between the reading of the clock and a ping's write, the peer has that much less time
/// for its answer. A loop that may be so late reads the clock again: it writes [`outgoing`](Self::outgoing) and calls
/// [`sent`](Self::sent) with the moment after the write, or [`send_failed`](Self::send_failed).
/// [`LiveSocket`](super::LiveSocket) reads its clock so.
///
/// A loop with many connections may stop step 2 early: a verdict that the rest might refute is delayed. A loop that reads
/// and writes by completion, such as one on `io_uring`, uses [`receive`](Self::receive) and [`outgoing`](Self::outgoing) in
/// steps 1 and 2.
///
/// ```
/// use std::io::{self, Read, Write};
///
/// use liveness::driver::tungstenite::{Connection, Offline};
/// use liveness::{Action, Clock};
///
/// /// One turn over a non-blocking socket. An error: the connection is over.
/// fn turn(socket: &mut (impl Read + Write), peer: &mut Connection, clock: Clock) -> Result<(), Offline> {
///     let now = clock.now();
///     while peer.wants_write() && peer.write_to(socket, now).is_ok() {}
///     loop {
///         while let Some(message) = peer.recv(now) {
///             let _ = peer.send(message, now); // an echo; refused after the end has begun
///         }
///         if !peer.wants_read(now) || peer.read_from(socket, now).is_err() {
///             break;
///         }
///     }
///     while let Some(action) = peer.poll(now) {
///         if let Action::Disconnect = action {
///             let _ = peer.write_rest(socket);
///             return peer.offline().map_or(Ok(()), Err);
///         }
///     }
///     Ok(()) // now wait for the socket, or until `peer.poll_timeout(now)`
/// }
///
/// # use liveness::{Config, session::Role};
/// # struct Nothing;
/// # impl Read for Nothing { fn read(&mut self, _: &mut [u8]) -> io::Result<usize> { Ok(0) } }
/// # impl Write for Nothing {
/// #     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> { Ok(bytes.len()) }
/// #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
/// # }
/// # let clock = Clock::new();
/// # let mut peer = Connection::opened(Role::Server, Config::DEFAULT, None, 7, clock.now());
/// # assert!(turn(&mut Nothing, &mut peer, clock).is_err());
/// ```
///
/// [`Handshake`](super::Handshake) does the opening handshake.
pub struct Connection {
    socket: WebSocket<Pipe>,
    session: Session<Message>,
    peer: Observed,
    /// The last read found so much that there may be more: the next has a larger buffer.
    more: bool,
    /// The last read found nothing more.
    drained: bool,
    /// The input may still have frames, because the session wanted no more.
    undecoded: bool,
    /// Frames may have come with the handshake, and were not decoded yet.
    fresh: bool,
    /// Since when the caller has not asked for these frames.
    waiting_since: Option<Timestamp>,
    /// Tungstenite reports that both Close frames have passed, and reads no more.
    closed: bool,
    /// Bytes that the transport took but has not flushed.
    unflushed: usize,
    /// The latest turn that left something unread.
    suspended_at: Option<Timestamp>,
    cause: Option<Arc<tungstenite::Error>>,
    /// The error of writing. It is the cause of the end, unless the peer's last message is another.
    write_error: Option<Arc<tungstenite::Error>>,
    close_frame: Option<CloseFrame>,
}

impl Connection {
    /// A connection after its opening handshake, without any bytes that came after it. `settings` are tungstenite's;
    /// `None`: its defaults with a read buffer of 4 KiB, because a connection has a buffer of its own.
    ///
    /// A `write_timeout` of never becomes as long as `timeout`, because the connection sees each byte leave. Otherwise a
    /// ping behind a large download would count as written long before it leaves.
    #[must_use]
    pub fn opened(
        role: Role,
        config: Config,
        settings: Option<WebSocketConfig>,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        let settings = Some(pipe::settings(settings));
        let socket = WebSocket::from_raw_socket(Pipe::default(), tungstenite_role(role), settings);
        Self::new(socket, role, config, seed, now)
    }

    pub(super) fn new(
        mut socket: WebSocket<Pipe>,
        role: Role,
        config: Config,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        // Each frame goes to the output at once, which counts its bytes.
        socket.set_config(|settings| settings.write_buffer_size = 0);
        Self {
            socket,
            session: Session::new(role),
            peer: Observed::new(Liveness::new(config.for_drivers(), seed, now)),
            more: false,
            drained: false,
            undecoded: false,
            fresh: true,
            waiting_since: None,
            closed: false,
            unflushed: 0,
            suspended_at: None,
            cause: None,
            write_error: None,
            close_frame: None,
        }
    }

    /// Puts the heartbeat into messages of this [`dialect`](crate::dialect). Without it, pings are frames. Call it before
    /// anything is read. [`recv`](Self::recv) never returns a message of the heartbeat.
    ///
    /// ```
    /// use liveness::Timestamp;
    /// use liveness::dialect::graphql::TransportWs;
    /// use liveness::driver::tungstenite::Connection;
    /// use liveness::session::Role;
    ///
    /// let now = Timestamp::ZERO;
    /// let mut peer = Connection::opened(Role::Server, TransportWs::SERVER_CONFIG, None, 7, now).dialect(TransportWs);
    /// peer.probe(now);
    /// while peer.poll(now).is_some() {}
    /// let text = peer.outgoing().get(2..).unwrap_or_default();
    /// assert!(text.starts_with(br#"{"type":"ping","payload":{"ping":""#));
    /// ```
    #[must_use]
    pub fn dialect(mut self, dialect: impl Dialect + Send + 'static) -> Self {
        self.set_dialect(dialect);
        self
    }

    /// Sets how much is kept for a loop that does not call [`recv`](Self::recv). Call it before anything is read.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.set_limits(limits);
        self
    }

    pub(super) fn set_dialect(&mut self, dialect: impl Dialect + Send + 'static) {
        let latest = self.peer.liveness().latest();
        self.session.set_dialect(dialect, &mut self.peer, latest);
    }

    pub(super) const fn set_limits(&mut self, limits: Limits) {
        self.session.set_limits(limits);
    }

    /// Attaches an observer of each input and each action.
    pub fn observe(&mut self, observer: impl Observer + Send + 'static, now: Timestamp) {
        self.peer.observe(observer, now);
    }

    /// The next action. Call until `None`. The connection has already carried it out, except [`Action::Disconnect`]: close
    /// the transport.
    ///
    /// Read before you poll, because an answer in the kernel does not count yet.
    #[must_use = "a dropped action is a death never reported"]
    pub fn poll(&mut self, now: Timestamp) -> Option<Action> {
        self.decode_rest(now);
        // Once a turn, because all polls of a turn together are one look.
        if (!self.drained || self.undecoded) && self.suspended_at != Some(now) {
            self.suspended_at = Some(now);
            self.session.read_suspended(&mut self.peer, now);
        }
        let action = self.peer.poll(now)?;
        self.session.act(action, self.peer.liveness().verdict());
        self.pump(now);
        Some(action)
    }

    /// When to take the next turn, if no event comes before; `None`: not before the next event.
    #[must_use]
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        // After the verdict input is decoded in shares, with a rest after each. When the rest is over, the next turn decodes
        // the next share.
        let is_rested = self.undecoded && self.session.kept() == 0 && self.session.wants_read(now);
        if is_rested && self.peer.liveness().verdict().is_some() {
            return Some(now);
        }
        let own = self.session.poll_timeout(now);
        [self.peer.liveness().wake_at(), own].into_iter().flatten().min()
    }

    /// Closes with this code and the first 123 bytes of this text. Continue the turns until [`Action::Disconnect`], at the
    /// latest after `close_timeout`. You can still read the peer's last messages.
    pub fn close(&mut self, code: CloseCode, text: &str, now: Timestamp) {
        self.session.close(code, text, &mut self.peer, now);
    }

    /// Makes a ping due now: see [`Liveness::probe`]. An end whose dialect [never asks](Dialect::asks) sends none.
    pub fn probe(&mut self, now: Timestamp) {
        self.session.probe(&mut self.peer, now);
    }

    /// Replaces the settings: see [`Liveness::reconfigure`]. For numbers in the server's hello.
    pub fn reconfigure(&mut self, config: Config, now: Timestamp) {
        self.session.reconfigure(config.for_drivers(), &mut self.peer, now);
    }

    /// Ends the connection without another turn, because the caller drops it. Observers get [`Action::MarkOffline`] with
    /// [`Reason::LocalClosed`](crate::Reason::LocalClosed), unless there was a verdict, and [`Action::Disconnect`].
    /// [`outgoing`](Self::outgoing) then has a Close frame, which the caller may send.
    pub fn abandon(&mut self, now: Timestamp) {
        self.session.close(CloseCode::GOING_AWAY, "", &mut self.peer, now);
        while let Some(action) = self.peer.poll(now) {
            self.session.act(action, self.peer.liveness().verdict());
        }
        self.force_close(now);
        self.peer.handle(Event::Eof, now);
        while self.peer.poll(now).is_some() {}
    }

    /// The machine: its `status`, `rtt`, `stats` and `report`.
    #[must_use]
    pub const fn liveness(&self) -> &Liveness {
        self.peer.liveness()
    }

    /// Why the connection is over; `None` before the verdict.
    #[must_use]
    pub fn offline(&self) -> Option<Offline> {
        let reason = self.peer.liveness().verdict()?;
        let broken = self.write_error.as_ref().filter(|_| reason == Reason::TransportClosed);
        Some(Offline { reason, cause: self.cause.as_ref().or(broken).cloned() })
    }

    /// The peer's Close frame, after it has come.
    #[must_use]
    pub const fn close_frame(&self) -> Option<&CloseFrame> {
        self.close_frame.as_ref()
    }

    /// Whether [`poll`](Self::poll) has returned [`Action::Disconnect`]. No more actions will come.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.peer.liveness().is_finished()
    }
}

/// Why a message was refused. It has the message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is over or closing.
    Closed(Message),
    /// The message is larger than the room that tungstenite's setting `max_write_buffer_size` leaves beside the unsent
    /// bytes. The connection is not affected.
    Full(Message),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(_) => f.write_str("not sent: the connection is closed or closing"),
            Self::Full(message) => write_too_large(f, message),
        }
    }
}

impl core::error::Error for SendError {}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("machine", self.peer.liveness())
            .field("session", &self.session)
            .field("unsent", &self.unsent())
            .finish_non_exhaustive()
    }
}
