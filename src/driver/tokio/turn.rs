//! What both halves do whenever they are polled: look at the clock, read what came, judge what is due, write what waits.

use std::string::ToString as _;

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use ::tokio::task::coop::has_budget_remaining;
use ::tokio::time::Instant;

use super::byte_counters::LastCounts;
use super::message_stream::{MessageKind, MessageStream};
use super::{Error, LiveStream};
use crate::driver::{ErrorKind, Heartbeat, PONGS_OWED, READS_BEFORE_VERDICT, close_text, pong_owed};
use crate::event::{Action, Event, Reason, Status};
use crate::text_heartbeat::TextHeartbeat;
use crate::time::Timestamp;

/// Once the verdict has fallen, a peer that floods on is read this many frames at a time, with a pause after.
const FRAMES_BEFORE_COOLDOWN: usize = 64;
pub(super) const COOLDOWN: Duration = Duration::from_millis(5);

/// What one attempt to read brought.
pub(super) enum ReadOutcome<T> {
    /// A message for the caller.
    Message(T),
    /// Something that is none of its business.
    Other,
    /// Nothing: everything that had arrived is read.
    Drained,
}

impl<S: MessageStream> LiveStream<S> {
    pub(super) fn read_the_clock(&mut self) {
        self.now = self.clock.at(Instant::now().into_std());
        self.clock_stale = false;
        self.recheck = true;
    }

    /// Begins a turn: if anything may have changed since the last, looks at the clock, and judges what is due.
    pub(super) fn begin_turn(&mut self) {
        if self.wakers.is_woken() || self.counts.is_none() {
            self.wakers.clear();
            self.clock_stale = true;
        }
        self.check_deadlines();
    }

    /// Judges what is due, if the clock has been read, or is to be read, since the deadlines were last looked at.
    fn check_deadlines(&mut self) {
        if self.clock_stale {
            self.read_the_clock();
        }
        if core::mem::take(&mut self.recheck) {
            self.verdict_deferred = false;
            self.verdict_waits = false;
            if self.is_due() {
                self.judge();
            }
            let _ = self.arm_timer();
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.verdict_deferred
            && self.socket.is_some()
            && self.machine.liveness().poll_timeout().is_some_and(|due| due <= self.now)
    }

    pub(super) fn is_offline(&self) -> bool {
        self.machine.liveness().status() == Status::Offline
    }

    /// Writes what there is room for, reads everything that has arrived by now, then lets the machine judge as of now.
    fn judge(&mut self) {
        let now = self.now;
        if !has_budget_remaining() {
            // A task that has spent its budget can neither read nor write. It judges in its next turn.
            self.verdict_deferred = true;
            self.clock_stale = true;
            return;
        }
        let tolerance = self.machine.liveness().config().stall_tolerance;
        let absent = self.absent_since.is_some_and(|since| now.since(since) > tolerance);
        let _ = self.write_and_flush();
        let drained = self.read_ahead() || self.paused || self.is_offline();
        if !drained && absent && !self.may_read() {
            // The caller takes its messages so slowly that nobody listens: there is no room for what may have come.
            self.pause();
        } else if !drained {
            self.handle(Event::Unread);
            self.verdict_waits = !self.may_read();
        }
        self.poll_machine(now);
        let _ = self.write_and_flush();
    }

    /// Reads ahead, into the inbox, until nothing is left to read or there is no room for more. Whether nothing is left.
    pub(super) fn read_ahead(&mut self) -> bool {
        for _ in 0..READS_BEFORE_VERDICT {
            if !self.may_read() {
                return false;
            }
            match self.receive() {
                ReadOutcome::Message(message) => self.enqueue(message),
                ReadOutcome::Other => {}
                // A task that has spent its budget is told that there is nothing.
                ReadOutcome::Drained => return has_budget_remaining(),
            }
        }
        false
    }

    pub(super) fn may_read(&self) -> bool {
        self.inbox.has_room()
    }

    pub(super) fn enqueue(&mut self, message: S::Message) {
        let bytes = S::len(&message);
        self.inbox.push(message, bytes);
        self.wakers.wake_reader();
    }

    pub(super) fn dequeue(&mut self) -> Option<S::Message> {
        let message = self.inbox.pop()?;
        self.resume();
        Some(message)
    }

    /// Carries out what the machine wants done as of `now`.
    pub(super) fn poll_machine(&mut self, now: Timestamp) {
        while let Some(action) = self.machine.poll(now) {
            self.carry_out(action);
            let status = self.machine.liveness().status();
            if let Some(watched) = &self.status {
                watched.send_if_modified(|old| core::mem::replace(old, status) != status);
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::SendPing(payload) => {
                self.control.ping = Some(match self.heartbeat {
                    Heartbeat::Frames => S::ping(payload),
                    Heartbeat::Text => S::text(TextHeartbeat::Ping(payload).to_string()),
                });
            }
            Action::Close(code) => {
                let verdict = self.machine.liveness().verdict();
                self.control.drop_heartbeats();
                self.unflushed = true;
                // To a Close of the peer the library has its echo ready.
                if !matches!(verdict, Some(Reason::PeerClosed(_))) {
                    let text = verdict.map_or("", Reason::description);
                    self.control.close =
                        Some(self.close_message.take().unwrap_or_else(|| S::close(code, text)));
                }
            }
            Action::Disconnect => {
                self.socket = None;
                self.unflushed = false;
                self.wakers.wake_all();
            }
            Action::MarkOnline | Action::MarkSuspect | Action::MarkOffline(_) => {}
        }
    }

    /// One attempt to read.
    pub(super) fn receive(&mut self) -> ReadOutcome<S::Message> {
        if self.now < self.cooldown_until {
            return ReadOutcome::Drained;
        }
        if self.discarding {
            return self.discard_input();
        }
        let owes_much = self.pongs_owed >= PONGS_OWED && !self.is_offline();
        if owes_much && self.write_and_flush().is_pending() && !self.is_broken() {
            // Stop reading a peer that does not read our pongs, unless it has left: then all that it said is still to be read.
            self.pause();
            return ReadOutcome::Drained;
        }
        let Some(socket) = &mut self.socket else { return ReadOutcome::Drained };
        let mut cx = Context::from_waker(&self.waker);
        let polled = Pin::new(socket).poll_next(&mut cx);
        // Without counters nobody knows.
        let moved = self.counts.as_mut().is_some_and(LastCounts::has_received);
        if moved {
            self.read_the_clock();
        }
        match polled {
            Poll::Ready(Some(Ok(message))) => self.on_message(message),
            Poll::Ready(Some(Err(error))) => {
                self.read_failed(error);
                ReadOutcome::Other
            }
            Poll::Ready(None) => {
                self.handle(Event::Eof);
                ReadOutcome::Drained
            }
            Poll::Pending => {
                if moved {
                    self.handle(Event::Progress);
                }
                self.absent_since = None;
                ReadOutcome::Drained
            }
        }
    }

    /// Reads and drops what nobody can understand any more, to learn when it ends.
    fn discard_input(&mut self) -> ReadOutcome<S::Message> {
        // Not before our Close is out: discarding also hangs up.
        if self.close_message.is_none() && self.write_and_flush().is_ready() {
            let mut cx = Context::from_waker(&self.waker);
            if self.socket.as_mut().is_some_and(|socket| socket.poll_discard_input(&mut cx).is_ready()) {
                self.handle(Event::Eof);
            } else if self.counts.as_mut().is_none_or(LastCounts::has_received) {
                // There may be more, and nobody is woken for it.
                self.read_the_clock();
                self.cooldown_until = self.now.saturating_add(COOLDOWN);
            }
        }
        ReadOutcome::Drained
    }

    fn on_message(&mut self, message: S::Message) -> ReadOutcome<S::Message> {
        let kind = S::kind(&message);
        if let MessageKind::Text(text) = kind {
            if let Some(heartbeat) = self.heartbeat.parse(text) {
                return self.on_text_heartbeat(heartbeat);
            }
        }
        let (offline, answers) = (self.is_offline(), self.machine.liveness().stats().answers);
        let event = match kind {
            MessageKind::Text(_) | MessageKind::Data => Event::Data,
            MessageKind::Ping => Event::Ping,
            MessageKind::Pong(payload) => Event::Pong(payload),
            MessageKind::Close(code) => Event::Close(code),
        };
        // To a Ping and to a Close the library has its answer ready, and would write it some time.
        self.unflushed |= matches!(kind, MessageKind::Ping | MessageKind::Close(_));
        if kind == MessageKind::Ping {
            self.pongs_owed = self.pongs_owed.saturating_add(pong_owed(self.machine.liveness()));
        }
        if matches!(kind, MessageKind::Close(_)) {
            // The library takes nothing more but its own echo.
            self.control.drop_heartbeats();
        }
        self.handle(event);
        if offline {
            self.cool_down_after_many();
        }
        match kind {
            MessageKind::Ping | MessageKind::Pong(_) if offline => ReadOutcome::Other,
            // The answer to a ping of ours, of which the caller knows nothing.
            MessageKind::Pong(_) if self.machine.liveness().stats().answers != answers => ReadOutcome::Other,
            MessageKind::Text(_)
            | MessageKind::Data
            | MessageKind::Ping
            | MessageKind::Pong(_)
            | MessageKind::Close(_) => ReadOutcome::Message(message),
        }
    }

    /// A heartbeat in a text message is none of the caller's.
    fn on_text_heartbeat<T>(&mut self, heartbeat: TextHeartbeat) -> ReadOutcome<T> {
        let offline = self.is_offline();
        self.handle(heartbeat.event());
        if offline {
            self.cool_down_after_many();
        } else if let Some(answer) = heartbeat.answer() {
            self.control.answer = Some(S::text(answer.to_string()));
        }
        ReadOutcome::Other
    }

    fn cool_down_after_many(&mut self) {
        self.since_cooldown = self.since_cooldown.saturating_add(1);
        if self.since_cooldown >= FRAMES_BEFORE_COOLDOWN {
            self.since_cooldown = 0;
            self.cooldown_until = self.now.saturating_add(COOLDOWN);
        }
    }

    /// Hands an event to the machine; and before an event of the peer that had long been waiting for us, that it had to.
    pub(super) fn handle(&mut self, event: Event<'_>) {
        let ours = matches!(
            event,
            Event::Wrote | Event::PingSent | Event::ReadPaused | Event::ReadResumed | Event::Unread
        );
        if let Some(from) = self.absent_since.take_if(|_| !ours) {
            if self.now.since(from) > self.machine.liveness().config().last_look {
                self.machine.handle(Event::Unread, self.now);
            }
        }
        self.machine.handle(event, self.now);
        // Besides an end, what draws on the budget of a flood.
        self.recheck |= matches!(
            event,
            Event::Eof | Event::Close(_) | Event::Violation(_) | Event::Ping | Event::Pong(_)
        );
    }

    /// Sorts an error of reading.
    fn read_failed(&mut self, error: S::Failure) {
        match S::error_kind(&error) {
            ErrorKind::Closed => self.handle(Event::Eof),
            ErrorKind::Protocol(code) if !self.has_ended() => {
                // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
                self.discarding = true;
                self.recheck = true;
                if self.machine.liveness().verdict().is_none() {
                    self.close_message = Some(S::close(Some(code), &close_text(&error)));
                    self.set_cause(error);
                    self.handle(Event::Violation(code));
                }
            }
            ErrorKind::Transport | ErrorKind::Protocol(_) | ErrorKind::Rejected => {
                self.transport_failed(error)
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.counts.as_ref().is_some_and(|counts| counts.counters.has_ended())
    }

    /// Keeps the error that ends the connection: the first, and none after the verdict, when the end is waited for.
    fn set_cause(&mut self, error: S::Failure) {
        if self.machine.liveness().verdict().is_none() && !self.had_cause {
            self.had_cause = true;
            self.cause = Some(error);
        }
    }

    pub(super) fn transport_failed(&mut self, error: S::Failure) {
        self.set_cause(error);
        self.handle(Event::Eof);
    }

    pub(super) fn offline_error(&mut self) -> Error<S::Failure> {
        let reason = self.machine.liveness().verdict().unwrap_or(Reason::TransportClosed);
        Error::Offline { reason, cause: self.cause.take() }
    }
}
