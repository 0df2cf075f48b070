//! tokio-util's `DelayQueue`, reset on each event.
//!
//! It lives in a current-thread runtime whose clock is paused, so no timer of the kernel is involved. A turn moves the
//! clock by `tokio::time::advance`, which also lets the runtime fire the one `Sleep` that the queue keeps. That is one
//! pass of the runtime's loop for each turn, as in production. With a million connections, hundreds of events share a
//! pass. With ten thousand, the pass is most of the cost. The queue itself is polled by hand, and nothing is woken.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, EnterGuard, Runtime};
use tokio::time::{Instant, advance};
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use crate::contender::{Output, Timers};
use crate::workload::{First, INTERVAL, TIMEOUT};

pub(crate) struct TokioUtil {
    queue: DelayQueue<u32>,
    connections: Vec<Connection>,
    runtime: &'static Runtime,
    _entered: EnterGuard<'static>,
    origin: Instant,
    now: u64,
}

struct Connection {
    key: Key,
    awaiting: bool,
}

impl TokioUtil {
    fn at(&self, time: u64) -> Instant {
        self.origin + Duration::from_nanos(time)
    }
}

impl Timers for TokioUtil {
    type Ping = u32;

    fn new(connections: u32, first: First) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        // The runtime lives as long as the process, so that it can stay entered. Otherwise entering it would be charged
        // to each event.
        let runtime: &'static Runtime = Box::leak(Box::new(runtime.expect("a runtime")));
        let entered = runtime.enter();
        let origin = Instant::now();
        let mut queue = DelayQueue::with_capacity(connections as usize);
        let connections = (0..connections)
            .map(|connection| {
                let due = origin + Duration::from_nanos(first.due(connection));
                Connection { key: queue.insert_at(connection, due), awaiting: false }
            })
            .collect();
        Self { queue, connections, runtime, _entered: entered, origin, now: 0 }
    }

    fn turn(&mut self, now: u64) {
        self.runtime.block_on(advance(Duration::from_nanos(now - self.now)));
        self.now = now;
    }

    fn data(&mut self, connection: u32, now: u64) {
        let due = self.at(now + INTERVAL);
        let connection = &mut self.connections[connection as usize];
        connection.awaiting = false;
        // `reset_at`, because `reset` would read the clock once more.
        self.queue.reset_at(&connection.key, due);
    }

    fn poll(&mut self, now: u64) -> Option<Output<u32>> {
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(expired)) = self.queue.poll_expired(&mut context) else { return None };
        let number = expired.into_inner();
        let due = self.at(now + TIMEOUT);
        let connection = &mut self.connections[number as usize];
        assert!(!connection.awaiting, "a live peer was given up");
        *connection = Connection { key: self.queue.insert_at(number, due), awaiting: true };
        Some(Output::Ping(number))
    }

    fn pong(&mut self, connection: u32, now: u64) {
        self.data(connection, now);
    }

    fn next(&self) -> Option<u64> {
        let next = self.queue.deadline(&self.queue.peek()?).saturating_duration_since(self.origin);
        Some(u64::try_from(next.as_nanos()).expect("centuries"))
    }
}
