//! A `Vec<Liveness>` that is scanned from end to end once a second. It is what people write first.
//!
//! It is late by up to a second, and the others by a millisecond. A scan is also a stall. For a few thousand connections
//! neither matters.

use liveness::{Action, Config, Event, Liveness, Payload, Timestamp};

use crate::contender::{Output, Timers};
use crate::workload::{First, mix};

const SECOND: u64 = 1_000_000_000;

pub(crate) struct Scan {
    machines: Vec<Liveness>,
    /// What the latest scan found and what is not carried out yet.
    found: Vec<(u32, Action)>,
    /// When the next scan starts.
    due: u64,
}

impl Scan {
    fn scan(&mut self, now: Timestamp) {
        for (number, machine) in (0..).zip(&mut self.machines) {
            while let Some(action) = machine.poll(now) {
                self.found.push((number, action));
            }
        }
    }
}

impl Timers for Scan {
    type Ping = (u32, Payload);

    fn new(connections: u32, first: First) -> Self {
        let config = config(first);
        let machine = |number| Liveness::new(config, mix(u64::from(number)), Timestamp::ZERO);
        Self { machines: (0..connections).map(machine).collect(), found: Vec::new(), due: SECOND }
    }

    fn data(&mut self, connection: u32, now: u64) {
        self.machines[connection as usize].handle(Event::Data, Timestamp::from_nanos(now));
    }

    fn poll(&mut self, now: u64) -> Option<Output<Self::Ping>> {
        if now >= self.due {
            self.due = now + SECOND;
            self.scan(Timestamp::from_nanos(now));
        }
        match self.found.pop()? {
            (connection, Action::SendPing(payload)) => Some(Output::Ping((connection, payload))),
            (_, Action::MarkOnline) => Some(Output::Other),
            (_, action) => panic!("a live peer was given up: {action:?}"),
        }
    }

    fn pong(&mut self, (connection, payload): Self::Ping, now: u64) {
        let answer = Event::Pong(payload.as_bytes());
        self.machines[connection as usize].handle(answer, Timestamp::from_nanos(now));
    }

    fn next(&self) -> Option<u64> {
        Some(self.due)
    }
}

/// The crate's defaults, which are this workload's numbers. Without jitter, all first pings come together.
pub(crate) fn config(first: First) -> Config {
    match first {
        First::Spread => Config::DEFAULT,
        First::AtOnce => Config::builder().jitter(0).build_const(),
    }
}
