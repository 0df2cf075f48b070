//! Input: from the transport's bytes to messages.

use std::io::{self, Read};

use tungstenite::{Error, Message};

use super::Connection;
use crate::dialect::{self, Heard};
use crate::driver::tungstenite::pipe::End;
use crate::session::{ErrorKind, Inbound, LOOK_WHILE_WRITING};
use crate::time::Timestamp;

/// The bytes of one read: enough for a busy connection, and little for a stack.
const READ: usize = 16 * 1024;
/// The bytes of a read after one that found less. A buffer is set to zero first, and in an idle connection's thread it is in no cache.
const SMALL_READ: usize = 4 * 1024;

impl Connection {
    /// Whether to read now. False while the caller takes too few messages with [`recv`](Self::recv), while the peer does not
    /// read the answers that it asked for, during the rests after the verdict, and after the end.
    #[must_use]
    pub fn wants_read(&self, now: Timestamp) -> bool {
        // Decode what has come before reading more, otherwise a flood would fill the memory.
        let decoded = !self.undecoded || self.reads_ahead(now);
        self.session.wants_read(now) && decoded && self.socket.get_ref().end.is_none()
    }

    /// Whether to decode everything that has come, although the caller has not taken the message before. So it is if unread
    /// data may refute a verdict that is due, if the caller does not ask for messages, or if nothing can be written any more:
    /// then the end is behind the data. Otherwise not, because a Close behind a message would refuse the answer to that
    /// message.
    fn reads_ahead(&self, now: Timestamp) -> bool {
        let waits = |since| now.saturating_duration_since(since) >= LOOK_WHILE_WRITING;
        self.session.is_write_broken()
            || self.peer.liveness().would_judge(now)
            || self.waiting_since.is_some_and(waits)
    }

    /// Whether a caller that only writes should read now.
    pub(in crate::driver::tungstenite) fn is_behind(&self, now: Timestamp) -> bool {
        self.reads_ahead(now) || self.session.is_behind(now)
    }

    /// Reads once from the transport, and takes the bytes. Messages wait for [`recv`](Self::recv).
    ///
    /// `Ok(0)`: nothing more will come. An error of the transport is not an error here: it ends the connection, and
    /// [`offline`](Self::offline) returns it.
    ///
    /// # Errors
    ///
    /// `WouldBlock`: everything that had arrived has been read.
    pub fn read_from(&mut self, transport: &mut impl Read, now: Timestamp) -> io::Result<usize> {
        self.read_dated(transport, now, || now)
    }

    /// [`read_from`](Self::read_from), with a clock for the moment after the read. The thread may have lost its processor
    /// since `now`, and what came meanwhile must not count as older than it is.
    pub(in crate::driver::tungstenite) fn read_dated(
        &mut self,
        transport: &mut impl Read,
        now: Timestamp,
        clock: impl FnOnce() -> Timestamp,
    ) -> io::Result<usize> {
        self.decode_rest(now);
        if self.more {
            self.read_much(transport, now, clock)
        } else {
            self.read_into(&mut [0; SMALL_READ], transport, now, clock)
        }
    }

    #[inline(never)]
    fn read_much(
        &mut self,
        transport: &mut impl Read,
        now: Timestamp,
        clock: impl FnOnce() -> Timestamp,
    ) -> io::Result<usize> {
        self.read_into(&mut [0; READ], transport, now, clock)
    }

    fn read_into(
        &mut self,
        buffer: &mut [u8],
        transport: &mut impl Read,
        now: Timestamp,
        clock: impl FnOnce() -> Timestamp,
    ) -> io::Result<usize> {
        let read = read_uninterrupted(transport, buffer);
        self.more = read.as_ref().is_ok_and(|count| *count >= SMALL_READ);
        match read {
            Ok(count @ 1..) => {
                self.receive(buffer.get(..count).unwrap_or_default(), clock());
                Ok(count)
            }
            Ok(0) => {
                self.receive_end(Ok(()), now);
                Ok(0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.nothing_to_read(now);
                Err(error)
            }
            Err(error) => {
                self.receive_end(Err(error), now);
                Ok(0)
            }
        }
    }

    /// Takes bytes that arrived, in portions of any size: for loops that read by completion.
    pub fn receive(&mut self, bytes: &[u8], now: Timestamp) {
        self.drained = false;
        self.session.received_bytes(bytes.len(), now);
        if self.session.is_discarding() || self.closed {
            return;
        }
        self.socket.get_mut().input.extend(bytes);
        self.decode(now);
        self.pump(now);
    }

    /// Reports that [`receive`](Self::receive) has everything that had arrived. [`read_from`](Self::read_from) reports this
    /// itself.
    pub fn nothing_to_read(&mut self, now: Timestamp) {
        self.drained = true;
        if !self.undecoded {
            self.session.read_blocked(&mut self.peer, now);
        }
    }

    /// Reports that the transport ended: the peer sends no more (`Ok`), or it failed. [`read_from`](Self::read_from) reports
    /// this itself.
    pub fn receive_end(&mut self, how: io::Result<()>, now: Timestamp) {
        self.drained = true;
        if self.session.is_discarding() || self.closed {
            return self.session.read_ended(&mut self.peer, now);
        }
        self.socket.get_mut().end = Some(match how {
            Ok(()) => End::Eof,
            Err(error) => End::Failed(error),
        });
        self.decode(now);
    }

    /// Reports that bytes came to a layer below, such as TLS, that may complete no bytes of the WebSocket yet.
    pub fn note_received(&mut self, count: usize, now: Timestamp) {
        self.session.received_bytes(count, now);
    }

    /// The oldest message that has arrived. Never a Ping, a Pong or a Close.
    pub fn recv(&mut self, now: Timestamp) -> Option<Message> {
        self.waiting_since = None;
        if self.session.kept() == 0 {
            self.decode_rest(now);
        }
        self.session.take(&mut self.peer, now)
    }

    /// Reports a heartbeat that the program's own codec found: in a compressed message, or in a byte stream whose packets
    /// messages may cut. If it needs an answer, the program sends it.
    ///
    /// A [`dialect`](Self::dialect) of the program writes our pings, and takes every message for data. Under
    /// [`Evidence::PongOnly`](crate::Evidence::PongOnly), if your program reads late, the peer's answer is late.
    pub fn heard(&mut self, heard: Heard, now: Timestamp) {
        self.session.heard(heard, &mut self.peer, now);
    }

    /// Decodes the other frames that have come, if the session wants them.
    pub(super) fn decode_rest(&mut self, now: Timestamp) {
        if (self.undecoded || self.fresh) && self.session.wants_read(now) {
            self.decode(now);
            self.pump(now);
        }
    }

    /// Decodes the frames that have come: up to the caller's next message or, when it reads ahead, as many as there is room
    /// for.
    fn decode(&mut self, now: Timestamp) {
        (self.undecoded, self.fresh) = (true, false);
        let ahead = self.reads_ahead(now);
        while self.session.wants_read(now)
            && (ahead || self.session.kept() == 0)
            && !self.session.is_discarding()
            && !self.closed
        {
            match self.socket.read() {
                Ok(message) => self.on_message(message, now),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.undecoded = false;
                    self.waiting_since = None;
                    if self.drained {
                        self.session.read_blocked(&mut self.peer, now);
                    }
                    return;
                }
                Err(error) => self.on_error(error, now),
            }
        }
        self.undecoded &= !self.session.is_discarding() && !self.closed;
        if self.waiting_since.is_none() && self.undecoded {
            self.waiting_since = Some(now);
        }
    }

    fn on_message(&mut self, message: Message, now: Timestamp) {
        let inbound = match &message {
            Message::Text(text) => Inbound::Message(dialect::Message::Text(text)),
            Message::Binary(bytes) => Inbound::Message(dialect::Message::Binary(bytes)),
            Message::Frame(_) => Inbound::Data,
            Message::Ping(payload) => Inbound::Ping(payload),
            Message::Pong(payload) => Inbound::Pong(payload),
            Message::Close(frame) => Inbound::Close(frame.as_ref().map(|frame| frame.code.into())),
        };
        let is_callers = self.session.received(inbound, &mut self.peer, now);
        if is_callers {
            let bytes = message.len();
            self.session.keep(message, bytes);
        } else if let Message::Close(frame) = message {
            self.close_frame = frame;
        }
    }

    pub(super) fn on_error(&mut self, error: Error, now: Timestamp) {
        let kind = ErrorKind::from(&error);
        self.closed |= kind == ErrorKind::Closed;
        if self.session.failed(kind, &error, &mut self.peer, now) {
            self.cause.get_or_insert_with(|| error.into());
        }
    }
}

/// Repeats a read that a signal interrupted, such as the one that continues a stopped process.
fn read_uninterrupted(transport: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match transport.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
