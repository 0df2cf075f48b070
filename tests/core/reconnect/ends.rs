//! How it ends: limits, a backoff that has run out, a stop.

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{GiveUpReason, ReconnectAction};

use super::script::{EXACT, NEVER, lives, machine};
use super::seconds;

#[test]
fn after_so_many_attempts_it_gives_up() {
    lives(
        EXACT.max_attempts(2),
        &[1, 1, 1, 1],
        "
        0s > dial 1
        0s < failed 1
        1s > dial 2
        1s < connected 2
        31s < closed 2 1006
        31s > dial 3
        31s < connected 3
        60s < closed 3 1006
        61s > dial 4
        62s < network-changed
        63s < failed 4
        63s > give up: too many attempts failed
        ",
    );
    lives(EXACT.max_attempts(0), &[1], "0s > give up: too many attempts failed");
}

#[test]
fn after_so_long_it_gives_up_and_not_before() {
    // The next dial would come at 10 s, which is the limit.
    lives(
        EXACT.max_elapsed(seconds(10)),
        &[1, 9, 1],
        "
        0s > dial 1
        0s < failed 1
        1s > dial 2
        1s < failed 2
        10s > give up: tried for too long
        ",
    );
    // A nanosecond before the limit it still comes. A dial under way may succeed after it.
    lives(
        EXACT.max_elapsed(Duration::from_nanos(10_000_000_001)),
        &[1, 9, 1],
        "
        0s > dial 1
        0s < failed 1
        1s > dial 2
        1s < failed 2
        10s > dial 3
        12s < connected 3
        20s < closed 3 1006
        20s > give up: tried for too long
        ",
    );
    // After a stable connection the time counts again from the start.
    lives(
        EXACT.max_elapsed(seconds(10)),
        &[4, 9],
        "
        0s > dial 1
        5s < connected 1
        100s < closed 1 1006
        100s > dial 2
        100s < failed 2
        104s > dial 3
        104s < failed 3
        105s < network-changed
        105s > dial 4
        111s < failed 4
        111s > give up: tried for too long
        ",
    );
    lives(EXACT.max_elapsed(Duration::ZERO), &[1], "0s > give up: tried for too long");
}

#[test]
fn what_slept_past_the_end_still_makes_the_dial_that_was_due_before_it() {
    let mut slept = machine(EXACT.max_elapsed(seconds(600)), &[1, 1], 7);
    let Some(ReconnectAction::Dial(first)) = slept.poll(Timestamp::ZERO) else { panic!("no dial") };
    slept.failed(first, Timestamp::from_secs(500));
    let morning = Timestamp::from_secs(30_000);
    let Some(ReconnectAction::Dial(second)) = slept.poll(morning) else { panic!("no dial") };
    slept.failed(second, morning);
    assert_eq!(slept.poll(morning), Some(ReconnectAction::GiveUp(GiveUpReason::Elapsed)));
}

#[test]
fn a_backoff_that_says_never_waits_for_the_network_or_a_person() {
    lives(
        EXACT,
        &[NEVER],
        "
        0s > dial 1
        0s < failed 1
        5000s < network-changed
        5000s > dial 2
        5000s < failed 2
        9000s < dial-now
        9000s > dial 3
        9000s < failed 3
        ",
    );
    lives(
        EXACT.max_elapsed(seconds(60)),
        &[NEVER],
        "
        0s > dial 1
        0s < failed 1
        60s > give up: tried for too long
        ",
    );
}

#[test]
fn who_stops_is_left_in_peace() {
    lives(EXACT, &[1], "0s < stop\n0s > give up: stopped by this side\n1s < network-changed\n1s < dial-now");
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        1s < stop
        1s > abandon 1
        1s > give up: stopped by this side
        2s < connected 1
        2s > too late 1
        3s < closed 1 1006
        4s < failed 1
        5s < stop
        ",
    );
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        1s < stop
        1s > give up: stopped by this side
        2s < closed 1 1006
        ",
    );
    lives(
        EXACT,
        &[5],
        "
        0s > dial 1
        0s < failed 1
        1s < stop
        1s < dial-now
        1s > give up: stopped by this side
        ",
    );
}

#[test]
fn a_dial_that_ends_after_the_stop_need_not_be_abandoned() {
    for report in ["connected 1\n1s > too late 1", "failed 1", "closed 1 1006"] {
        let script = format!("0s > dial 1\n1s < stop\n1s < {report}\n1s > give up: stopped by this side");
        lives(EXACT, &[1], &script);
    }
    // A dial that must be abandoned is not kept because the network changed, or because a person asks.
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        1s < stop
        1s < network-changed
        1s < dial-now
        1s < stop
        1s > abandon 1
        1s > give up: stopped by this side
        ",
    );
}

#[test]
fn the_reason_that_comes_first_stays() {
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        1s < closed 1 1002
        1s < stop
        1s < connected 1
        1s > too late 1
        1s > give up: closed with code 1002
        ",
    );
}
