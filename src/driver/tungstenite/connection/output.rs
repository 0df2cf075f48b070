//! Output: from messages to the transport's bytes.

use std::io::{self, Write};
use std::sync::Arc;

use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

use super::{Connection, SendError};
use crate::dialect::MessageBuf;
use crate::event::{CloseCode, Event};
use crate::session::Outbound;
use crate::time::Timestamp;

impl Connection {
    /// Takes a message; the next [`write_to`](Self::write_to) writes it. A Close is like a call of [`close`](Self::close).
    ///
    /// The message is kept until the transport takes it, so check [`unsent`](Self::unsent) before you send more.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the message.
    pub fn send(&mut self, message: Message, now: Timestamp) -> Result<(), SendError> {
        if !self.session.may_send() {
            return Err(SendError::Closed(message));
        }
        if let Message::Close(frame) = message {
            let code = frame.as_ref().and_then(|frame| CloseCode::new(frame.code.into()));
            let text = frame.as_ref().map_or("", |frame| frame.reason.as_str());
            self.close(code.unwrap_or(CloseCode::NORMAL), text, now);
            return Ok(());
        }
        // Answers and pings go first.
        self.pump(now);
        let most = self.socket.get_config().max_write_buffer_size;
        if self.unsent().saturating_add(message.len()) > most {
            return Err(SendError::Full(message));
        }
        match self.socket.write(message) {
            Ok(()) => {
                self.session.wrote();
                Ok(())
            }
            Err(Error::WriteBufferFull(message)) => Err(SendError::Full(*message)),
            Err(error) => {
                self.on_error(error, now);
                Ok(())
            }
        }
    }

    /// Whether something waits to be written.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        let waits = self.unflushed > 0 || !self.socket.get_ref().output.is_empty();
        waits && !self.session.is_write_broken() && !self.session.is_disconnected()
    }

    /// How many bytes were taken but not sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.socket.get_ref().output.len().saturating_add(self.unflushed)
    }

    /// Writes once to the transport, and flushes it. Returns how many bytes it took.
    ///
    /// An error of the transport is not an error here, but `Ok(0)`, and as [`send_failed`](Self::send_failed).
    ///
    /// # Errors
    ///
    /// `WouldBlock`: the transport takes nothing now.
    pub fn write_to(&mut self, transport: &mut impl Write, now: Timestamp) -> io::Result<usize> {
        self.write_dated(transport, now, || now)
    }

    /// [`write_to`](Self::write_to), with a clock for the moment after the write. The thread may have lost its processor
    /// since `now`, and the peer's time for an answer must not begin before the ping has left.
    pub(in crate::driver::tungstenite) fn write_dated(
        &mut self,
        transport: &mut impl Write,
        now: Timestamp,
        clock: impl FnOnce() -> Timestamp,
    ) -> io::Result<usize> {
        self.pump(now);
        let bytes = self.socket.get_ref().output.as_slice();
        let written = if bytes.is_empty() { Ok(0) } else { write_uninterrupted(transport, bytes) };
        if let Ok(count) = written {
            self.socket.get_mut().output.consume(count);
            self.unflushed = self.unflushed.saturating_add(count);
        }
        // A TLS layer has its own buffer. Bytes count as sent when they have left it.
        match written.and_then(|count| transport.flush().map(|()| count)) {
            Ok(count) => {
                self.sent(0, clock());
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.session.write_blocked(&mut self.peer, now);
                Err(error)
            }
            Err(error) => {
                self.send_failed(error, now);
                Ok(0)
            }
        }
    }

    /// The bytes to write next: for loops that write by completion. Call [`sent`](Self::sent) when they have left, or
    /// [`send_failed`](Self::send_failed).
    #[must_use]
    pub fn outgoing(&self) -> &[u8] {
        self.socket.get_ref().output.as_slice()
    }

    /// Reports that this many bytes of [`outgoing`](Self::outgoing) have entered the transport. [`write_to`](Self::write_to)
    /// reports this itself.
    pub fn sent(&mut self, count: usize, now: Timestamp) {
        self.socket.get_mut().output.consume(count);
        let left = core::mem::take(&mut self.unflushed).saturating_add(count);
        self.session.sent_bytes(left, &mut self.peer, now);
        self.pump(now);
    }

    /// Reports that the transport takes no bytes any more. Read on after it, up to the end, because the peer may have said
    /// why it left. If it has not, [`offline`](Self::offline) returns this error. [`write_to`](Self::write_to) reports this
    /// itself.
    pub fn send_failed(&mut self, error: io::Error, now: Timestamp) {
        self.write_error.get_or_insert_with(|| Arc::new(error.into()));
        self.session.write_failed(&mut self.peer, now);
        // More may have come since the last read.
        self.drained = false;
    }

    /// Reports that a layer below, such as TLS, sent bytes while it took none of the WebSocket's.
    pub fn note_sent(&mut self, now: Timestamp) {
        self.peer.handle(Event::Wrote, now);
    }

    /// Whether to shut the write half of the transport now, so that the peer hangs up too.
    #[must_use]
    pub fn wants_shutdown(&self) -> bool {
        self.session.wants_shutdown()
    }

    /// Reports that the write half of the transport is shut, or that it cannot be shut alone.
    pub fn shut(&mut self, now: Timestamp) {
        self.session.shut(&mut self.peer, now);
    }

    /// Writes the session's frames into the output.
    pub(super) fn pump(&mut self, now: Timestamp) {
        self.flush_if_clean(now);
        while let Some(out) = self.session.poll_write() {
            let written = match out {
                Outbound::Answer(answer) => self.socket.write(own(answer)),
                Outbound::Pong(payload) => self.socket.write(Message::Pong(payload.into_vec().into())),
                Outbound::Ping(payload) => {
                    self.write_ping(Message::Ping(payload.as_bytes().to_vec().into()), now)
                }
                Outbound::Beat(beat) => self.write_ping(own(beat), now),
                Outbound::Close(code, text) => self
                    .socket
                    .close(code.map(|code| CloseFrame { code: code.get().into(), reason: text.into() })),
                Outbound::Flush if self.flush_if_clean(now) => Ok(()),
                Outbound::Flush | Outbound::ShutdownWrite => return,
            };
            match written {
                // There is no room for the frame: tungstenite's settings leave none for a heartbeat.
                Ok(()) | Err(Error::WriteBufferFull(_)) => {}
                Err(error) => self.on_error(error, now),
            }
        }
    }

    fn write_ping(&mut self, ping: Message, now: Timestamp) -> tungstenite::Result<()> {
        let written = self.socket.write(ping);
        let unsent = self.unsent() as u64;
        self.session.ping_ends_after(unsent, &mut self.peer, now);
        written
    }

    /// Moves tungstenite's own answers to the output. Returns whether everything has left.
    fn flush_if_clean(&mut self, now: Timestamp) -> bool {
        if self.session.wants_flush() && !self.closed {
            if let Err(error) = self.socket.flush() {
                self.on_error(error, now);
            }
        }
        let clean = self.unsent() == 0;
        if clean && (self.session.wants_flush() || self.session.wants_write()) {
            self.session.flushed(&mut self.peer, now);
        }
        clean
    }

    /// How many bytes have entered the transport.
    pub(in crate::driver::tungstenite) const fn bytes_sent(&self) -> u64 {
        self.session.bytes_sent()
    }

    /// The number of bytes sent after everything that was taken so far has left.
    pub(in crate::driver::tungstenite) fn end_of_output(&self) -> u64 {
        self.session.bytes_sent().saturating_add(self.unsent() as u64)
    }

    /// Reports that the caller waits to write, and does not read.
    pub(in crate::driver::tungstenite) fn writer_waits(&mut self, now: Timestamp) {
        self.session.writer_waits(&mut self.peer, now);
    }

    /// Writes as much of the rest as the transport takes at once: a last try before it is closed. A peer that has shut only
    /// its own half may still receive the Close frame.
    ///
    /// # Errors
    ///
    /// Those of the transport. You may ignore them.
    pub fn write_rest(&mut self, transport: &mut impl Write) -> io::Result<()> {
        while !self.outgoing().is_empty() {
            let count = write_uninterrupted(transport, self.outgoing())?;
            self.socket.get_mut().output.consume(count);
        }
        transport.flush()
    }

    /// Puts a due Close into the output, without waiting until everything before it has left.
    pub(super) fn force_close(&mut self, now: Timestamp) {
        for _ in 0..2 {
            self.session.flushed(&mut self.peer, now);
        }
        self.pump(now);
    }
}

/// A message of the session's own.
fn own(message: MessageBuf) -> Message {
    match message {
        MessageBuf::Text(text) => Message::text(text),
        MessageBuf::Binary(bytes) => Message::binary(bytes),
    }
}

fn write_uninterrupted(transport: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match transport.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A TLS layer with a full buffer takes none.
            Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
            result => return result,
        }
    }
}
