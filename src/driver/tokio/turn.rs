//! What both halves do whenever they are polled: look at the clock, read what came, judge what is due, write what waits.

use std::string::ToString as _;

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use ::tokio::task::coop::has_budget_remaining;
use ::tokio::time::Instant;

use super::gauge::Readings;
use super::socket::{Kind, Socket};
use super::{Error, LiveStream};
use crate::beat::Beat;
use crate::driver::{
    BACKLOG, Fault, Heartbeat, PONGS_OWED, READS_BEFORE_VERDICT, close_text, is_refutable, pong_owed,
    verdict_at,
};
use crate::event::{Action, Event, Reason, Status};
use crate::liveness::Machine;
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

impl<S: Socket, M: Machine> LiveStream<S, M> {
    pub(super) fn read_the_clock(&mut self) {
        self.now = self.clock.at(Instant::now().into_std());
        self.stale = false;
        self.unsettled = true;
    }

    /// Begins a turn: if anything may have changed since the last, looks at the clock, and judges what is due.
    pub(super) fn begin_turn(&mut self) {
        if self.wakers.is_woken() || self.readings.is_none() {
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
            if self.is_stuck() {
                self.hear(Event::Eof);
                self.act(self.now);
            }
            let _ = self.arm();
        }
    }

    /// For so long that the transport has failed; what it takes by now counts.
    fn is_stuck(&mut self) -> bool {
        let failed = |this: &mut Self| {
            let (peer, now) = (this.machine.liveness(), this.now);
            let stuck = this.stuck.as_mut().filter(|_| peer.is_answer_awaited());
            stuck.is_some_and(|stuck| stuck.has_failed(peer, now))
        };
        failed(self) && self.write_out().is_pending() && failed(self)
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
        let _ = self.write_out();
        let drained = self.listen() || self.paused || self.is_offline();
        if drained {
            self.backlog = None;
        }
        if !drained && self.must_wait(now) {
            self.unheard = true;
            // The next turn looks again.
            self.stale = true;
        } else {
            self.act(now);
        }
        let _ = self.write_out();
    }

    /// What would save the peer may lie unread behind what the caller has yet to take. Nobody is judged before it is
    /// read; but a peer that sends faster than it is read is not spared for ever.
    fn must_wait(&mut self, now: Timestamp) -> bool {
        let verdict = verdict_at(self.machine.liveness(), now);
        // A task without budget may not write either.
        let unwritten = verdict == Some(Reason::WriteStalled) && self.may_read();
        if !unwritten && !is_refutable(verdict) {
            return false;
        }
        let here = (self.heard, self.machine.liveness().stats().answers);
        let from = self.backlog.get_or_insert(here);
        if from.1 != here.1 {
            *from = here;
        }
        here.0.saturating_sub(from.0) < BACKLOG
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
                    Heartbeat::Text => S::text(Beat::Ping(payload).to_string()),
                });
            }
            Action::Close(code) => {
                let verdict = self.machine.liveness().verdict();
                self.own.drop_heartbeats();
                self.unflushed = true;
                // To a Close of the peer the library has its echo ready.
                if !matches!(verdict, Some(Reason::PeerClosed(_))) {
                    let text = verdict.map_or("", Reason::as_str);
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
        let owes_much = self.pongs_owed >= PONGS_OWED && !self.is_offline();
        if owes_much && self.write_out().is_pending() && !self.is_broken() {
            // Who pings and does not read is not read either; one that has left has said its last words before.
            self.pause();
            return Receipt::Drained;
        }
        let Some(socket) = &mut self.socket else { return Receipt::Drained };
        let mut cx = Context::from_waker(&self.waker);
        let polled = Pin::new(socket).poll_next(&mut cx);
        // Without a gauge nobody knows.
        let moved = self.readings.as_mut().is_some_and(Readings::has_received);
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
            if self.socket.as_mut().is_some_and(|socket| socket.poll_swallow(&mut cx).is_ready()) {
                self.hear(Event::Eof);
            }
        }
        Receipt::Drained
    }

    fn arrived(&mut self, message: S::Message) -> Receipt<S::Message> {
        // No frame has a shorter header.
        self.heard = self.heard.saturating_add(S::len(&message) as u64).saturating_add(2);
        let kind = S::kind(&message);
        if let Kind::Text(text) = kind {
            if let Some(beat) = self.heartbeat.beat(text) {
                return self.beaten(beat);
            }
        }
        let (offline, answers) = (self.is_offline(), self.machine.liveness().stats().answers);
        let event = match kind {
            Kind::Text(_) | Kind::Data => Event::Data,
            Kind::Ping => Event::Ping,
            Kind::Pong(payload) => Event::Pong(payload),
            Kind::Close(code) => Event::Close(code),
        };
        // To a Ping and to a Close the library has its answer ready, and would write it some time.
        self.unflushed |= matches!(kind, Kind::Ping | Kind::Close(_));
        if kind == Kind::Ping {
            self.pongs_owed = self.pongs_owed.saturating_add(pong_owed(self.machine.liveness()));
        }
        if matches!(kind, Kind::Close(_)) {
            // The library takes nothing more but its own echo.
            self.own.drop_heartbeats();
        }
        self.hear(event);
        match kind {
            Kind::Ping | Kind::Pong(_) if offline => {
                self.rest_after_many();
                Receipt::Other
            }
            // The answer to a ping of ours, of which the caller knows nothing.
            Kind::Pong(_) if self.machine.liveness().stats().answers != answers => Receipt::Other,
            Kind::Text(_) | Kind::Data | Kind::Ping | Kind::Pong(_) | Kind::Close(_) => {
                Receipt::Message(message)
            }
        }
    }

    /// A heartbeat in a text message is none of the caller's.
    fn beaten<T>(&mut self, beat: Beat) -> Receipt<T> {
        let offline = self.is_offline();
        self.hear(beat.event());
        if offline {
            self.rest_after_many();
        } else if let Some(answer) = beat.answer() {
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
        let ours = matches!(event, Event::Wrote | Event::PingSent | Event::ReadPaused | Event::ReadResumed);
        if let Some(from) = self.away_from.take_if(|_| !ours) {
            let tolerance = self.machine.liveness().config().stall_tolerance;
            if self.now.since(from) > tolerance && !self.paused {
                self.machine.handle(Event::ReadPaused, from);
                self.machine.handle(Event::ReadResumed, self.now);
            }
        }
        self.machine.handle(event, self.now);
        // Besides an end, what draws on the budget of a flood.
        self.unsettled |= matches!(event, Event::Eof | Event::Close(_) | Event::Ping | Event::Pong(_));
    }

    /// Sorts an error of reading.
    fn failed(&mut self, error: S::Failure) {
        match S::fault(&error) {
            Fault::Over => self.hear(Event::Eof),
            Fault::Against(code) if !self.has_ended() => {
                // RFC 6455 7.1.7: fail the connection. Where one frame ends and the next begins is lost.
                self.deaf = true;
                self.unsettled = true;
                if self.machine.liveness().verdict().is_none() {
                    self.farewell = Some(S::close(Some(code), &close_text(&error)));
                    self.blame(error);
                    self.machine.close(code, self.now);
                }
            }
            Fault::Gone | Fault::Against(_) | Fault::Refused => self.gone(error),
        }
    }

    fn has_ended(&self) -> bool {
        self.readings.as_ref().is_some_and(|readings| readings.gauge.has_ended())
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
