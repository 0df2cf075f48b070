//! Round-trip times, estimated as TCP does (RFC 6298).

use core::time::Duration;

/// What the answered pings tell of the path: the answer to the newest ping is a sample, a late one is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rtt {
    /// The latest sample, to the microsecond.
    pub latest: Duration,
    /// SRTT: the smoothed round-trip time, an eighth of each sample.
    pub smoothed: Duration,
    /// RTTVAR: the smoothed distance from it, a quarter of each.
    pub variance: Duration,
    /// The shortest sample, to the microsecond.
    pub min: Duration,
}

/// The estimator's state in 24 bytes: nanoseconds where they feed back, microseconds where they are only shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(crate) struct Estimator {
    smoothed: u64,
    variance: u64,
    latest_us: u32,
    /// `u32::MAX`: no sample yet. A sample is kept below that.
    min_us: u32,
}

impl Estimator {
    pub(crate) const NEW: Self = Self { smoothed: 0, variance: 0, latest_us: 0, min_us: u32::MAX };

    pub(crate) fn sample(&mut self, rtt: u64) {
        if self.min_us == u32::MAX {
            // RFC 6298 2.2: SRTT <- R, RTTVAR <- R/2.
            self.smoothed = rtt;
            self.variance = rtt / 2;
        } else {
            // RFC 6298 2.3: RTTVAR first, it reads the old SRTT; beta is 1/4, alpha 1/8.
            self.variance = blend(self.variance, self.smoothed.abs_diff(rtt), 4);
            self.smoothed = blend(self.smoothed, rtt, 8);
        }
        self.latest_us = u32::try_from(rtt / 1_000).map_or(u32::MAX - 1, |us| us.min(u32::MAX - 1));
        self.min_us = self.min_us.min(self.latest_us);
    }

    /// The time by which most answers are in (RFC 6298 2.3: RTO <- SRTT + 4 x RTTVAR), `None` before any sample.
    pub(crate) const fn usual(&self) -> Option<u64> {
        if self.min_us == u32::MAX {
            return None;
        }
        Some(self.smoothed.saturating_add(self.variance.saturating_mul(4)))
    }

    pub(crate) const fn get(&self) -> Option<Rtt> {
        if self.min_us == u32::MAX {
            return None;
        }
        Some(Rtt {
            latest: Duration::from_micros(self.latest_us as u64),
            smoothed: Duration::from_nanos(self.smoothed),
            variance: Duration::from_nanos(self.variance),
            min: Duration::from_micros(self.min_us as u64),
        })
    }
}

/// `old` moved a `share`-th of the way to `new`. Divided last, so that nothing is lost to rounding twice; in 128
/// bits, because a forger of time may make the sum anything.
#[expect(clippy::cast_possible_truncation, reason = "a weighted mean of two u64 is a u64")]
fn blend(old: u64, new: u64, share: u64) -> u64 {
    let sum =
        u128::from(old).saturating_mul(u128::from(share.saturating_sub(1))).saturating_add(u128::from(new));
    sum.checked_div(u128::from(share)).unwrap_or(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: &[u64]) -> Estimator {
        let mut estimator = Estimator::NEW;
        for sample in samples {
            estimator.sample(*sample);
        }
        estimator
    }

    #[test]
    fn the_first_sample_is_the_estimate_and_half_of_it_the_variance() {
        let rtt = after(&[200_000]).get().unwrap();
        assert_eq!((rtt.smoothed, rtt.variance), (Duration::from_micros(200), Duration::from_micros(100)));
    }

    #[test]
    fn the_second_moves_it_by_an_eighth_and_a_quarter() {
        let estimator = after(&[200_000, 360_000]);
        let rtt = estimator.get().unwrap();
        assert_eq!(rtt.smoothed, Duration::from_micros(220));
        assert_eq!(rtt.variance, Duration::from_micros(115));
        assert_eq!((rtt.latest, rtt.min), (Duration::from_micros(360), Duration::from_micros(200)));
        assert_eq!(estimator.usual(), Some(680_000));
    }

    #[test]
    fn absurd_samples_overflow_nothing() {
        let estimator = after(&[u64::MAX, 0, u64::MAX]);
        assert!(estimator.usual().is_some());
        assert_eq!(after(&[]).usual(), None);
    }
}
