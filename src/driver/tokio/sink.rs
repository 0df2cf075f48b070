//! The writing half.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_util::Sink;

use super::message_stream::{MessageKind, MessageStream};
use super::waking::Half;
use super::{Error, LiveStream};
use crate::driver::ErrorKind;
use crate::event::{CloseCode, Reason};

/// Messages as the socket takes them. A Close among them is [`close`](LiveStream::close): it begins the end.
impl<S: MessageStream> Sink<S::Message> for LiveStream<S> {
    type Error = Error<S::Failure>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        loop {
            this.begin_turn();
            if this.is_offline() {
                return Poll::Ready(Err(this.offline_error()));
            }
            // The machine's own first: a ping must not wait for ever behind a caller who always has more to say.
            let polled = match this.write_control() {
                Poll::Ready(()) => this.poll_socket_ready(),
                Poll::Pending => Poll::Pending,
            };
            match polled {
                Poll::Ready(Ok(())) if !this.is_offline() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => this.write_failed(error),
                Poll::Pending if this.wait_to_write(cx) => return Poll::Pending,
                Poll::Pending => {}
            }
        }
    }

    fn start_send(self: Pin<&mut Self>, message: S::Message) -> Result<(), Self::Error> {
        let this = self.get_mut();
        if this.is_offline() {
            return Err(this.offline_error());
        }
        if let MessageKind::Close(code) = S::kind(&message) {
            let known = CloseCode::new(code.unwrap_or(CloseCode::NORMAL.get()));
            // A code that may not go on the wire does not.
            let message = if known.is_some() { message } else { S::close(Some(CloseCode::NORMAL), "") };
            this.begin_close(message, known.unwrap_or(CloseCode::NORMAL));
            return Ok(());
        }
        match this.send_to_socket(message) {
            Err(error) if S::error_kind(&error) == ErrorKind::Rejected => Err(Error::Rejected(error)),
            Err(error) => {
                this.write_failed(error);
                this.poll_machine(this.now);
                Err(this.offline_error())
            }
            Ok(()) => Ok(()),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx));
        match this.machine.liveness().verdict() {
            None | Some(Reason::LocalClosed) => Poll::Ready(Ok(())),
            Some(_) => Poll::Ready(Err(this.offline_error())),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        this.begin_close(S::close(Some(CloseCode::NORMAL), ""), CloseCode::NORMAL);
        this.poll_written(cx).map(Ok)
    }
}

impl<S: MessageStream> LiveStream<S> {
    /// Everything is written, or can never be.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.begin_turn();
            if self.write_and_flush().is_ready() && self.is_idle() {
                return Poll::Ready(());
            }
            if self.wait_to_write(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Listens while the socket takes no more: the pongs of a peer that reads slowly are among what comes. False where
    /// there is something to do before waiting.
    fn wait_to_write(&mut self, cx: &Context<'_>) -> bool {
        let _ = self.read_ahead();
        if self.verdict_waits && !self.may_read() {
            // The caller waits here, and not for messages.
            self.verdict_waits = false;
            self.pause();
        }
        self.may_wait(Half::Write, cx)
    }
}
