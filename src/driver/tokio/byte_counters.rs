//! A transport that counts its bytes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The counts of a [`Counted`] transport. Clones share the same counts.
///
/// Through it a [`LiveStream`](super::LiveStream) sees the bytes of a transport that it cannot reach. If you cannot wrap the
/// transport in a [`Counted`], report the bytes yourself: [`note_received`](Self::note_received) and the like.
///
/// ```
/// use liveness::driver::tokio::ByteCounters;
///
/// let counters = ByteCounters::default();
/// counters.note_received(5); // before you pass them to the library
/// counters.note_sent(2);
/// assert_eq!((counters.received(), counters.sent(), counters.has_ended()), (5, 2, false));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ByteCounters(Arc<Counts>);

/// Each count is written by one end of one transport, which one task at a time polls. So no count needs a lock.
#[derive(Debug, Default)]
struct Counts {
    received: AtomicUsize,
    sent: AtomicUsize,
    ended: AtomicBool,
    /// A driver is calling the library: an error of writing may be held back.
    may_hold: AtomicBool,
    /// An error is held back: nothing can be written any more, and the library does not know.
    is_held: AtomicBool,
    held: Mutex<Held>,
}

/// An error that is held back, and the task to wake when it is released.
#[derive(Debug, Default)]
struct Held {
    error: Option<io::Error>,
    waker: Option<Waker>,
}

impl ByteCounters {
    /// Bytes received, modulo the size of a `usize`. Compare it with an earlier count.
    #[must_use]
    #[inline]
    pub fn received(&self) -> usize {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Bytes sent, modulo the size of a `usize`.
    #[must_use]
    #[inline]
    pub fn sent(&self) -> usize {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// The peer sends no more, or the transport failed.
    #[must_use]
    #[inline]
    pub fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }

    /// Reports that this many bytes arrived. Each count has one writer: do not call this in two tasks at once.
    pub fn note_received(&self, bytes: usize) {
        add(&self.0.received, bytes);
    }

    /// Reports that the transport took this many bytes.
    pub fn note_sent(&self, bytes: usize) {
        add(&self.0.sent, bytes);
    }

    /// The peer sends no more, or the transport failed.
    pub fn note_ended(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }

    /// A driver begins to call the library. From here an error of writing is held back. Otherwise the library would stop
    /// reading, and messages that the peer sent before it left would be lost. Any other writer, such as the connection that
    /// HTTP/2's streams share, gets the error at once.
    #[inline]
    pub(super) fn begin_call(&self) {
        self.0.may_hold.store(true, Ordering::Relaxed);
    }

    /// The call has ended. True: an error is held back.
    #[inline]
    pub(super) fn end_call(&self) -> bool {
        self.0.may_hold.store(false, Ordering::Relaxed);
        self.0.is_held.load(Ordering::Acquire)
    }

    /// The error that is held back. The transport's own users get a copy after the release.
    pub(super) fn held_error(&self) -> Option<io::Error> {
        self.held().error.as_ref().map(copy)
    }

    /// Ends the holding back, and wakes a task that waits for it.
    pub(super) fn release(&self) {
        if self.0.is_held.swap(false, Ordering::AcqRel) {
            let waker = self.held().waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the result of a read, into a buffer with or without room.
    #[inline]
    pub(super) fn note_read(&self, read: &Poll<io::Result<usize>>, room: bool) {
        match read {
            Poll::Ready(Ok(count)) => {
                self.note_received(*count);
                if *count == 0 && room {
                    self.note_ended();
                }
            }
            Poll::Ready(Err(error)) => {
                let _ = self.note_error(error);
            }
            Poll::Pending => {}
        }
    }

    /// Tries to write, unless an error is held back, and counts the result.
    #[inline]
    pub(super) fn write(
        &self,
        cx: &mut Context<'_>,
        attempt: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Some(refusal) = self.refusal(cx) {
            return refusal;
        }
        let written = attempt(cx);
        self.note_write(written, cx)
    }

    /// Counts the result of a write. An error that is held back looks like a write that must wait.
    fn note_write(&self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => add(&self.0.sent, count),
            Poll::Ready(Err(error)) => {
                if self.note_error(&error) && self.0.may_hold.load(Ordering::Relaxed) {
                    *self.held() = Held { error: Some(error), waker: Some(cx.waker().clone()) };
                    self.0.is_held.store(true, Ordering::Release);
                    return Poll::Pending;
                }
                return Poll::Ready(Err(error));
            }
            Poll::Pending => {}
        }
        written
    }

    /// The result in place of another write, after a write has failed; `None`: try to write.
    #[inline]
    fn refusal(&self, cx: &mut Context<'_>) -> Option<Poll<io::Result<usize>>> {
        if self.has_ended() { self.refusal_after_the_end(cx) } else { None }
    }

    #[cold]
    fn refusal_after_the_end(&self, cx: &mut Context<'_>) -> Option<Poll<io::Result<usize>>> {
        let mut held = self.held();
        let error = copy(held.error.as_ref()?);
        if self.0.is_held.load(Ordering::Acquire) {
            held.waker = Some(cx.waker().clone());
            return Some(Poll::Pending);
        }
        Some(Poll::Ready(Err(error)))
    }

    /// Whether the error ends the transport.
    fn note_error(&self, error: &io::Error) -> bool {
        let ends = !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
        if ends {
            self.note_ended();
        }
        ends
    }
}

/// A copy of the error.
fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// Counters, and their values at the last look.
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

    /// How many bytes came and went since the last call.
    #[inline]
    pub(super) fn moved(&mut self) -> (usize, usize) {
        let (received, sent) = (self.counters.received(), self.counters.sent());
        let moved = (received.wrapping_sub(self.received), sent.wrapping_sub(self.sent));
        (self.received, self.sent) = (received, sent);
        moved
    }
}

/// A load and a store are enough for one writer. A locked addition costs more than the rest of a turn.
fn add(count: &AtomicUsize, more: usize) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// Wraps a transport of tokio's traits, or with feature `futures-io` of those that smol and async-std use, and counts its bytes.
///
/// Under TLS wrap the socket itself, inside of the TLS stream, because a record of TLS shows nothing until it is complete.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use liveness::driver::tokio::Counted;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # let (socket, mut peer) = tokio::io::duplex(64);
/// let mut transport = Counted::new(socket);
/// let counters = transport.counters().clone(); // for `LiveStream::counted`, whatever you wrap around the transport
/// peer.write_all(b"hello").await?;
/// transport.read_exact(&mut [0; 5]).await?;
/// assert_eq!((counters.received(), counters.sent()), (5, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Counted<T> {
    pub(super) transport: T,
    pub(super) counters: ByteCounters,
}

impl<T> Counted<T> {
    /// Wraps this transport.
    pub fn new(transport: T) -> Self {
        Self { transport, counters: ByteCounters::default() }
    }

    /// The counters.
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
        let read = polled.map_ok(|()| buffer.filled().len().saturating_sub(before));
        this.counters.note_read(&read, room);
        read.map_ok(drop)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.counters.write(cx, |cx| Pin::new(&mut this.transport).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.counters.write(cx, |cx| Pin::new(&mut this.transport).poll_write_vectored(cx, bytes))
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
