//! What the server asks for at run time, a system that is offline, a network that flaps, a process that slept.

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{Backoff, GiveUpReason, OnClose, Policy, Reconnect, ReconnectAction};
use proptest::prelude::*;

use super::script::{EXACT, NEVER, lives, machine};
use super::seconds;

#[test]
fn retry_after_is_waited_for_whatever_the_backoff_says_and_the_network_does() {
    lives(
        EXACT,
        &[1, 2, 600],
        "
        0s > dial 1
        1s < failed 1 after 120
        5s < network-changed
        121s > dial 2
        121s < failed 2 after 120
        241s > dial 3
        241s < failed 3
        241s < end
        ",
    );
    // The wait is not added to the backoff: the longer of the two counts.
    lives(EXACT, &[200], "0s > dial 1\n0s < failed 1 after 120\n200s > dial 2\n200s < end");
    // A person may dial sooner.
    lives(EXACT, &[1], "0s > dial 1\n0s < failed 1 after 120\n9s < dial-now\n9s > dial 2\n9s < end");
}

#[test]
fn what_the_caller_decides_at_a_loss_stands_in_place_of_the_policy() {
    lives(
        EXACT.max_spread(Duration::ZERO),
        &[1, 2],
        "
        0s > dial 1
        0s < connected 1
        100s < closed 1 1000 after 60
        110s < network-changed
        160s > dial 2
        160s < connected 2
        300s < closed 2 1006 after 0
        300s > dial 3
        300s < connected 3
        400s < failed 3 after 7
        407s > dial 4
        407s < connected 4
        500s < closed 4 1006 stop
        500s > give up: closed with code 1006
        ",
    );
    lives(EXACT, &[1], "0s > dial 1\n1s < failed 1 stop\n1s > give up: refused for good");
}

#[test]
fn what_the_caller_says_of_an_older_attempt_changes_nothing() {
    lives(
        EXACT,
        &[1, 2],
        "
        0s > dial 1
        0s < failed 1
        0s < failed 1 after 100
        0s < closed 1 1000 stop
        1s > dial 2
        1s < failed 1 stop
        1s < end
        ",
    );
}

/// Connected for an hour, then lost. Returns when the next dial is due, now and after a change of the network.
fn lost(
    seed: u64,
    lose: impl FnOnce(&mut super::script::Machine, liveness::reconnect::Attempt),
) -> [Timestamp; 2] {
    let mut client = machine(Policy::DEFAULT, &[1, 2], seed);
    let Some(ReconnectAction::Dial(first)) = client.poll(Timestamp::ZERO) else { panic!("no dial") };
    assert!(client.connected(first, Timestamp::ZERO));
    lose(&mut client, first);
    let before = client.poll_timeout().unwrap();
    client.network_changed(HOUR);
    [before, client.poll_timeout().unwrap()]
}

const HOUR: Timestamp = Timestamp::from_secs(3600);

#[test]
fn a_new_network_does_not_shorten_the_draw_that_the_server_asked_for() {
    for seed in 0..100 {
        let window = OnClose::by_code(1012).spread_over(seconds(120));
        let [before, after] = lost(seed, |client, first| client.closed_with(first, 1012, window, HOUR));
        assert!(before >= HOUR + seconds(5) && before <= HOUR + seconds(125));
        assert_eq!(before, after, "said at run time");
        let window = OnClose::AT_ONCE.spread_over(seconds(120));
        let [before, after] = lost(seed, |client, first| client.closed_with(first, 1006, window, HOUR));
        assert_eq!(before, after, "said in its hello, and it closed without a Close");
        let [before, after] = lost(seed, |client, first| client.closed(first, 1012, HOUR));
        assert_eq!(before, after, "said by the code");
        // Nobody asked for this wait, and the network says that the loss was ours alone.
        let [before, after] = lost(seed, |client, first| client.closed(first, 1006, HOUR));
        assert!(before > HOUR && after == HOUR, "{before} {after}");
        let [before, after] = lost(seed, |client, first| client.failed(first, HOUR));
        assert!(before > HOUR && after == HOUR, "{before} {after}");
    }
}

#[test]
fn a_loss_that_the_client_had_alone_is_dialled_at_once() {
    for seed in 0..100 {
        let [before, _] = lost(seed, |client, first| client.closed_with(first, 1006, OnClose::AT_ONCE, HOUR));
        assert_eq!(before, HOUR);
    }
}

#[test]
fn what_a_server_asks_for_can_be_made_of_what_the_code_means() {
    let redial = |at_least, spread| OnClose::Redial { at_least: seconds(at_least), spread: seconds(spread) };
    assert_eq!(OnClose::after(seconds(9)), redial(9, 0));
    assert_eq!(OnClose::AT_ONCE, redial(0, 0));
    assert_eq!(OnClose::by_code(1012).spread_over(seconds(60)), redial(5, 60));
    assert_eq!(OnClose::by_code(1012).not_before(seconds(4)), redial(5, 25));
    assert_eq!(OnClose::by_code(1012).not_before(seconds(6)), redial(6, 25));
    assert_eq!(OnClose::Stop.not_before(seconds(6)).spread_over(seconds(1)), OnClose::Stop);
}

#[test]
fn the_answers_that_end_it_are_the_clients_own_faults_and_no_others() {
    let end: Vec<u16> = (0..1000).filter(|status| OnClose::by_status(*status) == OnClose::Stop).collect();
    let ours: Vec<u16> = (400..500).filter(|status| ![408, 425, 429].contains(status)).collect();
    assert_eq!(end, ours);
    // The others ask for no wait of their own, so only the backoff counts.
    assert!(
        (0..1000).filter(|status| !end.contains(status)).all(|s| OnClose::by_status(s) == OnClose::AT_ONCE)
    );
}

#[test]
fn nobody_dials_while_the_system_is_offline() {
    lives(
        EXACT,
        &[1, 60],
        "
        0s > dial 1
        1s < network-lost
        2s < failed 1
        3600s < network-changed
        3600s > dial 2
        3600s < failed 2
        3601s > dial 3
        3601s < connected 3
        3602s < network-lost
        4000s < closed 3 1006
        5000s < network-changed
        5000s > dial 4
        5000s < end
        ",
    );
    // The server's minimum counts there too.
    lives(
        EXACT,
        &[1],
        "
        0s > dial 1
        0s < failed 1 after 120
        1s < network-lost
        60s < network-changed
        120s > dial 2
        120s < end
        ",
    );
}

#[test]
fn the_backoff_starts_anew_when_the_network_is_back_even_if_the_dial_was_due_long_ago() {
    lives(
        EXACT,
        &[1, 60],
        "
        0s > dial 1
        0s < failed 1
        1s > dial 2
        1s < failed 2
        2s < network-lost
        500s < network-changed
        500s > dial 3
        500s < failed 3
        501s > dial 4
        501s < end
        ",
    );
}

#[test]
fn a_dial_that_succeeds_or_a_person_says_that_there_is_a_network() {
    lives(
        EXACT,
        &[1, 2],
        "
        0s > dial 1
        1s < network-lost
        2s < connected 1
        40s < closed 1 1006
        40s > dial 2
        40s < network-lost
        41s < failed 2
        50s < dial-now
        50s > dial 3
        50s < failed 3
        51s > dial 4
        51s < end
        ",
    );
}

#[test]
fn limits_run_on_while_the_system_is_offline() {
    lives(
        EXACT.max_elapsed(seconds(60)),
        &[1],
        "
        0s > dial 1
        0s < failed 1
        0.5s < network-lost
        60s > give up: tried for too long
        ",
    );
}

#[test]
fn the_sixth_new_network_in_a_row_is_not_dialled_over_at_once() {
    let script = "
        0s > dial 1
        0s < failed 1
        1s < network-changed
        1s > dial 2
        1s < failed 2
        2s < network-changed
        2s > dial 3
        2s < failed 3
        3s < network-changed
        3s > dial 4
        3s < failed 4
        4s < network-changed
        4s > dial 5
        4s < failed 5
        5s < network-changed
        5s > dial 6
        5s < failed 6
        6s < network-changed
        31s > dial 7
        31s < failed 7
        31.5s < network-changed
        61s > dial 8
        61s < end
    ";
    // One dial every 30 s from the first on, even if only the network ends the wait.
    lives(EXACT, &[NEVER], script);
}

#[test]
fn changes_that_end_no_wait_take_nothing() {
    // A dozen changes in an instant count as one: wifi off, mobile on, an address, a route.
    let chatter = "0s < network-changed\n".repeat(12);
    lives(EXACT, &[60], &format!("{chatter}0s > dial 1\n0s < failed 1\n0s < end"));
    let changes = "10s < network-changed\n".repeat(12);
    let again =
        (2..=5).map(|n| format!("{n}0s < failed {n}\n{n}1s < network-changed\n{n}1s > dial {}\n", n + 1));
    let again: String = again.collect();
    lives(EXACT, &[60], &format!("0s > dial 1\n0s < failed 1\n{changes}10s > dial 2\n{again}51s < end"));
}

#[test]
fn a_network_that_changes_in_every_dial_is_dialled_by_the_backoff_in_the_end() {
    let dials: String = (1..=5)
        .map(|n| format!("{n}s < network-changed\n{n}s < failed {n}\n{n}s > dial {}\n", n + 1))
        .collect();
    lives(
        EXACT,
        &[10, 60],
        &format!(
            "0s > dial 1\n{dials}6s < network-changed\n6s < failed 6\n16s > dial 7\n17s < network-changed\n18s < failed 7\n31s > dial 8\n31s < end"
        ),
    );
}

/// Each dial fails at once, and the network changes at this interval. Returns the dials in ten minutes.
fn flaps(each: u64) -> usize {
    let mut client = Reconnect::with_backoff(Policy::DEFAULT, Backoff::DEFAULT.jitter(0), 7, Timestamp::ZERO);
    let (mut flap, mut dials, end) = (Timestamp::from_nanos(each), 0, Timestamp::from_secs(600));
    while let Some(due) = client.poll_timeout().map(|due| due.min(flap)).filter(|due| *due < end) {
        if due == flap {
            client.network_changed(due);
            flap += Duration::from_nanos(each);
        }
        while let Some(ReconnectAction::Dial(attempt)) = client.poll(due) {
            dials += 1;
            client.failed(attempt, due);
        }
    }
    dials
}

#[test]
fn a_network_that_flaps_is_not_dialled_at_the_rate_of_its_flaps() {
    // Waits of 1, 2, 4 and so on to 60 s make 15 dials in ten minutes. With flaps there are five at once and one every 30
    // s, and after each of them a backoff from its start.
    assert_eq!(flaps(u64::MAX / 2), 15);
    let dials = [5_000, 1_000, 100, 10].map(|millis| flaps(millis * 1_000_000));
    assert!(dials.iter().all(|dials| (60..=130).contains(dials)), "{dials:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However the network flaps: if only the network ends a wait, there are five dials and one more every 30 s.
    #[test]
    fn changes_bring_five_dials_and_one_each_half_minute(
        gaps in prop::collection::vec(prop_oneof![0..1_000_u64, 0..40_000_u64], 1..300),
        lost in any::<bool>(),
    ) {
        let mut client = machine(EXACT, &[NEVER], 7);
        let (mut now, mut dials) = (0, Vec::new());
        for gap in gaps {
            let until = now + gap;
            while let Some(due) = client.poll_timeout().filter(|due| *due <= Timestamp::from_millis(until)) {
                let Some(ReconnectAction::Dial(attempt)) = client.poll(due) else { panic!("no dial at {due}") };
                dials.push(due);
                client.failed(attempt, due);
            }
            now = until;
            if lost {
                client.network_lost(Timestamp::from_millis(now));
            }
            client.network_changed(Timestamp::from_millis(now));
        }
        // The first dial was there before any change of the network. One more is allowed for the end of each window.
        for (index, from) in dials.iter().enumerate().skip(1) {
            let within = dials[index..].iter().take_while(|at| **at < *from + seconds(300)).count();
            prop_assert!(within <= 5 + 10, "{dials:?}");
        }
    }
}

#[test]
fn a_dial_whose_time_ran_out_asleep_is_abandoned_at_the_second_look() {
    let at = Timestamp::from_secs;
    let asleep = |wake: Timestamp| {
        let mut client = machine(EXACT, &[5], 7);
        let Some(ReconnectAction::Dial(first)) = client.poll(at(0)) else { panic!("no dial") };
        (client.poll(wake), client.poll_timeout(), client, first)
    };
    // A dial may take 20 s. More than a second after that counts as late.
    let (action, due, mut client, first) = asleep(at(500));
    assert_eq!((action, due), (None, Some(at(501))));
    assert!(client.connected(first, at(500)), "its success was unread");
    let (_, _, mut client, first) = asleep(at(500));
    assert_eq!(client.poll(at(501)), Some(ReconnectAction::Abandon(first)));
    assert_eq!(client.poll_timeout(), Some(at(506)));
    // Only once: a driver that is always late still reaches the end.
    let (_, _, mut client, first) = asleep(at(500));
    assert_eq!(client.poll(at(900)), Some(ReconnectAction::Abandon(first)));
    // A second is not late yet.
    let (action, ..) = asleep(at(21));
    assert!(matches!(action, Some(ReconnectAction::Abandon(_))));
    let (action, due, ..) = asleep(at(21) + Duration::from_nanos(1));
    assert_eq!((action, due), (None, Some(at(22) + Duration::from_nanos(1))));
}

#[test]
fn an_input_is_a_look_too() {
    let at = Timestamp::from_secs;
    let mut client = machine(EXACT, &[5], 7);
    let Some(ReconnectAction::Dial(first)) = client.poll(at(0)) else { panic!("no dial") };
    // It wakes, and hears of the network first.
    client.network_changed(at(500));
    assert_eq!((client.poll(at(500)), client.poll_timeout()), (None, Some(at(501))));
    // A dial that fails then is followed by the next at once.
    client.failed(first, at(500));
    assert!(matches!(client.poll(at(500)), Some(ReconnectAction::Dial(_))));
}

#[test]
fn a_short_dial_is_late_by_a_quarter_of_it() {
    let at = Timestamp::from_millis;
    let mut client = machine(EXACT.dial_timeout(Duration::from_millis(400)), &[5], 7);
    let Some(ReconnectAction::Dial(first)) = client.poll(at(0)) else { panic!("no dial") };
    assert_eq!((client.poll(at(501)), client.poll_timeout()), (None, Some(at(601))));
    assert_eq!(client.poll(at(601)), Some(ReconnectAction::Abandon(first)));
}

#[test]
fn a_backoff_doubles_up_to_its_longest_and_is_shortened_by_a_share() {
    let exact: Vec<_> = Backoff::new(seconds(1), seconds(10)).jitter(0).take(6).collect();
    assert_eq!(exact, [1, 2, 4, 8, 10, 10].map(seconds));
    let millisecond = Duration::from_millis(1);
    let none: Vec<_> = Backoff::new(Duration::ZERO, Duration::ZERO).take(3).collect();
    assert!(none.iter().all(|wait| *wait <= millisecond && *wait >= millisecond / 2), "{none:?}");
    assert_eq!(Backoff::new(seconds(9), seconds(3)).jitter(0).next(), Some(seconds(3)));
    // It can be as long as the type allows.
    let longest = Backoff::new(Duration::MAX, Duration::MAX).jitter(0).nth(1);
    assert_eq!(longest, Some(Duration::from_nanos(u64::MAX)));
    assert_eq!(Backoff::default(), Backoff::DEFAULT);

    // Drawn evenly from the last half, separately for each wait and each seed.
    let mut tenths = [0; 10];
    for seed in 0..1000 {
        let mut backoff = Backoff::DEFAULT.seeded(seed);
        for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60, 60] {
            let wait = backoff.next().unwrap();
            assert!(wait >= seconds(longest) / 2 && wait <= seconds(longest), "{wait:?}");
            let share = (wait - seconds(longest) / 2).as_nanos() * 20 / seconds(longest).as_nanos();
            tenths[usize::try_from(share).unwrap().min(9)] += 1;
        }
    }
    assert!(tenths.iter().all(|count| (880..1120).contains(count)), "{tenths:?}");
    let all = Backoff::new(seconds(1), seconds(1)).jitter(200).seeded(1);
    let all: Vec<_> = all.take(1000).collect();
    let short = all.iter().filter(|wait| **wait < seconds(1) / 10).count();
    assert!((50..200).contains(&short) && all.iter().all(|wait| *wait <= seconds(1)), "{short}");
}

/// A closure can be written without a type.
struct Client {
    reconnect: Reconnect,
}

#[test]
fn a_machine_with_the_crates_own_backoff_has_a_short_name() {
    let policy = Policy::DEFAULT.stable_after(Duration::ZERO);
    let reconnect = Reconnect::with_backoff(policy, Backoff::DEFAULT, 7, Timestamp::ZERO);
    let mut client = Client { reconnect };
    let mut waits = Vec::new();
    let mut now = Timestamp::ZERO;
    for round in 0..9 {
        let Some(ReconnectAction::Dial(attempt)) = client.reconnect.poll(now) else { panic!("no dial") };
        if round % 3 == 2 {
            // The connection was stable, so the backoff begins again, and draws again.
            assert!(client.reconnect.connected(attempt, now));
            client.reconnect.closed_with(attempt, 1001, OnClose::AT_ONCE, now);
        } else {
            client.reconnect.failed(attempt, now);
            let wait = client.reconnect.poll_timeout().unwrap() - now;
            let longest = seconds(1 << (round % 3));
            assert!(wait >= longest / 2 && wait <= longest, "{wait:?} in round {round}");
            waits.push(wait);
        }
        now = client.reconnect.poll_timeout().unwrap();
    }
    waits.sort_unstable();
    waits.dedup();
    assert_eq!(waits.len(), 6);
    // Two clients differ.
    let first = |seed| {
        let mut client = Reconnect::with_backoff(Policy::DEFAULT, Backoff::DEFAULT, seed, Timestamp::ZERO);
        let Some(ReconnectAction::Dial(attempt)) = client.poll(Timestamp::ZERO) else { panic!("no dial") };
        client.failed(attempt, Timestamp::ZERO);
        client.poll_timeout()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
    let mut stopped =
        Reconnect::with_backoff(Policy::DEFAULT.max_attempts(0), Backoff::DEFAULT, 7, Timestamp::ZERO);
    assert_eq!(stopped.poll(Timestamp::ZERO), Some(ReconnectAction::GiveUp(GiveUpReason::Attempts)));
}
