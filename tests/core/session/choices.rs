//! Where a life's choices come from: a finite string of bytes, be they proptest's or a fuzzer's. It ends where they do.

use std::time::Duration;

use liveness::session::{Limits, Role};
use liveness::{Config, Evidence, Schedule};

#[derive(Clone, Debug)]
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u64 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        (*first).into()
    }

    /// One of so many, from 0; the first, where the bytes are at their end.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        let bytes = if count > 256 { self.byte() << 8 | self.byte() } else { self.byte() };
        bytes % count
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    /// One of these, each so often in 256; the last otherwise.
    pub(crate) fn weighted<T: Copy>(&mut self, of: &[(u64, T)]) -> T {
        let mut left = self.byte();
        for (weight, one) in of {
            if left < *weight {
                return *one;
            }
            left -= weight;
        }
        of[of.len() - 1].1
    }

    /// Short ones, whole seconds, and those where something just happens or just does not.
    pub(crate) fn span(&mut self) -> Duration {
        match self.below(8) {
            0 | 1 => Duration::from_micros(self.below(20_000)),
            2 => Duration::from_millis(5),
            3 => Duration::from_nanos(10_000_000 + self.below(3)).saturating_sub(Duration::from_nanos(1)),
            4 => Duration::from_nanos(self.below(12) * 1_000_000_000 + 1),
            5 => Duration::from_secs(self.below(40)),
            _ => Duration::from_secs(self.below(6)),
        }
    }

    pub(crate) fn role(&mut self) -> Role {
        if self.yes() { Role::Server } else { Role::Client }
    }

    /// A ping every 5 s, 10 s for its answer, and 8 s for its writing, unless that is of no interest; no jitter.
    pub(crate) fn config(&mut self) -> Config {
        let secs = Duration::from_secs;
        let config = Config::builder().interval(secs(5)).timeout(secs(10)).jitter(0).control_budget(500, 50);
        let evidence = if self.yes() { Evidence::PongOnly } else { Evidence::AnyTraffic };
        let schedule = if self.yes() { Schedule::Steady } else { Schedule::Quiet };
        let write_timeout = if self.below(4) == 0 { Duration::MAX } else { secs(8) };
        let last_look = Duration::from_millis(10 * self.below(3));
        let config = config.evidence(evidence).schedule(schedule).write_timeout(write_timeout);
        config.last_look(last_look).build().unwrap()
    }

    /// Small ones, nothing among them.
    pub(crate) fn limits(&mut self) -> Limits {
        let (messages, bytes, answers) = (self.below(6), self.below(2_000), self.below(6));
        Limits { messages: messages as usize, bytes: bytes as usize, answers: answers as usize }
    }
}
