//! The reading half.

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::FusedStream;

use super::message_stream::MessageStream;
use super::turn::ReadOutcome;
use super::waking::Half;
use super::{Error, LiveStream};
use crate::event::Reason;

/// Messages as the socket gives them, control frames too, but for the answers to the machine's own pings. After a proper
/// close by either side it ends, as the socket's own does; after any other end, with an [`Error::Offline`] first.
impl<S: MessageStream> Stream for LiveStream<S> {
    type Item = Result<S::Message, Error<S::Failure>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            this.begin_turn();
            if let Some(message) = this.dequeue() {
                return this.deliver(message);
            }
            if this.socket.is_none() {
                return Poll::Ready(this.final_item());
            }
            if this.control.answer.is_some() {
                // It does not wait behind a peer that talks without end.
                let _ = this.write_and_flush();
            }
            match this.receive() {
                // Most messages: the bytes were there, and no time has passed that anybody knows of.
                ReadOutcome::Message(message) if !this.recheck => return this.deliver(message),
                ReadOutcome::Message(message) => this.enqueue(message),
                ReadOutcome::Other => {}
                ReadOutcome::Drained => {
                    let _ = this.write_and_flush();
                    if this.may_wait(Half::Read, cx) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<S: MessageStream> FusedStream for LiveStream<S> {
    fn is_terminated(&self) -> bool {
        self.end_reported
    }
}

impl<S: MessageStream> LiveStream<S> {
    /// From here on nobody listens, until the next call.
    fn deliver<T>(&mut self, message: T) -> Poll<Option<Result<T, Error<S::Failure>>>> {
        self.absent_since = Some(self.now);
        Poll::Ready(Some(Ok(message)))
    }

    fn final_item<T>(&mut self) -> Option<Result<T, Error<S::Failure>>> {
        if core::mem::replace(&mut self.end_reported, true) {
            return None;
        }
        let proper =
            matches!(self.machine.liveness().verdict(), Some(Reason::PeerClosed(_) | Reason::LocalClosed));
        if proper && !self.had_cause { None } else { Some(Err(self.offline_error())) }
    }
}
