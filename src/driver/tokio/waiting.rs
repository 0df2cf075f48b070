//! When a half may wait: nothing is due, the timer is set, and there is no end to be told.

use std::boxed::Box;

use core::pin::{Pin, pin};
use core::task::{Context, Waker};

use ::tokio::task::coop::{has_budget_remaining, unconstrained};
use ::tokio::time::{Instant, Sleep, sleep_until};

use super::LiveStream;
use super::message_stream::MessageStream;
use super::turn::COOLDOWN;
use super::waking::Half;
use crate::driver::PONGS_OWED;
use crate::event::Event;
use crate::time::{Clock, Timestamp};

impl<S: MessageStream> LiveStream<S> {
    /// Nothing is due, and the timer will fire when something is.
    pub(super) fn is_idle(&mut self) -> bool {
        let idle = !self.is_due() && self.arm_timer();
        self.recheck = !idle;
        self.clock_stale |= !idle;
        idle
    }

    /// Whether to wait for what comes; if not, there is something to do first.
    ///
    /// What woke us in the course of this very turn is looked at in the next, after other tasks had theirs: a socket whose
    /// task has spent its budget wakes it at once, and would for ever if it were asked again.
    pub(super) fn may_wait(&mut self, half: Half, cx: &Context<'_>) -> bool {
        if self.is_broken() && self.drain_before_eof(half) {
            return false;
        }
        let idle = self.is_idle();
        if idle && !self.wakers.wait(half, cx.waker()) {
            cx.waker().wake_by_ref();
        }
        idle
    }

    /// Nobody listens from here on, and the machine knows.
    pub(super) fn pause(&mut self) {
        if !self.paused {
            self.paused = true;
            self.handle(Event::ReadPaused);
        }
    }

    /// Listens again, if there is room for what might come and for the answers to it.
    pub(super) fn resume(&mut self) {
        if self.paused && self.may_read() && self.pongs_owed < PONGS_OWED {
            self.paused = false;
            self.read_the_clock();
            self.handle(Event::ReadResumed);
            // Clocks run again, and it may be that nobody but the timer calls us next.
            let _ = self.arm_timer();
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.socket.is_some() && self.counts.as_ref().is_some_and(|counts| counts.counters.is_broken())
    }

    /// Nothing can be written any more, so the end has come; but not before everything that had arrived is read, be it the
    /// peer's Close. Where the inbox is full, who reads takes some of it first; who writes has nobody to write to. False:
    /// it cannot be read now.
    fn drain_before_eof(&mut self, half: Half) -> bool {
        if !self.read_ahead() {
            if self.may_read() && !has_budget_remaining() {
                // Whoever is told to come again is woken for it, by the socket if it knows of budgets.
                self.wakers.wake_all();
                return false;
            }
            if matches!(half, Half::Read) && !self.may_read() {
                return true;
            }
        }
        self.poll_machine(self.now);
        if let Some(counts) = &self.counts {
            counts.counters.release_errors();
        }
        let _ = self.write_and_flush();
        self.handle(Event::Eof);
        true
    }

    /// Sets the timer to the next deadline where it would fire too late. False: that has come.
    pub(super) fn arm_timer(&mut self) -> bool {
        if self.socket.is_none() {
            return true;
        }
        let due = self.machine.liveness().poll_timeout().unwrap_or(Timestamp::MAX);
        let due = if self.verdict_deferred { self.now.saturating_add(COOLDOWN) } else { due };
        let due = if self.cooldown_until > self.now { due.min(self.cooldown_until) } else { due };
        let fired = self.timer.at <= self.now;
        if due >= self.timer.at && !fired {
            return true;
        }
        self.timer.set(due, self.clock, &self.waker)
    }
}

/// Fires at the next deadline or earlier: it is only ever moved when it has fired or would fire too late.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: Timestamp,
}

impl Timer {
    /// It fires at once, whatever is polled first.
    pub(super) fn due_now() -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now())), at: Timestamp::ZERO }
    }

    /// False: that moment has come.
    fn set(&mut self, at: Timestamp, clock: Clock, waker: &Waker) -> bool {
        self.at = at;
        self.sleep.as_mut().reset(Instant::from_std(clock.instant(at)));
        // A task that has spent its budget would be told to come again, and not that the timer is not set.
        let sleep = pin!(unconstrained(self.sleep.as_mut()));
        sleep.poll(&mut Context::from_waker(waker)).is_pending()
    }
}
