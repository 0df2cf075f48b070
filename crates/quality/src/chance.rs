//! Chance that depends on when and what, and not on how often it is asked. So every rule meets the same network.

use liveness::sim::Rng;

/// A moment or a length, in nanoseconds.
pub type Nanos = u64;

pub const SECOND: Nanos = 1_000_000_000;
pub(crate) const MILLI: Nanos = 1_000_000;

pub fn nanos(seconds: f64) -> Nanos {
    (seconds * SECOND as f64) as Nanos
}

pub fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND as f64
}

/// The number that belongs to these two numbers, under the seed.
pub fn number(seed: u64, what: u64, when: u64) -> u64 {
    let mut rng = Rng::new(seed ^ what.rotate_left(48));
    Rng::new(rng.next_u64() ^ when).next_u64()
}

/// From zero to below one.
pub(crate) fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// From the standard normal distribution (Box and Muller).
pub(crate) fn normal(number: u64) -> f64 {
    let mut rng = Rng::new(number);
    let (radius, angle) = (1.0 - unit(rng.next_u64()), unit(rng.next_u64()));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// From the exponential distribution with this mean: the gap to the next event, if it is equally likely at any moment.
pub(crate) fn gap(number: u64, mean: f64) -> f64 {
    -mean * (1.0 - unit(number)).ln()
}
