//! A token bucket in eight bytes.

use crate::time::Timestamp;

/// How many unsolicited control frames a peer may send: `burst` at once, and `per_second` in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) burst: u32,
    pub(crate) per_second: u32,
}

impl Budget {
    /// The nanoseconds between two tokens: at least one, because a faster rate makes no difference. `None`: no token ever
    /// comes.
    const fn per_token(self) -> Option<u64> {
        match 1_000_000_000_u64.checked_div(self.per_second as u64) {
            Some(0) => Some(1),
            other => other,
        }
    }
}

/// The tokens drawn, in the virtual scheduling form of the generic cell rate algorithm (ITU-T I.371): the moment at which
/// the bucket will be full again. It is one moment, and needs no update as time passes. With a rate of zero it counts frames
/// instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Limiter(u64);

impl Limiter {
    pub(crate) const FULL: Self = Self(0);

    /// Draws one token. False: there is none. Rounding favours the peer: a token takes whole nanoseconds, never more than
    /// its share of a second, so a peer within the budget is never refused.
    pub(crate) fn draw(&mut self, budget: Budget, now: Timestamp) -> bool {
        let Some(per_token) = budget.per_token() else {
            self.0 = self.0.saturating_add(1);
            return self.0 <= u64::from(budget.burst);
        };
        let full_at = self.0.max(now.as_nanos()).saturating_add(per_token);
        let allowed = now.after(per_token.saturating_mul(u64::from(budget.burst))).as_nanos();
        if full_at > allowed {
            return false;
        }
        self.0 = full_at;
        true
    }

    /// A bucket of another budget that lacks the same number of tokens. Rounding favours the peer here too.
    pub(crate) fn converted(self, old: Option<Budget>, new: Option<Budget>, now: Timestamp) -> Self {
        if old == new {
            return self;
        }
        let (Some(old), Some(new)) = (old, new) else { return Self::FULL };
        let missing = match old.per_token() {
            None => self.0,
            Some(per_token) => self.0.saturating_sub(now.as_nanos()).checked_div(per_token).unwrap_or(0),
        };
        let missing = missing.min(u64::from(new.burst));
        Self(match new.per_token() {
            None => missing,
            Some(per_token) => now.after(per_token.saturating_mul(missing)).as_nanos(),
        })
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
    fn a_bucket_of_another_budget_lacks_as_many() {
        let budgets =
            [(3, 0), (3, 2), (3, 1_000_000)].map(|(burst, per_second)| Budget { burst, per_second });
        for (old, new) in budgets.into_iter().flat_map(|old| budgets.map(|new| (old, new))) {
            for now in [Timestamp::ZERO, Timestamp::from_secs(9)] {
                for taken in 0..=3 {
                    let mut limiter = Limiter::FULL;
                    assert!((0..taken).all(|_| limiter.draw(old, now)));
                    let mut limiter = limiter.converted(Some(old), Some(new), now);
                    assert_eq!(drawn(&mut limiter, new, now), 3 - taken, "{old:?}, {new:?}, {now}");
                }
            }
        }
        let mut empty = Limiter::FULL;
        assert_eq!(drawn(&mut empty, BUDGET, Timestamp::ZERO), 3);
        let smaller = Budget { burst: 2, per_second: 2 };
        let mut empty = empty.converted(Some(BUDGET), Some(smaller), Timestamp::ZERO);
        assert_eq!(drawn(&mut empty, smaller, Timestamp::from_millis(499)), 0);
        assert_eq!(drawn(&mut empty, smaller, Timestamp::from_millis(500)), 1);
        assert_eq!(empty.converted(None, Some(BUDGET), Timestamp::ZERO), Limiter::FULL);
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
