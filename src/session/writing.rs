//! The writing side: what goes to the library next, and when the machine learns that it left.

use alloc::boxed::Box;
use alloc::string::String;

use super::{ErrorKind, Peer, Role, Session};
use crate::dialect::MessageBuf;
use crate::event::{CloseCode, Event, Reason};
use crate::payload::Payload;
use crate::time::Timestamp;

/// What to do next on the writing side, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outbound {
    /// Write this Pong frame. Only where the library does not: [`Session::answers_itself`].
    Pong(Box<[u8]>),
    /// Write this message: the answer to one of the peer's.
    Answer(MessageBuf),
    /// Write a Ping frame with this payload. Say [`Session::ping_ends_after`] if it is known how many bytes are before its end.
    Ping(Payload),
    /// Write this message: our ping, as the [dialect](Session::set_dialect) has it. As with a frame, say
    /// [`Session::ping_ends_after`].
    Beat(MessageBuf),
    /// Flush the library, before anything else is given to it. Comes again until [`Session::flushed`].
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
    /// It is still ours, and a newer one would take its place.
    Wanted(Payload),
    /// The library has it. Where offsets are known: how many bytes will have left with its last.
    InLibrary(Option<u64>),
}

/// How far our Close has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CloseState {
    Open,
    /// The library is to be flushed this many times more before it is given the Close: one that had no room for a Pong at
    /// the first flush has it at the second, and no Pong may follow a Close.
    Wanted(Option<CloseCode>, String, u8),
    InLibrary,
    Sent,
}

/// What [`Session::poll_write`] brings next.
enum Next {
    Pong,
    Answer,
    Ping(Payload),
    Flush,
    Close,
    Shut,
}

impl<T> Session<T> {
    /// What to write next; `None`: nothing but the caller's messages. Where the library takes nothing now, say
    /// [`write_blocked`](Self::write_blocked), and come back when it may.
    #[must_use = "what is not written is lost"]
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

    /// The order of all that is ours. Nothing comes after a Close.
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

    /// Something of ours waits to be given to the library, or to be flushed before the caller may write.
    #[must_use]
    #[inline]
    pub fn wants_write(&self) -> bool {
        // This is asked several times a message, and mostly nothing of ours is anywhere.
        let has_nothing = matches!((&self.close, self.ping), (CloseState::Open, Ping::None))
            && self.pong.is_none()
            && self.answers_owed() == 0;
        debug_assert!(!has_nothing || self.next_write().is_none());
        !has_nothing && self.next_write().is_some()
    }

    /// [`poll_write`](Self::poll_write) would bring a frame or a message next. Where a library has to be asked for room first,
    /// ask it now: what it has no room for stays here, where a newer ping takes its place.
    #[must_use]
    pub fn is_frame_next(&self) -> bool {
        match self.next_write() {
            Some(Next::Pong | Next::Answer | Next::Ping(_) | Next::Close) => true,
            Some(Next::Flush | Next::Shut) | None => false,
        }
    }

    /// The write half of the transport is to be shut: [`Outbound::ShutdownWrite`] comes next.
    #[must_use]
    pub fn wants_shutdown(&self) -> bool {
        matches!(self.next_write(), Some(Next::Shut))
    }

    /// The library may hold something that has not left: flush it before waiting.
    #[must_use]
    pub const fn wants_flush(&self) -> bool {
        self.unflushed && !self.write_broken && !self.disconnected
    }

    /// The caller may write: no Close has passed either way, and nothing failed.
    #[must_use]
    pub const fn may_send(&self) -> bool {
        matches!(self.close, CloseState::Open) && !self.peer_closed && !self.write_broken && !self.offline
    }

    /// The library took a message of the caller's.
    #[inline]
    pub fn wrote(&mut self) {
        self.unflushed = true;
    }

    /// The answer to an [`Inbound::Heard`](super::Inbound::Heard) that was just received. Answers go out in the order of their
    /// questions; when as many as [`Limits::answers`](super::Limits::answers) wait, the peer is not read.
    pub fn answer(&mut self, answer: MessageBuf) {
        if !self.offline && !self.peer_closed && !self.write_broken {
            self.answers.push_back(answer);
        }
    }

    /// Of our bytes that have not left, those up to the ping's last: the [`Outbound::Ping`] or [`Outbound::Beat`] that was just
    /// written. So `PingSent` is told exactly, however much is written behind it.
    pub fn ping_ends_after(&mut self, unsent: u64, peer: &mut impl Peer, now: Timestamp) {
        if matches!(self.ping, Ping::InLibrary(_)) {
            self.counted = true;
            self.ping = Ping::InLibrary(Some(self.sent.saturating_add(unsent)));
            self.report_ping(peer, now);
        }
    }

    /// This many bytes of ours entered the transport.
    #[inline]
    pub fn sent_bytes(&mut self, count: usize, peer: &mut impl Peer, now: Timestamp) {
        self.counted = true;
        if count > 0 {
            self.sent = self.sent.saturating_add(count as u64);
            peer.handle(Event::Wrote, now);
            self.report_ping(peer, now);
        }
    }

    /// The library holds nothing any more: all has left that it was given.
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

    /// The library takes nothing now. A peer that asks and does not take the answers is not read until it does.
    pub fn write_blocked(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.pause_if(self.owes_too_much(), peer, now);
    }

    /// The transport takes nothing any more. What had arrived is read first; then the end is reported. The library is not
    /// to be written to again.
    pub fn write_failed(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.write_broken = true;
        self.drop_writes();
        self.resume_if_room(peer, now);
    }

    /// The library failed to write, flush or frame something. Whether this error is the cause of the end: keep it.
    ///
    /// One that is [`ErrorKind::Rejected`] is the message's fault. Any other ends writing: [`write_failed`](Self::write_failed).
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

    /// How many bytes of ours have entered the transport in all, where they are counted.
    #[must_use]
    pub const fn bytes_sent(&self) -> u64 {
        self.sent
    }

    /// Nothing can be written any more. Reading goes on, to hear what the peer said last.
    #[must_use]
    pub const fn is_write_broken(&self) -> bool {
        self.write_broken
    }

    /// The caller waits to write, and does not read. Where nothing can be written any more, and what arrived last finds no
    /// room because the caller does not take what came before it, there is nothing left to wait for.
    pub fn writer_waits(&mut self, peer: &mut impl Peer, now: Timestamp) {
        if self.write_broken && !self.wants_read(now) && !self.offline {
            self.end(peer, now);
        }
    }

    /// The write half of the transport is shut, or it cannot be shut by itself.
    pub fn shut(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.write_shut = true;
        // After a violation what the peer still sends is read: to hang up on unread bytes resets the connection, and the
        // peer may lose our Close.
        if self.must_shut() && !self.discarding {
            self.end(peer, now);
        }
    }

    pub(super) fn begin_close(&mut self, code: Option<CloseCode>, verdict: Option<Reason>) {
        if matches!(verdict, Some(Reason::PeerClosed(_))) && self.library_answers {
            // It has the echo ready.
            self.unflushed = true;
            self.close = CloseState::InLibrary;
        } else if matches!(self.close, CloseState::Open) {
            let text = self.close_text.take();
            let text = text.unwrap_or_else(|| verdict.map_or("", Reason::description).into());
            // RFC 6455 5.5.1: there is no text without a code.
            let text = if code.is_some() { text } else { String::new() };
            self.drop_ping();
            self.close = CloseState::Wanted(code, text, 2);
        }
    }

    /// The peer's Close: nobody waits for answers or pings of ours any more (RFC 6455 5.5.1).
    pub(super) fn on_peer_close(&mut self) {
        self.answers.clear();
        self.pong = None;
        self.drop_ping();
        self.unflushed |= self.library_answers;
    }

    pub(super) fn owe_pong(&mut self, payload: &[u8]) {
        // Nothing follows a Close of ours, nobody waits for an answer behind one of the peer's, and nothing can be written
        // where writing failed. An answer that were owed all the same would keep us from reading on.
        if self.has_closed() || self.peer_closed || self.write_broken {
            return;
        }
        if self.library_answers {
            self.give(true);
        } else if !self.offline {
            self.pong = Some(payload.into());
        }
    }

    /// The library says that both Close frames have passed, and wants no more of this connection.
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

    /// Our Close is the library's, or further.
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

    /// A caller that always has more to say must not keep a ping, or the answers it owes, in the library for ever.
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
