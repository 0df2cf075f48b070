//! The writing half, and what both halves write in addition to the caller's messages.

use std::sync::Arc;

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_util::Sink;

use super::adapter::{Adapter, MessageKind, Socket};
use super::error::Cause;
use super::timer::Timer;
use super::waking::Half;
use super::{Error, LiveStream};
use crate::event::{CloseCode, Reason};
use crate::session::{ErrorKind, Outbound};

/// It takes the socket's messages. A Close is like a call of [`close`](LiveStream::close): it begins the end.
///
/// A caller that waits here gets a verdict at once.
impl<S: Socket<A>, A: Adapter<S>, T: Timer> Sink<A::Message> for LiveStream<S, A, T> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        loop {
            this.begin_turn();
            if this.is_offline() {
                return Poll::Ready(Err(this.offline_error()));
            }
            // The machine's frames come first: a ping must not wait for ever behind a caller that always has more to send.
            let polled = this.write_own().is_ready() && this.poll_room().is_ready();
            if polled && this.fed && this.session.is_behind(this.now) {
                // For a caller that feeds and never waits for a flush.
                this.look();
            } else if polled && this.session.may_send() {
                return Poll::Ready(Ok(()));
            } else if this.wait_to_write(cx) {
                return Poll::Pending;
            }
        }
    }

    fn start_send(self: Pin<&mut Self>, message: A::Message) -> Result<(), Error> {
        let this = self.get_mut();
        if !this.session.may_send() {
            return Err(this.offline_error());
        }
        if let MessageKind::Close(close) = A::kind(&message) {
            // Do not send a code that may not go on the wire.
            let close = close.and_then(|(code, text)| Some((CloseCode::new(code)?, text)));
            let (code, text) = close.unwrap_or((CloseCode::NORMAL, ""));
            this.close(code, text);
            return Ok(());
        }
        this.fed = true;
        match this.send(message) {
            None => Ok(()),
            Some((ErrorKind::Rejected, error)) => Err(Error::Rejected(error)),
            Some(_) => {
                this.poll_machine(this.now);
                Err(this.offline_error())
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx))?;
        if this.session.is_behind(this.now) {
            // The message has left. Anything that the peer sent later is no reason to refuse it.
            this.look();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.close(CloseCode::NORMAL, "");
        this.poll_written(cx).map(|_| Ok(()))
    }
}

impl<S: Socket<A>, A: Adapter<S>, T: Timer> LiveStream<S, A, T> {
    /// Everything is written, including the caller's Close; or it never will be.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            self.begin_turn();
            if !matches!(self.liveness().verdict(), None | Some(Reason::LocalClosed)) {
                return Poll::Ready(Err(self.offline_error()));
            }
            let is_written = self.write().is_ready();
            let is_lost = self.session.is_write_broken() && !self.is_offline();
            if is_written && !is_lost && self.is_idle() {
                return Poll::Ready(Ok(()));
            }
            if self.wait_to_write(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Reads while the socket takes no more, because the pongs of a slow reader may arrive. False: there is something to do
    /// before waiting.
    fn wait_to_write(&mut self, cx: &Context<'_>) -> bool {
        self.read_ahead();
        self.session.writer_waits(&mut self.machine, self.now);
        self.may_wait(Half::Write, cx)
    }

    /// Reads for a caller that does not read, answers, and judges.
    fn look(&mut self) {
        self.read_ahead();
        let _ = self.write();
        self.check_deadlines();
    }

    /// Writes our own frames and everything that must go out before the caller may write, then flushes. Ready: nothing waits
    /// any more.
    pub(super) fn write(&mut self) -> Poll<()> {
        loop {
            ready!(self.write_own());
            if !self.session.wants_flush() {
                return Poll::Ready(());
            }
            ready!(self.flush());
        }
    }

    /// Gives the library the session's frames in order, each into an empty buffer. The buffer may have a limit, and a frame
    /// without room would be lost.
    #[inline]
    pub(super) fn write_own(&mut self) -> Poll<()> {
        // In most turns there is nothing to write.
        if self.session.wants_write() { self.write_frames() } else { Poll::Ready(()) }
    }

    #[inline(never)]
    fn write_frames(&mut self) -> Poll<()> {
        while self.session.wants_write() {
            if self.session.is_frame_next() {
                if self.session.wants_flush() {
                    ready!(self.flush());
                }
                if !ready!(self.poll_room()) {
                    continue;
                }
            }
            match self.session.poll_write() {
                None => break,
                Some(Outbound::Flush) => ready!(self.flush()),
                Some(Outbound::ShutdownWrite) => ready!(self.shut()),
                Some(out) => {
                    if let Some(message) = Self::own_message(out) {
                        let _ = self.send(message);
                    }
                }
            }
        }
        Poll::Ready(())
    }

    /// Asks the library for room. False: it failed.
    fn poll_room(&mut self) -> Poll<bool> {
        if self.session.is_write_broken() {
            return Poll::Pending;
        }
        match self.call(|socket, cx| socket.poll_ready(cx)) {
            Some(Poll::Pending) => {
                self.session.write_blocked(&mut self.machine, self.now);
                Poll::Pending
            }
            Some(Poll::Ready(Err(error))) => {
                let _ = self.failed_to_write(error);
                Poll::Ready(false)
            }
            Some(Poll::Ready(Ok(()))) | None => Poll::Ready(true),
        }
    }

    /// Gives the library a message. Returns the error, if there is one.
    fn send(&mut self, message: A::Message) -> Option<(ErrorKind, Cause)> {
        self.streak = false;
        self.session.wrote();
        let sent = self.call(|socket, _| socket.start_send(message))?;
        sent.err().map(|error| self.failed_to_write(error))
    }

    fn flush(&mut self) -> Poll<()> {
        match self.call(|socket, cx| socket.poll_flush(cx)) {
            Some(Poll::Pending) => {
                self.session.write_blocked(&mut self.machine, self.now);
                return Poll::Pending;
            }
            Some(Poll::Ready(Err(error))) => {
                if matches!(self.failed_to_write(error).0, ErrorKind::Rejected | ErrorKind::Closed) {
                    // Everything that may still go out has left.
                    self.flushed();
                }
            }
            Some(Poll::Ready(Ok(()))) | None => self.flushed(),
        }
        Poll::Ready(())
    }

    fn flushed(&mut self) {
        self.fed = false;
        self.recheck = true;
        self.date_unseen_bytes();
        let was_read = self.session.wants_read(self.now);
        self.session.flushed(&mut self.machine, self.now);
        if !was_read && self.session.wants_read(self.now) {
            // Such a caller waits for the socket too, but has not polled it.
            self.wakers.wake_all();
        }
    }

    fn shut(&mut self) -> Poll<()> {
        ready!(self.call(|socket, cx| A::poll_shutdown(socket.get_mut(), cx)).unwrap_or(Poll::Ready(())));
        self.recheck = true;
        self.session.shut(&mut self.machine, self.now);
        Poll::Ready(())
    }

    fn failed_to_write(&mut self, error: S::WriteError) -> (ErrorKind, Cause) {
        self.recheck = true;
        let (kind, error) = (A::error_kind(&error), Arc::new(error));
        if self.session.failed_to_write(kind, &mut self.machine, self.now) {
            self.cause = Some(Arc::clone(&error) as Cause);
        }
        (kind, error)
    }
}
