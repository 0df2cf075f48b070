//! What both halves do whenever they are polled: look at the clock, read what came, judge what is due, write what waits.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use ::tokio::time::Instant;

use super::socket::{Kind, Socket};
use super::waking::Half;
use super::{Error, LiveStream};
use crate::driver::{Fault, INBOX_BYTES, INBOX_MESSAGES, READS_BEFORE_VERDICT, close_text};
use crate::event::{Action, Event, Reason, Status};
use crate::liveness::Machine;
use crate::time::Timestamp;

/// Once the verdict has fallen, a peer that floods on is read this many frames at a time, with a rest after.
const FRAMES_BEFORE_REST: usize = 64;
const REST: Duration = Duration::from_millis(5);

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
        if self.wakers.is_woken() || self.gauge.is_none() {
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
            if self.is_due() {
                self.judge();
            }
            let _ = self.arm();
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.socket.is_some() && self.machine.liveness().poll_timeout().is_some_and(|due| due <= self.now)
    }

    pub(super) fn is_offline(&self) -> bool {
        self.machine.liveness().status() == Status::Offline
    }

    /// Reads everything that has arrived by now, then lets the machine judge as of now.
    fn judge(&mut self) {
        let now = self.now;
        self.listen();
        if !self.may_read() && !self.paused && !self.is_offline() {
            self.paused = true;
            self.hear(Event::ReadPaused);
        }
        self.act(now);
        let _ = self.write_out();
    }

    /// Reads ahead, into the inbox, until nothing is left to read or there is no room for more.
    pub(super) fn listen(&mut self) {
        for _ in 0..READS_BEFORE_VERDICT {
            if !self.may_read() {
                return;
            }
            match self.receive() {
                Receipt::Message(message) => self.keep(message),
                Receipt::Other => {}
                Receipt::Drained => return,
            }
        }
    }

    pub(super) fn may_read(&self) -> bool {
        self.inbox.len() < INBOX_MESSAGES && self.inbox_bytes < INBOX_BYTES
    }

    pub(super) fn keep(&mut self, message: S::Message) {
        self.inbox_bytes = self.inbox_bytes.saturating_add(S::len(&message));
        self.inbox.push_back(message);
        self.wakers.wake_reader();
    }

    pub(super) fn take(&mut self) -> Option<S::Message> {
        let message = self.inbox.pop_front()?;
        self.inbox_bytes = self.inbox_bytes.saturating_sub(S::len(&message));
        if self.paused && self.may_read() {
            self.paused = false;
            self.hear(Event::ReadResumed);
        }
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
            // One that is still unwritten is worth nothing beside a newer one.
            Action::SendPing(payload) => self.ping = Some(S::ping(payload)),
            Action::Close(code) => {
                let verdict = self.machine.liveness().verdict();
                self.ping = None;
                self.unflushed = true;
                // To a Close of the peer the library has its echo ready.
                if !matches!(verdict, Some(Reason::PeerClosed(_))) {
                    let text = verdict.map_or("", Reason::as_str);
                    self.goodbye = Some(self.farewell.take().unwrap_or_else(|| S::close(code, text)));
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
        let Some(socket) = &mut self.socket else { return Receipt::Drained };
        let mut cx = Context::from_waker(&self.waker);
        if self.deaf {
            // Not before our last word is out: what swallows also hangs up.
            let unsaid = self.unflushed || self.farewell.is_some() || self.goodbye.is_some();
            if !unsaid && socket.poll_swallow(&mut cx).is_ready() {
                self.hear(Event::Eof);
            }
            return Receipt::Drained;
        }
        let polled = Pin::new(socket).poll_next(&mut cx);
        let moved = self.has_received();
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

    /// Whether bytes have come since this was last asked. Without a gauge nobody knows.
    fn has_received(&mut self) -> bool {
        let Some(gauge) = &self.gauge else { return false };
        let received = gauge.received();
        core::mem::replace(&mut self.received, received) != received
    }

    fn arrived(&mut self, message: S::Message) -> Receipt<S::Message> {
        let (offline, answers) = (self.is_offline(), self.machine.liveness().stats().answers);
        let kind = S::kind(&message);
        let event = match kind {
            Kind::Data => Event::Data,
            Kind::Ping => Event::Ping,
            Kind::Pong(payload) => Event::Pong(payload),
            Kind::Close(code) => Event::Close(code),
        };
        // To a Ping and to a Close the library has its answer ready, and would write it some time.
        self.unflushed |= matches!(kind, Kind::Ping | Kind::Close(_));
        self.hear(event);
        match kind {
            Kind::Ping | Kind::Pong(_) if offline => {
                self.rest_after_many();
                Receipt::Other
            }
            // The answer to a ping of ours, of which the caller knows nothing.
            Kind::Pong(_) if self.machine.liveness().stats().answers != answers => Receipt::Other,
            Kind::Data | Kind::Ping | Kind::Pong(_) | Kind::Close(_) => Receipt::Message(message),
        }
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
        self.unsettled |= matches!(event, Event::Eof | Event::Close(_));
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
                    self.cause = Some(error);
                    self.machine.close(code, self.now);
                }
            }
            Fault::Gone | Fault::Against(_) | Fault::Refused => self.gone(error),
        }
    }

    fn has_ended(&self) -> bool {
        self.gauge.as_ref().is_some_and(super::Gauge::has_ended)
    }

    fn gone(&mut self, error: S::Failure) {
        // After the verdict the end of the transport is what is waited for.
        if self.machine.liveness().verdict().is_none() {
            self.cause = Some(error);
        }
        self.hear(Event::Eof);
    }

    /// Writes what the machine wants written, then flushes. Ready: nothing of ours waits any more.
    pub(super) fn write_out(&mut self) -> Poll<()> {
        ready!(self.write_own());
        if !self.unflushed {
            return Poll::Ready(());
        }
        match ready!(self.poll_socket_flush()) {
            Ok(()) => self.flushed(),
            Err(error) => self.write_failed(error),
        }
        Poll::Ready(())
    }

    /// Gives the socket the machine's ping or Close.
    pub(super) fn write_own(&mut self) -> Poll<()> {
        while self.ping.is_some() || self.goodbye.is_some() {
            // A pong that the library has ready would come after a Close, which is to be the last word.
            let polled =
                if self.ping.is_some() { self.poll_socket_ready() } else { self.poll_socket_flush() };
            if let Err(error) = ready!(polled) {
                self.write_failed(error);
                return Poll::Ready(());
            }
            self.ping_unflushed |= self.ping.is_some();
            let Some(message) = self.ping.take().or_else(|| self.goodbye.take()) else { break };
            if let Err(error) = self.start(message) {
                self.write_failed(error);
            }
        }
        Poll::Ready(())
    }

    pub(super) fn poll_socket_ready(&mut self) -> Poll<Result<(), S::Failure>> {
        let Some(socket) = &mut self.socket else {
            (self.ping, self.goodbye) = (None, None);
            return Poll::Ready(Ok(()));
        };
        let polled = Pin::new(socket).poll_ready(&mut Context::from_waker(&self.waker));
        self.note_sent();
        polled
    }

    fn poll_socket_flush(&mut self) -> Poll<Result<(), S::Failure>> {
        let Some(socket) = &mut self.socket else { return Poll::Ready(Ok(())) };
        let polled = Pin::new(socket).poll_flush(&mut Context::from_waker(&self.waker));
        self.note_sent();
        polled
    }

    /// Gives the socket a message.
    pub(super) fn start(&mut self, message: S::Message) -> Result<(), S::Failure> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        self.unflushed = true;
        let started = Pin::new(socket).start_send(message);
        self.note_sent();
        started
    }

    /// Reports bytes that have entered the transport.
    fn note_sent(&mut self) {
        let Some(gauge) = &self.gauge else { return };
        let sent = gauge.sent();
        if core::mem::replace(&mut self.sent, sent) != sent {
            self.read_the_clock();
            self.hear(Event::Wrote);
        }
    }

    fn flushed(&mut self) {
        self.unflushed = false;
        if core::mem::take(&mut self.ping_unflushed) {
            self.hear(Event::PingSent);
        } else if self.gauge.is_none() {
            self.hear(Event::Wrote);
        }
    }

    /// A transport that takes no more is at its end; what the socket refuses is the message's fault.
    pub(super) fn write_failed(&mut self, error: S::Failure) {
        match S::fault(&error) {
            Fault::Over | Fault::Refused => {}
            Fault::Gone | Fault::Against(_) => self.gone(error),
        }
        self.unflushed = false;
    }

    /// Nothing is due, and the alarm will ring when something is.
    pub(super) fn is_settled(&mut self) -> bool {
        let settled = !self.is_due() && self.arm();
        self.unsettled = !settled;
        self.stale |= !settled;
        settled
    }

    /// Whether to wait for what comes; if not, there is something to do first.
    ///
    /// What woke us meanwhile is no reason to go on at once. It may be tokio, which says "not now" to whoever has had its
    /// share, and goes on saying so until we have waited.
    pub(super) fn may_wait(&mut self, half: Half, cx: &Context<'_>) -> bool {
        let settled = self.is_settled();
        if settled && !self.wakers.wait(half, cx.waker()) {
            cx.waker().wake_by_ref();
        }
        settled
    }

    /// Sets the alarm to the next deadline where it would ring too late. False: that has come.
    fn arm(&mut self) -> bool {
        if self.socket.is_none() {
            return true;
        }
        let due = self.machine.liveness().poll_timeout().unwrap_or(Timestamp::MAX);
        let due = if self.resting_until > self.now { due.min(self.resting_until) } else { due };
        let rung = self.alarm_at <= self.now;
        if due >= self.alarm_at && !rung {
            return true;
        }
        self.alarm_at = due;
        self.alarm.as_mut().reset(Instant::from_std(self.clock.instant(due)));
        Future::poll(self.alarm.as_mut(), &mut Context::from_waker(&self.waker)).is_pending()
    }

    pub(super) fn offline(&mut self) -> Error<S::Failure> {
        let reason = self.machine.liveness().verdict().unwrap_or(Reason::TransportClosed);
        Error::Offline { reason, cause: self.cause.take() }
    }
}
