//! The best timer wheel on crates.io that we found: nexus-timer.
//!
//! It was chosen because it fits, not by downloads, which we could not look up. It is a hierarchical wheel over a slab.
//! It has `reschedule` in place, and takes the time as a parameter. Of the others, `hierarchical_hash_wheel_timer` keeps
//! an `Rc` and an entry of a hash map for each timer in its cancellable wheel, cannot move a timer, and needs each tick.
//! `timing-wheel` calls itself a binary heap. `wheel_timer`, `hashed_wheel_timer` and `pendulum` are plain hashed wheels
//! at versions below 1.

use std::time::{Duration, Instant};

use nexus_timer::{TimerHandle, Wheel};

use crate::contender::{Output, Timers};
use crate::workload::{First, INTERVAL, TIMEOUT};

/// How many timers are taken out of the wheel at once. A call walks the wheel's levels, so one timer at a time would be slow.
/// All at once would stall the loop.
const BATCH: usize = 64;

pub(crate) struct NexusTimer {
    /// A wheel with default settings: ticks of a millisecond, rebalanced while polling, which its docs call "least total
    /// work".
    wheel: Wheel<u32>,
    connections: Vec<Connection>,
    /// Taken out of the wheel, but not handed out yet.
    expired: Vec<u32>,
    origin: Instant,
}

struct Connection {
    /// `None` only between the moment a timer fires and the moment the next is set.
    timer: Option<TimerHandle<u32>>,
    awaiting: bool,
}

impl NexusTimer {
    fn at(&self, time: u64) -> Instant {
        self.origin + Duration::from_nanos(time)
    }
}

impl Timers for NexusTimer {
    type Ping = u32;

    fn new(connections: u32, first: First) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the wheel takes `Instant`s; any origin will do")]
        let origin = Instant::now();
        let mut wheel = Wheel::unbounded(4096, origin);
        let connections = (0..connections)
            .map(|connection| {
                let due = origin + Duration::from_nanos(first.due(connection));
                Connection { timer: Some(wheel.schedule(due, connection)), awaiting: false }
            })
            .collect();
        Self { wheel, connections, expired: Vec::with_capacity(BATCH), origin }
    }

    fn data(&mut self, connection: u32, now: u64) {
        let due = self.at(now + INTERVAL);
        let connection = &mut self.connections[connection as usize];
        let timer = connection.timer.take().expect("a timer is set whenever an event can come");
        connection.timer = Some(self.wheel.reschedule(timer, due));
        connection.awaiting = false;
    }

    fn poll(&mut self, now: u64) -> Option<Output<u32>> {
        if self.expired.is_empty() {
            let now = self.at(now);
            self.wheel.poll_and_rebalance_with_limit(now, BATCH, &mut self.expired);
        }
        let number = self.expired.pop()?;
        let due = self.at(now + TIMEOUT);
        let connection = &mut self.connections[number as usize];
        assert!(!connection.awaiting, "a live peer was given up");
        connection.awaiting = true;
        let fired = connection.timer.replace(self.wheel.schedule(due, number));
        self.wheel.free(fired.expect("a timer is set whenever it can fire"));
        Some(Output::Ping(number))
    }

    fn pong(&mut self, connection: u32, now: u64) {
        self.data(connection, now);
    }

    fn next(&self) -> Option<u64> {
        let next = self.wheel.next_deadline()?.saturating_duration_since(self.origin);
        Some(u64::try_from(next.as_nanos()).expect("centuries"))
    }
}
