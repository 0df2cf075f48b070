//! Round-trip times, estimated as in TCP (RFC 6298).

use core::time::Duration;

/// The round-trip time of the path, from answered pings. Only the answer to the newest ping is a sample; a late answer is
/// not.
///
/// A sample of more than 78 hours counts as 78 hours. Fields in microseconds show at most 71 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rtt {
    /// The latest sample, to the microsecond.
    pub latest: Duration,
    /// SRTT: the smoothed round-trip time, with an eighth of each sample.
    pub smoothed: Duration,
    /// RTTVAR: the smoothed deviation from `smoothed`, a quarter of each sample.
    pub variation: Duration,
    /// The shortest sample, to the microsecond.
    pub min: Duration,
}

/// The estimator's state in 20 bytes: nanoseconds for the values that it computes with, microseconds for those that it only
/// shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Estimator {
    // Each has 48 bits: up to 78 hours.
    smoothed_low: u32,
    variance_low: u32,
    smoothed_high: u16,
    variance_high: u16,
    latest_us: u32,
    /// `u32::MAX`: no sample yet. A sample is always smaller.
    min_us: u32,
}

/// The longest sample that counts.
const LONGEST: u64 = (1 << 48) - 1;

impl Estimator {
    /// The longest sample that is shown: 71 minutes.
    const LONGEST_US: u32 = u32::MAX - 1;

    pub(crate) const NEW: Self = Self {
        smoothed_low: 0,
        variance_low: 0,
        smoothed_high: 0,
        variance_high: 0,
        latest_us: 0,
        min_us: u32::MAX,
    };

    #[expect(clippy::cast_possible_truncation, reason = "the microseconds are below u32::MAX")]
    pub(crate) fn sample(&mut self, rtt: u64) {
        let sample = rtt.min(LONGEST);
        if self.min_us == u32::MAX {
            // RFC 6298 2.2: SRTT <- R, RTTVAR <- R/2.
            self.set(sample, sample / 2);
        } else {
            // RFC 6298 2.3: beta is 1/4, alpha 1/8, and RTTVAR reads the old SRTT.
            let smoothed = self.smoothed();
            let variance = blend::<2>(self.variance(), smoothed.abs_diff(sample));
            self.set(blend::<3>(smoothed, sample), variance);
        }
        self.latest_us = (rtt / 1_000).min(Self::LONGEST_US as u64) as u32;
        self.min_us = self.min_us.min(self.latest_us);
    }

    /// Neither may be longer than `LONGEST`, because higher bits are lost.
    #[expect(clippy::cast_possible_truncation, reason = "the two parts of 48 bits")]
    const fn set(&mut self, smoothed: u64, variance: u64) {
        debug_assert!(smoothed <= LONGEST && variance <= LONGEST);
        self.smoothed_low = smoothed as u32;
        self.variance_low = variance as u32;
        self.smoothed_high = (smoothed >> 32) as u16;
        self.variance_high = (variance >> 32) as u16;
    }

    const fn smoothed(&self) -> u64 {
        self.smoothed_low as u64 | (self.smoothed_high as u64) << 32
    }

    const fn variance(&self) -> u64 {
        self.variance_low as u64 | (self.variance_high as u64) << 32
    }

    /// The time within which most answers come (RFC 6298 2.3: RTO <- SRTT + 4 x RTTVAR); `None` before the first sample.
    pub(crate) const fn rto(&self) -> Option<u64> {
        if self.min_us == u32::MAX {
            return None;
        }
        Some(self.smoothed().saturating_add(self.variance().saturating_mul(4)))
    }

    pub(crate) const fn get(&self) -> Option<Rtt> {
        if self.min_us == u32::MAX {
            return None;
        }
        Some(Rtt {
            latest: Duration::from_micros(self.latest_us as u64),
            smoothed: Duration::from_nanos(self.smoothed()),
            variation: Duration::from_nanos(self.variance()),
            min: Duration::from_micros(self.min_us as u64),
        })
    }
}

/// `old`, moved towards `new` by a 2^`LOG`-th of the difference. It divides last, so that it rounds only once. Both have at
/// most 48 bits, so the sum has at most 51 bits and never wraps.
const fn blend<const LOG: u32>(old: u64, new: u64) -> u64 {
    old.wrapping_shl(LOG).wrapping_sub(old).wrapping_add(new).wrapping_shr(LOG)
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
        assert_eq!((rtt.smoothed, rtt.variation), (Duration::from_micros(200), Duration::from_micros(100)));
    }

    #[test]
    fn the_second_moves_it_by_an_eighth_and_a_quarter() {
        let estimator = after(&[200_000, 360_000]);
        let rtt = estimator.get().unwrap();
        assert_eq!(rtt.smoothed, Duration::from_micros(220));
        assert_eq!(rtt.variation, Duration::from_micros(115));
        assert_eq!((rtt.latest, rtt.min), (Duration::from_micros(360), Duration::from_micros(200)));
        assert_eq!(estimator.rto(), Some(680_000));
    }

    #[test]
    fn long_samples_are_kept_to_the_nanosecond_and_the_longest_as_long_as_fits() {
        let rtt = after(&[10_000_000_000]).get().unwrap();
        assert_eq!((rtt.smoothed, rtt.variation), (Duration::from_secs(10), Duration::from_secs(5)));
        let rtt = after(&[u64::MAX]).get().unwrap();
        assert_eq!(rtt.smoothed, Duration::from_nanos((1 << 48) - 1));
        // The largest number of microseconds means that there is no sample.
        assert_eq!((rtt.latest, rtt.min), (Duration::from_micros(u64::from(u32::MAX) - 1), rtt.latest));
    }

    #[test]
    fn absurd_samples_overflow_nothing() {
        let estimator = after(&[u64::MAX, 0, u64::MAX]);
        assert!(estimator.rto().is_some());
        assert_eq!(after(&[]).rto(), None);
    }
}
