//! One connection's decisions between its [`Liveness`](crate::Liveness) and its socket.
//!
//! A [`Session`] decides what is kept for a caller that does not read, when reading stops, in which order our own frames go
//! out, and what is left to do after a verdict. It has no socket, no clock, no waker and no thread. It does not own the
//! machine: each input names its [`Peer`], which is a [`Liveness`](crate::Liveness), an observed one or a fleet's entry. A
//! session is for authors of drivers. If there is a driver (`driver`) for your library, use that: it has a session
//! inside.
//!
//! # The turn
//!
//! A driver repeats this turn. `library` is the WebSocket library that turns frames into bytes.
//!
//! ```text
//! 1. write   while let Some(out) = session.poll_write() { give it to the library; report what left: `sent`, `flushed`, `write_blocked` }
//! 2. read    while session.wants_read(now) { match library.read() {
//!                a frame     => session.received(..): if it is the caller's, hand it over (`delivered`) or `keep` it
//!                nothing     => { session.read_blocked(..); break }
//!                an error    => { session.failed(..); break } } }
//!            if the loop stops earlier: session.read_suspended(..)
//! 3. judge   while let Some(action) = machine.poll(now) { session.act(action, machine.verdict()) }
//! 4. wait    until the socket is readable, if `wants_read`; writable, if something waits to be written;
//!            or the earlier of the machine's and the session's `poll_timeout`
//! ```
//!
//! The thread may lose its processor between any two of these steps. So date what was read or written by a clock that is read
//! *after* the library's call, and poll the machine with a moment from *before* the last read: what is dated too early costs
//! the peer as much of its time for an answer, and what arrived before the moment of a poll must have been read. If the
//! deadline of step 4 has passed, do not wait, and take the next turn.
//!
//! ```
//! use liveness::session::{Inbound, Outbound, Role, Session};
//! use liveness::{Config, Liveness, Timestamp};
//!
//! let now = Timestamp::ZERO;
//! let mut peer = Liveness::new(Config::DEFAULT, 7, now);
//! let mut session: Session<String> = Session::new(Role::Server);
//!
//! // The caller writes and does not read: what arrives is kept for it.
//! assert!(session.received(Inbound::Data, &mut peer, now));
//! session.keep("hello".into(), 5);
//! session.read_blocked(&mut peer, now);
//! assert_eq!(session.take(&mut peer, now).as_deref(), Some("hello"));
//!
//! // The machine wants a ping. It goes to the library, and is flushed before anything of the caller's.
//! peer.probe(now);
//! while let Some(action) = peer.poll(now) {
//!     session.act(action, peer.verdict());
//! }
//! assert!(matches!(session.poll_write(), Some(Outbound::Ping(_))));
//! assert!(matches!(session.poll_write(), Some(Outbound::Flush)));
//! session.flushed(&mut peer, now);
//! assert!(session.poll_write().is_none());
//! ```
//!
//! # What is promised
//!
//! - No input panics. [`Limits`], and one message more, bound what is kept. They also bound the answers that wait to be
//!   written, Pongs and those of a [dialect](Session::set_dialect).
//! - Our frames leave in this order: answers, the ping, the caller's messages, the Close. Nothing follows a Close.
//! - `ReadPaused` and `ReadResumed` alternate. While reading is paused, `wants_read` is false.
//! - After a write has failed, everything that had arrived before is read first. Then the end is reported.

mod error_kind;
mod heartbeat;
mod inbox;
mod peer;
mod reading;
mod writing;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;

use core::fmt;

pub use self::error_kind::ErrorKind;
use self::heartbeat::Heartbeat;
use self::inbox::Inbox;
pub use self::inbox::Limits;
pub use self::peer::Peer;
pub(crate) use self::peer::sealed;
#[cfg(feature = "tungstenite")]
pub(crate) use self::reading::LOOK_WHILE_WRITING;
use self::reading::Rest;
pub use self::writing::Outbound;
use self::writing::{CloseState, Ping};
use crate::dialect::{Heard, Message, MessageBuf};
use crate::event::{Action, CloseCode, Event, Reason};
use crate::time::Timestamp;

/// The end of the connection that this is. After the closing handshake a server hangs up at once, and a client waits for the
/// server to do so (RFC 6455 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// The end that accepted.
    Server,
    /// The end that dialled.
    Client,
}

/// What the library read: the part that a session needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inbound<'a> {
    /// A data message. If the session has a [dialect](Session::set_dialect), the dialect decides what it means.
    Message(Message<'a>),
    /// A data message that the dialect must not look at.
    Data,
    /// A data message that the program's own codec has already classified. Pass its answer to [`Session::answer`].
    Heard(Heard),
    /// A Ping frame with this payload.
    Ping(&'a [u8]),
    /// A Pong frame with this payload.
    Pong(&'a [u8]),
    /// A Close frame with this code, if it has one.
    Close(Option<u16>),
}

/// The decisions of one connection that are not about time. `T` is the library's message type. The module's page has the
/// turn.
pub struct Session<T> {
    limits: Limits,
    role: Role,
    /// The library answers Pings and echoes a Close by itself.
    library_answers: bool,
    heartbeat: Heartbeat,

    inbox: Inbox<T>,
    /// Reading is paused, and the machine was told.
    paused: bool,
    /// Since this moment each turn has ended with a full inbox, and the caller took nothing.
    full_since: Option<Timestamp>,
    /// When the caller last received a message.
    delivered_at: Option<Timestamp>,
    /// Bytes arrived that have completed no message yet.
    progress: bool,
    /// Since this moment the caller has had a message and asked for no other, while more may have arrived.
    away_since: Option<Timestamp>,
    /// When everything that had arrived was last known to be read.
    looked_at: Timestamp,
    /// What still arrives is dropped until the transport ends.
    discarding: bool,
    /// After the verdict a message found no room. The caller gets no later message either.
    lost_message: bool,
    rest: Rest,

    /// Bytes that have left.
    sent: u64,
    /// The driver reports how many bytes leave.
    counted: bool,
    /// The library may hold something that has not left.
    unflushed: bool,
    /// Answers in messages, in the order of the questions.
    answers: VecDeque<MessageBuf>,
    /// Answers of either kind that the library has taken since its buffer was last empty.
    answers_in_library: usize,
    /// The payload of the peer's newest Ping, if the library does not answer it (RFC 6455 5.5.3: older ones need no answer).
    pong: Option<Box<[u8]>>,
    ping: Ping,
    close: CloseState,
    /// The text of our Close frame: the caller's, otherwise the error's.
    close_text: Option<String>,
    /// Nothing can be written any more.
    write_broken: bool,
    /// The write half of the transport is shut.
    write_shut: bool,

    peer_closed: bool,
    /// The verdict has been handed out.
    offline: bool,
    /// An error was kept as the cause of the end.
    has_cause: bool,
    /// The machine has been told that the transport ended.
    ended: bool,
    disconnected: bool,
}

impl<T> Session<T> {
    /// A session for an open connection, with [`Limits::DEFAULT`]. It assumes that the library answers Pings and echoes a
    /// Close by itself, as most do; otherwise call [`answers_itself`](Self::answers_itself).
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            limits: Limits::DEFAULT,
            role,
            library_answers: true,
            heartbeat: Heartbeat::FRAMES,
            inbox: Inbox::new(),
            paused: false,
            full_since: None,
            delivered_at: None,
            progress: false,
            away_since: None,
            looked_at: Timestamp::ZERO,
            discarding: false,
            lost_message: false,
            rest: Rest::NONE,
            sent: 0,
            counted: false,
            unflushed: false,
            answers: VecDeque::new(),
            answers_in_library: 0,
            pong: None,
            ping: Ping::None,
            close: CloseState::Open,
            close_text: None,
            write_broken: false,
            write_shut: false,
            peer_closed: false,
            offline: false,
            has_cause: false,
            ended: false,
            disconnected: false,
        }
    }

    /// Sets the limits of what is kept. Call it before anything is read.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.set_limits(limits);
        self
    }

    /// Changes the end that this is. Call it before anything is read.
    pub const fn set_role(&mut self, role: Role) {
        self.role = role;
    }

    /// Sets the limits in place: see [`limits`](Self::limits).
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// For a library that answers neither a Ping nor a Close: [`poll_write`](Self::poll_write) returns the Pong and the
    /// echo.
    #[must_use]
    pub const fn answers_itself(mut self) -> Self {
        self.library_answers = false;
        self
    }

    /// Takes an action of the machine. `verdict` is the machine's; the text of a Close is made from it.
    pub fn act(&mut self, action: Action, verdict: Option<Reason>) {
        match action {
            Action::SendPing(payload) => self.ping = Ping::Wanted(payload),
            Action::MarkOffline(_) => self.offline = true,
            Action::Close(code) => self.begin_close(code, verdict),
            Action::Disconnect => self.disconnect(),
            Action::MarkOnline | Action::MarkSuspect => {}
        }
    }

    /// Closes the connection with this code and text. The text is cut to 123 bytes (RFC 6455 5.5). Does nothing after a
    /// verdict.
    pub fn close(&mut self, code: CloseCode, text: &str, peer: &mut impl Peer, now: Timestamp) {
        if peer.verdict().is_none() {
            self.close_text = Some(at_most_123_bytes(text).into());
            peer.close(code, now);
        }
    }

    /// Reports that the library failed to read or to frame. Returns true if this error is the cause of the end: keep it for
    /// the caller.
    ///
    /// `text` is the text of the Close that the peer gets if the fault is its own.
    pub fn failed(
        &mut self,
        kind: ErrorKind,
        text: &dyn fmt::Display,
        peer: &mut impl Peer,
        now: Timestamp,
    ) -> bool {
        match kind {
            ErrorKind::Closed => {
                self.library_closed(peer, now);
                false
            }
            ErrorKind::Transport => {
                let first = self.is_first_cause(peer);
                self.end(peer, now);
                first
            }
            ErrorKind::Rejected => false,
            ErrorKind::Protocol(_) if self.ended || self.discarding => false,
            ErrorKind::Protocol(code) => {
                let first = self.is_first_cause(peer);
                // RFC 6455 7.1.7: fail the connection. The border between one frame and the next is lost.
                self.discarding = true;
                if peer.verdict().is_none() {
                    self.close_text = Some(at_most_123_bytes(&alloc::format!("{text}")).into());
                }
                self.hear(Event::Violation(code), peer, now);
                first
            }
        }
    }

    /// Reports that the transport ended: the peer sends no more, or the transport failed.
    pub fn read_ended(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.end(peer, now);
    }

    /// What arrives must not go to the library. Read it as bytes, drop them, and report their number with
    /// [`received_bytes`](Self::received_bytes).
    #[must_use]
    pub const fn is_discarding(&self) -> bool {
        self.discarding
    }

    /// [`act`](Self::act) was given [`Action::Disconnect`]: close the transport and free everything, except the messages
    /// that [`take`](Self::take) still returns.
    #[must_use]
    pub const fn is_disconnected(&self) -> bool {
        self.disconnected
    }

    /// When the session must be asked again; `None`: not before the next input. A peer that keeps sending after its verdict
    /// is read with rests, and this is the end of the rest.
    #[must_use]
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        (self.rest.until > now && !self.ended).then_some(self.rest.until)
    }

    fn is_first_cause(&mut self, peer: &impl Peer) -> bool {
        peer.verdict().is_none() && !core::mem::replace(&mut self.has_cause, true)
    }

    /// The transport has ended, or there is nothing left to wait for.
    fn end(&mut self, peer: &mut impl Peer, now: Timestamp) {
        if !core::mem::replace(&mut self.ended, true) {
            peer.handle(Event::Eof, now);
        }
    }

    fn disconnect(&mut self) {
        self.disconnected = true;
        self.ended = true;
        self.drop_writes();
    }
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("inbox", &self.inbox.len())
            .field("paused", &self.paused)
            .field("discarding", &self.discarding)
            .field("unflushed", &self.unflushed)
            .field("ping", &self.ping)
            .field("close", &self.close)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// RFC 6455 5.5: a control frame holds 125 bytes, and the code takes two of them.
fn at_most_123_bytes(text: &str) -> &str {
    let end = (0..=text.len().min(123)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}
