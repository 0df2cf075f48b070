//! The writing side: what goes to the library next, and when the machine learns that it was sent.

use alloc::boxed::Box;
use alloc::string::String;

use super::{ErrorKind, Peer, Role, Session};
use crate::dialect::MessageBuf;
use crate::event::{CloseCode, Event, Reason};
use crate::payload::Payload;
use crate::time::Timestamp;

/// What to write next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outbound {
    /// Write this Pong frame. Comes only with [`Session::answers_itself`].
    Pong(Box<[u8]>),
    /// Write this message: an answer to a message of the peer.
    Answer(MessageBuf),
    /// Write a Ping frame with this payload. Call [`Session::ping_ends_after`] if you know how many bytes are before its
    /// end.
    Ping(Payload),
    /// Write this message: our ping in the [dialect](Session::set_dialect). As with a frame, call
    /// [`Session::ping_ends_after`].
    Beat(MessageBuf),
    /// Flush the library before you give it anything else. Comes again until [`Session::flushed`].
    Flush,
    /// Write a Close frame with this code and text, or an empty one.
    Close(Option<CloseCode>, String),
    /// Shut the write half of the transport. Comes again until [`Session::shut`].
    ShutdownWrite,
}

/// Where the newest ping is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    None,
    /// It was not given to the library yet. A newer ping would replace it.
    Wanted(Payload),
    /// The library has it. If offsets are known: the count of sent bytes at which its last byte has left.
    InLibrary(Option<u64>),
}

/// How far our Close has come.
#[derive(Debug)]
pub(super) enum CloseState {
    Open,
    /// The library is flushed this many times more before it gets the Close. A library that had no room for a Pong at the
    /// first flush has room at the second, and no Pong may follow a Close.
    Wanted(Option<CloseCode>, String, u8),
    InLibrary,
    Sent,
}

/// What [`Session::poll_write`] returns next.
enum Next {
    Pong,
    Answer,
    Ping(Payload),
    Flush,
    Close,
    Shut,
}

impl<T> Session<T> {
    /// What to write next; `None`: only the caller's messages. If the library takes nothing now, call
    /// [`write_blocked`](Self::write_blocked), and ask again when it may take more.
    #[must_use = "a dropped output is a frame that is never written"]
    pub fn poll_write(&mut self) -> Option<Outbound> {
        match self.next_write()? {
            Next::Pong => {
                let payload = self.pong.take()?;
                self.give(true);
                Some(Outbound::Pong(payload))
            }
            Next::Answer => {
                let answer = self.answers.pop_front()?;
                self.give(true);
                Some(Outbound::Answer(answer))
            }
            Next::Ping(payload) => Some(self.ask(payload)),
            Next::Flush => Some(Outbound::Flush),
            Next::Close => {
                self.give(false);
                match core::mem::replace(&mut self.close, CloseState::InLibrary) {
                    CloseState::Wanted(code, text, _) => Some(Outbound::Close(code, text)),
                    CloseState::Open | CloseState::InLibrary | CloseState::Sent => None,
                }
            }
            Next::Shut => Some(Outbound::ShutdownWrite),
        }
    }

    /// The order of our frames. Nothing follows a Close.
    fn next_write(&self) -> Option<Next> {
        if self.write_broken || self.write_shut || self.disconnected {
            return None;
        }
        match (&self.close, self.ping) {
            (CloseState::InLibrary, _) => Some(Next::Flush),
            (CloseState::Sent, _) => self.must_shut().then_some(Next::Shut),
            (CloseState::Open | CloseState::Wanted(..), _) if self.pong.is_some() => Some(Next::Pong),
            (CloseState::Open | CloseState::Wanted(..), _) if !self.answers.is_empty() => Some(Next::Answer),
            (CloseState::Open, Ping::Wanted(payload)) => Some(Next::Ping(payload)),
            (CloseState::Open, _) => (self.unflushed && self.must_flush()).then_some(Next::Flush),
            (CloseState::Wanted(_, _, 0), _) => Some(Next::Close),
            (CloseState::Wanted(..), _) => Some(Next::Flush),
        }
    }

    /// [`poll_write`](Self::poll_write) would return something: write or flush it before the caller may write.
    #[must_use]
    #[inline]
    pub fn wants_write(&self) -> bool {
        // Called several times a message. Mostly there is nothing to write: this is the short way.
        let has_nothing = matches!((&self.close, self.ping), (CloseState::Open, Ping::None))
            && self.pong.is_none()
            && self.answers_owed() == 0;
        debug_assert!(!has_nothing || self.next_write().is_none());
        !has_nothing && self.next_write().is_some()
    }

    /// [`poll_write`](Self::poll_write) would return a frame or a message next. If a library must be asked for room first,
    /// ask it now. A ping that the library has no room for stays here, and a newer ping replaces it.
    #[must_use]
    pub fn is_frame_next(&self) -> bool {
        match self.next_write() {
            Some(Next::Pong | Next::Answer | Next::Ping(_) | Next::Close) => true,
            Some(Next::Flush | Next::Shut) | None => false,
        }
    }

    /// [`Outbound::ShutdownWrite`] comes next.
    #[must_use]
    pub fn wants_shutdown(&self) -> bool {
        matches!(self.next_write(), Some(Next::Shut))
    }

    /// The library may hold unsent bytes: flush it before you wait.
    #[must_use]
    pub const fn wants_flush(&self) -> bool {
        self.unflushed && !self.write_broken && !self.disconnected
    }

    /// The caller may write: no Close has passed either way, and nothing failed.
    #[must_use]
    pub const fn may_send(&self) -> bool {
        matches!(self.close, CloseState::Open) && !self.peer_closed && !self.write_broken && !self.offline
    }

    /// Reports that the library took one of the caller's messages.
    #[inline]
    pub fn wrote(&mut self) {
        self.unflushed = true;
    }

    /// Sends the answer to the [`Inbound::Heard`](super::Inbound::Heard) that was just received. Answers go out in the order
    /// of their questions. Reading stops while [`Limits::answers`](super::Limits::answers) of them wait.
    pub fn answer(&mut self, answer: MessageBuf) {
        if !self.offline && !self.peer_closed && !self.write_broken {
            self.answers.push_back(answer);
        }
    }

    /// Reports how many unsent bytes there are up to the last byte of the ping, which was just written as [`Outbound::Ping`]
    /// or [`Outbound::Beat`]. So `PingSent` is exact, however much is written after it.
    pub fn ping_ends_after(&mut self, unsent: u64, peer: &mut impl Peer, now: Timestamp) {
        if matches!(self.ping, Ping::InLibrary(_)) {
            self.counted = true;
            self.ping = Ping::InLibrary(Some(self.sent.saturating_add(unsent)));
            self.report_ping(peer, now);
        }
    }

    /// Reports that this many of our bytes entered the transport.
    #[inline]
    pub fn sent_bytes(&mut self, count: usize, peer: &mut impl Peer, now: Timestamp) {
        self.counted = true;
        if count > 0 {
            self.sent = self.sent.saturating_add(count as u64);
            peer.handle(Event::Wrote, now);
            self.report_ping(peer, now);
        }
    }

    /// Reports that the library is empty: everything that it was given has been sent.
    pub fn flushed(&mut self, peer: &mut impl Peer, now: Timestamp) {
        let held_something = core::mem::take(&mut self.unflushed);
        self.answers_in_library = 0;
        self.resume_if_room(peer, now);
        if matches!(self.ping, Ping::InLibrary(_)) {
            self.ping = Ping::None;
            peer.handle(Event::PingSent, now);
            self.ask_nothing_more(peer, now);
        } else if held_something && !self.counted {
            peer.handle(Event::Wrote, now);
        }
        match &mut self.close {
            CloseState::Wanted(_, _, flushes) => *flushes = flushes.saturating_sub(1),
            CloseState::InLibrary => self.close = CloseState::Sent,
            CloseState::Open | CloseState::Sent => {}
        }
    }

    /// Reports that the library takes nothing now. Reading stops if too many answers wait, until the peer has received them.
    pub fn write_blocked(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.pause_if(self.owes_too_much(), peer, now);
    }

    /// Reports that nothing can be written any more. What had arrived is read first; then the end is reported. Do not write
    /// to the library again.
    pub fn write_failed(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.write_broken = true;
        self.drop_writes();
        self.resume_if_room(peer, now);
    }

    /// Reports that the library failed to write, flush or frame something. Returns true if this error is the cause of the
    /// end: keep it.
    ///
    /// [`ErrorKind::Rejected`] is the fault of the message. Any other error ends writing:
    /// [`write_failed`](Self::write_failed).
    pub fn failed_to_write(&mut self, kind: ErrorKind, peer: &mut impl Peer, now: Timestamp) -> bool {
        match kind {
            ErrorKind::Rejected => false,
            ErrorKind::Closed => {
                self.library_closed(peer, now);
                false
            }
            ErrorKind::Transport | ErrorKind::Protocol(_) => {
                let first = self.is_first_cause(peer);
                self.write_failed(peer, now);
                first
            }
        }
    }

    /// How many of our bytes have entered the transport; 0 if the driver does not count them.
    #[must_use]
    pub const fn bytes_sent(&self) -> u64 {
        self.sent
    }

    /// Nothing can be written any more. Reading goes on, because the peer's last messages may be unread.
    #[must_use]
    pub const fn is_write_broken(&self) -> bool {
        self.write_broken
    }

    /// Reports that the caller waits to write, and does not read. The connection ends here if nothing can be written any
    /// more and the rest of what arrived finds no room.
    pub fn writer_waits(&mut self, peer: &mut impl Peer, now: Timestamp) {
        if self.write_broken && !self.wants_read(now) && !self.offline {
            self.end(peer, now);
        }
    }

    /// Reports that the write half of the transport is shut, or that it cannot be shut alone.
    pub fn shut(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.write_shut = true;
        // After a violation we read on: hanging up on unread bytes resets the connection, and the peer may lose our Close.
        if self.must_shut() && !self.discarding {
            self.end(peer, now);
        }
    }

    pub(super) fn begin_close(&mut self, code: Option<CloseCode>, verdict: Option<Reason>) {
        if matches!(verdict, Some(Reason::PeerClosed(_))) && self.library_answers {
            // The library has the echo ready.
            self.unflushed = true;
            self.close = CloseState::InLibrary;
        } else if matches!(self.close, CloseState::Open) {
            let text = self.close_text.take();
            let text = text.unwrap_or_else(|| verdict.map_or("", Reason::description).into());
            // RFC 6455 5.5.1: a Close has no text without a code.
            let text = if code.is_some() { text } else { String::new() };
            self.drop_ping();
            self.close = CloseState::Wanted(code, text, 2);
        }
    }

    /// The peer's Close: the peer no longer reads our answers or pings (RFC 6455 5.5.1).
    pub(super) fn on_peer_close(&mut self) {
        self.answers.clear();
        self.pong = None;
        self.drop_ping();
        self.unflushed |= self.library_answers;
    }

    pub(super) fn owe_pong(&mut self, payload: &[u8]) {
        // Nothing may follow our Close, the peer reads no answer after its own Close, and after a failed write nothing can
        // be written. An answer that waits for ever would also stop our reading.
        if self.has_closed() || self.peer_closed || self.write_broken {
            return;
        }
        if self.library_answers {
            self.give(true);
        } else if !self.offline {
            self.pong = Some(payload.into());
        }
    }

    /// The library says that both Close frames have passed, and that it is done with this connection.
    pub(super) fn library_closed(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.peer_closed = true;
        self.close = if self.unflushed { CloseState::InLibrary } else { CloseState::Sent };
        // A client's library says so when the server has hung up.
        if self.role == Role::Client || self.write_broken {
            self.end(peer, now);
        }
    }

    /// RFC 6455 7.1.1: the server hangs up first, so that the wait for late segments (TIME_WAIT) is its own. After a
    /// violation both ends do: the peer learns that nothing more will come.
    fn must_shut(&self) -> bool {
        self.discarding || (self.peer_closed && self.role == Role::Server)
    }

    /// The library has our Close, or has sent it.
    const fn has_closed(&self) -> bool {
        matches!(self.close, CloseState::InLibrary | CloseState::Sent)
    }

    pub(super) fn answers_owed(&self) -> usize {
        self.answers.len().saturating_add(self.answers_in_library)
    }

    pub(super) fn owes_too_much(&self) -> bool {
        self.answers_owed() >= self.limits.answers.max(1)
    }

    pub(super) fn drop_writes(&mut self) {
        self.unflushed = false;
        self.answers.clear();
        self.answers_in_library = 0;
        self.pong = None;
        self.ping = Ping::None;
    }

    fn drop_ping(&mut self) {
        if matches!(self.ping, Ping::Wanted(_)) {
            self.ping = Ping::None;
        }
    }

    pub(super) fn give(&mut self, is_answer: bool) {
        self.unflushed = true;
        if is_answer {
            self.answers_in_library = self.answers_in_library.saturating_add(1);
        }
    }

    /// A caller that always has more to send must not keep a ping or answers in the library for ever.
    fn must_flush(&self) -> bool {
        matches!(self.ping, Ping::InLibrary(None)) || self.owes_too_much()
    }

    fn report_ping(&mut self, peer: &mut impl Peer, now: Timestamp) {
        if let Ping::InLibrary(Some(end)) = self.ping {
            if end <= self.sent {
                self.ping = Ping::None;
                peer.handle(Event::PingSent, now);
            }
        }
    }
}
