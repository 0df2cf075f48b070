//! [`Counted`] for the traits of futures-io, which smol and async-std use.

use std::io;

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::Counted;

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let room = !buffer.is_empty();
        let read = Pin::new(&mut this.transport).poll_read(cx, buffer);
        this.counters.note_read(&read, room);
        read
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

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use core::task::Waker;
    use std::vec::Vec;

    use super::*;

    /// Brings `unread`, takes what is written, and fails where it is `broken`.
    #[derive(Default)]
    struct Transport {
        unread: Vec<u8>,
        written: Vec<u8>,
        broken: bool,
        flushed: bool,
        closed: bool,
    }

    impl AsyncRead for Transport {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let count = buffer.len().min(self.unread.len());
            buffer[..count].copy_from_slice(&self.unread[..count]);
            self.unread.drain(..count);
            Poll::Ready(Ok(count))
        }
    }

    impl AsyncWrite for Transport {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.broken {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            self.written.extend(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[io::IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            bytes.iter().for_each(|part| self.written.extend(&part[..]));
            Poll::Ready(Ok(bytes.iter().map(|part| part.len()).sum()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushed = true;
            Poll::Ready(Ok(()))
        }

        fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.closed = true;
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn bytes_are_passed_on_and_counted() {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut counted = Counted::new(Transport { unread: b"hello".to_vec(), ..Transport::default() });
        let counters = counted.counters().clone();
        let mut counted = Pin::new(&mut counted);
        let mut buffer = [0; 8];

        assert!(matches!(counted.as_mut().poll_read(cx, &mut []), Poll::Ready(Ok(0))));
        assert!(matches!(counted.as_mut().poll_read(cx, &mut buffer), Poll::Ready(Ok(5))));
        assert_eq!((&buffer[..5], counters.received(), counters.has_ended()), (&b"hello"[..], 5, false));
        assert!(matches!(counted.as_mut().poll_read(cx, &mut buffer), Poll::Ready(Ok(0))));
        assert!(counters.has_ended());

        assert!(matches!(counted.as_mut().poll_write(cx, b"good"), Poll::Ready(Ok(4))));
        let parts = [io::IoSlice::new(b"by"), io::IoSlice::new(b"e")];
        assert!(matches!(counted.as_mut().poll_write_vectored(cx, &parts), Poll::Ready(Ok(3))));
        assert_eq!((&counted.transport.written[..], counters.sent()), (&b"goodbye"[..], 7));

        assert!(counted.as_mut().poll_flush(cx).is_ready() && counted.transport.flushed);
        assert!(counted.as_mut().poll_close(cx).is_ready() && counted.transport.closed);
    }

    #[test]
    fn a_failed_write_is_told_and_ends_the_transport() {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut counted = Counted::new(Transport { broken: true, ..Transport::default() });
        let written = Pin::new(&mut counted).poll_write(cx, b"lost");
        assert!(matches!(written, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe));
        assert_eq!((counted.counters().sent(), counted.counters().has_ended()), (0, true));
    }
}
