//! What ends a wait: a network that changed, a person who asks.

use liveness::Timestamp;

use super::script::{EXACT, lives, machine};
use super::seconds;

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
        11s < failed 4
        20s < network-changed
        20s > dial 5
        20s < failed 5
        21s > dial 6
        21s < end
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
    // The backoff of 60 s is only a guess. The 30 s are the server's minimum.
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
