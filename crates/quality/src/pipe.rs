//! One direction of a connection, as TCP makes it.

use crate::chance::{MILLI, Nanos, nanos, normal, number, seconds, unit};
use crate::spells::Spells;
use crate::world::Network;

/// The send buffer: what the kernel takes from a writer beyond the bytes that have left.
const BUFFER: f64 = 256_000.0;

/// Linux's least value of the variance's part of the retransmission timeout, and its largest timeout (RFC 6298 allows both).
const RTO_LEAST: Nanos = 200 * MILLI;
const RTO_MOST: Nanos = 120 * crate::chance::SECOND;

/// More attempts than fit into any life.
const ATTEMPTS: u32 = 24;

pub(crate) struct Pipe {
    network: Network,
    /// Bytes a second.
    rate: f64,
    seed: u64,
    /// When the first retransmission is tried: the tail loss probe of RFC 8985, after two round trips.
    probe: Nanos,
    /// After that, RFC 6298's timer, doubled each time.
    rto: Nanos,
    /// Nothing that leaves at this moment or later arrives.
    cut_at: Nanos,
    /// The link is busy until this moment.
    busy_until: Nanos,
    /// The latest arrival. Nothing overtakes it.
    arrived: Nanos,
    /// Bytes that had not left at the cut, or were written since. They stay in the send buffer.
    stuck: f64,
}

/// When a written message leaves and arrives.
#[derive(Clone, Copy)]
pub struct Written {
    /// When its first byte leaves, and below it when its last byte has left.
    pub starts: Nanos,
    pub left: Nanos,
    /// When the kernel has taken its last byte; `MAX` if it never does.
    pub taken: Nanos,
    /// When its last byte arrives; `MAX` if it never does.
    pub arrives: Nanos,
}

impl Pipe {
    pub(crate) fn new(network: Network, rate: f64, seed: u64, cut_at: Nanos) -> Self {
        let round_trip = 2.0 * (network.latency + network.jitter);
        let variance = nanos(4.0 * network.jitter * network.spread).max(RTO_LEAST);
        Self {
            network,
            rate,
            seed,
            probe: nanos(2.0 * round_trip).max(10 * MILLI),
            rto: nanos(round_trip) + variance,
            cut_at,
            busy_until: 0,
            arrived: 0,
            stuck: 0.0,
        }
    }

    /// Writes this many bytes. Calls must be in the order of time.
    pub(crate) fn write(&mut self, now: Nanos, bytes: f64, outages: &Spells) -> Written {
        let starts = self.busy_until.max(now);
        let left = starts + nanos(bytes / self.rate);
        self.busy_until = left;
        let taken = left.saturating_sub(nanos(BUFFER / self.rate)).max(now);
        let arrives = self.attempts(left, outages);
        self.stuck += if starts >= self.cut_at {
            bytes
        } else if left > self.cut_at {
            seconds(left - self.cut_at) * self.rate
        } else {
            0.0
        };
        // The kernel does not know of the cut: it takes bytes until its buffer is full.
        let taken = if self.stuck <= BUFFER { taken } else { Nanos::MAX };
        Written { starts, left, taken, arrives }
    }

    /// When a packet that leaves at `left` arrives. It is tried again and again, each time after twice the wait, until it
    /// is neither lost nor sent into an outage.
    fn attempts(&mut self, left: Nanos, outages: &Spells) -> Nanos {
        let (mut at, mut wait) = (left, self.probe);
        for attempt in 0..ATTEMPTS {
            if at >= self.cut_at {
                return Nanos::MAX;
            }
            let lost = unit(number(self.seed, 1, at)) < self.network.loss;
            if !lost && outages.end_at(at).is_none() {
                let late =
                    self.network.jitter * (self.network.spread * normal(number(self.seed, 2, at))).exp();
                self.arrived = self.arrived.max(at + nanos(self.network.latency + late));
                return self.arrived;
            }
            at += wait;
            wait = if attempt == 0 { self.rto } else { (2 * wait).min(RTO_MOST) };
        }
        Nanos::MAX
    }

    /// When a byte that leaves at `left` arrives, if it is not the last. A lost packet among many is noticed at once, and
    /// costs a round trip that the others hide.
    pub(crate) fn flight(&self, left: Nanos, outages: &Spells) -> Option<Nanos> {
        let sent = left < self.cut_at && outages.end_at(left).is_none();
        sent.then(|| left + nanos(self.network.latency + self.network.jitter))
    }

    pub(crate) fn busy_seconds(&self, now: Nanos) -> f64 {
        seconds(self.busy_until.saturating_sub(now))
    }
}
