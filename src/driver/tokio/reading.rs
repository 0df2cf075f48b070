//! The reading half, and reading ahead of it.

use std::sync::Arc;

use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use futures_util::Stream;
use futures_util::stream::FusedStream;

use super::adapter::{Adapter, MessageKind, Socket};
use super::timer::Timer;
use super::waking::Half;
use super::{Error, LiveStream};
use crate::dialect;
use crate::event::Reason;
use crate::session::Inbound;

/// How many reads a turn makes: more than fill an inbox, and a bound for a peer that sends faster than we read.
const READS_PER_TURN: usize = 16 * 1024;

/// The result of one read.
enum Read<T> {
    /// A message for the caller.
    Message(T),
    /// Something that is not for the caller.
    Other,
    /// Nothing: nothing has arrived, or the task has used its budget.
    Blocked,
    /// Nothing: the session does not want to read.
    NotNow,
}

/// The result of a library's read.
type Polled<S, A> = Result<<A as Adapter<S>>::Message, <S as Socket<A>>::ReadError>;

/// It returns data messages, and no control frames. After a proper close by either side it ends when the closing is done.
/// After any other end, it returns an [`Error::Offline`] at the verdict.
///
/// A caller that keeps polling after that error gets `None` when the closing is done. If you drop the stream, the closing
/// ends at once.
impl<S: Socket<A>, A: Adapter<S>, T: Timer> Stream for LiveStream<S, A, T> {
    type Item = Result<A::Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !this.is_in_streak() {
            return this.poll_message(None, cx);
        }
        // Here, and not in a function that returns it: that would copy it once more, at a third of what the driver costs.
        this.begin_call();
        let polled = Self::poll_socket(&mut this.socket, &this.waker);
        this.end_call();
        match polled {
            Poll::Ready(Some(Ok(message))) if this.streak && this.is_data(&message) => {
                Poll::Ready(Some(Ok(message)))
            }
            polled @ (Poll::Ready(_) | Poll::Pending) => this.poll_message(Some(polled), cx),
        }
    }
}

impl<S: Socket<A>, A: Adapter<S>, T: Timer> FusedStream for LiveStream<S, A, T> {
    fn is_terminated(&self) -> bool {
        self.end_told
    }
}

impl<S: Socket<A>, A: Adapter<S>, T: Timer> LiveStream<S, A, T> {
    /// The bytes of most messages came together with those of the message before. Then no time has passed that the driver
    /// knows of, and another message changes nothing: so the steps before a read and after it need not be repeated.
    ///
    /// Every other call ends a streak, or wakes the stream.
    #[inline]
    fn is_in_streak(&self) -> bool {
        let streak = self.streak && !self.wakers.is_woken();
        debug_assert!(!streak || self.is_unmoved_by_data(), "something happened in a streak");
        streak
    }

    /// A turn that only reads another data message would change nothing.
    fn is_unmoved_by_data(&self) -> bool {
        // Without counts the driver reads the clock for each message.
        self.counts.is_some()
            && !self.clock_stale
            && !self.recheck
            && self.machine.is_unmoved_by_data(self.now)
            && self.session.is_unmoved_by_data(self.now)
    }

    /// The next message, or the end. `polled` is the result of the library's poll, if it was just polled.
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
                        // An answer must not wait while a peer sends without end.
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
                        // A message for the program may also need an answer.
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
            // From here the waits may run again, and the timer may be the next caller.
            self.read_the_clock();
        }
        let message = self.session.take(&mut self.machine, self.now);
        self.check_deadlines();
        message
    }

    /// What the reader gets after the last message.
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

    /// Reads for a caller that does not wait for a message, and keeps the messages.
    pub(super) fn read_ahead(&mut self) {
        for _ in 0..READS_PER_TURN {
            if !self.session.wants_read(self.now) {
                // Too many answers may wait.
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
        if self.socket.is_none() {
            return Read::NotNow;
        }
        self.begin_call();
        let polled = Self::poll_socket(&mut self.socket, &self.waker);
        self.end_call();
        self.sort(polled)
    }

    /// The only place that reads from the library, so that its code can be inlined here.
    #[inline(never)]
    fn poll_socket(socket: &mut Option<S>, waker: &Waker) -> Poll<Option<Polled<S, A>>> {
        match socket {
            Some(socket) => Pin::new(socket).poll_next(&mut Context::from_waker(waker)),
            None => Poll::Pending,
        }
    }

    /// The message is for the caller and is no heartbeat, which its size or kind shows.
    #[inline]
    fn is_data(&self, message: &A::Message) -> bool {
        match A::kind(message) {
            MessageKind::Text(text) => self.session.is_plain(text.len()),
            MessageKind::Binary(bytes) => self.session.is_plain(bytes.len()),
            MessageKind::Ping(_) | MessageKind::Pong(_) | MessageKind::Close(_) => false,
        }
    }

    /// Sorts the result of a read.
    fn sort(&mut self, polled: Poll<Option<Polled<S, A>>>) -> Read<A::Message> {
        self.streak = false;
        match polled {
            Poll::Ready(Some(Ok(message))) => {
                self.date_unseen_bytes();
                self.received(message)
            }
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

    /// Nothing has arrived, or the task has used its budget: then the socket has already woken it.
    fn read_blocked(&mut self) {
        if self.timer.has_budget() && !self.wakers.is_woken() {
            self.recheck |= self.session.is_write_broken();
            self.session.read_blocked(&mut self.machine, self.now);
        } else {
            self.session.read_suspended(&mut self.machine, self.now);
        }
    }

    /// Reads and drops bytes after a frame against the protocol, to learn when they end.
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
        // It may be a Close, or draw on the control budget.
        self.recheck = true;
        if is_close {
            self.close_frame.get_or_insert(message);
        }
        Read::Other
    }
}
