//! What both halves write besides the caller's messages: pings, the Close, and what waits in the socket's buffer.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::LiveStream;
use super::byte_counters::LastCounts;
use super::message_stream::MessageStream;
use crate::driver::ErrorKind;
use crate::event::Event;

/// Messages of which the caller knows nothing, in the order in which they are written. One that is still unwritten is worth
/// nothing beside a newer one of its kind: so a peer that asks and does not read costs no memory.
pub(super) struct ControlQueue<T> {
    /// To a ping of the peer's that came as a text message.
    pub(super) answer: Option<T>,
    pub(super) ping: Option<T>,
    /// Our Close. Nothing comes after it.
    pub(super) close: Option<T>,
}

impl<T> ControlQueue<T> {
    pub(super) const EMPTY: Self = Self { answer: None, ping: None, close: None };

    const fn is_empty(&self) -> bool {
        self.answer.is_none() && self.ping.is_none() && self.close.is_none()
    }

    /// The next, and whether it is a ping.
    fn take(&mut self) -> Option<(T, bool)> {
        let is_ping = self.answer.is_none() && self.ping.is_some();
        let next = self.answer.take().or_else(|| self.ping.take()).or_else(|| self.close.take());
        next.map(|message| (message, is_ping))
    }

    /// The end has begun: nobody waits for these.
    pub(super) fn drop_heartbeats(&mut self) {
        (self.answer, self.ping) = (None, None);
    }
}

impl<S: MessageStream> LiveStream<S> {
    /// Writes what the machine wants written, then flushes. Ready: nothing of ours waits any more.
    pub(super) fn write_and_flush(&mut self) -> Poll<()> {
        ready!(self.write_control());
        self.flush()
    }

    fn flush(&mut self) -> Poll<()> {
        let Some(socket) = self.socket.as_mut().filter(|_| self.unflushed) else { return Poll::Ready(()) };
        let polled = Pin::new(socket).poll_flush(&mut Context::from_waker(&self.waker));
        self.report_written();
        match ready!(polled) {
            Ok(()) => self.on_flushed(),
            Err(error) => self.write_failed(error),
        }
        Poll::Ready(())
    }

    /// Gives the socket what is our own, once its buffer is empty: a buffer may have a limit, and a frame that found no room
    /// would be lost; and after a Close nothing may come, not even a pong that is owed.
    pub(super) fn write_control(&mut self) -> Poll<()> {
        while !self.control.is_empty() {
            ready!(self.flush());
            if self.control.close.is_some() {
                // A pong that found no room at the first try finds it now.
                self.unflushed = true;
                ready!(self.flush());
            }
            if let Err(error) = ready!(self.poll_socket_ready()) {
                self.write_failed(error);
                return Poll::Ready(());
            }
            let Some((message, is_ping)) = self.control.take() else { break };
            match self.send_to_socket(message) {
                Ok(()) => self.ping_unflushed |= is_ping,
                Err(error) => self.write_failed(error),
            }
        }
        Poll::Ready(())
    }

    pub(super) fn poll_socket_ready(&mut self) -> Poll<Result<(), S::Failure>> {
        let Some(socket) = &mut self.socket else {
            self.control = ControlQueue::EMPTY;
            return Poll::Ready(Ok(()));
        };
        let polled = Pin::new(socket).poll_ready(&mut Context::from_waker(&self.waker));
        self.report_written();
        polled
    }

    /// Gives the socket a message.
    pub(super) fn send_to_socket(&mut self, message: S::Message) -> Result<(), S::Failure> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        self.unflushed = true;
        let started = Pin::new(socket).start_send(message);
        self.report_written();
        started
    }

    /// Reports bytes that have entered the transport.
    fn report_written(&mut self) {
        if self.counts.as_mut().is_some_and(LastCounts::has_sent) {
            self.read_the_clock();
            self.handle(Event::Wrote);
        }
    }

    fn on_flushed(&mut self) {
        self.unflushed = false;
        self.pongs_owed = 0;
        if self.paused {
            self.resume();
            // Whoever waits, waits for the socket too, and has not asked it.
            self.wakers.wake_all();
        }
        if core::mem::take(&mut self.ping_unflushed) {
            self.handle(Event::PingSent);
        } else if self.counts.is_none() {
            self.handle(Event::Wrote);
        }
    }

    /// A transport that takes no more is at its end; what the socket refuses is the message's fault.
    pub(super) fn write_failed(&mut self, error: S::Failure) {
        match S::error_kind(&error) {
            ErrorKind::Rejected => {}
            ErrorKind::Closed => self.unflushed = false,
            ErrorKind::Transport | ErrorKind::Protocol(_) => {
                self.unflushed = false;
                // Where no counters hold it back, the error comes before what the peer said last.
                if !self.discarding {
                    let _ = self.read_ahead();
                }
                self.transport_failed(error);
            }
        }
    }
}
