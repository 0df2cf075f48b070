//! A turn: write what waits, read what comes, judge what is due, carry out what follows.

use std::io::Read as _;
use std::string::ToString as _;

use core::time::Duration;

use tungstenite::{Message, WebSocket};

use super::LiveSocket;
use crate::driver::counting_socket::Transport;
use crate::driver::{Heartbeat, PONGS_OWED, READS_BEFORE_VERDICT, pong_owed};
use crate::event::{Action, Event, Status};
use crate::text_heartbeat::TextHeartbeat;

/// How long one attempt to write may block: often enough for the pongs of a peer that reads slowly.
pub(super) const WRITE_SLICE: Duration = Duration::from_millis(20);
/// How long one attempt to read may block while there is something to write.
const READ_SLICE: Duration = Duration::from_millis(5);
/// A pause after each read once the verdict has fallen, so that a peer that floods on costs nothing.
const CLOSING_COOLDOWN: Duration = Duration::from_millis(5);

/// Whether a read left anything unread.
#[derive(PartialEq, Eq)]
pub(super) enum ReadOutcome {
    More,
    Drained,
}

impl<S: Transport> LiveSocket<S> {
    /// Writes what waits, reads what comes within `patience`, and judges if a deadline has come.
    pub(super) fn turn(&mut self, patience: Option<Duration>) {
        self.flush();
        if self.is_broken() {
            self.drain_before_eof();
        }
        if self.unflushed && !self.may_read() {
            // The caller waits here, and not for messages.
            self.pause();
        }
        let due = self.machine.liveness().poll_timeout();
        let left = due.map(|due| due.saturating_duration_since(self.clock.now()));
        let slice = self.unflushed.then_some(READ_SLICE);
        let patience = [left, slice, patience].into_iter().flatten().min();
        if self.may_read() {
            self.receive(patience);
        }
        if self.is_due() {
            self.judge();
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.machine.liveness().poll_timeout().is_some_and(|due| due <= self.clock.now())
    }

    /// Reads everything that has arrived by now, then lets the machine judge as of now.
    pub(super) fn judge(&mut self) {
        let now = self.clock.now();
        let mut drained = self.is_offline() || self.paused;
        for _ in 0..READS_BEFORE_VERDICT {
            if drained || !self.may_read() {
                break;
            }
            drained = self.receive(Some(Duration::ZERO)) == ReadOutcome::Drained || self.is_offline();
        }
        if !drained {
            self.handle(Event::Unread);
        }
        while let Some(action) = self.machine.poll(now) {
            self.carry_out(action);
        }
        self.flush();
    }

    pub(super) fn carry_out(&mut self, action: Action) {
        match action {
            Action::SendPing(payload) => {
                self.unflushed = true;
                self.ping_unflushed = true;
                let ping = match self.heartbeat {
                    Heartbeat::Frames => Message::Ping(payload.as_bytes().to_vec().into()),
                    Heartbeat::Text => Message::text(TextHeartbeat::Ping(payload).to_string()),
                };
                if let Some(error) = self.write_control(|socket| socket.write(ping)) {
                    self.on_error(error);
                }
            }
            Action::Close(code) => self.write_close(code),
            Action::Disconnect => self.disconnect(),
            Action::MarkOnline | Action::MarkSuspect | Action::MarkOffline(_) => {}
        }
    }

    pub(super) fn is_offline(&self) -> bool {
        self.machine.liveness().status() == Status::Offline
    }

    /// There is room for what might come, and for the answers to it. After the verdict what does not fit is dropped.
    pub(super) fn may_read(&self) -> bool {
        self.is_offline() || (self.inbox_has_room() && self.pongs_owed < PONGS_OWED)
    }

    /// One read of the socket, or one message that an earlier one brought.
    pub(super) fn receive(&mut self, patience: Option<Duration>) -> ReadOutcome {
        if self.is_offline() {
            std::thread::park_timeout(CLOSING_COOLDOWN);
        }
        let Some(socket) = &mut self.socket else { return ReadOutcome::Drained };
        let (received, sent) = byte_counts(socket);
        if let Err(error) = socket.get_mut().counting_socket().begin_turn(patience, WRITE_SLICE) {
            self.on_error(error.into());
            return ReadOutcome::Drained;
        }
        if self.discarding {
            return self.discard_input();
        }
        let result = socket.read();
        let progress = byte_counts(socket).0 > received;
        if byte_counts(socket).1 > sent {
            self.handle(Event::Wrote);
        }
        match result {
            Ok(message) => self.on_message(message),
            Err(error) => {
                if progress {
                    self.handle(Event::Progress);
                }
                self.on_error(error);
            }
        }
        self.read_outcome()
    }

    /// Reads and drops what nobody can understand any more, to learn when it ends.
    pub(super) fn discard_input(&mut self) -> ReadOutcome {
        let Some(socket) = &mut self.socket else { return ReadOutcome::Drained };
        let mut scrap = [0; 16 * 1024];
        // The counting socket has seen the error or the end, if it was one.
        let _ = socket.get_mut().counting_socket().read(&mut scrap);
        self.read_outcome()
    }

    /// Whether there may be more; and the end of the transport, which the counting socket sees under any layer of TLS.
    pub(super) fn read_outcome(&mut self) -> ReadOutcome {
        let Some(socket) = &mut self.socket else { return ReadOutcome::Drained };
        let counting = socket.get_mut().counting_socket();
        if counting.ended() {
            self.handle(Event::Eof);
            return ReadOutcome::Drained;
        }
        if counting.drained() { ReadOutcome::Drained } else { ReadOutcome::More }
    }

    pub(super) fn on_message(&mut self, message: Message) {
        if let Message::Text(text) = &message {
            if let Some(heartbeat) = self.heartbeat.parse(text) {
                return self.on_text_heartbeat(heartbeat);
            }
        }
        match message {
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => {
                self.handle(Event::Data);
                if self.inbox_has_room() {
                    let bytes = message.len();
                    self.inbox.push(message, bytes);
                }
            }
            Message::Ping(_) => {
                self.pongs_owed = self.pongs_owed.saturating_add(pong_owed(self.machine.liveness()));
                self.queue_answer();
                self.handle(Event::Ping);
            }
            Message::Pong(payload) => self.handle(Event::Pong(&payload)),
            Message::Close(frame) => {
                self.answer = None;
                self.queue_answer();
                self.handle(Event::Close(frame.as_ref().map(|frame| frame.code.into())));
                self.close_frame = frame;
            }
        }
    }

    /// A heartbeat in a text message is none of the caller's.
    fn on_text_heartbeat(&mut self, heartbeat: TextHeartbeat) {
        if let Some(answer) = heartbeat.answer().filter(|_| !self.is_offline()) {
            self.pongs_owed = self.pongs_owed.saturating_add(pong_owed(self.machine.liveness()));
            self.answer = Some(Message::text(answer.to_string()));
            self.unflushed = true;
        }
        self.handle(heartbeat.event());
    }

    pub(super) fn inbox_has_room(&self) -> bool {
        self.inbox.has_room()
    }

    pub(super) fn dequeue(&mut self) -> Option<Message> {
        let message = self.inbox.pop()?;
        self.resume();
        Some(message)
    }

    /// Nobody listens from here on, and the machine knows.
    pub(super) fn pause(&mut self) {
        if !self.paused {
            self.paused = true;
            self.handle(Event::ReadPaused);
        }
    }

    pub(super) fn resume(&mut self) {
        if self.paused && self.may_read() {
            self.paused = false;
            self.handle(Event::ReadResumed);
        }
    }

    pub(super) fn handle(&mut self, event: Event<'_>) {
        self.machine.handle(event, self.clock.now());
    }
}

/// Bytes received and sent.
pub(super) fn byte_counts<S: Transport>(socket: &mut WebSocket<S>) -> (u64, u64) {
    let counting = socket.get_mut().counting_socket();
    (counting.received(), counting.sent())
}
