//! A runtime's clock and timer, which is all that a stream needs of it.

use std::boxed::Box;
use std::sync::OnceLock;

use core::fmt;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use ::tokio::task::coop::{has_budget_remaining, unconstrained};
use ::tokio::time::{Instant, Sleep, sleep_until};

use crate::time::{Clock, Timestamp};

/// A clock with a timer: all that a [`LiveStream`](super::LiveStream) needs of a runtime. [`TokioTimer`] is tokio's. This is
/// the timer of async-io, for smol and async-std:
///
/// ```
/// # #![allow(dead_code)]
/// # mod async_io {
/// #     use std::{future::Future, pin::Pin, task::{Context, Poll}, time::Instant};
/// #     pub(crate) struct Timer;
/// #     impl Timer {
/// #         pub(crate) fn never() -> Self { Self }
/// #         pub(crate) fn set_at(&mut self, _: Instant) {}
/// #     }
/// #     impl Future for Timer {
/// #         type Output = Instant;
/// #         fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Instant> { Poll::Pending }
/// #     }
/// # }
/// use std::{future::Future, pin::Pin, task::{Context, Poll}};
/// use liveness::{Clock, Timestamp, driver::tokio::Timer};
///
/// struct AsyncIo(async_io::Timer, Clock);
///
/// impl Timer for AsyncIo {
///     fn now(&self) -> Timestamp {
///         self.1.now()
///     }
///     fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
///         self.0.set_at(self.1.instant(at));
///         Pin::new(&mut self.0).poll(cx).map(drop)
///     }
/// }
/// ```
pub trait Timer {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Ready if this moment has come, even if that was after the last call of [`now`](Self::now): the thread may have been
    /// without a processor meanwhile. Otherwise it wakes the task when the moment comes, and forgets any earlier request.
    fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()>;

    /// False while the runtime makes sockets return "pending" although there is data, because the task has used its budget.
    fn has_budget(&self) -> bool {
        true
    }
}

/// tokio's clock and timer, in step with `tokio::time::pause` and `advance`.
pub struct TokioTimer {
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
}

impl TokioTimer {
    /// A timer with this clock. Call it within a tokio runtime that has time enabled.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, sleep: Box::pin(sleep_until(Instant::now())) }
    }

    /// Its clock.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }
}

impl Timer for TokioTimer {
    fn now(&self) -> Timestamp {
        self.clock.at(Instant::now().into_std())
    }

    fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().reset(Instant::from_std(self.clock.instant(at)));
        // Without it, a task that has used its budget would be woken at once, and the timer would not be set.
        let sleep = pin!(unconstrained(self.sleep.as_mut()));
        sleep.poll(cx)
    }

    fn has_budget(&self) -> bool {
        has_budget_remaining()
    }
}

impl fmt::Debug for TokioTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioTimer").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// A clock of tokio's time, in step with `tokio::time::pause` and `advance`. Its origin is now or up to 34 ms ago.
///
/// The origins of all such clocks in a process differ by multiples of 2^25 ns. So deadlines that may wait for a line of the
/// [grid](crate::Liveness::wake_at) coincide for all connections, and wake the process once.
#[must_use]
pub fn clock() -> Clock {
    Clock::with_origin(last_line(Instant::now().into_std()))
}

/// The last line of the process's grid that is not after `now`.
fn last_line(now: std::time::Instant) -> std::time::Instant {
    const MESH: u128 = 1 << 25;
    static BASE: OnceLock<std::time::Instant> = OnceLock::new();
    let base = *BASE.get_or_init(|| now);
    // A paused clock of another runtime may be before the base.
    let past = match now.checked_duration_since(base) {
        Some(since) => since.as_nanos() & (MESH - 1),
        None => base.saturating_duration_since(now).as_nanos().wrapping_neg() & (MESH - 1),
    };
    let past = Duration::from_nanos(u64::try_from(past).unwrap_or(0));
    now.checked_sub(past).unwrap_or(now)
}
