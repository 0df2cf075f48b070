//! When a client dials again. Timelines here, what no life can break in `laws`.

mod herd;
mod laws;
mod script;

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use liveness::reconnect::{Action, GiveUp, OnClose, Policy, Reconnect, Status};
use liveness::{Reason, Timestamp};

use script::{EXACT, NEVER, lives, machine};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

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
    let Some(Action::Dial(first)) = machine.poll(Timestamp::ZERO) else { panic!("no dial") };
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
    let Some(Action::Dial(first)) = patient.poll(Timestamp::ZERO) else { panic!("no dial") };
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

#[test]
fn a_changed_network_is_dialled_at_once_and_the_backoff_starts_anew() {
    lives(
        EXACT,
        &[1, 60],
        "
        0s > dial 1
        0s < failed 1
        1s > dial 2
        1s < failed 2
        10s < network-changed
        10s > dial 3
        10s < failed 3
        11s > dial 4
        11s < end
        ",
    );
}

#[test]
fn a_network_that_changes_during_a_dial_is_dialled_at_once_when_that_has_failed() {
    lives(
        EXACT,
        &[7, 60],
        "
        0s > dial 1
        1s < network-changed
        2s < failed 1
        2s > dial 2
        2s < network-changed
        22s > abandon 2
        22s > dial 3
        23s < failed 3
        30s > dial 4
        31s < network-changed
        32s < connected 4
        33s < closed 4 1006
        93s > dial 5
        93s < network-changed
        93s < closed 5 1013
        123s > dial 6
        123s < end
        ",
    );
}

#[test]
fn a_changed_network_means_nothing_while_connected() {
    lives(
        EXACT,
        &[60],
        "
        0s > dial 1
        0s < connected 1
        1s < network-changed
        2s < closed 1 1006
        62s > dial 2
        62s < end
        ",
    );
}

#[test]
fn a_changed_network_does_not_shorten_what_the_server_asked_for_but_a_person_does() {
    lives(
        EXACT,
        &[60],
        "
        0s > dial 1
        0s < connected 1
        100s < closed 1 1013
        110s < network-changed
        130s > dial 2
        130s < connected 2
        200s < closed 2 1013
        210s < dial-now
        210s > dial 3
        210s < end
        ",
    );
    // The backoff of 60 s is guesswork, the 30 s are owed.
    lives(
        EXACT,
        &[60],
        "
        0s > dial 1
        0s < connected 1
        1s < closed 1 1013
        2s < network-changed
        31s > dial 2
        31s < end
        ",
    );
}

#[test]
fn a_changed_network_never_puts_a_dial_off() {
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < failed 1
        0.5s < network-changed
        0.5s < network-changed
        0.5s > dial 2
        0.5s < end
        ",
    );
    // Due, but not polled: it stays due.
    let mut late = machine(EXACT, &[1], 7);
    late.network_changed(Timestamp::from_secs(5));
    assert_eq!(late.poll_timeout(), Some(Timestamp::ZERO));
}

#[test]
fn a_person_who_asks_starts_everything_anew() {
    lives(
        EXACT.max_attempts(3).max_elapsed(seconds(100)),
        &[1, 50, 60],
        "
        0s > dial 1
        0s < failed 1
        1s > dial 2
        1s < failed 2
        40s < dial-now
        40s > dial 3
        40s < dial-now
        41s < failed 3
        42s > dial 4
        42s < failed 4
        92s > dial 5
        92s < failed 5
        92s > give up: too many attempts failed
        93s < dial-now
        ",
    );
    lives(
        EXACT.max_elapsed(seconds(100)),
        &[90],
        "
        0s > dial 1
        0s < failed 1
        40s < dial-now
        40s > dial 2
        40s < failed 2
        130s > dial 3
        139s < failed 3
        139s > give up: the last attempt failed
        ",
    );
}

#[test]
fn a_person_who_asks_while_connected_or_dialling_changes_nothing() {
    lives(
        EXACT,
        &[9],
        "
        0s > dial 1
        1s < dial-now
        2s < failed 1
        11s > dial 2
        11s < connected 2
        12s < dial-now
        13s < closed 2 1006
        13s > give up: the last attempt failed
        ",
    );
}

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
    // The next dial would come at 10 s, and that is the end.
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
    // A nanosecond before it, it still comes; and a dial under way may succeed.
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
    // A stable one begins another time.
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
    let Some(Action::Dial(first)) = slept.poll(Timestamp::ZERO) else { panic!("no dial") };
    slept.failed(first, Timestamp::from_secs(500));
    let morning = Timestamp::from_secs(30_000);
    let Some(Action::Dial(second)) = slept.poll(morning) else { panic!("no dial") };
    slept.failed(second, morning);
    assert_eq!(slept.poll(morning), Some(Action::GiveUp(GiveUp::Elapsed)));
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
    // Nor is a dial that is to be abandoned kept because the network changed, or a person asks.
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

#[test]
fn a_clock_that_goes_back_counts_as_standing_still() {
    lives(
        EXACT,
        &[1, 2],
        "
        0s > dial 1
        10s < failed 1
        11s > dial 2
        11s < connected 2
        11s < network-changed
        12s < end
        ",
    );
    let mut machine = machine(EXACT, &[1, 2], 7);
    let Some(Action::Dial(first)) = machine.poll(Timestamp::from_secs(100)) else { panic!("no dial") };
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(120)));
    machine.failed(first, Timestamp::from_secs(50));
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(101)));
    machine.dial_now(Timestamp::from_secs(10));
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(100)));
    let Some(Action::Dial(second)) = machine.poll(Timestamp::ZERO) else { panic!("no dial") };
    assert!(machine.connected(second, Timestamp::ZERO));
    machine.closed(second, 1006, Timestamp::from_secs(20));
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(101)), "it was never stable");
    machine.network_changed(Timestamp::from_secs(30));
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(100)));
    machine.stop(Timestamp::from_secs(40));
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(100)));
}

#[test]
fn every_input_and_command_moves_the_time_on() {
    let at = Timestamp::from_secs(9);
    let dialled = || {
        let mut machine = machine(EXACT, &[1], 7);
        let Some(Action::Dial(first)) = machine.poll(Timestamp::ZERO) else { panic!("no dial") };
        (machine, first)
    };
    let (mut one, first) = dialled();
    assert!(one.connected(first, at));
    one.failed(first, Timestamp::ZERO);
    assert_eq!(one.poll_timeout(), Some(at + seconds(1)), "connected");
    let (mut one, first) = dialled();
    one.network_changed(at);
    one.closed(first, 1013, Timestamp::ZERO);
    assert_eq!(one.poll_timeout(), Some(at + seconds(30)), "network_changed");
    let (mut one, first) = dialled();
    one.dial_now(at);
    one.failed(first, Timestamp::ZERO);
    assert_eq!(one.poll_timeout(), Some(at + seconds(1)), "dial_now");
    let (mut one, _) = dialled();
    one.stop(at);
    assert_eq!(one.poll_timeout(), Some(at), "stop");
}

#[test]
fn the_status_says_where_it_stands_and_the_count_how_often_it_tried() {
    let mut machine = machine(EXACT.max_elapsed(seconds(50)), &[1, 100], 7);
    let at = Timestamp::from_secs;
    assert_eq!((machine.status(), machine.attempts()), (Status::Waiting(Some(at(0))), 0));
    let Some(Action::Dial(first)) = machine.poll(at(0)) else { panic!("no dial") };
    assert_eq!((machine.status(), machine.attempts()), (Status::Dialling(first), 1));
    machine.failed(first, at(2));
    assert_eq!((machine.status(), machine.attempts()), (Status::Waiting(Some(at(3))), 1));
    let Some(Action::Dial(second)) = machine.poll(at(3)) else { panic!("no dial") };
    assert_eq!((first.get(), second.get(), machine.attempts()), (1, 2, 2));
    assert!(machine.connected(second, at(4)));
    assert_eq!((machine.status(), machine.attempts()), (Status::Connected(second), 2));
    // The next dial would come after the end.
    machine.closed(second, 1006, at(5));
    assert_eq!((machine.status(), machine.poll_timeout()), (Status::Waiting(None), Some(at(50))));
    machine.dial_now(at(6));
    assert_eq!((machine.status(), machine.attempts()), (Status::Waiting(Some(at(6))), 0));
    let Some(Action::Dial(third)) = machine.poll(at(6)) else { panic!("no dial") };
    machine.stop(at(7));
    assert_eq!((machine.status(), machine.is_finished()), (Status::Finished(GiveUp::Stopped), false));
    assert_eq!(machine.poll(at(7)), Some(Action::Abandon(third)));
    assert_eq!((machine.status(), machine.is_finished()), (Status::Finished(GiveUp::Stopped), false));
    assert_eq!(machine.poll(at(7)), Some(Action::GiveUp(GiveUp::Stopped)));
    assert_eq!((machine.status(), machine.is_finished()), (Status::Finished(GiveUp::Stopped), true));
    assert_eq!((machine.poll(at(7)), machine.poll_timeout()), (None, None));
    let shown = format!("{machine:?}");
    assert!(shown.contains("Finished(Stopped)") && shown.contains("dials: 3"), "{shown}");
}

#[test]
fn a_dial_that_would_come_as_it_gives_up_is_not_announced() {
    let at = Timestamp::from_secs;
    for (limit, shown) in [(9, None), (10, None), (11, Some(at(10)))] {
        let mut machine = machine(EXACT.max_elapsed(seconds(limit)), &[10], 7);
        let Some(Action::Dial(first)) = machine.poll(at(0)) else { panic!("no dial") };
        machine.failed(first, at(0));
        assert_eq!(machine.status(), Status::Waiting(shown), "{limit}");
        assert_eq!(machine.poll_timeout(), Some(at(limit.min(10))), "{limit}");
    }
}

#[test]
fn the_codes_that_end_it_are_these_and_no_others() {
    let end: Vec<u16> = (0..=u16::MAX).filter(|code| OnClose::by_code(*code) == OnClose::GiveUp).collect();
    assert_eq!(end, [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003]);
    let longer: Vec<u16> = (0..=u16::MAX)
        .filter(|code| ![OnClose::GiveUp, OnClose::REDIAL].contains(&OnClose::by_code(*code)))
        .collect();
    assert_eq!(longer, [1012, 1013]);
}

#[test]
fn the_policy_is_the_callers() {
    const POLICY: Policy = EXACT.on_close(|code| match code {
        1000 => OnClose::Redial { at_least: seconds(3), spread: Duration::ZERO },
        4401 => OnClose::GiveUp,
        _ => OnClose::by_code(code),
    });
    lives(
        POLICY,
        &[1, 2],
        "
        0s > dial 1
        0s < connected 1
        60s < closed 1 1000
        63s > dial 2
        64s < connected 2
        100s < closed 2 4401
        100s > give up: closed with code 4401
        ",
    );
}

#[test]
fn a_verdict_says_how_the_connection_was_closed() {
    for (reason, code) in [
        (Reason::PeerClosed(Some(4321)), 4321),
        (Reason::PeerClosed(None), 1005),
        (Reason::LocalClosed, 1000),
        (Reason::PingTimeout, 1006),
        (Reason::WriteStalled, 1006),
        (Reason::Silent, 1006),
        (Reason::Idle, 1006),
        (Reason::PingFlood, 1006),
        (Reason::TransportClosed, 1006),
    ] {
        assert_eq!(reason.connection_close_code(), code, "{reason}");
    }
}

/// What fits without ceremony: a field names the backoff, and not the closure.
struct Client {
    reconnect: Reconnect<ExponentialBackoff>,
}

#[test]
fn the_backoff_of_backon_fits_into_a_field() {
    let at = Timestamp::from_secs;
    let mut client =
        Client { reconnect: Reconnect::new(EXACT, || ExponentialBuilder::default().build(), 7, at(0)) };
    let mut dials = Vec::new();
    let reason = loop {
        let now = client.reconnect.poll_timeout().expect("not the end");
        match client.reconnect.poll(now) {
            Some(Action::Dial(attempt)) => {
                dials.push(now);
                assert!(dials.len() < 10, "it never ends");
                client.reconnect.failed(attempt, now);
            }
            Some(Action::GiveUp(reason)) => break reason,
            Some(Action::Abandon(_)) | None => panic!("it was due, and failed at once"),
        }
    };
    // Its default is three more attempts.
    assert_eq!((dials, reason), (vec![at(0), at(1), at(3), at(7)], GiveUp::Backoff));
}

#[test]
fn each_reason_has_its_words() {
    for (reason, words) in [
        (GiveUp::Closed(1008), "closed with code 1008"),
        (GiveUp::Attempts, "too many attempts failed"),
        (GiveUp::Elapsed, "tried for too long"),
        (GiveUp::Backoff, "the last attempt failed"),
        (GiveUp::Stopped, "stopped by this side"),
    ] {
        assert_eq!(reason.to_string(), words);
    }
    assert_eq!(format!("{:?}", Policy::default()), format!("{:?}", Policy::DEFAULT));
}
