//! A connection that is replaced while it is in use.

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{DialStatus, OnClose, Policy, ReconnectAction};

use super::script::{EXACT, lives, machine};
use super::seconds;

#[test]
fn the_old_connection_is_retired_when_the_new_one_stands() {
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < connected 2
        101s > retire 1
        102s < closed 1 1000
        200s < closed 2 1006
        200s > dial 3
        200s < end
        ",
    );
}

#[test]
fn a_dial_that_fails_is_tried_again_while_the_old_connection_serves() {
    lives(
        EXACT.max_elapsed(seconds(5)),
        &[1, 2],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < failed 2
        102s > dial 3
        122s > abandon 3
        124s > dial 4
        124s < connected 4
        124s > retire 1
        ",
    );
}

#[test]
fn what_forbids_more_dials_leaves_the_old_connection() {
    // The backoff has run out; all attempts are made; the new server refuses.
    for (policy, dials) in [
        (EXACT, "100s > dial 2\n100s < failed 2\n101s > dial 3\n101s < failed 3"),
        (EXACT.max_attempts(1), "100s > dial 2\n100s < failed 2"),
        (EXACT, "100s > dial 2\n100s < closed 2 1008"),
        (EXACT, "100s > dial 2\n100s < failed 2 stop"),
    ] {
        let next = dials.matches("dial").count() + 2;
        lives(
            policy,
            &[1],
            &format!(
                "0s > dial 1\n0s < connected 1\n100s < hand-over\n{dials}\n200s < connected 1\n\
                 300s < closed 1 1006\n300s > dial {next}\n300s < end"
            ),
        );
    }
}

#[test]
fn a_server_that_hands_over_everybody_who_comes_is_not_dialled_at_full_speed() {
    lives(
        EXACT,
        &[1, 2, 4],
        "
        0s > dial 1
        0s < connected 1
        0s < hand-over
        1s > dial 2
        1s < connected 2
        1s > retire 1
        1s < hand-over
        3s > dial 3
        3s < connected 3
        3s > retire 2
        32.999999999s < hand-over
        36.999999999s > dial 4
        36.999999999s < connected 4
        36.999999999s > retire 3
        66.999999999s < hand-over
        66.999999999s > dial 5
        66.999999999s < connected 5
        66.999999999s > retire 4
        67s < hand-over
        68s > dial 6
        68s < end
        ",
    );
    // If the backoff has run out, or there were too many dials, it stays where it is.
    for policy in [EXACT, EXACT.max_attempts(1)] {
        lives(policy, &[], "0s > dial 1\n0s < connected 1\n1s < hand-over\n2s < connected 1\n2s < end");
    }
}

#[test]
fn a_hand_over_that_came_to_nothing_can_be_asked_for_again() {
    lives(
        EXACT,
        &[],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        100s < failed 2
        100s < closed 2 1000
        200s < hand-over
        200s > dial 3
        200s < connected 3
        200s > retire 1
        ",
    );
}

#[test]
fn an_old_connection_that_is_lost_while_a_dial_is_under_way_leaves_that_dial() {
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < closed 1 1000
        102s < connected 2
        102s < end
        ",
    );
    // What the old connection's end asked for is followed when the dial fails.
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < closed 1 1013
        102s < failed 2
        103s < network-changed
        131s > dial 3
        131s < end
        ",
    );
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < closed 1 1000
        102s < failed 2
        102s > give up: closed with code 1000
        ",
    );
    // The same when the dial is abandoned.
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < failed 1 after 60
        120s > abandon 2
        161s > dial 3
        161s < end
        ",
    );
}

#[test]
fn from_the_loss_of_a_stable_old_connection_on_the_limits_count() {
    lives(
        EXACT.max_attempts(2).max_elapsed(seconds(50)),
        &[1, 1, 1, 1],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        110s < closed 1 1006
        111s < failed 2
        112s > dial 3
        112s < failed 3
        112s > give up: too many attempts failed
        ",
    );
    lives(
        EXACT.max_elapsed(seconds(50)),
        &[1, 60],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        110s < closed 1 1006
        112s < failed 2
        113s > dial 3
        114s < failed 3
        160s > give up: tried for too long
        ",
    );
}

#[test]
fn an_old_connection_that_is_lost_between_two_dials_is_a_loss_like_any_other() {
    lives(
        EXACT,
        &[7],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        100s < failed 2
        101s < closed 1 1006
        101s > dial 3
        101s < end
        ",
    );
    // Except that what the new server asked for is its minimum.
    lives(
        EXACT,
        &[7],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        100s < failed 2 after 60
        101s < closed 1 1006
        102s < network-changed
        160s > dial 3
        160s < end
        ",
    );
}

#[test]
fn each_hand_over_of_a_stable_connection_starts_the_backoff_anew_and_so_does_the_loss_of_each() {
    lives(
        EXACT,
        &[1, 2, 4, 8],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        100s < failed 2
        101s > dial 3
        101s < connected 3
        101s > retire 1
        200s < hand-over
        200s > dial 4
        200s < failed 4
        201s > dial 5
        201s < failed 5
        203s > dial 6
        204s < closed 3 1006
        205s < failed 6
        206s > dial 7
        206s < connected 7
        300s < hand-over
        300s > dial 8
        300s < failed 8
        301s > dial 9
        301s < failed 9
        303s > dial 10
        304s < closed 7 1006
        305s < failed 10
        306s > dial 11
        306s < end
        ",
    );
}

#[test]
fn a_new_connection_that_is_lost_before_the_old_one_was_retired_leaves_that() {
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < connected 2
        101s < closed 2 1006
        102s > dial 3
        102s < connected 3
        102s > retire 1
        ",
    );
    // In the opposite case there is nothing to retire.
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < connected 2
        101s < closed 1 1001
        101s < end
        ",
    );
}

#[test]
fn a_hand_over_means_nothing_unless_connected_and_nothing_twice() {
    lives(
        EXACT,
        &[5],
        "
        0s < hand-over
        0s > dial 1
        1s < hand-over
        1s < failed 1
        2s < hand-over
        6s > dial 2
        6s < connected 2
        100s < hand-over
        100s < hand-over
        100s > dial 3
        101s < hand-over
        101s < connected 3
        101s < hand-over
        101s > retire 2
        200s < stop
        200s < hand-over
        200s > give up: stopped by this side
        ",
    );
}

#[test]
fn who_stops_a_hand_over_stops_all_of_it() {
    lives(
        EXACT,
        &[5],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        101s < stop
        101s > abandon 2
        101s > give up: stopped by this side
        102s < connected 1
        102s > too late 1
        ",
    );
    lives(
        EXACT,
        &[5],
        "
        0s > dial 1
        0s < connected 1
        100s < hand-over
        100s > dial 2
        100s < failed 2
        101s < stop
        101s > give up: stopped by this side
        ",
    );
}

#[test]
fn nobody_is_dialled_for_a_hand_over_while_the_system_is_offline_and_a_person_may_hurry_it() {
    lives(
        EXACT,
        &[5, 60],
        "
        0s > dial 1
        0s < connected 1
        100s < network-lost
        100s < hand-over
        200s < network-changed
        200s > dial 2
        200s < failed 2
        201s < dial-now
        201s > dial 3
        201s < end
        ",
    );
}

#[test]
fn clients_that_are_handed_over_together_spread() {
    let at = Timestamp::from_secs(3600);
    let mut tenths = [0; 10];
    for seed in 0..10_000 {
        let mut client = machine(Policy::DEFAULT, &[1], seed);
        let Some(ReconnectAction::Dial(first)) = client.poll(Timestamp::ZERO) else { panic!("no dial") };
        assert!(client.connected(first, Timestamp::ZERO));
        client.hand_over(seconds(60), at);
        let due = client.poll_timeout().unwrap();
        assert!(due >= at && due <= at + seconds(60));
        tenths[usize::try_from((due - at).as_secs() / 6).unwrap().min(9)] += 1;
        // A new network says nothing about the other connections.
        client.network_changed(at);
        assert_eq!(client.poll_timeout(), Some(at));
    }
    assert!(tenths.iter().all(|count| (880..1120).contains(count)), "{tenths:?}");
}

#[test]
fn the_status_is_that_of_the_connection_that_serves() {
    let at = Timestamp::from_secs;
    let mut client = machine(EXACT, &[5], 7);
    let Some(ReconnectAction::Dial(old)) = client.poll(at(0)) else { panic!("no dial") };
    assert!(client.connected(old, at(0)));
    assert!(!client.is_handing_over());
    client.hand_over(Duration::ZERO, at(60));
    assert_eq!((client.status(), client.is_handing_over()), (DialStatus::Connected(old), true));
    assert_eq!(client.attempts(), 0);
    let Some(ReconnectAction::Dial(new)) = client.poll(at(60)) else { panic!("no dial") };
    assert_eq!((client.status(), client.is_handing_over()), (DialStatus::Connected(old), true));
    assert!(client.connected(old, at(61)), "it serves");
    assert!(client.connected(new, at(61)));
    assert_eq!((client.status(), client.is_handing_over()), (DialStatus::Connected(new), false));
    assert_eq!(client.poll_timeout(), Some(at(61)));
    assert!(client.connected(old, at(61)), "it is not retired yet");
    assert_eq!(client.poll(at(61)), Some(ReconnectAction::Retire(old)));
    assert_eq!((client.poll(at(61)), client.poll_timeout()), (None, None));
    assert!(!client.connected(old, at(62)), "it is");
    // The next hand-over is like the first.
    client.hand_over(Duration::ZERO, at(100));
    let Some(ReconnectAction::Dial(third)) = client.poll(at(100)) else { panic!("no dial") };
    client.closed_with(third, 1006, OnClose::Stop, at(100));
    assert_eq!((client.status(), client.is_handing_over()), (DialStatus::Connected(new), false));
    assert_eq!((client.poll(at(100)), client.poll_timeout()), (None, None));
}
