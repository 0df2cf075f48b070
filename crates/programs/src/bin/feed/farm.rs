//! The farm: it measures, counts its figures, and keeps the latest.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liveness::random_seed;
use liveness::sim::Rng;
use tokio::sync::watch;

/// One figure of the farm.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    /// 1, 2, and so on, without gaps.
    pub(crate) number: u64,
    /// Milliseconds of Unix time.
    pub(crate) time: u64,
    /// Megawatts, with one decimal.
    pub(crate) value: f64,
}

pub(crate) struct Farm {
    /// Which count the numbers belong to. Each start makes a new one.
    epoch: String,
    keeps: usize,
    log: Mutex<Log>,
    /// The number of the newest figure.
    newest: watch::Sender<u64>,
}

struct Log {
    figures: VecDeque<Figure>,
    rng: Rng,
    /// How hard the wind blows now, and where it tends to go.
    wind: f64,
    trend: f64,
}

impl Farm {
    pub(crate) fn new(keeps: usize) -> Self {
        let seed = random_seed();
        let log = Log { figures: VecDeque::new(), rng: Rng::new(seed), wind: 70.0, trend: 0.0 };
        Self {
            epoch: format!("{seed:016x}"),
            keeps: keeps.max(1),
            log: Mutex::new(log),
            newest: watch::Sender::new(0),
        }
    }

    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Changes with each figure.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    pub(crate) fn measure(&self, time: u64) {
        let mut log = self.log();
        let value = log.blow();
        let number = *self.newest.borrow() + 1;
        log.figures.push_back(Figure { number, time, value });
        if log.figures.len() > self.keeps {
            log.figures.pop_front();
        }
        self.newest.send_replace(number);
    }

    /// A minute's figures, the last of them just before this time.
    pub(crate) fn measure_before(&self, time: u64, every: Duration) {
        let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
        for ago in (1..=60_000 / every).rev() {
            self.measure(time.saturating_sub(ago * every));
        }
    }

    /// The number of the oldest figure that is kept or will come first, and of the newest.
    pub(crate) fn range(&self) -> (u64, u64) {
        let log = self.log();
        let newest = *self.newest.borrow();
        (log.figures.front().map_or(newest + 1, |figure| figure.number), newest)
    }

    /// At most `most` figures that follow this number. And the first and last of those in between that are no longer
    /// kept.
    pub(crate) fn after(&self, number: u64, most: usize) -> (Option<(u64, u64)>, Vec<Figure>) {
        let log = self.log();
        let oldest = log.figures.front().map_or(number + 1, |figure| figure.number);
        let lost = (number + 1 < oldest).then(|| (number + 1, oldest - 1));
        let known = usize::try_from((number + 1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        (lost, log.figures.iter().skip(known).take(most).copied().collect())
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// One gust after the other. Each tends back to the usual wind.
    fn blow(&mut self) -> f64 {
        let gust = self.rng.below(2001) as f64 / 1000.0 - 1.0;
        self.trend = 0.94 * self.trend + 0.3 * gust;
        self.wind += self.trend + (70.0 - self.wind) * 0.015;
        self.wind = self.wind.clamp(0.0, 140.0);
        (self.wind * 10.0).round() / 10.0
    }
}
