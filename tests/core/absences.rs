//! A busy machine: a driver's thread may lose its processor at any call, for a nanosecond or for minutes.

use std::time::Duration;

use liveness::sim::Rng;
use liveness::{Config, Timestamp};

/// When a thread was without its processor, and for how long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Absences(Vec<(Timestamp, Duration)>);

impl Absences {
    pub(crate) fn push(&mut self, at: Timestamp, length: Duration) {
        self.0.push((at, length));
    }

    /// The time without a processor, from this moment on.
    pub(crate) fn sum(&self, since: Timestamp) -> Duration {
        self.each(since).sum()
    }

    /// How much later than on an idle machine a verdict may fall: the absences count, and after one of more than
    /// `stall_tolerance` rule 6 asks once more.
    pub(crate) fn delay(&self, since: Timestamp, config: &Config) -> Duration {
        let stalled = self.each(since).any(|length| length > config.stall_tolerance());
        let write = Some(config.write_timeout()).filter(|timeout| *timeout != Duration::MAX);
        let again = if stalled { config.timeout() + write.unwrap_or_default() } else { Duration::ZERO };
        self.sum(since) + again
    }

    fn each(&self, since: Timestamp) -> impl Iterator<Item = Duration> + '_ {
        self.0.iter().map(move |(at, length)| (*at + *length).saturating_duration_since(since.max(*at)))
    }
}

/// The length of an absence: next to nothing, about a last look, seconds, about a timeout, more than a minute, and until
/// the deadline, which is so far away, has just passed or just not.
pub(crate) fn length(dice: &mut Rng, deadline: Option<Duration>) -> Duration {
    let just = Duration::from_nanos(dice.below(3));
    let (about, length) = match dice.below(8) {
        0 => (Duration::ZERO, Duration::from_nanos(dice.below(2_000))),
        1 => (Duration::from_millis(10), just),
        2 => (Duration::ZERO, Duration::from_micros(dice.below(3_000_000))),
        3 => (Duration::from_secs(6), Duration::from_millis(dice.below(8_000))),
        4 => (Duration::from_secs(dice.below(80)), just),
        _ => match deadline {
            Some(deadline) if dice.below(2) == 0 => (deadline, just),
            Some(deadline) => (deadline, Duration::from_micros(dice.below(50_000))),
            None => (Duration::ZERO, Duration::from_millis(dice.below(15_000))),
        },
    };
    (about + length).saturating_sub(Duration::from_nanos(1))
}
