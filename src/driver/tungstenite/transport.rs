//! The transport of a blocking WebSocket: a socket that counts its bytes, with or without TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use core::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A socket with a wait: the socket in a [`CountingSocket`].
pub trait BlockingSocket: Read + Write {
    /// Like [`TcpStream::set_nonblocking`].
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
    /// Waits until the socket is readable (if `read`), is writable (if `write`), has failed, or until the timeout; `None`:
    /// no timeout. It may return earlier without a reason. Returns whether a write would succeed, or return the error.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn wait(&self, read: bool, write: bool, timeout: Option<Duration>) -> io::Result<bool>;
    /// Like [`TcpStream::shutdown`].
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    /// Like [`tune`](crate::driver::tune). Does nothing by default.
    fn tune(&self) {}
}

macro_rules! socket {
    ($stream:ty) => {
        impl BlockingSocket for $stream {
            fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.set_nonblocking(nonblocking)
            }
            fn wait(&self, read: bool, write: bool, timeout: Option<Duration>) -> io::Result<bool> {
                let mut wanted = PollFlags::empty();
                wanted.set(PollFlags::IN, read);
                wanted.set(PollFlags::OUT, write);
                let timeout = timeout.map(rounded_up);
                let mut sockets = [PollFd::new(self, wanted)];
                match poll(&mut sockets, timeout.as_ref()) {
                    // A signal, such as the one that continues a stopped process, ends the wait early.
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
                let [socket] = &sockets;
                Ok(socket.revents().intersects(PollFlags::OUT | PollFlags::ERR | PollFlags::HUP))
            }
            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.shutdown(how)
            }
            fn tune(&self) {
                crate::driver::tune(self);
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

/// Rounds up to the millisecond, the unit of some systems. Otherwise a wait that ends just before the deadline would begin
/// again and again.
fn rounded_up(timeout: Duration) -> Timespec {
    const LONGEST: Duration = Duration::from_secs(3600);
    let millis = timeout.min(LONGEST).as_nanos().div_ceil(1_000_000);
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    // An hour fits into a clock of any width.
    Timespec::try_from(Duration::from_millis(millis)).unwrap_or_default()
}

/// The transport of a WebSocket: a [`CountingSocket`], or a TLS stream around it.
///
/// The counting is inside of the TLS, because a TLS record shows nothing until it is complete.
///
/// The trait is sealed, so that it can get more methods.
pub trait Transport: Read + Write + sealed::Sealed {
    /// The socket in the counting socket.
    type Socket: BlockingSocket;
    /// The counting socket.
    fn counting_socket(&mut self) -> &mut CountingSocket<Self::Socket>;
    /// A TLS layer has something to write.
    fn wants_write(&self) -> bool {
        false
    }
    /// Tells the TLS layer that nothing more will be written.
    fn close_layer(&mut self) {}
}

/// Prevents implementations of [`Transport`] outside of this crate.
mod sealed {
    #[expect(unnameable_types, reason = "a trait that cannot be named cannot be implemented")]
    pub trait Sealed {}
}

impl<S: BlockingSocket> sealed::Sealed for CountingSocket<S> {}
impl<S: BlockingSocket> Transport for CountingSocket<S> {
    type Socket = S;
    fn counting_socket(&mut self) -> &mut CountingSocket<S> {
        self
    }
}

#[cfg(feature = "rustls")]
impl<C, S> sealed::Sealed for rustls::StreamOwned<C, CountingSocket<S>> where S: BlockingSocket {}
#[cfg(feature = "rustls")]
impl<C, S, D> Transport for rustls::StreamOwned<C, CountingSocket<S>>
where
    C: core::ops::DerefMut + core::ops::Deref<Target = rustls::ConnectionCommon<D>>,
    S: BlockingSocket,
    D: rustls::SideData,
{
    type Socket = S;
    fn counting_socket(&mut self) -> &mut CountingSocket<S> {
        &mut self.sock
    }
    fn wants_write(&self) -> bool {
        self.conn.wants_write()
    }
    fn close_layer(&mut self) {
        self.conn.send_close_notify();
        // Does not wait for the rest.
        let _ = self.flush();
    }
}

/// A client's transport: a counting socket, or TLS around one.
#[derive(Debug)]
#[non_exhaustive]
pub enum MaybeTls<S: BlockingSocket> {
    /// For `ws://`.
    Plain(CountingSocket<S>),
    /// For `wss://`.
    #[cfg(feature = "rustls")]
    Tls(std::boxed::Box<rustls::StreamOwned<rustls::ClientConnection, CountingSocket<S>>>),
}

/// Calls the variant's own method.
macro_rules! either {
    ($this:expr, $transport:ident => $ask:expr) => {
        match $this {
            Self::Plain($transport) => $ask,
            #[cfg(feature = "rustls")]
            Self::Tls($transport) => $ask,
        }
    };
}

impl<S: BlockingSocket> sealed::Sealed for MaybeTls<S> {}
impl<S: BlockingSocket> Transport for MaybeTls<S> {
    type Socket = S;
    fn counting_socket(&mut self) -> &mut CountingSocket<S> {
        either!(self, transport => transport.counting_socket())
    }
    fn wants_write(&self) -> bool {
        either!(self, transport => transport.wants_write())
    }
    fn close_layer(&mut self) {
        either!(self, transport => transport.close_layer());
    }
}

impl<S: BlockingSocket> Read for MaybeTls<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, transport => transport.read(buffer))
    }
}

impl<S: BlockingSocket> Write for MaybeTls<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        either!(self, transport => transport.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        either!(self, transport => transport.flush())
    }
}

/// Wraps a socket, and counts its bytes.
#[derive(Debug)]
pub struct CountingSocket<S> {
    socket: S,
    received: u64,
    sent: u64,
}

impl<S> CountingSocket<S> {
    /// Wraps this socket.
    pub const fn new(socket: S) -> Self {
        Self { socket, received: 0, sent: 0 }
    }

    /// Bytes read so far.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Bytes written so far.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// The socket.
    pub const fn get_ref(&self) -> &S {
        &self.socket
    }
}

impl<S: Read> Read for CountingSocket<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        self.received = self.received.saturating_add(count as u64);
        Ok(count)
    }
}

impl<S: Write> Write for CountingSocket<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.socket.write(buffer)?;
        self.sent = self.sent.saturating_add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
