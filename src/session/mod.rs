//! What one connection's driver decides, beside moving bytes.
//!
//! Between a [`Liveness`](crate::Liveness) and a socket lie decisions that are no rules of time: what is kept for a caller that does not
//! read, when reading stops, in which order our own frames go out, what is left to do after a verdict. A [`Session`] takes
//! them, and nothing else does. It has no socket, no clock, no waker and no thread. It does not own the machine, so that a
//! [`Liveness`](crate::Liveness), an observed one or a fleet's entry can be behind it: each input names its [`Peer`].
//!
//! # The turn
//!
//! A driver repeats this turn. `library` is whatever turns frames into bytes.
//!
//! ```text
//! 1. write   while let Some(out) = session.poll_write() { give it to the library; report what left: `sent`, `flushed`, `write_blocked` }
//! 2. read    while session.wants_read(now) { match library.read() {
//!                a frame     => session.received(..): if it is the caller's, hand it over (`delivered`) or `keep` it
//!                nothing     => { session.read_blocked(..); break }
//!                an error    => { session.failed(..); break } } }
//!            where the loop stops earlier: session.read_suspended(..)
//! 3. judge   while let Some(action) = machine.poll(now) { session.act(action, machine.verdict()) }
//! 4. wait    until the socket is readable, if `wants_read`; writable, if something waits to be written;
//!            or the earlier of the machine's and the session's `poll_timeout`
//! ```
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
//! - No input panics. What is kept is bounded by [`Limits`] and one message more; so are the answers that are owed, Pongs and those
//!   of a [dialect](Session::set_dialect) alike.
//! - Our frames leave in this order: answers, the ping, the caller's messages, the Close. Nothing is written after a Close.
//! - `ReadPaused` and `ReadResumed` alternate. While reading is paused, `wants_read` is false.
//! - Whatever had arrived before a write failed is read before the end is reported.

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

/// Which end of the connection this is. After the closing handshake a server hangs up at once, and a client waits for the
/// server to do so (RFC 6455 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// The end that accepted.
    Server,
    /// The end that dialled.
    Client,
}

/// What the library read, as far as a session cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inbound<'a> {
    /// A data message. Where the session has a [dialect](Session::set_dialect), that says what it means.
    Message(Message<'a>),
    /// A data message that no dialect is to look at.
    Data,
    /// A data message of which the program's own codec says what it means. Its answer goes to [`Session::answer`].
    Heard(Heard),
    /// A Ping frame with this payload.
    Ping(&'a [u8]),
    /// A Pong frame with this payload.
    Pong(&'a [u8]),
    /// A Close frame with this code, if it has one.
    Close(Option<u16>),
}

/// One connection's decisions that are no rules of time. `T` is the library's message. The module's page has the turn.
pub struct Session<T> {
    limits: Limits,
    role: Role,
    /// The library answers Pings and echoes a Close by itself.
    library_answers: bool,
    heartbeat: Heartbeat,

    inbox: Inbox<T>,
    /// Nobody reads, and the machine knows.
    paused: bool,
    /// Since when each turn ends with a full inbox, of which nothing was taken.
    full_since: Option<Timestamp>,
    /// When the caller was last handed a message.
    delivered_at: Option<Timestamp>,
    /// Bytes came that have completed nothing yet.
    progress: bool,
    /// Since when the caller has had a message and not asked for another, while more may have arrived.
    away_since: Option<Timestamp>,
    /// When it was last known what had arrived.
    looked_at: Timestamp,
    /// What still arrives means nothing: it is dropped until the transport ends.
    discarding: bool,
    /// After the verdict a message found no room: the caller gets none of those behind it.
    lost_message: bool,
    rest: Rest,

    /// Bytes that have left.
    sent: u64,
    /// Somebody tells how many bytes leave.
    counted: bool,
    /// The library may hold something that has not left.
    unflushed: bool,
    /// Answers in messages, in the order of the questions.
    answers: VecDeque<MessageBuf>,
    /// Answers of either kind that the library has taken since its buffer was last empty.
    answers_in_library: usize,
    /// The payload of the newest Ping, where the library does not answer it (RFC 6455 5.5.3: older ones need no answer).
    pong: Option<Box<[u8]>>,
    ping: Ping,
    close: CloseState,
    /// Text for our Close frame: the caller's, otherwise the error's.
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
    /// The session of a connection that is open, with [`Limits::DEFAULT`]. Its library answers Pings and echoes a Close by
    /// itself, as most do.
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

    /// Keeps at most this much. Say it before anything is read.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.set_limits(limits);
        self
    }

    /// This is the other end than it was made for. Say it before anything is read.
    pub const fn set_role(&mut self, role: Role) {
        self.role = role;
    }

    /// As [`limits`](Self::limits), in place.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The library answers neither a Ping nor a Close: [`poll_write`](Self::poll_write) brings the Pong and the echo.
    #[must_use]
    pub const fn answers_itself(mut self) -> Self {
        self.library_answers = false;
        self
    }

    /// What the machine wants done. `verdict` is the machine's, for the text of a Close.
    pub fn act(&mut self, action: Action, verdict: Option<Reason>) {
        match action {
            Action::SendPing(payload) => self.ping = Ping::Wanted(payload),
            Action::MarkOffline(_) => self.offline = true,
            Action::Close(code) => self.begin_close(code, verdict),
            Action::Disconnect => self.disconnect(),
            Action::MarkOnline | Action::MarkSuspect => {}
        }
    }

    /// The caller wants out, with this code and text. The text is cut to 123 bytes (RFC 6455 5.5). After a verdict, nothing.
    pub fn close(&mut self, code: CloseCode, text: &str, peer: &mut impl Peer, now: Timestamp) {
        if peer.verdict().is_none() {
            self.close_text = Some(at_most_123_bytes(text).into());
            peer.close(code, now);
        }
    }

    /// The library failed to read or to frame. Whether this error is the cause of the end: keep it, for the caller.
    ///
    /// `text` is what the peer is told where the fault is its own.
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
                // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
                self.discarding = true;
                if peer.verdict().is_none() {
                    self.close_text = Some(at_most_123_bytes(&alloc::format!("{text}")).into());
                }
                self.hear(Event::Violation(code), peer, now);
                first
            }
        }
    }

    /// The transport ended: the peer sends no more, or it failed.
    pub fn read_ended(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.end(peer, now);
    }

    /// What arrives is to be read as bytes and dropped, not to be given to the library: report it with
    /// [`received_bytes`](Self::received_bytes).
    #[must_use]
    pub const fn is_discarding(&self) -> bool {
        self.discarding
    }

    /// [`Action::Disconnect`] was handed in: close the transport and free everything but what [`take`](Self::take) still has.
    #[must_use]
    pub const fn is_disconnected(&self) -> bool {
        self.disconnected
    }

    /// When something of the session's own is to be done; `None`: not before the next input. It is the end of a rest that
    /// a peer is given which sends on after its verdict.
    #[must_use]
    pub fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        (self.rest.until > now && !self.ended).then_some(self.rest.until)
    }

    fn is_first_cause(&mut self, peer: &impl Peer) -> bool {
        peer.verdict().is_none() && !core::mem::replace(&mut self.has_cause, true)
    }

    /// The transport has ended, or nothing is left to wait for.
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

/// RFC 6455 5.5: a control frame holds 125 bytes, of which the code takes two.
fn at_most_123_bytes(text: &str) -> &str {
    let end = (0..=text.len().min(123)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}
