//! What each contender must do.
//!
//! Every contender gives the same service. A connection that is idle for `INTERVAL` gets a ping. One that does not answer
//! within `TIMEOUT` is dead. Everything that the peer sends is evidence of life. In this workload no peer dies, so a
//! death is a bug of the contender, and panics.

use crate::watch::Watch;
use crate::workload::{First, Script};

/// Keeps many connections' heartbeats, by whatever means.
pub(crate) trait Contender: Sized {
    /// This many connections, opened at time zero.
    fn new(connections: u32, first: First) -> Self;

    /// Lives through one interval of the script. Answers each ping in the turn in which it is sent. Returns the number of pings.
    fn interval(&mut self, script: &mut Script, watch: &mut impl Watch) -> u64;

    /// Moves from the end of the last turn to `now` in one step, however far, and does everything that is due. Returns
    /// the number of pings.
    fn leap(&mut self, now: u64, watch: &mut impl Watch) -> u64;
}

/// What came out of a poll.
pub(crate) enum Output<P> {
    /// Send a ping. The value is its answer.
    Ping(P),
    /// Something else that an event loop would carry out, such as a presence list's entry.
    Other,
}

/// A contender that is a data structure. The loop is this bench's.
pub(crate) trait Timers: Sized {
    /// What it takes to answer a ping.
    type Ping;

    fn new(connections: u32, first: First) -> Self;

    /// A turn begins. For contenders whose clock must be set.
    fn turn(&mut self, _now: u64) {}

    /// The peer sent data.
    fn data(&mut self, connection: u32, now: u64);

    /// The next thing that is due. Called until it returns `None`.
    fn poll(&mut self, now: u64) -> Option<Output<Self::Ping>>;

    /// The peer answered.
    fn pong(&mut self, ping: Self::Ping, now: u64);

    /// When to poll next: no later than the next thing is due.
    fn next(&self) -> Option<u64>;
}

impl<T: Timers> Contender for T {
    fn new(connections: u32, first: First) -> Self {
        Timers::new(connections, first)
    }

    fn interval(&mut self, script: &mut Script, watch: &mut impl Watch) -> u64 {
        let mut pings = 0;
        while let Some(turn) = script.turn(self.next()) {
            self.turn(turn.now);
            for _ in 0..turn.events {
                self.data(script.pick(), turn.now);
            }
            pings += all_due(self, turn.now, watch);
        }
        pings
    }

    fn leap(&mut self, now: u64, watch: &mut impl Watch) -> u64 {
        self.turn(now);
        all_due(self, now, watch)
    }
}

/// Polls until there is nothing more, and answers the pings.
fn all_due<T: Timers>(timers: &mut T, now: u64, watch: &mut impl Watch) -> u64 {
    let mut pings = 0;
    loop {
        watch.start();
        let output = timers.poll(now);
        watch.stop();
        match output {
            Some(Output::Ping(ping)) => {
                timers.pong(ping, now);
                pings += 1;
            }
            Some(Output::Other) => {}
            None => return pings,
        }
    }
}

/// Not a contender: two cache lines for each connection. Each event reads one and writes the other. Nobody can keep
/// anything about a connection for less, on this machine in this hour.
pub(crate) struct Lines {
    lines: Vec<[u64; 16]>,
}

impl Timers for Lines {
    type Ping = ();

    fn new(connections: u32, _first: First) -> Self {
        Self { lines: vec![[1; 16]; connections as usize] }
    }
    fn data(&mut self, connection: u32, now: u64) {
        let line = &mut self.lines[connection as usize];
        line[0] = line[1].wrapping_add(now);
    }
    fn poll(&mut self, _now: u64) -> Option<Output<()>> {
        None
    }
    fn pong(&mut self, (): (), _now: u64) {}
    fn next(&self) -> Option<u64> {
        None
    }
}

/// Not a contender: the loop itself, to see what driving a contender costs.
pub(crate) struct Nobody;

impl Timers for Nobody {
    type Ping = ();

    fn new(_connections: u32, _first: First) -> Self {
        Self
    }
    fn data(&mut self, connection: u32, now: u64) {
        std::hint::black_box((connection, now));
    }
    fn poll(&mut self, _now: u64) -> Option<Output<()>> {
        None
    }
    fn pong(&mut self, (): (), _now: u64) {}
    fn next(&self) -> Option<u64> {
        None
    }
}
