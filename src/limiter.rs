//! A token bucket in eight bytes.

use crate::time::Timestamp;

/// How many control frames a peer may send that nobody asked for: `burst` at once, `per_second` in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) burst: u32,
    pub(crate) per_second: u32,
}

/// What has been drawn, as the virtual scheduling form of the generic cell rate algorithm keeps it (ITU-T I.371): the
/// moment at which the bucket will be full again. One moment, and nothing to do as time passes. With a rate of zero it
/// counts frames instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(crate) struct Limiter(u64);

impl Limiter {
    pub(crate) const FULL: Self = Self(0);

    /// Draws one token; false where none is left. Rounding is in the peer's favour: a token takes whole nanoseconds to
    /// come, never longer than its share of a second, so a peer within the budget is never refused.
    pub(crate) fn draw(&mut self, budget: Budget, now: Timestamp) -> bool {
        let Some(per_token) = 1_000_000_000_u64.checked_div(u64::from(budget.per_second)) else {
            self.0 = self.0.saturating_add(1);
            return self.0 <= u64::from(budget.burst);
        };
        // More than one token a nanosecond is as good as one.
        let per_token = per_token.max(1);
        let full_at = self.0.max(now.as_nanos()).saturating_add(per_token);
        let allowed = now.after(per_token.saturating_mul(u64::from(budget.burst))).as_nanos();
        if full_at > allowed {
            return false;
        }
        self.0 = full_at;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { burst: 3, per_second: 2 };

    const fn full() -> Limiter {
        Limiter::FULL
    }

    fn drawn(limiter: &mut Limiter, budget: Budget, at: Timestamp) -> usize {
        (0..100).take_while(|_| limiter.draw(budget, at)).count()
    }

    #[test]
    fn a_full_bucket_gives_exactly_its_burst() {
        assert_eq!(drawn(&mut full(), BUDGET, Timestamp::ZERO), 3);
        assert_eq!(drawn(&mut full(), BUDGET, Timestamp::from_secs(9)), 3);
    }

    #[test]
    fn a_token_comes_back_at_its_time_and_not_before() {
        let mut limiter = Limiter::FULL;
        assert_eq!(drawn(&mut limiter, BUDGET, Timestamp::ZERO), 3);
        assert_eq!(drawn(&mut limiter, BUDGET, Timestamp::from_nanos(499_999_999)), 0);
        assert_eq!(drawn(&mut limiter, BUDGET, Timestamp::from_millis(500)), 1);
        assert_eq!(drawn(&mut limiter, BUDGET, Timestamp::from_secs(100)), 3);
    }

    #[test]
    fn a_rate_past_the_clocks_grain_still_has_its_burst() {
        let budget = Budget { burst: 5, per_second: u32::MAX };
        assert_eq!(drawn(&mut full(), budget, Timestamp::ZERO), 5);
    }

    #[test]
    fn a_rate_of_zero_never_refills() {
        let mut limiter = Limiter::FULL;
        let budget = Budget { burst: 2, per_second: 0 };
        assert_eq!(drawn(&mut limiter, budget, Timestamp::ZERO), 2);
        assert_eq!(drawn(&mut limiter, budget, Timestamp::MAX), 0);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_refuses_nobody_who_keeps_it() {
        let mut limiter = Limiter::FULL;
        let budget = Budget { burst: 1, per_second: 3 };
        // Miri is a thousand times slower.
        let frames = if cfg!(miri) { 100_u64 } else { 10_000 };
        for frame in 0..frames {
            assert!(limiter.draw(budget, Timestamp::from_nanos(frame * 1_000_000_000 / 3)), "frame {frame}");
        }
    }
}
