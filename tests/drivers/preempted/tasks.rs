//! A runtime of one thread, and what a stream needs of it: the clock and the timer, and the transport.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use liveness::Timestamp;
use liveness::driver::tokio::Timer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::moment::{self, preempt};

/// The runtime's clock and timer.
pub(super) struct Ticker;

impl Timer for Ticker {
    fn now(&self) -> Timestamp {
        moment::timestamp(moment::read())
    }

    fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
        let at = at.saturating_duration_since(Timestamp::ZERO);
        let is_set = moment::set_timer(at);
        moment::with(|moment| moment.alarm = is_set.then(|| (at, cx.waker().clone())));
        preempt();
        if is_set { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// The stream's end of the transport.
pub(super) struct Pipe;

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        moment::use_wire(|wire, now| {
            let Some(bytes) = wire.read(buffer.remaining(), now) else {
                wire.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            buffer.put_slice(&bytes);
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        moment::use_wire(|wire, now| match wire.write(bytes, now) {
            0 => {
                wire.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            count => Poll::Ready(Ok(count)),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        preempt();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        moment::use_wire(|wire, _| wire.shut = true);
        Poll::Ready(Ok(()))
    }
}

/// The task does something else for so long.
pub(super) async fn nap(length: Duration) {
    let until = moment::now() + length;
    poll_fn(|cx| {
        if moment::now() >= until {
            return Poll::Ready(());
        }
        moment::with(|moment| moment.naps.push((until, cx.waker().clone())));
        Poll::Pending
    })
    .await;
}

/// Is up when its task must be polled.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// Wakes all whose moment has come.
fn ring() {
    let woken = moment::with(|moment| {
        moment.catch_up();
        let now = moment.at();
        let mut woken = Vec::new();
        if moment.alarm.as_ref().is_some_and(|(at, _)| *at <= now) {
            woken.extend(moment.alarm.take().map(|(_, waker)| waker));
        }
        let (due, later) = std::mem::take(&mut moment.naps).into_iter().partition(|(at, _)| *at <= now);
        moment.naps = later;
        let due: Vec<(Duration, Waker)> = due;
        woken.extend(due.into_iter().map(|(_, waker)| waker));
        if moment.wire.is_readable(now) {
            woken.extend(moment.wire.reader.take());
        }
        if moment.wire.is_writable() {
            woken.extend(moment.wire.writer.take());
        }
        woken
    });
    woken.into_iter().for_each(Waker::wake);
}

/// When somebody may be woken by what was not yet.
fn next() -> Option<Duration> {
    moment::with(|moment| {
        let now = moment.at();
        let alarm = moment.alarm.as_ref().map(|(at, _)| *at);
        let naps = moment.naps.iter().map(|(at, _)| *at);
        naps.chain(alarm).chain(moment.wire.next(now)).min()
    })
}

pub(super) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Runs these tasks to their ends. An error: nothing wakes them, or they spin.
pub(super) fn run(tasks: Vec<Task>) -> Result<(), String> {
    let flagged = |task| (task, Arc::new(Flag(AtomicBool::new(true))));
    let mut tasks: Vec<_> = tasks.into_iter().map(flagged).collect();
    let (mut row, mut at) = (0, moment::now());
    while !tasks.is_empty() {
        ring();
        let now = moment::now();
        row = if now > at { 0 } else { row + 1 };
        at = now;
        moment::with(|moment| moment.seen.row = moment.seen.row.max(row));
        if row > 200 {
            return Err(format!("it spins at {now:?}"));
        }
        let Some(which) = tasks.iter().position(|(_, flag)| flag.0.swap(false, Relaxed)) else {
            match next() {
                Some(next) => moment::wait_until(next),
                None => return Err(format!("nothing wakes it at {now:?}")),
            }
            continue;
        };
        let (task, flag) = &mut tasks[which];
        let waker = Waker::from(Arc::clone(flag));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            drop(tasks.remove(which));
        }
    }
    Ok(())
}
