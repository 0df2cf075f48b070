//! The reading half.

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::FusedStream;

use super::message_stream::MessageStream;
use super::turn::Receipt;
use super::waking::Half;
use super::{Error, LiveStream};
use crate::event::Reason;
use crate::liveness::Monitor;

/// Messages as the socket gives them, control frames too, but for the answers to the machine's own pings. After a proper
/// close by either side it ends, as the socket's own does; after any other end, with an [`Error::Offline`] first.
impl<S: MessageStream, M: Monitor + Unpin> Stream for LiveStream<S, M> {
    type Item = Result<S::Message, Error<S::Failure>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            this.begin_turn();
            if let Some(message) = this.take() {
                return this.give(message);
            }
            if this.socket.is_none() {
                return Poll::Ready(this.last_word());
            }
            if this.own.answer.is_some() {
                // It does not wait behind a peer that talks without end.
                let _ = this.write_out();
            }
            match this.receive() {
                // Most messages: the bytes were there, and no time has passed that anybody knows of.
                Receipt::Message(message) if !this.unsettled => return this.give(message),
                Receipt::Message(message) => this.keep(message),
                Receipt::Other => {}
                Receipt::Drained => {
                    let _ = this.write_out();
                    if this.may_wait(Half::Read, cx) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<S: MessageStream, M: Monitor + Unpin> FusedStream for LiveStream<S, M> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S: MessageStream, M: Monitor> LiveStream<S, M> {
    /// From here on nobody listens, until the next call.
    fn give<T>(&mut self, message: T) -> Poll<Option<Result<T, Error<S::Failure>>>> {
        self.away_from = Some(self.now);
        Poll::Ready(Some(Ok(message)))
    }

    fn last_word<T>(&mut self) -> Option<Result<T, Error<S::Failure>>> {
        if core::mem::replace(&mut self.ended, true) {
            return None;
        }
        let proper =
            matches!(self.machine.liveness().verdict(), Some(Reason::PeerClosed(_) | Reason::LocalClosed));
        if proper && !self.faulty { None } else { Some(Err(self.offline())) }
    }
}
