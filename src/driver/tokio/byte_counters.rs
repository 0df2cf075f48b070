//! A transport that counts the bytes that move.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a [`Counted`] transport has counted. Clones show the same counts.
///
/// It is how a [`LiveStream`](super::LiveStream) sees bytes move through a transport that it cannot reach.
#[derive(Clone, Debug, Default)]
pub struct ByteCounters(Arc<Counts>);

/// Each written by one end of one transport, which is polled by one task at a time: no count needs a lock.
#[derive(Debug, Default)]
struct Counts {
    received: AtomicUsize,
    sent: AtomicUsize,
    ended: AtomicBool,
    /// A driver wants to read what there is before it is told that nothing can be written any more.
    holding: AtomicBool,
    broken: AtomicBool,
    error: Mutex<Option<io::Error>>,
}

impl ByteCounters {
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

    /// From now on keeps an error of writing back: whoever is told of one reads no further, and what the peer said before
    /// it left is still there to be read.
    pub(super) fn hold_back_errors(&self) {
        self.0.holding.store(true, Ordering::Relaxed);
    }

    /// Nothing can be written any more, and nobody was told.
    pub(super) fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::Acquire)
    }

    /// Now it may be told.
    pub(super) fn release_errors(&self) {
        self.0.holding.store(false, Ordering::Relaxed);
        self.0.broken.store(false, Ordering::Release);
    }

    /// What became of an attempt to write; one that fails is held back as one that has to wait.
    fn note_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => add(&self.0.sent, count),
            Poll::Ready(Err(error)) => {
                self.note_error(&error);
                if !self.has_ended() || !self.0.holding.load(Ordering::Relaxed) {
                    return Poll::Ready(Err(error));
                }
                *self.0.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                self.0.broken.store(true, Ordering::Release);
                return Poll::Pending;
            }
            Poll::Pending => {}
        }
        written
    }

    /// Instead of another attempt to write: nothing where one may be made.
    fn refusal(&self) -> Option<Poll<io::Result<usize>>> {
        if self.is_broken() {
            return Some(Poll::Pending);
        }
        if !self.has_ended() {
            return None;
        }
        let error = self.0.error.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Poll::Ready(Err(error)))
    }

    fn note_error(&self, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            self.0.ended.store(true, Ordering::Relaxed);
        }
    }
}

/// Counters, and what they showed when they were last looked at.
#[derive(Debug)]
pub(super) struct LastCounts {
    pub(super) counters: ByteCounters,
    received: usize,
    sent: usize,
}

impl LastCounts {
    pub(super) fn new(counters: ByteCounters) -> Self {
        let (received, sent) = (counters.received(), counters.sent());
        Self { counters, received, sent }
    }

    /// Bytes have come since this was last asked.
    pub(super) fn has_received(&mut self) -> bool {
        let received = self.counters.received();
        core::mem::replace(&mut self.received, received) != received
    }

    /// Bytes have gone since this was last asked.
    pub(super) fn has_sent(&mut self) -> bool {
        let sent = self.counters.sent();
        core::mem::replace(&mut self.sent, sent) != sent
    }
}

/// A load and a store: there is one writer, and a locked addition costs more than all the rest of a turn.
fn add(count: &AtomicUsize, more: usize) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// Counts the bytes through a transport, and is otherwise as it.
///
/// Under TLS put it on the inside, on the socket itself: a record of TLS shows nothing until it is complete.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use liveness::driver::tokio::Counted;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # let (socket, mut peer) = tokio::io::duplex(64);
/// let mut transport = Counted::new(socket);
/// let counters = transport.counters().clone(); // for `LiveStream::counted`, whatever is put around the transport
/// peer.write_all(b"hello").await?;
/// transport.read_exact(&mut [0; 5]).await?;
/// assert_eq!((counters.received(), counters.sent()), (5, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Counted<T> {
    transport: T,
    counters: ByteCounters,
}

impl<T> Counted<T> {
    /// Counts the bytes through this transport.
    pub fn new(transport: T) -> Self {
        Self { transport, counters: ByteCounters::default() }
    }

    /// What it counts.
    pub const fn counters(&self) -> &ByteCounters {
        &self.counters
    }

    /// The transport.
    pub const fn get_ref(&self) -> &T {
        &self.transport
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
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
                add(&this.counters.0.received, count);
                if count == 0 && room {
                    this.counters.0.ended.store(true, Ordering::Relaxed);
                }
            }
            Poll::Ready(Err(error)) => this.counters.note_error(error),
            Poll::Pending => {}
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(refusal) = this.counters.refusal() {
            return refusal;
        }
        this.counters.note_write(Pin::new(&mut this.transport).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(refusal) = this.counters.refusal() {
            return refusal;
        }
        this.counters.note_write(Pin::new(&mut this.transport).poll_write_vectored(cx, bytes))
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
