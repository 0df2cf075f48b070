//! Writing within a turn, and the ways a connection ends.

use std::io;
use std::net::Shutdown;

use core::time::Duration;

use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

use super::turn::{ReadOutcome, WRITE_SLICE, byte_counts};
use super::{LiveSocket, Offline};
use crate::driver::counting_socket::Transport;
use crate::driver::{ErrorKind, READS_BEFORE_VERDICT, close_text};
use crate::event::{CloseCode, Event, Reason};

impl<S: Transport> LiveSocket<S> {
    /// Gives a message to tungstenite, and back if its buffer is full.
    pub(super) fn write(&mut self, message: Message) -> Option<Message> {
        let clean = !self.unflushed;
        self.unflushed = true;
        match self.write_in_turn(|socket| socket.write(message)) {
            Some(tungstenite::Error::WriteBufferFull(message)) if !clean => Some(*message),
            Some(error) => {
                self.on_error(error);
                None
            }
            None => None,
        }
    }

    pub(super) fn write_close(&mut self, code: Option<CloseCode>) {
        self.unflushed = true;
        self.answer = None;
        if matches!(self.machine.liveness().verdict(), Some(Reason::PeerClosed(_))) {
            // Tungstenite has the echo ready; `judge` flushes it.
            return;
        }
        let text = self.close_text.take();
        let text =
            text.unwrap_or_else(|| self.machine.liveness().verdict().map_or("", Reason::description).into());
        let frame = code.map(|code| CloseFrame { code: code.get().into(), reason: text.into() });
        let closed = self.write_control(|socket| {
            // A pong that is owed goes first: the Close is to be the last frame.
            let _ = socket.flush();
            socket.close(frame)
        });
        if let Some(error) = closed {
            self.on_error(error);
        }
    }

    /// Brings tungstenite's answer to a ping or a Close from where its next read would write it into the buffer where
    /// all writing waits. Nothing is written here, nor in any read.
    pub(super) fn queue_answer(&mut self) {
        self.unflushed = true;
        let Some(socket) = &mut self.socket else { return };
        socket.get_mut().counting_socket().begin_buffering();
        // It blocks, as it was told.
        let _ = unlimited(socket, WebSocket::flush);
    }

    /// Writes what waits in tungstenite's buffer, for at most a slice of time.
    pub(super) fn flush(&mut self) {
        if !self.unflushed || self.socket.is_none() {
            return;
        }
        if let Some(error) =
            self.answer.take().and_then(|pong| self.write_control(|socket| socket.write(pong)))
        {
            self.on_error(error);
        }
        let flushed = self.write_control(|socket| match socket.flush() {
            // A server's echo is out of tungstenite's buffer; TLS has one of its own.
            Err(tungstenite::Error::ConnectionClosed) => {
                socket.get_mut().flush()?;
                Err(tungstenite::Error::ConnectionClosed)
            }
            result => result,
        });
        match flushed {
            None => self.on_flushed(),
            Some(error @ tungstenite::Error::ConnectionClosed) => {
                self.on_flushed();
                self.on_error(error);
            }
            Some(error) => self.on_error(error),
        }
    }

    pub(super) fn on_flushed(&mut self) {
        self.unflushed = false;
        self.pongs_owed = 0;
        self.resume();
        if self.ping_unflushed {
            self.ping_unflushed = false;
            self.handle(Event::PingSent);
        }
        if let Some(socket) = self.socket.as_mut().filter(|socket| self.discarding && !socket.can_write()) {
            // Our Close is out: tell the peer that nothing more will come, so that it hangs up.
            socket.get_mut().counting_socket().shutdown(Shutdown::Write);
        }
    }

    /// Does something to the socket that writes, within a turn, and reports the bytes that moved.
    pub(super) fn write_in_turn(
        &mut self,
        write: impl FnOnce(&mut WebSocket<S>) -> tungstenite::Result<()>,
    ) -> Option<tungstenite::Error> {
        let socket = self.socket.as_mut()?;
        let (_, sent) = byte_counts(socket);
        if let Err(error) = socket.get_mut().counting_socket().begin_writing(WRITE_SLICE) {
            return Some(error.into());
        }
        let result = write(socket);
        if byte_counts(socket).1 > sent {
            self.handle(Event::Wrote);
        }
        result.err()
    }

    /// As `write_in_turn`, for a control frame: a limit of the buffer is for messages, and a ping that it refused would be
    /// counted as sent.
    pub(super) fn write_control(
        &mut self,
        write: impl FnOnce(&mut WebSocket<S>) -> tungstenite::Result<()>,
    ) -> Option<tungstenite::Error> {
        self.write_in_turn(|socket| unlimited(socket, write))
    }

    /// Sorts tungstenite's errors: not now, the handshake is complete, the transport is gone, or the peer broke the rules.
    pub(super) fn on_error(&mut self, error: tungstenite::Error) {
        if let tungstenite::Error::Io(error) = &error {
            // Tungstenite takes it for a reset that a stream took no byte; a TLS stream whose buffer is full takes none.
            let full = error.kind() == io::ErrorKind::ConnectionReset && !self.has_failed();
            if full || error.kind() == io::ErrorKind::WouldBlock {
                return;
            }
        }
        let violation = match ErrorKind::from(&error) {
            ErrorKind::Closed => {
                self.discarding = true;
                return self.on_flushed_if_clean();
            }
            ErrorKind::Transport => {
                self.set_cause(error);
                return self.handle(Event::Eof);
            }
            ErrorKind::Protocol(code) => Some(code),
            ErrorKind::Rejected => None,
        };
        // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
        self.close_text = Some(close_text(&error));
        self.set_cause(error);
        self.discarding = true;
        match violation {
            Some(code) => self.handle(Event::Violation(code)),
            // Ours, not the peer's: larger than the buffer that the caller's settings allow.
            None => self.machine.close(CloseCode::INTERNAL_ERROR, self.clock.now()),
        }
    }

    /// Keeps the error that ends the connection. After the verdict nothing does.
    fn set_cause(&mut self, error: tungstenite::Error) {
        if !self.is_offline() {
            self.cause.get_or_insert(error);
        }
    }

    /// The socket itself, under any layer of TLS.
    fn has_failed(&mut self) -> bool {
        self.socket.as_mut().is_some_and(|socket| {
            let counting = socket.get_mut().counting_socket();
            counting.ended() || counting.is_broken()
        })
    }

    pub(super) fn is_broken(&mut self) -> bool {
        self.socket.as_mut().is_some_and(|socket| socket.get_mut().counting_socket().is_broken())
    }

    /// Nothing can be written any more, so the end has come; but not before everything that had arrived is read, be it
    /// the peer's Close. Where the inbox is full, the caller has to take some of it first.
    pub(super) fn drain_before_eof(&mut self) {
        for _ in 0..READS_BEFORE_VERDICT {
            if self.is_offline() || self.socket.is_none() {
                break;
            }
            // What cannot be written any more is owed to nobody.
            self.pongs_owed = 0;
            if !self.may_read() {
                return;
            }
            if self.receive(Some(Duration::ZERO)) == ReadOutcome::Drained {
                break;
            }
        }
        self.end_transport();
    }

    pub(super) fn end_transport(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        if let Some(error) = socket.get_mut().counting_socket().take_write_error() {
            self.set_cause(error.into());
        }
        self.handle(Event::Eof);
    }

    pub(super) fn on_flushed_if_clean(&mut self) {
        if !self.unflushed {
            self.on_flushed();
        }
    }

    pub(super) fn disconnect(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.get_mut().counting_socket().shutdown(Shutdown::Both);
        }
    }

    /// Heartbeats until the socket is closed.
    pub(super) fn run_to_end(&mut self) -> Result<(), Offline> {
        while self.socket.is_some() {
            self.turn(None);
        }
        Err(self.offline_error())
    }

    pub(super) fn offline_error(&mut self) -> Offline {
        let reason = self.machine.liveness().verdict().unwrap_or(Reason::TransportClosed);
        Offline { reason, cause: self.cause.take() }
    }
}

/// Does something to the socket while its buffer has no limit.
fn unlimited<S: Transport, T>(socket: &mut WebSocket<S>, write: impl FnOnce(&mut WebSocket<S>) -> T) -> T {
    let limit = socket.get_config().max_write_buffer_size;
    socket.set_config(|settings| settings.max_write_buffer_size = usize::MAX);
    let result = write(socket);
    socket.set_config(|settings| settings.max_write_buffer_size = limit);
    result
}
