//! Blocking tungstenite: a WebSocket that does its own heartbeating.
//!
//! [`accept`] or [`client`] a socket, then call [`LiveSocket::read`] in a loop, as before. Pings go out and deadlines
//! are kept while it waits; when the peer is given up, it closes the socket and returns the reason as an error: once the
//! peer has closed too, or after `close_timeout`. [`on_action`](LiveSocket::on_action) tells of the verdict itself.
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
//! A thread that also has to say what other threads want said reads with [`LiveSocket::read_within`].
//!
//! What tungstenite does by itself stays its own: it answers pings and echoes a Close; the driver sees to it that
//! both are flushed.
//!
//! # What it costs, what it bounds
//!
//! No thread and no timer: socket timeouts are set from `poll_timeout`. While a large message is being written, the
//! driver goes on reading, for the peer's pongs count; up to [`INBOX_MESSAGES`](super::INBOX_MESSAGES) messages or [`INBOX_BYTES`](super::INBOX_BYTES) are kept
//! for the next [`LiveSocket::read`], then it stops listening and says so to the machine: nobody is judged unheard.

mod handshake;
mod turn;
mod writing;

use std::string::String;

use core::fmt;
use core::time::Duration;

use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

pub use handshake::{accept, accept_hdr, accept_over, accept_raw, client, client_over};

use super::counting_socket::Transport;
use super::{Heartbeat, Inbox, at_most_123_bytes};
use crate::config::Config;
use crate::event::{Action, CloseCode, Reason};
use crate::liveness::Liveness;
use crate::observer::{Observed, Observer, OnAction};
use crate::payload::random_seed;
use crate::time::Clock;

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

/// The reason in words, and after a colon tungstenite's error, where there is one: `no answer to a ping in time`.
impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.description())?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl core::error::Error for Offline {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// A WebSocket and the machine that judges its peer.
///
/// Bytes that are there are read before any deadline is judged, and the time of a judgement is taken before that
/// reading: a process that was stopped in between judges nobody by what it had not read.
pub struct LiveSocket<S: Transport> {
    /// `None` once disconnected.
    socket: Option<WebSocket<S>>,
    machine: Observed,
    heartbeat: Heartbeat,
    clock: Clock,
    inbox: Inbox<Message>,
    /// Reading is paused: the inbox is full, or too many pongs are owed.
    paused: bool,
    /// Something may wait in tungstenite's write buffer.
    unflushed: bool,
    /// A ping is in that buffer.
    ping_unflushed: bool,
    /// Pongs that went into it since it was last empty.
    pongs_owed: usize,
    /// To the newest ping of the peer's that came as a text message.
    answer: Option<Message>,
    /// Nothing that arrives can be understood any more; it is only waited for to end.
    discarding: bool,
    cause: Option<tungstenite::Error>,
    /// What the caller gave as the text of its Close.
    close_text: Option<String>,
    close_frame: Option<CloseFrame>,
}

impl<S: Transport> LiveSocket<S> {
    /// Watches a WebSocket that is open.
    ///
    /// A driver sees writes, so a `write_timeout` of never becomes as long as `timeout`: else a ping behind a large
    /// download would count as written long before it is.
    pub fn new(socket: WebSocket<S>, config: Config) -> Self {
        let clock = Clock::new();
        let machine = Liveness::new(config.for_drivers(), random_seed(), clock.now());
        Self {
            socket: Some(socket),
            machine: Observed::new(machine),
            heartbeat: Heartbeat::Frames,
            clock,
            inbox: Inbox::new(),
            paused: false,
            unflushed: false,
            ping_unflushed: false,
            pongs_owed: 0,
            answer: None,
            discarding: false,
            cause: None,
            close_text: None,
            close_frame: None,
        }
    }

    /// Sends and takes pings and pongs of this kind; without it, frames. Say it before anything is read.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # fn serve(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use liveness::Config;
    /// use liveness::driver::{Heartbeat, tungstenite::accept};
    ///
    /// let mut socket = accept(stream, Config::DEFAULT)?.heartbeat(Heartbeat::Text);
    /// let said = socket.read()?; // never a ping or a pong, however many came
    /// # let _ = said;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Shows every action to `observer` before it is carried out: `MarkOnline`, `MarkSuspect`, `MarkOffline` and
    /// `Disconnect` are what a presence list wants.
    ///
    /// The verdict may fall while messages that came before it still wait to be read, so `MarkOffline` may come before the
    /// last of them do. Where a message begins something that the verdict ends, such as a user's connection in a
    /// [`Presence`](crate::Presence), end it after the last message as well.
    #[must_use]
    pub fn on_action(self, observer: impl FnMut(Action, &Liveness) + Send + 'static) -> Self {
        self.observe(OnAction::new(observer))
    }

    /// Tells this observer too of every input and every action: a `Recorder`, a `Traced`, one of your
    /// own. Several may be attached.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # fn serve(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use liveness::Config;
    /// use liveness::driver::tungstenite::accept;
    /// use liveness::transcript::{Page, Recorder};
    ///
    /// let life = Page::default(); // or a file
    /// let mut socket = accept(stream, Config::DEFAULT)?.observe(Recorder::new(life.clone()));
    /// while socket.read().is_ok() {}
    /// println!("{}", life.text());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + Send + 'static) -> Self {
        self.machine.observe(observer, self.clock.now());
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
            if let Some(message) = self.take_or_wait(None)? {
                return Ok(message);
            }
        }
    }

    /// As [`read`](Self::read), but gives up waiting after `patience`: `None`, and nothing is lost. For a thread that has
    /// more to do than to read, such as to send what others say. Zero looks once and does not wait.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// use std::sync::mpsc::Receiver;
    /// use std::time::Duration;
    ///
    /// use liveness::Config;
    /// use liveness::driver::tungstenite::accept;
    /// use tungstenite::Message;
    ///
    /// # type Result = std::result::Result<(), Box<dyn std::error::Error>>;
    /// # fn serve(stream: std::net::TcpStream, said_by_others: Receiver<Message>) -> Result {
    /// let mut socket = accept(stream, Config::DEFAULT)?;
    /// loop {
    ///     for message in said_by_others.try_iter() {
    ///         socket.send(message)?;
    ///     }
    ///     if let Some(message) = socket.read_within(Duration::from_millis(20))? {
    ///         println!("{message}");
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_within(&mut self, patience: Duration) -> Result<Option<Message>, Offline> {
        let end = self.clock.now().saturating_add(patience);
        loop {
            let left = end.saturating_duration_since(self.clock.now());
            let message = self.take_or_wait(Some(left))?;
            if message.is_some() || left.is_zero() {
                return Ok(message);
            }
        }
    }

    /// A message that has arrived, or one turn of waiting for it.
    fn take_or_wait(&mut self, patience: Option<Duration>) -> Result<Option<Message>, Offline> {
        if self.is_due() {
            self.judge();
        }
        let message = self.dequeue();
        if message.is_some() {
            return Ok(message);
        }
        if self.socket.is_none() {
            return Err(self.offline_error());
        }
        self.turn(patience);
        Ok(self.dequeue())
    }

    /// Writes a message and flushes it, heartbeating and reading while the peer is slow to take it.
    ///
    /// # Errors
    ///
    /// [`Offline`], when the connection is over or closing.
    pub fn send(&mut self, message: Message) -> Result<(), Offline> {
        let mut message = Some(message);
        loop {
            let Some(socket) = &mut self.socket else { return Err(self.offline_error()) };
            if !socket.can_write() {
                return self.run_to_end();
            }
            if self.is_broken() && !self.is_offline() && !self.inbox_has_room() {
                // The caller has something to say, and nobody to say it to.
                self.end_transport();
                self.judge();
                continue;
            }
            match message.take() {
                Some(Message::Close(frame)) => {
                    let code = frame.as_ref().and_then(|frame| CloseCode::new(frame.code.into()));
                    let text = frame.as_ref().map_or("", |frame| frame.reason.as_str());
                    self.close(code.unwrap_or(CloseCode::NORMAL), text);
                }
                Some(unwritten) => {
                    message = self.write(unwritten);
                    if message.is_some() {
                        self.turn(Some(Duration::ZERO));
                    }
                }
                None if self.unflushed => self.turn(Some(Duration::ZERO)),
                None => return Ok(()),
            }
        }
    }

    /// Closes: a Close frame with this code and text, at most 123 bytes of it, then [`read`](Self::read) until it
    /// returns [`Offline`], at the latest after `close_timeout`:
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # fn end(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut socket = liveness::driver::tungstenite::accept(stream, liveness::Config::DEFAULT)?;
    /// socket.close(liveness::CloseCode::GOING_AWAY, "the server restarts");
    /// while let Ok(message) = socket.read() {
    ///     println!("{message}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&mut self, code: CloseCode, text: &str) {
        self.close_text = Some(at_most_123_bytes(text).into());
        self.machine.close(code, self.clock.now());
        self.judge();
    }

    /// Makes a ping due now: the network changed, the laptop woke, a user is waiting.
    pub fn probe(&mut self) {
        self.machine.probe(self.clock.now());
        if !self.may_read() {
            // The caller has not read for long, and does not read now.
            self.pause();
        }
        self.judge();
    }
}

impl<S: Transport> fmt::Debug for LiveSocket<S> {
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
