//! When a half may wait: nothing is due, the alarm is set, and there is no end to be told.

use std::boxed::Box;

use core::pin::{Pin, pin};
use core::task::{Context, Waker};

use ::tokio::task::coop::{has_budget_remaining, unconstrained};
use ::tokio::time::{Instant, Sleep, sleep_until};

use super::LiveStream;
use super::socket::Socket;
use super::turn::REST;
use super::waking::Half;
use crate::driver::{PONGS_OWED, Stuck};
use crate::event::Event;
use crate::liveness::Machine;
use crate::time::{Clock, Timestamp};

impl<S: Socket, M: Machine> LiveStream<S, M> {
    /// Nothing is due, and the alarm will ring when something is.
    pub(super) fn is_settled(&mut self) -> bool {
        let settled = !self.is_due() && self.arm();
        self.unsettled = !settled;
        self.stale |= !settled;
        settled
    }

    /// Whether to wait for what comes; if not, there is something to do first.
    ///
    /// What woke us in the course of this very turn is looked at in the next, after other tasks had theirs: a socket whose
    /// task has spent its budget wakes it at once, and would for ever if it were asked again.
    pub(super) fn may_wait(&mut self, half: Half, cx: &Context<'_>) -> bool {
        if self.is_broken() && self.hear_last_words(half) {
            return false;
        }
        if !self.paused || !self.unflushed || !self.machine.liveness().is_answer_awaited() {
            self.stuck = None;
        } else {
            self.stuck.get_or_insert(Stuck::new(self.now));
        }
        let settled = self.is_settled();
        if settled && !self.wakers.wait(half, cx.waker()) {
            cx.waker().wake_by_ref();
        }
        settled
    }

    /// Nobody listens from here on, and the machine knows.
    pub(super) fn pause(&mut self) {
        if !self.paused {
            self.paused = true;
            self.hear(Event::ReadPaused);
        }
    }

    /// Listens again, if there is room for what might come and for the answers to it.
    pub(super) fn resume(&mut self) {
        if self.paused && self.may_read() && self.pongs_owed < PONGS_OWED {
            self.paused = false;
            self.stuck = None;
            self.read_the_clock();
            self.hear(Event::ReadResumed);
            // Clocks run again, and it may be that nobody but the alarm calls us next.
            let _ = self.arm();
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.socket.is_some() && self.readings.as_ref().is_some_and(|readings| readings.gauge.is_broken())
    }

    /// Nothing can be written any more, so the end has come; but not before everything that had arrived is read, be it the
    /// peer's Close. Where the inbox is full, who reads takes some of it first; who writes has nobody to write to. False:
    /// it cannot be read now.
    fn hear_last_words(&mut self, half: Half) -> bool {
        if !self.listen() {
            if self.may_read() && !has_budget_remaining() {
                // Whoever is told to come again is woken for it, by the socket if it knows of budgets.
                self.wakers.wake_all();
                return false;
            }
            if matches!(half, Half::Read) && !self.may_read() {
                return true;
            }
        }
        self.act(self.now);
        if let Some(readings) = &self.readings {
            readings.gauge.release();
        }
        let _ = self.write_out();
        self.hear(Event::Eof);
        true
    }

    /// Sets the alarm to the next deadline where it would ring too late. False: that has come.
    pub(super) fn arm(&mut self) -> bool {
        if self.socket.is_none() {
            return true;
        }
        let due = self.machine.liveness().poll_timeout().unwrap_or(Timestamp::MAX);
        let due = self.stuck.map_or(due, |stuck| due.min(stuck.due(self.machine.liveness())));
        let due = if self.unheard { self.now.saturating_add(REST) } else { due };
        let due = if self.resting_until > self.now { due.min(self.resting_until) } else { due };
        let rung = self.alarm.at <= self.now;
        if due >= self.alarm.at && !rung {
            return true;
        }
        self.alarm.set(due, self.clock, &self.waker)
    }
}

/// Rings at the next deadline or earlier: it is only ever moved when it has rung or would ring too late.
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    at: Timestamp,
}

impl Alarm {
    /// It rings at once, whatever is polled first.
    pub(super) fn ringing() -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now())), at: Timestamp::ZERO }
    }

    /// False: that moment has come.
    fn set(&mut self, at: Timestamp, clock: Clock, waker: &Waker) -> bool {
        self.at = at;
        self.sleep.as_mut().reset(Instant::from_std(clock.instant(at)));
        // A task that has spent its budget would be told to come again, and not that the alarm is not set.
        let sleep = pin!(unconstrained(self.sleep.as_mut()));
        sleep.poll(&mut Context::from_waker(waker)).is_pending()
    }
}
