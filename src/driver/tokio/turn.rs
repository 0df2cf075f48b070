//! The steps of each poll of either half: read the clock, poll the machine, carry out its actions, set the timer.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::adapter::{Adapter, Socket};
use super::timer::Timer;
use super::waking::Half;
use super::{Error, LiveStream};
use crate::dialect::MessageBuf;
use crate::event::{Action, Event, Reason};
use crate::session::{ErrorKind, Outbound};
use crate::time::Timestamp;

/// How many reads discard unread bytes when a stream is dropped: 64 KiB with our own adapters.
const DISCARDS_AT_THE_END: usize = 16;

/// A task that has used its budget comes again after this.
const UNTIL_NEXT_TURN: Duration = Duration::from_millis(5);

impl<S: Socket<A>, A: Adapter<S>, T: Timer> LiveStream<S, A, T> {
    pub(super) fn read_the_clock(&mut self) {
        self.now = self.timer.now();
        self.streak = false;
        self.clock_stale = false;
        self.recheck = true;
    }

    /// Begins a turn: if anything may have changed since the last one, reads the clock, and judges deadlines that are due.
    #[inline]
    pub(super) fn begin_turn(&mut self) {
        self.streak = false;
        if self.wakers.is_woken() {
            self.wakers.clear();
            self.clock_stale = true;
        }
        self.check_deadlines();
    }

    /// Judges deadlines that are due, if something happened since the last check or the clock must be read.
    #[inline]
    pub(super) fn check_deadlines(&mut self) {
        // For most messages the bytes were already there, and no time has passed that the driver knows of.
        if self.clock_stale || self.recheck {
            self.recheck_deadlines();
        }
    }

    #[inline(never)]
    fn recheck_deadlines(&mut self) {
        if self.clock_stale {
            self.read_the_clock();
        }
        self.recheck = false;
        self.deferred = false;
        if self.rests() {
            return;
        }
        if self.is_due() {
            self.judge();
        }
        let _ = self.arm_timer();
    }

    /// Nothing is due, and the timer is set, without a check of every deadline. Traffic only delays deadlines. Any input
    /// that brings one nearer makes the machine want a poll.
    #[inline]
    fn rests(&self) -> bool {
        let rests = self.armed
            && !self.deferred
            && self.now < self.alarm
            && self.liveness().rests_at(self.now)
            && self.session.poll_timeout(self.now).is_none();
        debug_assert!(!rests || self.socket.is_none() || self.wake_at() >= self.alarm, "the timer is late");
        debug_assert!(!rests || !self.is_due(), "something is due");
        rests
    }

    fn is_due(&self) -> bool {
        !self.deferred
            && self.socket.is_some()
            && self.machine.poll_timeout().is_some_and(|due| due <= self.now)
    }

    /// Writes, reads data that might refute a verdict that is due, and then polls the machine.
    fn judge(&mut self) {
        let now = self.now;
        if !self.timer.has_budget() {
            // A task that has used its budget can neither read nor write. It judges in its next turn.
            self.deferred = true;
            self.clock_stale = true;
            return;
        }
        let _ = self.write();
        if self.liveness().would_judge(now) {
            self.read_ahead();
        }
        self.poll_machine(now);
        let _ = self.write();
    }

    /// Carries out the machine's actions at `now`.
    pub(super) fn poll_machine(&mut self, now: Timestamp) {
        self.armed = false;
        while let Some(action) = self.machine.poll(now) {
            let verdict = self.liveness().verdict();
            self.session.act(action, verdict);
            if action == Action::Disconnect {
                self.disconnect();
            }
            let status = self.liveness().status();
            if let Some(watched) = &self.status {
                watched.send_if_modified(|old| core::mem::replace(old, status) != status);
            }
        }
    }

    /// Closes the transport, after a last try to write.
    fn disconnect(&mut self) {
        let _ = self.call(|socket, cx| A::poll_shutdown(socket.get_mut(), cx));
        self.socket = None;
        if let Some(counts) = &self.counts {
            counts.counters.release();
        }
        self.wakers.wake_all();
    }

    /// Makes a call of the library, and reports the bytes that it moved.
    #[inline]
    pub(super) fn call<R>(&mut self, call: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> R) -> Option<R> {
        self.socket.as_ref()?;
        self.begin_call();
        let cx = &mut Context::from_waker(&self.waker);
        let result = self.socket.as_mut().map(|socket| call(Pin::new(socket), cx));
        self.end_call();
        result
    }

    /// Stands before every call of the library.
    #[inline]
    pub(super) fn begin_call(&mut self) {
        self.calling = true;
        if let Some(counts) = &self.counts {
            counts.counters.begin_call();
        }
    }

    /// Stands after every call of the library: reports the bytes that it moved.
    #[inline]
    pub(super) fn end_call(&mut self) {
        self.calling = false;
        let Some(counts) = &mut self.counts else { return };
        let is_held = counts.counters.end_call();
        let (received, sent) = counts.moved();
        if received != 0 || sent != 0 || is_held {
            self.bytes_moved(received, sent, is_held);
        }
    }

    /// Without counts: the library moved bytes in the call that has just returned, nobody knows when. The thread may have
    /// lost its processor since the clock was read. So it is read again: what happened is dated too late rather than too
    /// early, because the peer's time runs from there.
    #[inline]
    pub(super) fn date_unseen_bytes(&mut self) {
        if self.counts.is_none() {
            self.read_the_clock();
        }
    }

    #[inline(never)]
    fn bytes_moved(&mut self, received: usize, sent: usize, is_held: bool) {
        self.read_the_clock();
        self.session.received_bytes(received, self.now);
        self.session.sent_bytes(sent, &mut self.machine, self.now);
        if is_held && !self.session.is_write_broken() {
            self.take_held_error();
        }
    }

    /// Takes an error of writing that the library does not know, so that it keeps reading.
    fn take_held_error(&mut self) {
        let error = self.counts.as_ref().and_then(|counts| counts.counters.held_error());
        let Some(error) = error else { return };
        if self.session.failed_to_write(ErrorKind::Transport, &mut self.machine, self.now) {
            self.cause = Some(std::sync::Arc::new(error));
        }
        self.recheck = true;
    }

    /// The library's message for a frame or message that the session wants to write.
    pub(super) fn own_message(out: Outbound) -> Option<A::Message> {
        match out {
            Outbound::Pong(payload) => A::pong(&payload),
            Outbound::Ping(payload) => Some(A::ping(payload.as_bytes())),
            Outbound::Answer(MessageBuf::Text(text)) | Outbound::Beat(MessageBuf::Text(text)) => {
                Some(A::text(text))
            }
            Outbound::Answer(MessageBuf::Binary(bytes)) | Outbound::Beat(MessageBuf::Binary(bytes)) => {
                Some(A::binary(bytes))
            }
            Outbound::Close(code, text) => Some(A::close(code, &text)),
            Outbound::Flush | Outbound::ShutdownWrite => None,
        }
    }

    pub(super) fn is_offline(&self) -> bool {
        self.liveness().verdict().is_some()
    }

    pub(super) fn offline_error(&self) -> Error {
        let reason = self.liveness().verdict().unwrap_or(Reason::TransportClosed);
        // With any other reason, the error did not end the connection.
        let by_error = matches!(reason, Reason::TransportClosed | Reason::ProtocolError(_));
        Error::Offline { reason, cause: self.cause.clone().filter(|_| by_error) }
    }

    /// Nothing is due, and the timer will fire when something is.
    pub(super) fn is_idle(&mut self) -> bool {
        let idle = self.rests() || (!self.is_due() && self.arm_timer());
        self.recheck = !idle;
        self.clock_stale |= !idle;
        idle
    }

    /// Whether to wait; if not, there is something to do first.
    ///
    /// A wake-up during this turn waits for the next turn, after the other tasks. A socket whose task has used its budget
    /// wakes the task at once, and would do so for ever if it were polled again.
    pub(super) fn may_wait(&mut self, half: Half, cx: &Context<'_>) -> bool {
        let idle = self.is_idle();
        if idle && !self.wakers.wait(half, cx.waker()) {
            cx.waker().wake_by_ref();
        }
        idle
    }

    fn wake_at(&self) -> Timestamp {
        self.liveness().wake_at().unwrap_or(Timestamp::MAX)
    }

    /// Sets the timer to the next deadline if it would fire too late. False: the deadline has come.
    fn arm_timer(&mut self) -> bool {
        if self.socket.is_none() {
            return true;
        }
        self.armed = !self.deferred;
        let due = self.wake_at();
        let due = if self.deferred { self.now.saturating_add(UNTIL_NEXT_TURN) } else { due };
        let due = self.session.poll_timeout(self.now).map_or(due, |rest| due.min(rest));
        let fired = self.alarm <= self.now;
        if due >= self.alarm && !fired {
            return true;
        }
        let is_set = self.timer.poll_until(due, &mut Context::from_waker(&self.waker)).is_pending();
        // If the moment passed since the clock was read, no timer is set: the next turn must not rely on it.
        self.alarm = if is_set { due } else { Timestamp::ZERO };
        self.clock_stale |= !is_set;
        is_set
    }

    /// If a transport is closed with unread bytes, it is reset, and the peer may lose our Close.
    fn discard_leftovers(&mut self) {
        for _ in 0..DISCARDS_AT_THE_END {
            let read = self.call(|socket, cx| A::poll_discard(socket.get_mut(), cx));
            if !matches!(read, Some(Poll::Ready(Ok(1..)))) {
                break;
            }
        }
    }

    /// Ends a dropped stream. Its caller is gone, perhaps by a panic. Observers get the end, and the peer gets a Close if
    /// the socket takes it at once.
    pub(super) fn abandon(&mut self) {
        if self.liveness().is_finished() {
            return;
        }
        self.read_the_clock();
        self.session.close(crate::event::CloseCode::GOING_AWAY, "", &mut self.machine, self.now);
        self.poll_machine(self.now);
        // A library that panicked is not called again.
        if self.calling {
            self.socket = None;
        }
        let _ = self.write();
        self.discard_leftovers();
        self.machine.handle(Event::Eof, self.now);
        self.poll_machine(self.now);
    }
}
