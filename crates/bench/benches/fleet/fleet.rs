//! This crate's fleet.

use std::time::Duration;

use liveness::{Action, Event, Fleet as Machines, Key, Payload, Timestamp};

use crate::contender::{Output, Timers};
use crate::scan::config;
use crate::workload::First;

/// A `Fleet`, with the same tick as the others. An event comes with its key, as from the user data of epoll. In a
/// benchmark the fleet never uses a place twice, so the key is the place.
pub(crate) struct Fleet {
    machines: Machines,
}

impl Timers for Fleet {
    type Ping = (Key, Payload);

    fn new(connections: u32, first: First) -> Self {
        let mut machines = Machines::with_tick(config(first), 7, Duration::from_millis(1));
        for connection in 0..connections {
            let inserted = machines.insert(Timestamp::ZERO).expect("room for ten million");
            assert_eq!(inserted, key(connection));
        }
        Self { machines }
    }

    // The event is a literal at the call, as in a driver.
    fn data(&mut self, connection: u32, now: u64) {
        let told = self.machines.handle(key(connection), Event::Data, Timestamp::from_nanos(now));
        assert!(told.is_ok(), "no connection ends here");
    }

    fn poll(&mut self, now: u64) -> Option<Output<Self::Ping>> {
        match self.machines.poll(Timestamp::from_nanos(now)) {
            Some((key, Action::SendPing(payload))) => Some(Output::Ping((key, payload))),
            Some((_, Action::MarkOnline)) => Some(Output::Other),
            Some((key, action)) => panic!("a live peer was given up: {key:?} {action:?}"),
            // `poll` has looked at enough for one call, and lets the loop read its sockets.
            None if self.machines.poll_timeout() == Some(Timestamp::from_nanos(now)) => Some(Output::Other),
            None => None,
        }
    }

    fn pong(&mut self, (key, payload): Self::Ping, now: u64) {
        let told = self.machines.handle(key, Event::Pong(payload.as_bytes()), Timestamp::from_nanos(now));
        assert!(told.is_ok(), "no connection ends here");
    }

    fn next(&self) -> Option<u64> {
        self.machines.poll_timeout().map(Timestamp::as_nanos)
    }
}

/// As [`Fleet`], for a server that answers: a write follows each data event. So neither direction is ever silent for
/// long, and there are hardly any pings. The other contenders have as few, because they look only at what they receive.
pub(crate) struct Echo(Fleet);

impl Timers for Echo {
    type Ping = (Key, Payload);

    fn new(connections: u32, first: First) -> Self {
        Self(Timers::new(connections, first))
    }
    fn data(&mut self, connection: u32, now: u64) {
        self.0.data(connection, now);
        let told = self.0.machines.handle(key(connection), Event::Wrote, Timestamp::from_nanos(now));
        assert!(told.is_ok(), "no connection ends here");
    }
    fn poll(&mut self, now: u64) -> Option<Output<Self::Ping>> {
        self.0.poll(now)
    }
    fn pong(&mut self, ping: Self::Ping, now: u64) {
        self.0.pong(ping, now);
    }
    fn next(&self) -> Option<u64> {
        self.0.next()
    }
}

fn key(connection: u32) -> Key {
    Key::from_bits(u64::from(connection) << 32)
}
