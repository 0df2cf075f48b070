//! A blocking WebSocket: a [`Connection`] and a socket.

use std::io;
use std::net::Shutdown;

use core::fmt;
use core::time::Duration;

use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

use super::{BlockingSocket as _, Connection, Error, Offline, SendError, Transport};
use crate::config::Config;
use crate::dialect::Heard;
use crate::event::{Action, CloseCode, Reason};
use crate::liveness::Liveness;
use crate::time::{Clock, Timestamp};

/// How many reads a turn makes before it judges: more than fill an inbox, and a bound for a peer that sends faster than we
/// read.
const READS_BEFORE_VERDICT: usize = 65;
/// How many reads a dropped socket makes, because unread bytes would reset the connection, and the peer could lose our
/// Close.
const READS_BEFORE_CLOSE: usize = 4;

/// A blocking WebSocket and the machine that judges its peer.
///
/// It reads the bytes that have arrived before it judges a deadline, and it reads the clock before those bytes. So a process
/// that was stopped in between never judges a peer by data that it had not read. What came or left is dated by the clock after
/// it, so that the peer loses no time by our delay.
pub struct LiveSocket<S: Transport> {
    transport: S,
    pub(super) connection: Connection,
    pub(super) clock: Clock,
    /// The socket takes bytes, as far as is known. A system reports a socket as writable only when it has much room, but it
    /// may accept a few bytes before. Those would be a ping's, which would then count as sent although nothing moves.
    writable: bool,
}

impl<S: Transport> LiveSocket<S> {
    pub(super) const fn new(transport: S, connection: Connection, clock: Clock) -> Self {
        Self { transport, connection, clock, writable: true }
    }

    /// The machine: its `status`, `rtt`, `stats` and `report`.
    pub const fn liveness(&self) -> &Liveness {
        self.connection.liveness()
    }

    /// The clock of the machine's timestamps.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// The transport.
    pub const fn get_ref(&self) -> &S {
        &self.transport
    }

    /// The peer's Close frame, after it has come.
    pub const fn close_frame(&self) -> Option<&CloseFrame> {
        self.connection.close_frame()
    }

    /// Waits for the next data message, and runs the heartbeat meanwhile.
    ///
    /// # Errors
    ///
    /// [`Offline`], at the verdict. Messages that arrived before come first. After [`close`](Self::close) it comes when the
    /// peer has closed too.
    pub fn read(&mut self) -> Result<Message, Offline> {
        loop {
            if let Some(message) = self.take_or_wait(None)? {
                return Ok(message);
            }
        }
    }

    /// Like [`read`](Self::read), but waits at most `patience`; then it returns `None`, and loses nothing. For a thread that
    /// also does other things, such as sending other users' messages. Zero: does not wait.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// use std::sync::mpsc::Receiver;
    /// use std::time::Duration;
    ///
    /// use liveness::Config;
    /// use liveness::driver::tungstenite::accept;
    /// use tungstenite::Message;
    ///
    /// # type Result = std::result::Result<(), Box<dyn std::error::Error>>;
    /// # fn serve(stream: std::net::TcpStream, said_by_others: Receiver<Message>) -> Result {
    /// let mut socket = accept(stream, Config::DEFAULT)?;
    /// loop {
    ///     for message in said_by_others.try_iter() {
    ///         socket.send(message)?;
    ///     }
    ///     if let Some(message) = socket.read_within(Duration::from_millis(20))? {
    ///         println!("{message}");
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn read_within(&mut self, patience: Duration) -> Result<Option<Message>, Offline> {
        let end = self.clock.now().saturating_add(patience);
        loop {
            let left = end.saturating_duration_since(self.clock.now());
            let message = self.take_or_wait(Some(left))?;
            if message.is_some() || left.is_zero() {
                return Ok(message);
            }
        }
    }

    /// Writes a message and flushes it. While the peer is slow to take it, this reads and runs the heartbeat. A Close is
    /// like a call of [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// [`Error::Offline`], at the verdict or when the connection is closing. [`Error::TooLarge`]: the connection is not
    /// affected.
    pub fn send(&mut self, message: Message) -> Result<(), Error> {
        match self.connection.send(message, self.clock.now()) {
            Ok(()) => {}
            Err(SendError::Full(message)) => return Err(Error::TooLarge(message)),
            Err(SendError::Closed(_)) => return self.refuse(),
        }
        let end = self.connection.end_of_output();
        // Write first and then read, so that an unread Close does not refuse the message.
        self.write();
        let now = self.clock.now();
        if self.connection.bytes_sent() >= end && !self.connection.is_behind(now) {
            self.judge(now);
            return Ok(());
        }
        loop {
            let now = self.clock.now();
            self.turn(now);
            if self.connection.bytes_sent() >= end {
                return Ok(());
            }
            if self.connection.offline().is_some() {
                return self.refuse();
            }
            self.connection.writer_waits(now);
            self.wait(None);
        }
    }

    /// Closes with a Close frame of this code and the first 123 bytes of this text. Then [`read`](Self::read) until it
    /// returns [`Offline`], at the latest after `close_timeout`:
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # fn end(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut socket = liveness::driver::tungstenite::accept(stream, liveness::Config::DEFAULT)?;
    /// socket.close(liveness::CloseCode::GOING_AWAY, "the server restarts");
    /// while let Ok(message) = socket.read() {
    ///     println!("{message}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&mut self, code: CloseCode, text: &str) {
        let now = self.clock.now();
        self.connection.close(code, text, now);
        self.judge(now);
    }

    /// Waits until both ends have closed, at most `close_timeout` after the verdict. It drops messages that still come. If
    /// there was no verdict before, it first [closes](Self::close) with 1000.
    pub fn finish(&mut self) -> Offline {
        if self.connection.offline().is_none() {
            self.close(CloseCode::NORMAL, "");
        }
        while !self.connection.is_finished() {
            let now = self.clock.now();
            self.turn(now);
            while self.connection.recv(now).is_some() {}
            if !self.connection.is_finished() {
                self.wait(None);
            }
        }
        self.offline()
    }

    /// Makes a ping due now: the network changed, the laptop woke, a user is waiting. An end whose dialect
    /// [never asks](crate::dialect::Dialect::asks) sends none.
    pub fn probe(&mut self) {
        let now = self.clock.now();
        self.connection.probe(now);
        self.turn(now);
    }

    /// Reports a heartbeat that the program's own codec found: see [`Connection::heard`].
    pub fn heard(&mut self, heard: Heard) {
        self.connection.heard(heard, self.clock.now());
    }

    /// Replaces the settings: see [`Liveness::reconfigure`]. For numbers in the server's hello.
    pub fn reconfigure(&mut self, config: Config) {
        let now = self.clock.now();
        self.connection.reconfigure(config, now);
        self.judge(now);
    }

    /// Takes a message that has arrived, or waits for one turn.
    fn take_or_wait(&mut self, patience: Option<Duration>) -> Result<Option<Message>, Offline> {
        let now = self.clock.now();
        let due = self.connection.poll_timeout(now).is_some_and(|due| due <= now);
        if due {
            self.turn(now);
        }
        if let Some(message) = self.connection.recv(now) {
            return Ok(Some(message));
        }
        // A turn for a deadline has read everything that had arrived.
        if !due {
            self.turn(now);
            if let Some(message) = self.connection.recv(now) {
                return Ok(Some(message));
            }
        }
        match self.connection.offline() {
            // The peer's last messages are still unread.
            Some(offline) if offline.reason != Reason::LocalClosed || self.connection.is_finished() => {
                Err(offline)
            }
            _ if patience == Some(Duration::ZERO) => Ok(None),
            _ => {
                self.wait(patience);
                Ok(None)
            }
        }
    }

    /// Writes, reads what has arrived, and polls the machine.
    fn turn(&mut self, now: Timestamp) {
        self.look_for_room();
        self.write();
        let due = self.connection.poll_timeout(now).is_some_and(|due| due <= now);
        let reads = if due { READS_BEFORE_VERDICT } else { 1 };
        for _ in 0..reads {
            if !self.connection.wants_read(now) || self.read_once(now).is_err() {
                break;
            }
        }
        self.judge(now);
    }

    fn judge(&mut self, now: Timestamp) {
        self.poll(now);
        self.write();
        if self.connection.wants_shutdown() {
            self.transport.close_layer();
            self.shutdown(Shutdown::Write);
            self.connection.shut(now);
            // The end may have come with the read.
            self.poll(now);
        }
    }

    fn poll(&mut self, now: Timestamp) {
        while let Some(action) = self.connection.poll(now) {
            if action == Action::Disconnect {
                let _ = self.connection.write_rest(&mut self.transport);
                self.transport.close_layer();
                self.shutdown(Shutdown::Both);
            }
        }
    }

    fn read_once(&mut self, now: Timestamp) -> io::Result<usize> {
        let before = self.transport.counting_socket().received();
        let clock = self.clock;
        let read = self.connection.read_dated(&mut self.transport, now, || clock.now());
        let below = self.transport.counting_socket().received().saturating_sub(before);
        if read.is_err() && below > 0 {
            // A part of a TLS record.
            let now = clock.now();
            self.connection.note_received(usize::try_from(below).unwrap_or(usize::MAX), now);
            self.connection.nothing_to_read(now);
        }
        read
    }

    /// Asks whether a socket that was full has room again. A caller that always has a message to take never waits for it, and
    /// a ping would be stuck although the peer takes all.
    fn look_for_room(&mut self) {
        if !self.writable && self.has_output() {
            // An error comes back from the write.
            let socket = self.transport.counting_socket().get_ref();
            self.writable = socket.wait(false, true, Some(Duration::ZERO)).unwrap_or(true);
        }
    }

    fn has_output(&self) -> bool {
        self.connection.wants_write() || self.transport.wants_write()
    }

    fn write(&mut self) {
        while self.writable && self.has_output() {
            let clock = self.clock;
            let before = self.transport.counting_socket().sent();
            let written = self.connection.write_dated(&mut self.transport, clock.now(), || clock.now());
            if written.is_err() && self.transport.counting_socket().sent() > before {
                self.connection.note_sent(clock.now());
            }
            self.writable = written.is_ok();
            if matches!(written, Ok(0)) {
                return;
            }
        }
    }

    /// Waits until the socket is ready, a deadline has come or `patience` is over.
    fn wait(&mut self, patience: Option<Duration>) {
        let now = self.clock.now();
        let due = self.connection.poll_timeout(now).map(|due| due.saturating_duration_since(now));
        let timeout = [due, patience].into_iter().flatten().min();
        let read = self.connection.wants_read(now);
        let write = self.has_output();
        if !read && !write {
            // A failed socket would be ready all the time, even without interest in reads or writes.
            return sleep(timeout.unwrap_or(Duration::from_millis(1)));
        }
        match self.transport.counting_socket().get_ref().wait(read, write, timeout) {
            Ok(writable) => self.writable |= writable,
            Err(error) => self.connection.receive_end(Err(error), now),
        }
    }

    fn shutdown(&mut self, how: Shutdown) {
        // It fails if the connection is already gone, which is fine.
        let _ = self.transport.counting_socket().get_ref().shutdown(how);
    }

    fn refuse(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        self.connection.writer_waits(now);
        self.turn(now);
        Err(self.offline().into())
    }

    fn offline(&self) -> Offline {
        self.connection.offline().unwrap_or(Offline { reason: Reason::TransportClosed, cause: None })
    }
}

#[expect(clippy::disallowed_methods, reason = "the driver waits here, and there is nothing else to wait for")]
fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Tells the observers the end, and writes a Close if the socket takes it at once.
impl<S: Transport> Drop for LiveSocket<S> {
    fn drop(&mut self) {
        if self.connection.is_finished() {
            return;
        }
        let now = self.clock.now();
        self.connection.abandon(now);
        let _ = self.connection.write_rest(&mut self.transport);
        self.transport.close_layer();
        self.shutdown(Shutdown::Write);
        let mut scrap = [0; 16 * 1024];
        for _ in 0..READS_BEFORE_CLOSE {
            if !matches!(io::Read::read(&mut self.transport, &mut scrap), Ok(1..)) {
                break;
            }
        }
    }
}

impl<S: Transport> fmt::Debug for LiveSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSocket").field("connection", &self.connection).finish_non_exhaustive()
    }
}
