//! The result of many lives.

use std::ops::Range;

use crate::chance::{Nanos, number};
use crate::rule::Rule;
use crate::simulate::{Outcome, Simulation};
use crate::world::World;

/// A rule at one setting in one world, over many lives.
#[derive(Clone, Default)]
pub struct Score {
    pub days: f64,
    pub mistakes: u64,
    cut_for_ours: u64,
    cut_for_theirs: u64,
    pub doubts: u64,
    pings: u64,
    wakes: u64,
    /// Seconds from death to close, sorted.
    found: Vec<f64>,
    /// Dead peers that were not found while they were watched.
    pub never: usize,
    doubted: Vec<f64>,
}

/// A rate with its interval of 95 % confidence, if mistakes happen independently.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub least: f64,
    pub mean: f64,
    pub most: f64,
}

impl Score {
    /// The lives from `seed` on. They are the same for each rule in the same world.
    pub fn of<R: Rule>(world: &World, make: impl Fn(u64, Nanos) -> R, seed: u64, lives: u64) -> Self {
        let mut score = Self::default();
        score.live(world, make, seed, 0..lives);
        score
    }

    /// Adds this many of those lives.
    pub fn live<R: Rule>(
        &mut self,
        world: &World,
        make: impl Fn(u64, Nanos) -> R,
        seed: u64,
        lives: Range<u64>,
    ) {
        for life in lives {
            self.add(&Simulation::run(world, &make, number(seed, 0, life)));
        }
        self.found.sort_by(f64::total_cmp);
    }

    fn add(&mut self, outcome: &Outcome) {
        self.days += outcome.lived / 86_400.0;
        self.mistakes += u64::from(outcome.mistakes);
        self.cut_for_ours += u64::from(outcome.cut_for_ours);
        self.cut_for_theirs += u64::from(outcome.cut_for_theirs);
        self.doubts += u64::from(outcome.doubts);
        self.pings += outcome.pings;
        self.wakes += outcome.wakes;
        match outcome.found {
            Some(seconds) => self.found.push(seconds),
            None => self.never += 1,
        }
        self.doubted.extend(outcome.doubted);
    }

    pub fn mistakes_a_day(&self) -> Rate {
        rate(self.mistakes, self.days)
    }

    /// Live peers that a proxy cut, because of our silence, and because of the peer's.
    pub fn cuts_a_day(&self) -> (f64, f64) {
        (self.cut_for_ours as f64 / self.days, self.cut_for_theirs as f64 / self.days)
    }

    pub fn doubts_a_day(&self) -> Rate {
        rate(self.doubts, self.days)
    }

    pub fn pings_an_hour(&self) -> f64 {
        self.pings as f64 / (self.days * 24.0)
    }

    pub fn wakes_an_hour(&self) -> f64 {
        self.wakes as f64 / (self.days * 24.0)
    }

    /// `None` if some were never found.
    pub fn detection(&self) -> Option<f64> {
        (self.never == 0).then(|| mean(&self.found))
    }

    /// True if it closes fewer live peers and finds the dead sooner, both beyond chance.
    pub fn beats(&self, other: &Self) -> bool {
        let (Some(ours), Some(theirs)) = (self.detection(), other.detection()) else { return false };
        let fewer = self.mistakes_a_day().most < other.mistakes_a_day().least;
        fewer && ours + 3.0 * self.error().hypot(other.error()) < theirs
    }

    /// True if the two cannot be told apart, given chance, and given how closely the settings were matched.
    pub fn matches(&self, other: &Self) -> bool {
        let (Some(ours), Some(theirs)) = (self.detection(), other.detection()) else { return false };
        let soon = ours <= theirs + 0.5 + 3.0 * self.error().hypot(other.error());
        soon && self.mistakes_a_day().least <= other.mistakes_a_day().most
    }

    /// The standard error of the mean detection time.
    fn error(&self) -> f64 {
        let mean = mean(&self.found);
        let squares: Vec<f64> = self.found.iter().map(|value| (value - mean).powi(2)).collect();
        (self::mean(&squares) / self.found.len() as f64).sqrt()
    }

    pub fn never_share(&self) -> f64 {
        self.never as f64 / (self.never + self.found.len()).max(1) as f64
    }

    /// For dead peers that were suspected before they were closed: how long that took, and their share.
    pub fn doubted(&self) -> (f64, f64) {
        let dead = self.found.len() + self.never;
        (mean(&self.doubted), self.doubted.len() as f64 / dead.max(1) as f64)
    }

    /// The detection time that this share of the found peers stays within.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.found.len().saturating_sub(1);
        self.found.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Poisson: the bounds by Byar's approximation of the exact ones.
fn rate(events: u64, days: f64) -> Rate {
    const Z: f64 = 1.96;
    let bound = |count: f64, z: f64| {
        if count <= 0.0 {
            0.0
        } else {
            count * (1.0 - 1.0 / (9.0 * count) + z / (3.0 * count.sqrt())).powi(3)
        }
    };
    let count = events as f64;
    Rate { least: bound(count, -Z) / days, mean: count / days, most: bound(count + 1.0, Z) / days }
}
