//! Moments and the clock, through the public door.

use std::time::Duration;

use liveness::{Clock, Timestamp};

#[test]
fn moments_count_nanoseconds_from_their_origin_whatever_they_were_made_of() {
    for (moment, nanos) in [
        (Timestamp::ZERO, 0),
        (Timestamp::from_nanos(7), 7),
        (Timestamp::from_micros(7), 7_000),
        (Timestamp::from_millis(7), 7_000_000),
        (Timestamp::from_secs(7), 7_000_000_000),
        (Timestamp::from_micros(u64::MAX), u64::MAX),
        (Timestamp::from_millis(u64::MAX), u64::MAX),
        (Timestamp::from_secs(u64::MAX), u64::MAX),
    ] {
        assert_eq!((moment.as_nanos(), moment), (nanos, Timestamp::from_nanos(nanos)));
    }
}

#[test]
fn sums_stop_at_both_ends_of_time() {
    let (one, two) = (Timestamp::from_secs(1), Timestamp::from_secs(2));
    let second = Duration::from_secs(1);
    assert_eq!((one + second, one.saturating_add(second)), (two, two));
    assert_eq!((two.saturating_sub(second), one.saturating_sub(second * 2)), (one, Timestamp::ZERO));
    assert_eq!(
        (two.saturating_duration_since(one), one.saturating_duration_since(two)),
        (second, Duration::ZERO)
    );
    let mut moment = one;
    moment += second;
    assert_eq!(moment, two);
    moment += Duration::MAX;
    assert_eq!(moment, Timestamp::MAX);
    // 584 years and a half are just what fits; a duration of 585 does not, and is not cut.
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    assert_eq!(Timestamp::ZERO + century * 5, Timestamp::from_secs(500 * 365 * 24 * 3600));
    assert_eq!(Timestamp::ZERO + century * 6, Timestamp::MAX);
    assert_eq!(Timestamp::MAX.saturating_sub(century * 6), Timestamp::ZERO);
}

#[test]
fn a_moment_is_written_in_seconds_exactly_and_padded_as_a_text_is() {
    for (nanos, says) in [
        (0, "0s"),
        (1, "0.000000001s"),
        (200_000_000, "0.2s"),
        (1_000_000_000, "1s"),
        (12_000_000_001, "12.000000001s"),
        (12_340_000_000, "12.34s"),
        (100_000_000_010, "100.00000001s"),
        (u64::MAX, "18446744073.709551615s"),
    ] {
        let moment = Timestamp::from_nanos(nanos);
        assert_eq!(moment.to_string(), says);
        for width in [0, 3, 12, 30] {
            assert_eq!(format!("{moment:width$}|"), format!("{says:width$}|"));
        }
    }
}

#[test]
fn a_clock_ties_instants_to_moments_and_back() {
    let now = Clock::new();
    let origin = now.instant(Timestamp::ZERO);
    let later = origin + Duration::from_millis(1_500);
    for clock in [now, Clock::with_origin(origin)] {
        assert_eq!(clock.at(origin), Timestamp::ZERO);
        assert_eq!(clock.at(later), Timestamp::from_millis(1_500));
        assert_eq!(clock.instant(Timestamp::from_millis(1_500)), later);
    }
    // Before its origin there is nothing; what it says is not earlier than what was.
    assert_eq!(Clock::with_origin(later).at(origin), Timestamp::ZERO);
    let long_ago = origin.checked_sub(Duration::from_millis(1)).expect("the machine runs for a millisecond");
    assert!(Clock::with_origin(long_ago).now() >= Timestamp::from_millis(1));
}

#[test]
fn never_is_an_instant_too_and_it_is_far() {
    let clock = Clock::new();
    let origin = clock.instant(Timestamp::ZERO);
    let year = Duration::from_secs(365 * 24 * 3600);
    assert!(clock.instant(Timestamp::MAX) >= origin + year);
}
