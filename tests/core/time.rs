//! Moments and the clock, used as callers use them.

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
        (two - second, one - second * 2, one - Duration::MAX),
        (one, Timestamp::ZERO, Timestamp::ZERO)
    );
    assert_eq!(
        (two.saturating_duration_since(one), one.saturating_duration_since(two)),
        (second, Duration::ZERO)
    );
    assert_eq!((two - one, one - two, one - one), (second, Duration::ZERO, Duration::ZERO));
    let mut moment = two;
    moment -= second;
    assert_eq!(moment, one);
    moment -= second * 2;
    assert_eq!(moment, Timestamp::ZERO);
    let mut moment = one;
    moment += second;
    assert_eq!(moment, two);
    moment += Duration::MAX;
    assert_eq!(moment, Timestamp::MAX);
    // 584 years and a half just fit. A duration of 585 years does not fit, and is not cut.
    let century = Duration::from_secs(100 * 365 * 24 * 3600);
    assert_eq!(Timestamp::ZERO + century * 5, Timestamp::from_secs(500 * 365 * 24 * 3600));
    assert_eq!(Timestamp::ZERO + century * 6, Timestamp::MAX);
    assert_eq!(Timestamp::MAX.saturating_sub(century * 6), Timestamp::ZERO);
}

#[test]
fn a_moment_is_the_time_since_its_origin() {
    let longest = Duration::from_nanos(u64::MAX);
    for (since_origin, moment) in [
        (Duration::ZERO, Timestamp::ZERO),
        (Duration::from_millis(1_500), Timestamp::from_millis(1_500)),
        (longest, Timestamp::MAX),
    ] {
        assert_eq!((Timestamp::from(since_origin), moment.as_duration()), (moment, since_origin));
    }
    // What lies beyond the far end counts as the far end.
    assert_eq!(Timestamp::from(longest + Duration::from_nanos(1)), Timestamp::MAX);
    assert_eq!(Timestamp::from(Duration::MAX), Timestamp::MAX);
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
fn a_precision_rounds_a_moment_to_so_many_digits() {
    for (nanos, digits, says) in [
        (0, 0, "0s"),
        (0, 3, "0.000s"),
        (35_467, 3, "0.000s"),
        (499_999_999, 0, "0s"),
        (500_000_000, 0, "1s"),
        (1_449_999_999, 1, "1.4s"),
        (1_450_000_000, 1, "1.5s"),
        (12_499_500_000, 3, "12.500s"),
        (59_999_500_000, 3, "60.000s"),
        (59_999_499_999, 3, "59.999s"),
        (1_000_000_007, 8, "1.00000001s"),
        (1_000_000_007, 9, "1.000000007s"),
        // There are no more digits.
        (1_000_000_007, 12, "1.000000007s"),
        (u64::MAX, 0, "18446744074s"),
        (u64::MAX, 9, "18446744073.709551615s"),
    ] {
        let moment = Timestamp::from_nanos(nanos);
        assert_eq!(format!("{moment:.digits$}"), says);
        for width in [0, 3, 12, 30] {
            assert_eq!(format!("{moment:width$.digits$}|"), format!("{says:width$}|"));
            assert_eq!(format!("{moment:>width$.digits$}|"), format!("{says:>width$}|"));
            assert_eq!(format!("{moment:*^width$.digits$}|"), format!("{says:*^width$}|"));
        }
    }
}

#[test]
fn a_deadline_that_never_comes_is_no_wait_and_one_that_has_passed_is_none() {
    let (clock, hour) = (Clock::new(), Duration::from_secs(3600));
    assert_eq!(clock.until(None), None);
    assert_eq!(clock.until(Some(Timestamp::ZERO)), Some(Duration::ZERO));
    let before = clock.now();
    let wait = clock.until(Some(before + hour)).unwrap();
    let after = clock.now();
    // It was read between the two, however long that took.
    assert!((before + hour - after..=hour).contains(&wait), "{wait:?}");
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
    // There is nothing before its origin. It never shows an earlier time than before.
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

/// A clock that shows what a test sets.
mod told {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        static NOW: Cell<Duration> = const { Cell::new(Duration::from_secs(1_000)) };
    }

    pub(super) fn read() -> Duration {
        NOW.get()
    }

    pub(super) fn set(now: Duration) {
        NOW.set(now);
    }
}

#[test]
fn a_clock_of_another_source_says_what_that_says() {
    let clock = Clock::with_source(told::read);
    assert_eq!(clock.now(), Timestamp::ZERO);
    // The machine slept, and this clock counts the sleep.
    told::set(Duration::from_secs(4_600));
    assert_eq!(clock.now(), Timestamp::from_secs(3_600));
    assert_eq!(clock.until(Some(Timestamp::from_secs(3_610))), Some(Duration::from_secs(10)));
    assert_eq!(clock.until(Some(Timestamp::from_secs(1_000))), Some(Duration::ZERO));
    // What would go back before its origin is its origin.
    told::set(Duration::from_secs(999));
    assert_eq!(clock.now(), Timestamp::ZERO);
    // A copy is the same clock.
    told::set(Duration::from_secs(1_007));
    let copy = clock;
    assert_eq!((copy.now(), clock.now()), (Timestamp::from_secs(7), Timestamp::from_secs(7)));
}

#[test]
fn instants_are_as_far_from_the_present_as_moments_of_another_source() {
    told::set(Duration::from_secs(50));
    let clock = Clock::with_source(told::read);
    told::set(Duration::from_secs(3_650));
    // Instants that are read before and after show how much time passed in between.
    let hour = Duration::from_secs(3600);
    let before = Clock::new().instant(Timestamp::ZERO);
    let ahead = clock.instant(clock.now() + hour);
    let passed = clock.instant(clock.now() - Duration::from_millis(1));
    let (now, earlier) = (clock.at(before), clock.at(before - Duration::from_millis(1)));
    let soon = clock.at(before + hour);
    let after = Clock::new().instant(Timestamp::ZERO);
    assert!(ahead >= before + hour && ahead <= after + hour);
    assert!(passed >= before - Duration::from_millis(1) && passed <= after - Duration::from_millis(1));
    let moment = Timestamp::from_secs(3_600);
    let took = after - before;
    assert!(now <= moment && now >= moment - took);
    assert!(
        earlier <= moment - Duration::from_millis(1) && earlier >= moment - Duration::from_millis(1) - took
    );
    assert!(soon <= moment + hour && soon >= moment + hour - took);
    assert!(clock.instant(Timestamp::MAX) >= before + Duration::from_secs(365 * 24 * 3600));
}

#[test]
fn the_wall_clock_counts_from_1970_whatever_the_origin_and_the_source_are() {
    // The machine's calendar may be wrong about the year. But it cannot be the first nanosecond of 1970.
    let source = Clock::with_source(|| Duration::from_secs(7));
    for clock in [Clock::new(), source] {
        assert!(clock.wall() > Timestamp::ZERO);
        assert_ne!(clock.wall(), clock.now());
    }
}
