//! A transport that counts the bytes that move, and never keeps its caller for longer than a turn.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use core::time::Duration;

use crate::time::{Clock, Timestamp};

/// A blocking socket: what a [`CountingSocket`] can wrap.
pub trait BlockingSocket: Read + Write {
    /// As [`TcpStream::set_read_timeout`].
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    /// As [`TcpStream::set_write_timeout`].
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    /// As [`TcpStream::set_nonblocking`].
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
    /// As [`TcpStream::shutdown`].
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
    /// As [`tune`](super::tune), for sockets that there is something to tune of.
    fn tune(&self) {}
}

macro_rules! socket {
    ($stream:ty) => {
        impl BlockingSocket for $stream {
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }
            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }
            fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.set_nonblocking(nonblocking)
            }
            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.shutdown(how)
            }
            fn tune(&self) {
                super::tune(self);
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

/// What a WebSocket runs over, with a [`CountingSocket`] on the wire: that itself, or a TLS stream around it.
///
/// TLS goes outside and the counting inside, for a record of TLS shows nothing until it is complete.
///
/// It is sealed: there are no other transports than these, so that it may grow.
pub trait Transport: Read + Write + sealed::Sealed {
    /// The socket whose bytes are counted.
    type Socket: BlockingSocket;
    /// The counting socket.
    fn counting_socket(&mut self) -> &mut CountingSocket<Self::Socket>;
}

/// Keeps [`Transport`] to this crate.
mod sealed {
    #[expect(unnameable_types, reason = "who cannot name it cannot implement it")]
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
}

/// Counts the bytes through a socket.
///
/// On its own it behaves as the socket does. Under a driver it ends each turn with `WouldBlock`: after one read, and
/// after a write that the socket did not take whole, so that a frame that takes a minute never keeps the driver from
/// its clock. A write that fails is `WouldBlock` too, for whoever is told of an error reads no further, and what the peer
/// said before it left is still there to be read; the driver asks for the error.
#[derive(Debug)]
pub struct CountingSocket<S> {
    socket: S,
    received: u64,
    sent: u64,
    ended: bool,
    /// Why nothing can be written any more.
    write_error: Option<io::Error>,
    pace: Pace,
    /// The timeouts that the socket has now, once a turn has set them.
    read_for: Option<Option<Duration>>,
    write_for: Option<Duration>,
}

/// How long the caller may be kept.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// As long as the socket likes.
    Free,
    /// Until a moment for all calls together: a handshake.
    Until { clock: Clock, deadline: Timestamp },
    /// A driver's turn.
    Turn { read: Reading, write: Writing },
}

/// The one read of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It may wait for bytes to come.
    Waiting,
    /// It takes what is there. A socket's timeout is no way to say so: the shortest is a tick of the system's clock, and
    /// that is 4 ms too long for a caller who has a message to send.
    Glancing,
    /// It brought bytes; there may be more.
    Spent,
    /// It brought none: everything that had arrived is read.
    Drained,
}

/// The writes of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open,
    Blocked,
}

impl<S: BlockingSocket> CountingSocket<S> {
    /// Counts the bytes through this socket.
    pub const fn new(socket: S) -> Self {
        Self {
            socket,
            received: 0,
            sent: 0,
            ended: false,
            write_error: None,
            pace: Pace::Free,
            read_for: None,
            write_for: None,
        }
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

    /// All calls together may take until the deadline, then they fail with `TimedOut`.
    pub(super) fn begin_handshake(&mut self, clock: Clock, deadline: Timestamp) {
        // A socket has it from its listener on some systems. What else is wrong with this one, a read will tell.
        let _ = self.socket.set_nonblocking(false);
        self.pace = Pace::Until { clock, deadline };
    }

    /// Begins a turn of at most one read, and of writes until one does not go through whole.
    pub(super) fn begin_turn(&mut self, read_for: Option<Duration>, write_for: Duration) -> io::Result<()> {
        let read = if read_for == Some(Duration::ZERO) { Reading::Glancing } else { Reading::Waiting };
        let read_for = read_for.map(at_least_a_tick);
        if read == Reading::Waiting && !self.read_for.is_some_and(|set| near_enough(set, read_for)) {
            self.socket.set_read_timeout(read_for)?;
            self.read_for = Some(read_for);
        }
        self.writable_for(write_for)?;
        self.pace = Pace::Turn { read, write: Writing::Open };
        Ok(())
    }

    /// Begins a turn of writes alone.
    ///
    /// A TLS stream that cannot write reads instead, and then says that all is written.
    pub(super) fn begin_writing(&mut self, write_for: Duration) -> io::Result<()> {
        self.writable_for(write_for)?;
        self.pace = Pace::Turn { read: Reading::Spent, write: Writing::Open };
        Ok(())
    }

    /// Begins a turn in which nothing reaches the socket: what is written stays in the buffers above.
    pub(super) const fn begin_buffering(&mut self) {
        self.pace = Pace::Turn { read: Reading::Spent, write: Writing::Blocked };
    }

    fn writable_for(&mut self, write_for: Duration) -> io::Result<()> {
        let write_for = at_least_a_tick(write_for);
        if self.write_for != Some(write_for) {
            self.socket.set_write_timeout(Some(write_for))?;
            self.write_for = Some(write_for);
        }
        Ok(())
    }

    /// This turn's read found nothing more to read.
    pub(super) const fn drained(&self) -> bool {
        matches!(self.pace, Pace::Turn { read: Reading::Drained, .. })
    }

    /// The peer sends no more, or the socket failed.
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }

    /// Nothing can be written any more.
    pub(super) const fn is_broken(&self) -> bool {
        self.write_error.is_some()
    }

    /// Why nothing can be written any more, once.
    pub(super) fn take_write_error(&mut self) -> Option<io::Error> {
        self.write_error.replace(io::ErrorKind::BrokenPipe.into())
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        // It fails where the connection is gone already, which is what was wanted.
        let _ = self.socket.shutdown(how);
    }

    fn note_read(&mut self, result: io::Result<usize>, asked: usize) -> io::Result<usize> {
        match result {
            Ok(0) if asked > 0 => self.ended = true,
            Ok(count) => self.received = self.received.saturating_add(count as u64),
            Err(ref error) if is_retryable(error) => {}
            Err(_) => self.ended = true,
        }
        result
    }
}

/// Zero would mean for ever.
fn at_least_a_tick(timeout: Duration) -> Duration {
    timeout.max(Duration::from_micros(1))
}

/// A timeout that is at most an eighth shorter than wanted: to wake a little early costs a turn now and then, to set
/// it anew costs a system call for each message.
fn near_enough(set: Option<Duration>, wanted: Option<Duration>) -> bool {
    match (set, wanted) {
        (Some(set), Some(wanted)) => set <= wanted && wanted.saturating_sub(set).saturating_mul(8) <= wanted,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// A socket timeout is `WouldBlock` on Unix and `TimedOut` on Windows.
fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Nothing is wrong; try again.
fn is_retryable(error: &io::Error) -> bool {
    timed_out(error) || error.kind() == io::ErrorKind::Interrupted
}

/// What ends a turn early, and nothing else, is `WouldBlock`.
fn retryable_as_would_block(error: io::Error) -> io::Error {
    if is_retryable(&error) {
        return io::ErrorKind::WouldBlock.into();
    }
    error
}

/// The remaining time of a handshake.
fn remaining(clock: Clock, deadline: Timestamp) -> io::Result<Duration> {
    match deadline.saturating_duration_since(clock.now()) {
        Duration::ZERO => Err(io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long")),
        left => Ok(left),
    }
}

impl<S: BlockingSocket> CountingSocket<S> {
    fn glance(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_nonblocking(true)?;
        let result = self.socket.read(buffer);
        self.socket.set_nonblocking(false)?;
        result
    }

    /// A signal, such as the one that continues a stopped process, is no reason to fail a handshake.
    fn read_until(&mut self, buffer: &mut [u8], clock: Clock, deadline: Timestamp) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(Some(remaining(clock, deadline)?))?;
            match self.socket.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if timed_out(&error) => return Err(io::ErrorKind::TimedOut.into()),
                result => return result,
            }
        }
    }

    fn write_until(&mut self, buffer: &[u8], clock: Clock, deadline: Timestamp) -> io::Result<usize> {
        loop {
            self.socket.set_write_timeout(Some(remaining(clock, deadline)?))?;
            match self.socket.write(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if timed_out(&error) => return Err(io::ErrorKind::TimedOut.into()),
                result => return result,
            }
        }
    }

    /// The writes of a turn.
    fn write_in_turn(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let result = self.socket.write(buffer);
        if *result.as_ref().unwrap_or(&0) < buffer.len() {
            if let Pace::Turn { write, .. } = &mut self.pace {
                *write = Writing::Blocked;
            }
        }
        match result {
            Err(error) if !is_retryable(&error) => {
                self.write_error = Some(error);
                Err(io::ErrorKind::WouldBlock.into())
            }
            result => result.map_err(retryable_as_would_block),
        }
    }
}

impl<S: BlockingSocket> Read for CountingSocket<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = match self.pace {
            Pace::Free | Pace::Turn { read: Reading::Waiting, .. } => self.socket.read(buffer),
            Pace::Until { clock, deadline } => self.read_until(buffer, clock, deadline),
            Pace::Turn { read: Reading::Glancing, .. } => self.glance(buffer),
            Pace::Turn { read: Reading::Spent | Reading::Drained, .. } => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        };
        let result = self.note_read(result, buffer.len());
        let Pace::Turn { read, .. } = &mut self.pace else { return result };
        match result {
            Err(error) if timed_out(&error) => {
                *read = Reading::Drained;
                Err(io::ErrorKind::WouldBlock.into())
            }
            result => {
                *read = Reading::Spent;
                // A signal, such as the one that continues a stopped process: look at the clock, then read again.
                result.map_err(retryable_as_would_block)
            }
        }
    }
}

impl<S: BlockingSocket> Write for CountingSocket<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let result = match self.pace {
            Pace::Free => self.socket.write(buffer),
            Pace::Until { clock, deadline } => self.write_until(buffer, clock, deadline),
            Pace::Turn { write: Writing::Open, .. } if !self.is_broken() => self.write_in_turn(buffer),
            Pace::Turn { .. } => Err(io::ErrorKind::WouldBlock.into()),
        };
        self.sent = self.sent.saturating_add(*result.as_ref().unwrap_or(&0) as u64);
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
