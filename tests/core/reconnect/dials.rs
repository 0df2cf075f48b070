//! When it dials: the backoff, close codes, dials that take too long.

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::ReconnectAction;

use super::script::{EXACT, lives, machine};

#[test]
fn the_first_dial_comes_at_once_and_failures_lengthen_the_wait_until_the_backoff_ends() {
    lives(
        EXACT,
        &[1, 2, 4],
        "
        0s < network-changed
        0s > dial 1
        0.5s < failed 1
        1.5s > dial 2
        1.5s < failed 2
        3.5s > dial 3
        5s < failed 3
        9s > dial 4
        9.1s < failed 4
        9.1s > give up: the last attempt failed
        ",
    );
}

#[test]
fn the_backoff_starts_anew_after_a_connection_that_was_stable_and_goes_on_after_one_that_was_not() {
    lives(
        EXACT,
        &[1, 2, 4, 8],
        "
        0s > dial 1
        0s < failed 1
        1s > dial 2
        1s < connected 2
        30.999999999s < closed 2 1006
        32.999999999s > dial 3
        33s < connected 3
        63s < closed 3 1006
        63s > dial 4
        64s < failed 4
        65s > dial 5
        65s < failed 5
        67s > dial 6
        67s < end
        ",
    );
}

#[test]
fn each_connection_that_was_stable_starts_the_backoff_anew_and_not_only_the_first() {
    lives(
        EXACT,
        &[1, 2, 4, 8],
        "
        0s > dial 1
        0s < connected 1
        30s < closed 1 1006
        30s > dial 2
        30s < failed 2
        31s > dial 3
        31s < failed 3
        33s > dial 4
        33s < connected 4
        63s < closed 4 1006
        63s > dial 5
        63s < failed 5
        64s > dial 6
        64s < failed 6
        66s > dial 7
        66s < connected 7
        96s < closed 7 1006
        96s > dial 8
        96s < failed 8
        97s > dial 9
        97s < end
        ",
    );
}

#[test]
fn stable_after_zero_makes_every_connection_stable_and_never_none() {
    lives(
        EXACT.stable_after(Duration::ZERO),
        &[1, 2],
        "
        0s > dial 1
        1s < connected 1
        1s < closed 1 1006
        1s > dial 2
        1s < connected 2
        1s < closed 2 1006
        1s > dial 3
        1s < end
        ",
    );
    lives(
        EXACT.stable_after(Duration::MAX),
        &[1, 2],
        "
        0s > dial 1
        0s < connected 1
        18446744073.709551615s < closed 1 1006
        18446744073.709551615s < end
        ",
    );
    let mut machine = machine(EXACT.stable_after(Duration::MAX), &[1, 2], 7);
    let Some(ReconnectAction::Dial(first)) = machine.poll(Timestamp::ZERO) else { panic!("no dial") };
    assert!(machine.connected(first, Timestamp::ZERO));
    machine.closed(first, 1006, Timestamp::from_secs(1_000_000));
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(1_000_001)));
}

#[test]
fn a_close_code_decides_whether_and_how() {
    lives(
        EXACT,
        &[1, 2, 4],
        "
        0s > dial 1
        0s < connected 1
        100s < closed 1 1001
        100s > dial 2
        100s < connected 2
        200s < closed 2 1012
        205s > dial 3
        205s < connected 3
        300s < closed 3 1013
        330s > dial 4
        330s < connected 4
        400s < closed 4 3008
        400s > dial 5
        400s < connected 5
        500s < closed 5 1007
        500s > give up: closed with code 1007
        ",
    );
}

#[test]
fn what_the_server_asks_for_and_what_the_backoff_says_are_not_added_but_the_longer_counts() {
    lives(
        EXACT,
        &[1, 60],
        "
        0s > dial 1
        0s < connected 1
        1s < closed 1 1013
        31s > dial 2
        31s < connected 2
        32s < closed 2 1013
        92s > dial 3
        92s < end
        ",
    );
}

#[test]
fn a_dial_that_takes_too_long_is_abandoned_and_has_failed() {
    lives(
        EXACT,
        &[0, 2],
        "
        0s > dial 1
        20s > abandon 1
        20s > dial 2
        39.999999999s < connected 2
        50s < closed 2 1006
        52s > dial 3
        72s > abandon 3
        72s > give up: the last attempt failed
        ",
    );
}

#[test]
fn at_the_moment_a_dial_is_abandoned_its_success_still_counts_and_later_it_is_too_late() {
    lives(
        EXACT,
        &[5],
        "
        0s > dial 1
        20s < connected 1
        20s < failed 1
        25s > dial 2
        45s > abandon 2
        45s > give up: the last attempt failed
        46s < connected 2
        46s > too late 2
        ",
    );
    lives(
        EXACT,
        &[5],
        "
        0s > dial 1
        20s > abandon 1
        21s < connected 1
        21s > too late 1
        22s < failed 1
        23s < closed 1 1002
        25s > dial 2
        25s < end
        ",
    );
}

#[test]
fn a_dial_without_a_timeout_is_waited_for_and_one_of_no_time_takes_a_nanosecond() {
    let mut patient = machine(EXACT.dial_timeout(Duration::MAX), &[1], 7);
    let Some(ReconnectAction::Dial(first)) = patient.poll(Timestamp::ZERO) else { panic!("no dial") };
    assert_eq!(patient.poll_timeout(), None);
    assert_eq!(patient.poll(Timestamp::MAX), None);
    assert!(patient.connected(first, Timestamp::MAX));
    lives(
        EXACT.dial_timeout(Duration::ZERO),
        &[0],
        "
        0s > dial 1
        0.000000001s > abandon 1
        0.000000001s > dial 2
        0.000000002s > abandon 2
        0.000000002s > give up: the last attempt failed
        ",
    );
}

#[test]
fn reports_of_an_older_attempt_and_second_reports_change_nothing() {
    lives(
        EXACT,
        &[1, 2, 4],
        "
        0s > dial 1
        0s < failed 1
        0s < failed 1
        0s < closed 1 1000
        1s > dial 2
        1s < failed 1
        1s < closed 1 1000
        1s < connected 1
        1s > too late 1
        2s < connected 2
        2s < failed 1
        3s < closed 1 1000
        4s < connected 2
        32s < closed 2 1006
        32s > dial 3
        32s < closed 2 1000
        32s < end
        ",
    );
}

#[test]
fn a_second_success_does_not_start_the_time_anew() {
    lives(
        EXACT,
        &[100],
        "
        0s > dial 1
        0s < connected 1
        29s < connected 1
        30s < closed 1 1006
        30s > dial 2
        30s < end
        ",
    );
}

#[test]
fn a_failure_of_what_stood_is_an_abnormal_closure_and_a_closure_of_what_never_stood_a_failure() {
    lives(
        EXACT,
        &[3],
        "
        0s > dial 1
        0s < connected 1
        100s < failed 1
        100s > dial 2
        100s < closed 2 1012
        105s > dial 3
        105s < closed 3 1002
        105s > give up: closed with code 1002
        ",
    );
}
