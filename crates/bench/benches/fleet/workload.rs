//! A server's day, the same for every contender: which peers send something, and when.
//!
//! Time is simulated. It goes in turns of a millisecond, as in an event loop that reads the clock once a turn. A turn
//! first reports what arrived, then asks for what is due. One millisecond is also the resolution of every timer that is
//! measured here. A turn in which nothing arrives and nothing is due is skipped.

pub(crate) const INTERVAL: u64 = 20_000_000_000;
pub(crate) const TIMEOUT: u64 = 20_000_000_000;
/// The length of a turn.
pub(crate) const TURN: u64 = 1_000_000;
/// Turns in an interval.
const TURNS: u64 = INTERVAL / TURN;

/// How much there is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    /// Data events for each connection and interval, on average.
    pub(crate) events: u32,
}

impl Load {
    pub(crate) fn events_an_interval(self) -> u64 {
        u64::from(self.connections) * u64::from(self.events)
    }
}

/// Whether the connections' first pings are spread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// Evenly over the first interval, in random order, as in a server that has been up for a while.
    Spread,
    /// All at the end of the first interval: all clients came at once, and there is no jitter.
    AtOnce,
}

impl First {
    /// When the first ping of the connection with this number is due.
    pub(crate) fn due(self, connection: u32) -> u64 {
        match self {
            Self::Spread => below(mix(u64::from(connection)), INTERVAL) + 1,
            Self::AtOnce => INTERVAL,
        }
    }
}

/// One turn of the loop.
pub(crate) struct Turn {
    pub(crate) now: u64,
    /// Data events to report. [`Script::pick`] says which connection each belongs to.
    pub(crate) events: u64,
}

/// The events in their order. The same load always gives the same script.
pub(crate) struct Script {
    load: Load,
    random: u64,
    /// Where the current interval began.
    start: u64,
    /// Turns taken in the current interval.
    taken: u64,
}

impl Script {
    pub(crate) const fn new(load: Load) -> Self {
        Self { load, random: 7, start: 0, taken: 0 }
    }

    /// The end of the last turn that was taken or skipped.
    pub(crate) const fn now(&self) -> u64 {
        self.start + self.taken * TURN
    }

    /// The next turn at which something arrives or is `due`; `None` at the end of the interval.
    pub(crate) fn turn(&mut self, due: Option<u64>) -> Option<Turn> {
        if self.load.events == 0 {
            // Jump to the turn after which it is due. Walking there would cost more than some contenders do.
            let due = due.map_or(u64::MAX, |due| due.max(self.now() + 1));
            return self.take((due - self.start).div_ceil(TURN), 0);
        }
        let arrived = |turns: u64| self.load.events_an_interval() * turns / TURNS;
        let (mut taken, before) = (self.taken + 1, arrived(self.taken));
        while arrived(taken) == before && due.is_none_or(|due| due > self.start + taken * TURN) {
            taken += 1;
        }
        self.take(taken, arrived(taken) - before)
    }

    fn take(&mut self, taken: u64, events: u64) -> Option<Turn> {
        if taken > TURNS {
            self.taken = TURNS;
            return None;
        }
        self.taken = taken;
        Some(Turn { now: self.now(), events })
    }

    /// Begins the next interval.
    pub(crate) fn next_interval(&mut self) {
        self.start += INTERVAL;
        self.taken = 0;
    }

    /// The connection of the next event. Each draw is independent, so that nothing can be learned from the order.
    pub(crate) fn pick(&mut self) -> u32 {
        self.random += 1;
        let picked = below(mix(self.random), u64::from(self.load.connections));
        u32::try_from(picked).expect("below the number of connections")
    }
}

/// The output function of splitmix64.
pub(crate) const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random number scaled to `0..limit`.
const fn below(random: u64, limit: u64) -> u64 {
    ((random as u128 * limit as u128) >> 64) as u64
}
