//! A transport that counts the bytes that move.

use std::io;
use std::sync::Arc;

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a [`Metered`] transport has counted. Clones show the same counts.
///
/// It is how a [`LiveStream`](super::LiveStream) sees bytes move through a transport that it cannot reach.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<Counts>);

/// Each written by one end of one transport, which is polled by one task at a time: no count needs a lock.
#[derive(Debug, Default)]
struct Counts {
    received: AtomicUsize,
    sent: AtomicUsize,
    ended: AtomicBool,
}

impl Gauge {
    /// Bytes received, modulo the size of a `usize`: made to be compared with an earlier count.
    #[must_use]
    pub fn received(&self) -> usize {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Bytes sent, likewise.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// The peer sends no more, or the transport failed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }

    fn note_write(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(count)) => add(&self.0.sent, *count),
            Poll::Ready(Err(error)) => self.note_error(error),
            Poll::Pending => {}
        }
    }

    fn note_error(&self, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            self.0.ended.store(true, Ordering::Relaxed);
        }
    }
}

/// A load and a store: there is one writer, and a locked addition costs more than all the rest of a turn.
fn add(count: &AtomicUsize, more: usize) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// Counts the bytes through a transport, and is otherwise as it.
///
/// Under TLS put it on the inside, on the socket itself: a record of TLS shows nothing until it is complete.
#[derive(Debug)]
pub struct Metered<T> {
    transport: T,
    gauge: Gauge,
}

impl<T> Metered<T> {
    /// Puts a meter on a transport.
    pub fn new(transport: T) -> Self {
        Self { transport, gauge: Gauge::default() }
    }

    /// What it counts.
    pub const fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// The transport.
    pub const fn get_ref(&self) -> &T {
        &self.transport
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (before, room) = (buffer.filled().len(), buffer.remaining() > 0);
        let polled = Pin::new(&mut this.transport).poll_read(cx, buffer);
        match &polled {
            Poll::Ready(Ok(())) => {
                let count = buffer.filled().len().saturating_sub(before);
                add(&this.gauge.0.received, count);
                if count == 0 && room {
                    this.gauge.0.ended.store(true, Ordering::Relaxed);
                }
            }
            Poll::Ready(Err(error)) => this.gauge.note_error(error),
            Poll::Pending => {}
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.transport).poll_write(cx, bytes);
        this.gauge.note_write(&polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.transport).poll_write_vectored(cx, bytes);
        this.gauge.note_write(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(cx)
    }
}
