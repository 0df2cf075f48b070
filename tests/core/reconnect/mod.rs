//! When a client dials again: its inputs and its outputs. Timelines are in `dials`, `changes` and `ends`; what no life
//! can break is in `laws`.

mod asked;
mod changes;
mod dials;
mod ends;
mod hand_over;
mod herd;
mod laws;
mod reference;
mod script;
mod world;

use std::array::IntoIter;
use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{DialStatus, GiveUpReason, OnClose, Policy, Reconnect, ReconnectAction};

use script::{EXACT, lives, machine};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
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
    let Some(ReconnectAction::Dial(first)) = machine.poll(Timestamp::from_secs(100)) else {
        panic!("no dial")
    };
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(120)));
    machine.failed(first, Timestamp::from_secs(50));
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(101)));
    machine.dial_now(Timestamp::from_secs(10));
    assert_eq!(machine.poll_timeout(), Some(Timestamp::from_secs(100)));
    let Some(ReconnectAction::Dial(second)) = machine.poll(Timestamp::ZERO) else { panic!("no dial") };
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
        let Some(ReconnectAction::Dial(first)) = machine.poll(Timestamp::ZERO) else { panic!("no dial") };
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
    assert_eq!((machine.status(), machine.attempts()), (DialStatus::Waiting(Some(at(0))), 0));
    let Some(ReconnectAction::Dial(first)) = machine.poll(at(0)) else { panic!("no dial") };
    assert_eq!((machine.status(), machine.attempts()), (DialStatus::Dialling(first), 1));
    machine.failed(first, at(2));
    assert_eq!((machine.status(), machine.attempts()), (DialStatus::Waiting(Some(at(3))), 1));
    let Some(ReconnectAction::Dial(second)) = machine.poll(at(3)) else { panic!("no dial") };
    assert_eq!((first.get(), second.get(), machine.attempts()), (1, 2, 2));
    assert!(machine.connected(second, at(4)));
    assert_eq!((machine.status(), machine.attempts()), (DialStatus::Connected(second), 2));
    // The next dial would come after the end.
    machine.closed(second, 1006, at(5));
    assert_eq!((machine.status(), machine.poll_timeout()), (DialStatus::Waiting(None), Some(at(50))));
    machine.dial_now(at(6));
    assert_eq!((machine.status(), machine.attempts()), (DialStatus::Waiting(Some(at(6))), 0));
    let Some(ReconnectAction::Dial(third)) = machine.poll(at(6)) else { panic!("no dial") };
    machine.stop(at(7));
    assert_eq!(
        (machine.status(), machine.is_finished()),
        (DialStatus::Finished(GiveUpReason::Stopped), false)
    );
    assert_eq!(machine.poll(at(7)), Some(ReconnectAction::Abandon(third)));
    assert_eq!(
        (machine.status(), machine.is_finished()),
        (DialStatus::Finished(GiveUpReason::Stopped), false)
    );
    assert_eq!(machine.poll(at(7)), Some(ReconnectAction::GiveUp(GiveUpReason::Stopped)));
    assert_eq!(
        (machine.status(), machine.is_finished()),
        (DialStatus::Finished(GiveUpReason::Stopped), true)
    );
    assert_eq!((machine.poll(at(7)), machine.poll_timeout()), (None, None));
    let shown = format!("{machine:?}");
    assert!(shown.contains("Finished(Stopped)") && shown.contains("dials: 3"), "{shown}");
}

#[test]
fn a_dial_that_would_come_as_it_gives_up_is_not_announced() {
    let at = Timestamp::from_secs;
    for (limit, shown) in [(9, None), (10, None), (11, Some(at(10)))] {
        let mut machine = machine(EXACT.max_elapsed(seconds(limit)), &[10], 7);
        let Some(ReconnectAction::Dial(first)) = machine.poll(at(0)) else { panic!("no dial") };
        machine.failed(first, at(0));
        assert_eq!(machine.status(), DialStatus::Waiting(shown), "{limit}");
        assert_eq!(machine.poll_timeout(), Some(at(limit.min(10))), "{limit}");
    }
}

#[test]
fn the_codes_that_end_it_are_these_and_no_others() {
    let end: Vec<u16> = (0..=u16::MAX).filter(|code| OnClose::by_code(*code) == OnClose::Stop).collect();
    assert_eq!(end, [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003]);
    let longer: Vec<u16> = (0..=u16::MAX)
        .filter(|code| ![OnClose::Stop, OnClose::REDIAL].contains(&OnClose::by_code(*code)))
        .collect();
    assert_eq!(longer, [1012, 1013]);
}

#[test]
fn the_policy_is_the_callers() {
    const POLICY: Policy = EXACT.on_close(|code| match code {
        1000 => OnClose::Redial { at_least: seconds(3), spread: Duration::ZERO },
        4401 => OnClose::Stop,
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

/// A closure can be written without a type: a field names the backoff.
struct Client {
    reconnect: Reconnect<IntoIter<Duration, 3>>,
}

#[test]
fn a_backoff_fits_into_a_field() {
    let at = Timestamp::from_secs;
    let backoff = || [1, 2, 4].map(seconds).into_iter();
    let mut client = Client { reconnect: Reconnect::new(EXACT, backoff, 7, at(0)) };
    let mut dials = Vec::new();
    let reason = loop {
        let now = client.reconnect.poll_timeout().expect("not the end");
        match client.reconnect.poll(now) {
            Some(ReconnectAction::Dial(attempt)) => {
                dials.push(now);
                assert!(dials.len() < 10, "it never ends");
                client.reconnect.failed(attempt, now);
            }
            Some(ReconnectAction::GiveUp(reason)) => break reason,
            Some(ReconnectAction::Abandon(_) | ReconnectAction::Retire(_)) | None => {
                panic!("it was due, and failed at once")
            }
        }
    };
    // A first attempt, and one after each of its waits.
    assert_eq!((dials, reason), (vec![at(0), at(1), at(3), at(7)], GiveUpReason::Backoff));
}

#[test]
fn each_reason_has_its_words() {
    for (reason, words) in [
        (GiveUpReason::Closed(1008), "closed with code 1008"),
        (GiveUpReason::Attempts, "too many attempts failed"),
        (GiveUpReason::Elapsed, "tried for too long"),
        (GiveUpReason::Backoff, "the last attempt failed"),
        (GiveUpReason::Refused, "refused for good"),
        (GiveUpReason::Stopped, "stopped by this side"),
    ] {
        assert_eq!(reason.to_string(), words);
    }
    assert_eq!(format!("{:?}", Policy::default()), format!("{:?}", Policy::DEFAULT));
}
