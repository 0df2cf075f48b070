//! One direction of a connection.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::rng::Rng;
use crate::time::{Timestamp, nanos};

/// The latency, jitter and rate of one direction.
///
/// ```
/// use core::time::Duration;
/// use liveness::sim::LinkProfile;
///
/// // A hotel's network: 80 ms, up to 200 ms of jitter, 100 kB a second.
/// const HOTEL: LinkProfile = LinkProfile::new(Duration::from_millis(80)).jitter(Duration::from_millis(200)).rate(100_000);
/// # let _ = HOTEL;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkProfile {
    latency: u64,
    jitter: u64,
    /// Bytes a second; `u64::MAX`: no limit.
    rate: u64,
}

impl LinkProfile {
    /// Everything arrives at once.
    pub const INSTANT: Self = Self::new(Duration::ZERO);
    /// A home connection: 15 ms, up to 5 ms of jitter, 5 MB a second.
    pub const HOME: Self =
        Self::new(Duration::from_millis(15)).jitter(Duration::from_millis(5)).rate(5_000_000);
    /// A mobile phone: 50 ms, up to 150 ms of jitter because the radio wakes up slowly, 500 kB a second.
    pub const MOBILE: Self =
        Self::new(Duration::from_millis(50)).jitter(Duration::from_millis(150)).rate(500_000);
    /// A geostationary satellite: twice 36,000 km at the speed of light are 240 ms.
    pub const SATELLITE: Self =
        Self::new(Duration::from_millis(270)).jitter(Duration::from_millis(60)).rate(1_000_000);

    /// A profile with this latency, whatever the size of a message.
    #[must_use]
    pub const fn new(latency: Duration) -> Self {
        Self { latency: nanos(latency), jitter: 0, rate: u64::MAX }
    }

    /// Adds up to this much to the latency, with a new draw for each message. Messages keep their order: a faster message
    /// waits.
    #[must_use]
    pub const fn jitter(mut self, at_most: Duration) -> Self {
        self.jitter = nanos(at_most);
        self
    }

    /// Sets the rate in bytes a second. Zero counts as one; `u64::MAX`: no limit.
    #[must_use]
    pub const fn rate(mut self, bytes_per_second: u64) -> Self {
        self.rate = if bytes_per_second == 0 { 1 } else { bytes_per_second };
        self
    }

    /// How long this many bytes take, rounded up, so that they never exceed the rate.
    fn transmission(&self, bytes: usize) -> u64 {
        if self.rate == u64::MAX {
            return 0;
        }
        let scaled = (bytes as u128).saturating_mul(1_000_000_000);
        u64::try_from(scaled.div_ceil(self.rate.into())).unwrap_or(u64::MAX)
    }
}

/// One direction of a TCP connection. Each message arrives whole, once, in order and at its time. After a cut, no message
/// arrives.
///
/// - A message arrives when its last byte arrives. It leaves at the profile's rate, after everything sent before it, and
///   then takes the latency and a jitter. So the receiving end sees the same rate.
/// - During an [`outage`](Self::outage) nothing leaves, nothing arrives and nothing is lost. Afterwards everything arrives
///   later by that much, in order. Without a rate it arrives in a burst, as from TCP.
/// - After a [`cut`](Self::cut) nothing arrives any more, and neither end is told.
///
/// The same calls with the same seed give the same arrivals. A time earlier than the latest counts as the latest.
///
/// ```
/// use core::time::Duration;
/// use liveness::Timestamp;
/// use liveness::sim::{LinkProfile, OneWay};
///
/// let at = Timestamp::from_millis;
/// let mut down = OneWay::new(LinkProfile::new(Duration::from_millis(40)), 7);
/// down.send("one", 100, at(0));
/// down.outage(at(10), Duration::from_secs(3));
/// down.send("two", 100, at(50));
///
/// assert_eq!(down.poll_timeout(), Some(at(3040)));
/// assert_eq!(down.poll(at(3040)), Some("one"));
/// assert_eq!(down.poll(at(3040)), None);
/// assert_eq!(down.poll(at(3050)), Some("two"));
/// ```
#[derive(Clone, Debug)]
pub struct OneWay<T> {
    profile: LinkProfile,
    rng: Rng,
    latest: Timestamp,
    /// The time on the wire stands still during an outage. This is the total length of the outages that are over.
    stood: u64,
    /// Beginnings and ends of the other outages, by the caller's clock, in order and without overlap. The last one may be a
    /// cut.
    outages: VecDeque<(u64, u64)>,
    /// In the time on the wire: when the last byte sent so far leaves, when the last message arrives, and when each message
    /// arrives.
    left_at: u64,
    arrived_at: u64,
    under_way: VecDeque<(u64, T)>,
}

impl<T> OneWay<T> {
    /// A direction without outages. The seed determines the jitter.
    #[must_use]
    pub const fn new(profile: LinkProfile, seed: u64) -> Self {
        Self {
            profile,
            rng: Rng::new(seed),
            latest: Timestamp::ZERO,
            stood: 0,
            outages: VecDeque::new(),
            left_at: 0,
            arrived_at: 0,
            under_way: VecDeque::new(),
        }
    }

    /// Sends a message of this many bytes.
    pub fn send(&mut self, message: T, bytes: usize, now: Timestamp) {
        self.pass(now);
        let took = self.profile.transmission(bytes);
        self.left_at = self.left_at.max(self.on_the_wire(self.latest)).saturating_add(took);
        let jitter = self.rng.below(self.profile.jitter.saturating_add(1));
        let travelled = self.left_at.saturating_add(self.profile.latency).saturating_add(jitter);
        // Its bytes follow those of the message before it, so it cannot arrive earlier.
        self.arrived_at = travelled.max(self.arrived_at.saturating_add(took));
        if self.on_the_clock(self.arrived_at) < u64::MAX {
            self.under_way.push_back((self.arrived_at, message));
        }
    }

    /// The next message that has arrived by now: call until `None`.
    pub fn poll(&mut self, now: Timestamp) -> Option<T> {
        self.pass(now);
        let arrives = self.on_the_clock(self.under_way.front()?.0);
        if arrives > self.latest.as_nanos() {
            return None;
        }
        self.under_way.pop_front().map(|(_, message)| message)
    }

    /// When the next message arrives; a past moment if one is unread. `None`: no message is on its way.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.under_way.front().map(|(arrives, _)| Timestamp::from_nanos(self.on_the_clock(*arrives)))
    }

    /// Stops everything for this long, from that moment; a past moment counts as now. Outages may overlap. A message that
    /// would arrive at exactly that moment waits too. `Duration::MAX` is a cut.
    pub fn outage(&mut self, from: Timestamp, lasts: Duration) {
        let begins = from.max(self.latest);
        let (mut begins, mut ends) = (begins.as_nanos(), begins.saturating_add(lasts).as_nanos());
        if begins == ends {
            return;
        }
        self.outages.retain(|(other_begins, other_ends)| {
            let apart = *other_ends < begins || ends < *other_begins;
            if !apart {
                begins = begins.min(*other_begins);
                ends = ends.max(*other_ends);
            }
            apart
        });
        let place = self.outages.partition_point(|(other, _)| *other < begins);
        self.outages.insert(place, (begins, ends));
        while self.under_way.back().is_some_and(|(arrives, _)| self.on_the_clock(*arrives) == u64::MAX) {
            self.under_way.pop_back();
        }
    }

    /// Cuts this direction for ever: messages that have not arrived before that moment never arrive, and the sender is not
    /// told.
    pub fn cut(&mut self, at: Timestamp) {
        self.outage(at, Duration::MAX);
    }

    /// Whether the direction is in an outage or cut at that moment.
    #[must_use]
    pub fn is_out(&self, at: Timestamp) -> bool {
        let at = at.as_nanos();
        self.outages.iter().any(|(begins, ends)| *begins <= at && at < *ends)
    }

    /// How many messages were sent and not read yet.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// How many bytes wait at the sending end, as in a kernel's buffer: for a sender that limits them.
    #[must_use]
    pub fn unsent(&self, now: Timestamp) -> usize {
        if self.profile.rate == u64::MAX {
            return 0;
        }
        let waits = self.left_at.saturating_sub(self.on_the_wire(now.max(self.latest)));
        let bytes = u128::from(waits).saturating_mul(self.profile.rate.into()).div_ceil(1_000_000_000);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Forgets the outages that are over.
    fn pass(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
        while let Some((begins, ends)) = self.outages.front().copied() {
            if ends > self.latest.as_nanos() || ends == u64::MAX {
                break;
            }
            self.stood = self.stood.saturating_add(ends.saturating_sub(begins));
            self.outages.pop_front();
        }
    }

    /// The time on the wire at a moment, which must not be before the latest.
    fn on_the_wire(&self, at: Timestamp) -> u64 {
        let at = at.as_nanos();
        let standing = self.outages.iter().map(|(begins, ends)| at.min(*ends).saturating_sub(*begins));
        at.saturating_sub(standing.fold(self.stood, u64::saturating_add))
    }

    /// The moment of a time on the wire; the end of time: never.
    fn on_the_clock(&self, wire: u64) -> u64 {
        let mut at = wire.saturating_add(self.stood);
        for (begins, ends) in &self.outages {
            if at < *begins {
                break;
            }
            at = at.saturating_add(ends.saturating_sub(*begins));
        }
        at
    }
}
