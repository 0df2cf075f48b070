//! The reading half, and reading ahead of it.

use std::sync::Arc;

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::FusedStream;

use super::adapter::{Adapter, MessageKind, Socket};
use super::timer::Timer;
use super::waking::Half;
use super::{Error, LiveStream};
use crate::dialect;
use crate::event::Reason;
use crate::session::Inbound;

/// How much is read in one turn: more than a full inbox takes, and a bound where a peer sends faster than we read.
const READS_PER_TURN: usize = 16 * 1024;

/// What one attempt to read brought.
enum Read<T> {
    /// A message for the caller.
    Message(T),
    /// Something that is none of its business.
    Other,
    /// Nothing: there is nothing, or the task has had its share.
    Blocked,
    /// Nothing: the session does not want to read.
    NotNow,
}

/// What a library gives its reader.
type Polled<S, A> = Result<<A as Adapter<S>>::Message, <S as Socket<A>>::ReadError>;

/// Data messages, and no control frames. After a proper close by either side it ends when the closing is done; after any
/// other end, with an [`Error::Offline`] at the verdict.
///
/// A caller that polls on after that error gets `None` when the closing is done. To drop the stream cuts the closing short.
impl<S: Socket<A>, A: Adapter<S>, T: Timer> Stream for LiveStream<S, A, T> {
    type Item = Result<A::Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !this.is_in_streak() {
            return this.poll_message(None, cx);
        }
        match this.poll_socket() {
            Some(Poll::Ready(Some(Ok(message)))) if this.streak && this.is_data(&message) => {
                Poll::Ready(Some(Ok(message)))
            }
            polled => this.poll_message(polled, cx),
        }
    }
}

impl<S: Socket<A>, A: Adapter<S>, T: Timer> FusedStream for LiveStream<S, A, T> {
    fn is_terminated(&self) -> bool {
        self.end_told
    }
}

impl<S: Socket<A>, A: Adapter<S>, T: Timer> LiveStream<S, A, T> {
    /// The bytes of most messages came with those of the message before. Then no time has passed that anybody knows of, and
    /// another message changes nothing: neither what comes before a read nor what is noted after it needs to be done again.
    ///
    /// Whatever else happens to the stream ends a streak, or wakes it.
    #[inline]
    fn is_in_streak(&self) -> bool {
        let streak = self.streak && !self.wakers.is_woken();
        debug_assert!(!streak || self.is_unmoved_by_data(), "something happened in a streak");
        streak
    }

    /// A turn that only reads another data message would change nothing.
    fn is_unmoved_by_data(&self) -> bool {
        // Without counts the clock is read for each message.
        self.counts.is_some()
            && !self.clock_stale
            && !self.recheck
            && self.machine.is_unmoved_by_data(self.now)
            && self.session.is_unmoved_by_data(self.now)
    }

    /// The next message, or the end. `polled` is what the library was just asked for, if it was.
    #[inline(never)]
    fn poll_message(
        &mut self,
        mut polled: Option<Poll<Option<Polled<S, A>>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<A::Message, Error>>> {
        loop {
            let read = match polled.take() {
                Some(polled) => self.sort(polled),
                None => {
                    self.begin_turn();
                    if self.session.wants_write() {
                        // An answer does not wait behind a peer that talks without end.
                        let _ = self.write();
                    }
                    if let Some(message) = self.take() {
                        return Poll::Ready(Some(Ok(message)));
                    }
                    if let Some(end) = self.end() {
                        return Poll::Ready(end);
                    }
                    self.read()
                }
            };
            match read {
                Read::Message(message) => {
                    self.check_deadlines();
                    self.session.delivered(self.now);
                    if self.session.wants_write() {
                        // A message that the program is shown, and is owed an answer all the same.
                        let _ = self.write();
                    }
                    if !self.verdict_told {
                        self.streak = self.is_unmoved_by_data();
                        return Poll::Ready(Some(Ok(message)));
                    }
                }
                Read::Other => {}
                Read::Blocked => {
                    let _ = self.write();
                    if self.may_wait(Half::Read, cx) {
                        return Poll::Pending;
                    }
                }
                Read::NotNow => {
                    let _ = self.write();
                    if !self.session.wants_read(self.now) && self.may_wait(Half::Read, cx) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// The oldest message that was kept.
    #[inline]
    fn take(&mut self) -> Option<A::Message> {
        // Nothing comes after an error.
        if self.session.kept() == 0 || self.verdict_told {
            return None;
        }
        if self.session.is_paused() {
            // Clocks may run again from here on, and it may be that nobody but the timer calls us next.
            self.read_the_clock();
        }
        let message = self.session.take(&mut self.machine, self.now);
        self.check_deadlines();
        message
    }

    /// What the reader is told once there is no more to read.
    #[inline]
    fn end<M>(&mut self) -> Option<Option<Result<M, Error>>> {
        let proper = match self.liveness().verdict() {
            None => return None,
            Some(reason) => matches!(reason, Reason::PeerClosed(_) | Reason::LocalClosed),
        };
        if !proper && !core::mem::replace(&mut self.verdict_told, true) {
            self.end_told = self.socket.is_none();
            return Some(Some(Err(self.offline_error())));
        }
        self.end_told |= self.socket.is_none();
        self.end_told.then_some(None)
    }

    /// Reads for a caller that does not wait for a message, and keeps what comes.
    pub(super) fn read_ahead(&mut self) {
        for _ in 0..READS_PER_TURN {
            if !self.session.wants_read(self.now) {
                // It may be that too many answers are owed.
                let _ = self.write_own();
            }
            match self.read() {
                Read::Message(message) => self.keep(message),
                Read::Other => {}
                Read::Blocked => return,
                Read::NotNow => break,
            }
        }
        self.session.read_suspended(&mut self.machine, self.now);
    }

    fn keep(&mut self, message: A::Message) {
        let bytes = A::kind(&message).len();
        self.session.keep(message, bytes);
        self.wakers.wake_reader();
    }

    /// One attempt to read.
    fn read(&mut self) -> Read<A::Message> {
        if !self.session.wants_read(self.now) {
            return Read::NotNow;
        }
        if self.session.is_discarding() {
            return self.discard();
        }
        match self.poll_socket() {
            Some(polled) => self.sort(polled),
            None => Read::NotNow,
        }
    }

    /// The one place that reads from the library: its own code can be inlined here.
    #[inline(never)]
    fn poll_socket(&mut self) -> Option<Poll<Option<Polled<S, A>>>> {
        self.call(|socket, cx| socket.poll_next(cx))
    }

    /// A message for the caller, and no heartbeat: that is seen without looking into it.
    #[inline]
    fn is_data(&self, message: &A::Message) -> bool {
        match A::kind(message) {
            MessageKind::Text(text) => self.session.is_plain(text.len()),
            MessageKind::Binary(bytes) => self.session.is_plain(bytes.len()),
            MessageKind::Ping(_) | MessageKind::Pong(_) | MessageKind::Close(_) => false,
        }
    }

    /// Notes what was read.
    fn sort(&mut self, polled: Poll<Option<Polled<S, A>>>) -> Read<A::Message> {
        self.streak = false;
        match polled {
            Poll::Ready(Some(Ok(message))) => self.received(message),
            Poll::Ready(Some(Err(error))) => {
                self.recheck = true;
                let (kind, error) = (A::error_kind(&error), Arc::new(error));
                if self.session.failed(kind, &error, &mut self.machine, self.now) {
                    self.cause = Some(error);
                }
                Read::Other
            }
            Poll::Ready(None) => {
                self.recheck = true;
                self.session.read_ended(&mut self.machine, self.now);
                Read::Other
            }
            Poll::Pending => {
                self.read_blocked();
                Read::Blocked
            }
        }
    }

    /// Nothing is there, or the task has had its share: then the socket has woken it already.
    fn read_blocked(&mut self) {
        if self.timer.has_budget() && !self.wakers.is_woken() {
            self.recheck |= self.session.is_write_broken();
            self.session.read_blocked(&mut self.machine, self.now);
        } else {
            self.session.read_suspended(&mut self.machine, self.now);
        }
    }

    /// Reads and drops what nobody can understand any more, to learn when it ends.
    fn discard(&mut self) -> Read<A::Message> {
        match self.call(|socket, cx| A::poll_discard(socket.get_mut(), cx)) {
            Some(Poll::Ready(Ok(count))) if count > 0 => {
                if self.counts.is_none() {
                    self.session.received_bytes(count, self.now);
                }
                Read::Other
            }
            Some(Poll::Ready(_)) => {
                self.recheck = true;
                self.session.read_ended(&mut self.machine, self.now);
                Read::Other
            }
            Some(Poll::Pending) => {
                self.read_blocked();
                Read::Blocked
            }
            None => Read::NotNow,
        }
    }

    /// Sorts a message.
    #[inline]
    fn received(&mut self, message: A::Message) -> Read<A::Message> {
        let inbound = match A::kind(&message) {
            MessageKind::Text(text) => Inbound::Message(dialect::Message::Text(text)),
            MessageKind::Binary(bytes) => Inbound::Message(dialect::Message::Binary(bytes)),
            MessageKind::Ping(payload) => Inbound::Ping(payload),
            MessageKind::Pong(payload) => Inbound::Pong(payload),
            MessageKind::Close(close) => Inbound::Close(close.map(|(code, _)| code)),
        };
        let is_close = matches!(inbound, Inbound::Close(_));
        if self.session.received(inbound, &mut self.machine, self.now) {
            return Read::Message(message);
        }
        // Besides an end, what draws on the budget of a flood.
        self.recheck = true;
        if is_close {
            self.close_frame.get_or_insert(message);
        }
        Read::Other
    }
}
