//! Writing within a turn, and the ways a connection ends.

use std::io;
use std::net::Shutdown;

use core::time::Duration;

use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

use super::turn::{WRITE_SLICE, counts};
use super::{LiveSocket, Offline};
use crate::driver::fault::of_tungstenite;
use crate::driver::meter::Transport;
use crate::driver::{Fault, close_text};
use crate::event::{CloseCode, Event, Reason};
use crate::liveness::Machine;

impl<S: Transport, M: Machine> LiveSocket<S, M> {
    /// Gives a message to tungstenite, and back if its buffer is full.
    pub(super) fn write(&mut self, message: Message) -> Option<Message> {
        let clean = !self.unflushed;
        self.unflushed = true;
        match self.moving(|socket| socket.write(message)) {
            Some(tungstenite::Error::WriteBufferFull(message)) if !clean => Some(*message),
            Some(error) => {
                self.failed(error);
                None
            }
            None => None,
        }
    }

    pub(super) fn write_close(&mut self, code: Option<CloseCode>) {
        self.unflushed = true;
        if matches!(self.machine.liveness().verdict(), Some(Reason::PeerClosed(_))) {
            // Tungstenite has the echo ready; `judge` flushes it.
            return;
        }
        let text = self.farewell.take();
        let text =
            text.unwrap_or_else(|| self.machine.liveness().verdict().map_or("", Reason::as_str).into());
        let frame = code.map(|code| CloseFrame { code: code.get().into(), reason: text.into() });
        if let Some(error) = self.moving(|socket| socket.close(frame)) {
            self.failed(error);
        }
    }

    /// Writes what waits in tungstenite's buffer, for at most a slice of time.
    pub(super) fn flush(&mut self) {
        if !self.unflushed || self.socket.is_none() {
            return;
        }
        match self.moving(WebSocket::flush) {
            None => self.flushed(),
            // A server's echo is written, and with it everything.
            Some(error @ tungstenite::Error::ConnectionClosed) => {
                self.flushed();
                self.failed(error);
            }
            Some(error) => self.failed(error),
        }
    }

    pub(super) fn flushed(&mut self) {
        self.unflushed = false;
        if self.ping_unflushed {
            self.ping_unflushed = false;
            self.hear(Event::PingSent);
        }
        if let Some(socket) = self.socket.as_mut().filter(|_| self.deaf) {
            // Our last word is out: tell the peer, so that it hangs up.
            socket.get_mut().meter().shutdown(Shutdown::Write);
        }
    }

    /// Does something to the socket that writes, within a turn, and reports the bytes that moved.
    pub(super) fn moving(
        &mut self,
        write: impl FnOnce(&mut WebSocket<S>) -> tungstenite::Result<()>,
    ) -> Option<tungstenite::Error> {
        let socket = self.socket.as_mut()?;
        let (_, sent) = counts(socket);
        if let Err(error) = socket.get_mut().meter().begin_turn(Some(Duration::ZERO), WRITE_SLICE) {
            return Some(error.into());
        }
        let result = write(socket);
        if counts(socket).1 > sent {
            self.hear(Event::Wrote);
        }
        result.err()
    }

    /// Sorts tungstenite's errors: not now, all is said, the transport is gone, or the peer broke the rules.
    pub(super) fn failed(&mut self, error: tungstenite::Error) {
        if matches!(&error, tungstenite::Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock) {
            return;
        }
        let code = match of_tungstenite(&error) {
            Fault::Over => {
                self.deaf = true;
                return self.flushed_if_clean();
            }
            Fault::Gone => {
                self.cause = Some(error);
                return self.hear(Event::Eof);
            }
            Fault::Against(code) => code,
            Fault::Refused => CloseCode::TOO_BIG,
        };
        // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
        self.farewell = Some(close_text(&error));
        self.cause = Some(error);
        self.deaf = true;
        self.machine.close(code, self.clock.now());
    }

    pub(super) fn flushed_if_clean(&mut self) {
        if !self.unflushed {
            self.flushed();
        }
    }

    pub(super) fn disconnect(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.get_mut().meter().shutdown(Shutdown::Both);
        }
    }

    /// Heartbeats until the socket is closed.
    pub(super) fn finish(&mut self) -> Result<(), Offline> {
        while self.socket.is_some() {
            self.turn(None);
        }
        Err(self.offline())
    }

    pub(super) fn offline(&mut self) -> Offline {
        let reason = self.machine.liveness().verdict().unwrap_or(Reason::TransportClosed);
        Offline { reason, cause: self.cause.take() }
    }
}
