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
use crate::liveness::Monitor;
use crate::text_heartbeat::TextHeartbeat;
use crate::time::Timestamp;

/// Once the verdict has fallen, a peer that floods on is read this many frames at a time, with a rest after.
const FRAMES_BEFORE_REST: usize = 64;
pub(super) const REST: Duration = Duration::from_millis(5);

/// What one attempt to read brought.
pub(super) enum Receipt<T> {
    /// A message for the caller.
    Message(T),
    /// Something that is none of its business.
    Other,
    /// Nothing: everything that had arrived is read.
    Drained,
}

impl<S: MessageStream, M: Monitor> LiveStream<S, M> {
    pub(super) fn read_the_clock(&mut self) {
        self.now = self.clock.at(Instant::now().into_std());
        self.stale = false;
        self.unsettled = true;
    }

    /// Begins a turn: if anything may have changed since the last, looks at the clock, and judges what is due.
    pub(super) fn begin_turn(&mut self) {
        if self.wakers.is_woken() || self.counts.is_none() {
            self.wakers.rest();
            self.stale = true;
        }
        self.settle();
    }

    /// Judges what is due, if the clock has been read, or is to be read, since that was last looked at.
    fn settle(&mut self) {
        if self.stale {
            self.read_the_clock();
        }
        if core::mem::take(&mut self.unsettled) {
            self.unheard = false;
            if self.is_due() {
                self.judge();
            }
            let _ = self.arm();
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.unheard
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
            self.unheard = true;
            self.stale = true;
            return;
        }
        let _ = self.write_out();
        let drained = self.listen() || self.paused || self.is_offline();
        if !drained {
            if self.may_read() { self.hear(Event::Unread) } else { self.pause() }
        }
        self.act(now);
        let _ = self.write_out();
    }

    /// Reads ahead, into the inbox, until nothing is left to read or there is no room for more. Whether nothing is left.
    pub(super) fn listen(&mut self) -> bool {
        for _ in 0..READS_BEFORE_VERDICT {
            if !self.may_read() {
                return false;
            }
            match self.receive() {
                Receipt::Message(message) => self.keep(message),
                Receipt::Other => {}
                // A task that has spent its budget is told that there is nothing.
                Receipt::Drained => return has_budget_remaining(),
            }
        }
        false
    }

    pub(super) fn may_read(&self) -> bool {
        self.inbox.has_room()
    }

    pub(super) fn keep(&mut self, message: S::Message) {
        let bytes = S::len(&message);
        self.inbox.push(message, bytes);
        self.wakers.wake_reader();
    }

    pub(super) fn take(&mut self) -> Option<S::Message> {
        let message = self.inbox.pop()?;
        self.resume();
        Some(message)
    }

    /// Carries out what the machine wants done as of `now`.
    pub(super) fn act(&mut self, now: Timestamp) {
        while let Some(action) = self.machine.poll(now) {
            self.carry_out(action);
            if let Some(watcher) = &mut self.watcher {
                watcher(action, self.machine.liveness());
            }
            let status = self.machine.liveness().status();
            if let Some(watched) = &self.status {
                watched.send_if_modified(|old| core::mem::replace(old, status) != status);
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::SendPing(payload) => {
                self.own.ping = Some(match self.heartbeat {
                    Heartbeat::Frames => S::ping(payload),
                    Heartbeat::Text => S::text(TextHeartbeat::Ping(payload).to_string()),
                });
            }
            Action::Close(code) => {
                let verdict = self.machine.liveness().verdict();
                self.own.drop_heartbeats();
                self.unflushed = true;
                // To a Close of the peer the library has its echo ready.
                if !matches!(verdict, Some(Reason::PeerClosed(_))) {
                    let text = verdict.map_or("", Reason::description);
                    self.own.goodbye = Some(self.farewell.take().unwrap_or_else(|| S::close(code, text)));
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
    pub(super) fn receive(&mut self) -> Receipt<S::Message> {
        if self.now < self.resting_until {
            return Receipt::Drained;
        }
        if self.deaf {
            return self.swallow();
        }
        if self.pongs_owed >= PONGS_OWED && !self.is_offline() && self.write_out().is_pending() {
            // Who pings and does not read is not read either.
            self.pause();
            return Receipt::Drained;
        }
        let Some(socket) = &mut self.socket else { return Receipt::Drained };
        let mut cx = Context::from_waker(&self.waker);
        let polled = Pin::new(socket).poll_next(&mut cx);
        // Without counters nobody knows.
        let moved = self.counts.as_mut().is_some_and(LastCounts::has_received);
        if moved {
            self.read_the_clock();
        }
        match polled {
            Poll::Ready(Some(Ok(message))) => self.arrived(message),
            Poll::Ready(Some(Err(error))) => {
                self.failed(error);
                Receipt::Other
            }
            Poll::Ready(None) => {
                self.hear(Event::Eof);
                Receipt::Drained
            }
            Poll::Pending => {
                if moved {
                    self.hear(Event::Progress);
                }
                self.away_from = None;
                Receipt::Drained
            }
        }
    }

    /// Reads and drops what nobody can understand any more, to learn when it ends.
    fn swallow(&mut self) -> Receipt<S::Message> {
        // Not before our last word is out: what swallows also hangs up.
        if self.farewell.is_none() && self.write_out().is_ready() {
            let mut cx = Context::from_waker(&self.waker);
            if self.socket.as_mut().is_some_and(|socket| socket.poll_discard_input(&mut cx).is_ready()) {
                self.hear(Event::Eof);
            }
        }
        Receipt::Drained
    }

    fn arrived(&mut self, message: S::Message) -> Receipt<S::Message> {
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
            self.own.drop_heartbeats();
        }
        self.hear(event);
        match kind {
            MessageKind::Ping | MessageKind::Pong(_) if offline => {
                self.rest_after_many();
                Receipt::Other
            }
            // The answer to a ping of ours, of which the caller knows nothing.
            MessageKind::Pong(_) if self.machine.liveness().stats().answers != answers => Receipt::Other,
            MessageKind::Text(_)
            | MessageKind::Data
            | MessageKind::Ping
            | MessageKind::Pong(_)
            | MessageKind::Close(_) => Receipt::Message(message),
        }
    }

    /// A heartbeat in a text message is none of the caller's.
    fn on_text_heartbeat<T>(&mut self, heartbeat: TextHeartbeat) -> Receipt<T> {
        let offline = self.is_offline();
        self.hear(heartbeat.event());
        if offline {
            self.rest_after_many();
        } else if let Some(answer) = heartbeat.answer() {
            self.own.answer = Some(S::text(answer.to_string()));
        }
        Receipt::Other
    }

    fn rest_after_many(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
        if self.dropped >= FRAMES_BEFORE_REST {
            self.dropped = 0;
            self.resting_until = self.now.saturating_add(REST);
        }
    }

    /// Hands an event to the machine; and before an event of the peer that had long been waiting for us, that it had to.
    pub(super) fn hear(&mut self, event: Event<'_>) {
        let ours = matches!(
            event,
            Event::Wrote | Event::PingSent | Event::ReadPaused | Event::ReadResumed | Event::Unread
        );
        if let Some(from) = self.away_from.take_if(|_| !ours) {
            if self.now.since(from) > self.machine.liveness().config().last_look {
                self.machine.handle(Event::Unread, self.now);
            }
        }
        self.machine.handle(event, self.now);
        // Besides an end, what draws on the budget of a flood.
        self.unsettled |= matches!(
            event,
            Event::Eof | Event::Close(_) | Event::Violation(_) | Event::Ping | Event::Pong(_)
        );
    }

    /// Sorts an error of reading.
    fn failed(&mut self, error: S::Failure) {
        match S::error_kind(&error) {
            ErrorKind::Closed => self.hear(Event::Eof),
            ErrorKind::Protocol(code) if !self.has_ended() => {
                // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
                self.deaf = true;
                self.unsettled = true;
                if self.machine.liveness().verdict().is_none() {
                    self.farewell = Some(S::close(Some(code), &close_text(&error)));
                    self.blame(error);
                    self.hear(Event::Violation(code));
                }
            }
            ErrorKind::Transport | ErrorKind::Protocol(_) | ErrorKind::Rejected => self.gone(error),
        }
    }

    fn has_ended(&self) -> bool {
        self.counts.as_ref().is_some_and(|counts| counts.counters.has_ended())
    }

    /// Keeps the error that ends the connection: the first, and none after the verdict, when the end is waited for.
    fn blame(&mut self, error: S::Failure) {
        if self.machine.liveness().verdict().is_none() && !self.faulty {
            self.faulty = true;
            self.cause = Some(error);
        }
    }

    pub(super) fn gone(&mut self, error: S::Failure) {
        self.blame(error);
        self.hear(Event::Eof);
    }

    pub(super) fn offline(&mut self) -> Error<S::Failure> {
        let reason = self.machine.liveness().verdict().unwrap_or(Reason::TransportClosed);
        Error::Offline { reason, cause: self.cause.take() }
    }
}
