//! A transport that counts the bytes that move.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a [`Counted`] transport has counted. Clones show the same counts.
///
/// It is how a [`LiveStream`](super::LiveStream) sees bytes move through a transport that it cannot reach. Where that cannot be
/// wrapped in a [`Counted`] either, the code that moves the bytes says so: [`note_received`](Self::note_received) and the like.
///
/// ```
/// use liveness::driver::tokio::ByteCounters;
///
/// let counters = ByteCounters::default();
/// counters.note_received(5); // before the library is given them
/// counters.note_sent(2);
/// assert_eq!((counters.received(), counters.sent(), counters.has_ended()), (5, 2, false));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ByteCounters(Arc<Counts>);

/// Each written by one end of one transport, which is polled by one task at a time: no count needs a lock.
#[derive(Debug, Default)]
struct Counts {
    received: AtomicUsize,
    sent: AtomicUsize,
    ended: AtomicBool,
    /// A driver is in a call of the library's: an error of writing may be held back.
    may_hold: AtomicBool,
    /// One is: nothing can be written any more, and the library was not told.
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
    /// Bytes received, modulo the size of a `usize`: made to be compared with an earlier count.
    #[must_use]
    #[inline]
    pub fn received(&self) -> usize {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Bytes sent, likewise.
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

    /// This many bytes arrived. Each count has one writer: do not say so in two tasks at once.
    pub fn note_received(&self, bytes: usize) {
        add(&self.0.received, bytes);
    }

    /// The transport took this many bytes.
    pub fn note_sent(&self, bytes: usize) {
        add(&self.0.sent, bytes);
    }

    /// The peer sends no more, or the transport failed.
    pub fn note_ended(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }

    /// A driver calls the library, and an error of writing that comes of it is held back: the library would read no further,
    /// and what the peer said before it left is still there to be read. Any other writer, such as the connection that
    /// HTTP/2's streams share, is told at once.
    #[inline]
    pub(super) fn begin_call(&self) {
        self.0.may_hold.store(true, Ordering::Relaxed);
    }

    /// The call is over. True: an error is held back.
    #[inline]
    pub(super) fn end_call(&self) -> bool {
        self.0.may_hold.store(false, Ordering::Relaxed);
        self.0.is_held.load(Ordering::Acquire)
    }

    /// The error that is held back. The transport's own users are told of its like when it is released.
    pub(super) fn held_error(&self) -> Option<io::Error> {
        self.held().error.as_ref().map(copy)
    }

    /// Nothing is held back any more. A task that waits for it is woken.
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

    /// What became of an attempt to read, into a buffer that had room or had none.
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

    /// An attempt to write, where one may be made, and what becomes of it.
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

    /// What became of an attempt to write; one that fails is held back as one that has to wait.
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

    /// Instead of another attempt to write: nothing where one may be made.
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

    /// Whether it is one that ends the transport.
    fn note_error(&self, error: &io::Error) -> bool {
        let ends = !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
        if ends {
            self.note_ended();
        }
        ends
    }
}

/// One more of the same error.
fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
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

    /// How many bytes came and went since this was last asked.
    #[inline]
    pub(super) fn moved(&mut self) -> (usize, usize) {
        let (received, sent) = (self.counters.received(), self.counters.sent());
        let moved = (received.wrapping_sub(self.received), sent.wrapping_sub(self.sent));
        (self.received, self.sent) = (received, sent);
        moved
    }
}

/// A load and a store: there is one writer, and a locked addition costs more than all the rest of a turn.
fn add(count: &AtomicUsize, more: usize) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// Counts the bytes through a transport of tokio's traits or of futures-io's, and is otherwise as it.
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
    pub(super) transport: T,
    pub(super) counters: ByteCounters,
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
