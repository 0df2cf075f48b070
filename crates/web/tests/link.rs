//! The page's end on a simulated clock: what it does, and when.

use std::fmt::Write;
use std::time::Duration;

use liveness::reconnect::{Backoff, GiveUpReason};
use liveness::{CloseCode, Config, Reason, Suspicion, Timestamp};
use liveness_web::{Action, Link, Settings, page_backoff};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn backoff() -> Backoff {
    page_backoff(millis(1000), millis(15_000), 7)
}

type Page = Link<fn() -> Backoff>;

/// Asks after 5 s, suspects 1 s later, gives up 2 s after asking.
fn settings() -> Settings {
    let heartbeat = Config::builder()
        .interval(millis(5000))
        .timeout(millis(2000))
        .suspicion(Suspicion::After(millis(1000)))
        .jitter(0)
        .build();
    Settings {
        heartbeat: heartbeat.unwrap(),
        stable_after: millis(30_000),
        dial_timeout: millis(5000),
        max_spread: Duration::MAX,
    }
}

/// Asks after a minute, gives up half a minute later.
fn slow() -> Config {
    Config::builder().interval(millis(60_000)).timeout(millis(30_000)).jitter(0).build().unwrap()
}

fn page() -> Page {
    Link::new(settings(), backoff, 7, at(0))
}

/// What the page does now, one word each.
#[track_caller]
fn polled(page: &mut Page, now: Timestamp) -> String {
    let mut words = String::new();
    for count in 0.. {
        let Some(action) = page.poll(now) else { break };
        assert!(count < 8, "it does not come to an end: {words}");
        let _ = match action {
            Action::Ping(_) => {
                page.ping_sent(0, 21, now);
                write!(words, "ping ")
            }
            Action::Offline(reason) => write!(words, "offline:{reason} "),
            Action::Leave(Some(code)) => write!(words, "leave:{code} "),
            Action::Leave(None) => write!(words, "leave "),
            Action::Wait(_) => write!(words, "wait "),
            Action::End(why) => write!(words, "end:{why} "),
            Action::Dial
            | Action::Dialling
            | Action::Open
            | Action::Pong
            | Action::Online
            | Action::Suspect
            | Action::Rtt
            | Action::Abandon
            | Action::Retire => {
                write!(words, "{} ", format!("{action:?}").to_lowercase())
            }
        };
    }
    assert!(page.poll_timeout().is_none_or(|due| due > now), "it would be called needlessly");
    words.trim_end().to_owned()
}

/// A page that is connected, and asks after a silence.
fn connected() -> Page {
    let mut page = page();
    assert_eq!(polled(&mut page, at(0)), "dialling dial");
    assert!(page.opened(at(0)));
    assert_eq!(polled(&mut page, at(0)), "open online");
    page
}

/// Polls when it is due until `end`. Returns what came of it and when, in milliseconds.
fn lived(page: &mut Page, end: Timestamp) -> Vec<(u64, String)> {
    let mut life = Vec::new();
    while let Some(due) = page.poll_timeout().filter(|due| *due <= end) {
        let words = polled(page, due);
        if !words.is_empty() {
            life.push((due.as_nanos() / 1_000_000, words));
        }
    }
    life
}

/// The payload of the ping that the page sends when it is told to ask.
#[track_caller]
fn probed(page: &mut Page, now: Timestamp) -> u64 {
    page.probe(now);
    match page.poll(now) {
        Some(Action::Ping(payload)) => {
            page.ping_sent(0, 21, now);
            payload
        }
        other => panic!("no ping, but {other:?}"),
    }
}

#[test]
fn a_server_that_says_nothing_is_asked_then_suspect_then_given_up_and_dialled_again() {
    let mut page = connected();
    page.message(at(1000));
    probed(&mut page, at(1000));
    let life = lived(&mut page, at(3500));
    assert_eq!(life[0], (2000, "suspect".to_owned()));
    assert_eq!(life[1], (3050, "offline:ping-timeout leave:3008 wait".to_owned()));
    assert_eq!(life.len(), 2);
    let dial = lived(&mut page, at(20_000));
    // The connection was young: the wait is 1 to 2 s of backoff, and a part of 5 s.
    assert_eq!(dial[0].1, "dialling dial");
    assert!((4050..=10_050).contains(&dial[0].0), "{dial:?}");
}

#[test]
fn who_lost_a_server_waits_no_longer_for_its_turn_than_it_was_given() {
    let longest_of_100 = |max_spread| {
        let waits = (0..100).map(|seed| {
            let mut page = Link::new(Settings { max_spread, ..settings() }, backoff as _, seed, at(0));
            assert_eq!(polled(&mut page, at(0)), "dialling dial");
            assert!(page.opened(at(0)));
            page.message(at(60_000));
            page.closed(1006, at(60_000));
            if polled(&mut page, at(60_000)).ends_with("dialling dial") {
                return millis(0);
            }
            page.poll_timeout().unwrap().saturating_duration_since(at(60_000))
        });
        waits.max().unwrap()
    };
    assert!((millis(4500)..=millis(5000)).contains(&longest_of_100(Duration::MAX)));
    assert!((millis(450)..=millis(500)).contains(&longest_of_100(millis(500))));
    assert_eq!(longest_of_100(millis(0)), millis(0));
}

#[test]
fn an_answer_a_message_and_a_question_are_each_a_sign_of_life() {
    type Sign = fn(&mut Page, u64);
    let signs: [(Sign, &str); 3] = [
        (|page, payload| page.pong(payload, at(2500)), "rtt online"),
        (|page, _| page.message(at(2500)), "online"),
        (|page, _| page.ping(at(2500)), "pong online"),
    ];
    for (sign, expected) in signs {
        let mut page = connected();
        let payload = probed(&mut page, at(1000));
        assert_eq!(lived(&mut page, at(2500)), [(2000, "suspect".to_owned())]);
        sign(&mut page, payload);
        assert_eq!(polled(&mut page, at(2500)), expected);
        assert_eq!(lived(&mut page, at(4000)), []);
    }
}

#[test]
fn only_the_answer_to_the_newest_ping_is_a_round_trip() {
    let mut page = connected();
    let first = probed(&mut page, at(1000));
    page.message(at(1100));
    let second = probed(&mut page, at(2200));
    page.pong(first, at(2300));
    assert_eq!(polled(&mut page, at(2300)), "");
    page.pong(second, at(2450));
    assert_eq!(polled(&mut page, at(2450)), "rtt");
    assert_eq!(page.rtt().unwrap().latest, millis(250));
    page.pong(second, at(2500));
    assert_eq!(polled(&mut page, at(2500)), "", "it answers once");
}

#[test]
fn the_answer_to_a_ping_that_others_are_awaited_or_written_before_is_no_round_trip() {
    let mut page = connected();
    page.configure(slow(), at(0));
    let _ = probed(&mut page, at(1000));
    let second = probed(&mut page, at(2000));
    page.pong(second, at(2040));
    assert_eq!(polled(&mut page, at(2040)), "");
    assert_eq!(page.rtt(), None);
    // This ping never leaves, although the server talks. The page sleeps, and asks again on waking.
    page.probe(at(3040));
    assert!(matches!(page.poll(at(3040)), Some(Action::Ping(_))));
    page.ping_sent(8_000_000, 8_000_021, at(3040));
    page.message(at(3100));
    let Some(Action::Ping(anew)) = page.poll(at(60_000)) else { panic!("no ping") };
    page.ping_sent(8_000_021, 8_000_042, at(60_000));
    page.pong(anew, at(60_040));
    assert_eq!(polled(&mut page, at(60_040)), "");
    assert_eq!(page.rtt(), None);
}

#[test]
fn a_page_that_wakes_is_told_so_by_many_and_asks_at_once_and_a_second_later() {
    let mut page = connected();
    for (when, expected) in [(60_000, "ping"), (60_000, ""), (60_300, ""), (60_900, "")] {
        page.wake(at(when));
        assert_eq!(polled(&mut page, at(when)), expected, "{when}");
    }
    page.message(at(60_950));
    assert_eq!(lived(&mut page, at(61_999)), [(61_000, "ping".to_owned())]);
}

#[test]
fn a_person_who_looks_on_learns_within_probe_timeout() {
    let hasty = |config: Config| config.to_builder().probe_timeout(millis(500)).build().unwrap();
    let mut page = connected();
    page.configure(hasty(settings().heartbeat), at(0));
    probed(&mut page, at(1000));
    assert_eq!(lived(&mut page, at(1550)), [(1550, "offline:ping-timeout leave:3008 wait".to_owned())]);
    // The answer to a scheduled ping may take longer, until the page is visible again or wakes.
    let mut page = connected();
    page.configure(hasty(slow()), at(0));
    let asked = page.poll_timeout().unwrap().as_nanos() / 1_000_000;
    assert_eq!(lived(&mut page, at(asked + 20_000)), [(asked, "ping".to_owned())]);
    let woken = asked + 20_000;
    page.wake(at(woken));
    assert_eq!(polled(&mut page, at(woken)), "ping");
    let life = lived(&mut page, at(woken + 550));
    assert_eq!(life, [(woken + 550, "offline:ping-timeout leave:3008 dialling dial".to_owned())]);
}

#[test]
fn who_talks_both_ways_is_not_asked() {
    let mut page = connected();
    for second in 1..60 {
        page.message(at(second * 1000));
        page.sent(0, 5, at(second * 1000));
        assert_eq!(polled(&mut page, at(second * 1000)), "");
    }
    for second in 60..69 {
        page.buffered(0, at(second * 1000));
        page.message(at(second * 1000));
        assert_eq!(polled(&mut page, at(second * 1000)) == "ping", second == 64, "{second}");
    }
}

#[test]
fn a_socket_opens_once() {
    let mut page = page();
    assert!(!page.opened(at(0)), "it was not dialled yet");
    assert_eq!(polled(&mut page, at(0)), "dialling dial");
    assert!(page.opened(at(10)));
    assert!(!page.opened(at(10)));
}

#[test]
fn a_backoff_of_nothing_waits_all_the_same() {
    let mut page = Link::new(settings(), || page_backoff(Duration::ZERO, Duration::ZERO, 7), 7, at(0));
    assert_eq!(page.poll(at(0)), Some(Action::Dialling));
    assert_eq!(page.poll(at(0)), Some(Action::Dial));
    page.failed(at(0));
    assert!(matches!(page.poll(at(0)), Some(Action::Wait(Some(until))) if until >= at(1)));
    assert_eq!(page.poll(at(0)), None);
}

#[test]
fn a_ping_behind_an_upload_is_waited_for_when_it_has_left() {
    let mut page = connected();
    page.probe(at(1000));
    assert!(matches!(page.poll(at(1000)), Some(Action::Ping(_))));
    page.ping_sent(8_000_000, 8_000_021, at(1000));
    // A megabyte a second.
    for second in 2..=8 {
        page.buffered(9_000_021 - second * 1_000_000, at(second * 1000));
        assert_eq!(polled(&mut page, at(second * 1000)), "", "{second}");
    }
    page.buffered(0, at(9000));
    assert_eq!(polled(&mut page, at(9000)), "ping", "it held the next one back, and begins the wait");
    let life = lived(&mut page, at(11_050));
    assert_eq!(life[0], (10_000, "suspect".to_owned()));
    assert_eq!(life[1], (11_050, "offline:ping-timeout leave:3008 wait".to_owned()));
}

#[test]
fn a_ping_that_never_leaves_is_a_verdict_too() {
    let mut page = connected();
    page.probe(at(1000));
    assert!(matches!(page.poll(at(1000)), Some(Action::Ping(_))));
    page.ping_sent(8_000_000, 8_000_021, at(1000));
    page.sent(8_000_021, 9_000_000, at(1500));
    page.buffered(9_000_000, at(3000));
    let life = lived(&mut page, at(3050));
    assert_eq!(life.last(), Some(&(3050, "offline:write-stalled leave:3008 wait".to_owned())));
}

#[test]
fn a_page_that_wakes_to_find_its_connection_gone_dials_at_once_unless_the_server_asked_for_time() {
    for (woken, code, expected) in [
        (60_000, 1006, "offline:transport-closed leave dialling dial"),
        (60_000, 3008, "offline:peer-closed 3008 leave:3008 dialling dial"),
        (60_000, 1012, "offline:peer-closed 1012 leave:1012 wait"),
        // The page awaited an answer for 2 s after waking. Two more seconds are allowed.
        (56_001, 1006, "offline:transport-closed leave dialling dial"),
        (56_000, 1006, "offline:transport-closed leave wait"),
    ] {
        let mut page = connected();
        page.message(at(59_000));
        page.wake(at(woken));
        assert_eq!(polled(&mut page, at(woken)), "ping");
        page.closed(code, at(60_000));
        assert_eq!(polled(&mut page, at(60_000)), expected);
    }
}

#[test]
fn a_page_whose_timer_was_served_before_the_answer_hears_it_first() {
    for heard in [false, true] {
        let mut page = connected();
        let payload = probed(&mut page, at(1000));
        // The deadline was at 3 s. The page was busy, but not for so long that it may have slept.
        assert_eq!(polled(&mut page, at(3400)), "");
        if heard {
            page.pong(payload, at(3449));
        }
        let verdict = if heard { "rtt" } else { "offline:ping-timeout leave:3008 wait" };
        assert_eq!(polled(&mut page, at(3450)), verdict);
    }
}

#[test]
fn a_frozen_page_asks_anew_and_what_came_meanwhile_counts() {
    let mut page = connected();
    let payload = probed(&mut page, at(1000));
    // The answer came at 1.1 s. The timer of 3 s is handled before it.
    assert_eq!(polled(&mut page, at(121_000)), "ping");
    page.pong(payload, at(121_000));
    assert_eq!(polled(&mut page, at(121_000)), "");
    assert_eq!(lived(&mut page, at(125_999)), []);
}

#[test]
fn a_frozen_page_that_finds_nothing_asks_anew_before_it_gives_up() {
    let mut page = connected();
    probed(&mut page, at(1000));
    assert_eq!(polled(&mut page, at(121_000)), "ping");
    let life = lived(&mut page, at(123_050));
    assert_eq!(life[0], (122_000, "suspect".to_owned()));
    assert_eq!(life[1], (123_050, "offline:ping-timeout leave:3008 wait".to_owned()));
}

#[test]
fn a_timer_that_comes_once_a_minute_comes_to_a_verdict_too() {
    let mut page = connected();
    let story: Vec<String> = (1..=4).map(|minute| polled(&mut page, at(minute * 60_000))).collect();
    // Asked, asked again, noted, given up.
    assert_eq!(story, ["ping", "ping", "", "offline:ping-timeout leave:3008 wait"]);
}

#[test]
fn a_dial_is_abandoned_in_time_and_a_page_that_slept_in_it_dials_anew() {
    let mut page = page();
    assert_eq!(polled(&mut page, at(0)), "dialling dial");
    assert_eq!(polled(&mut page, at(4999)), "");
    assert_eq!(polled(&mut page, at(5000)), "abandon wait");
    assert!(!page.opened(at(5001)), "nobody waits for it");
    let mut slept = self::page();
    assert_eq!(polled(&mut slept, at(0)), "dialling dial");
    // Its success may be unread.
    assert_eq!(polled(&mut slept, at(60_000)), "");
    slept.wake(at(60_000));
    assert_eq!(polled(&mut slept, at(60_999)), "");
    assert_eq!(polled(&mut slept, at(61_000)), "abandon dialling dial");
}

#[test]
fn dials_that_fail_are_spread_and_ever_longer() {
    let mut page = page();
    let mut now = at(0);
    for longest in [1000, 2000, 4000, 8000, 15_000, 15_000] {
        assert_eq!(polled(&mut page, now), "dialling dial");
        page.failed(now);
        assert_eq!(polled(&mut page, now), "wait");
        let due = page.poll_timeout().unwrap();
        let wait = due.saturating_duration_since(now);
        assert!(wait >= millis(longest) && wait <= millis(2 * longest), "{wait:?} of {longest}");
        now = due;
    }
    assert_eq!(page.attempts(), 6);
    assert_eq!(polled(&mut page, now), "dialling dial");
    page.failed(now);
    assert_eq!(polled(&mut page, now), "wait");
    page.wake(now);
    assert_eq!(polled(&mut page, now), "dialling dial", "a new network ends the wait");
}

#[test]
fn the_close_code_says_whether_it_comes_back() {
    for (code, expected) in [
        (1000, "offline:peer-closed 1000 leave:1000 end:closed with code 1000"),
        (1005, "offline:peer-closed leave wait"),
        (1015, "offline:transport-closed leave wait"),
        (1006, "offline:transport-closed leave wait"),
        (1008, "offline:peer-closed 1008 leave:1008 end:closed with code 1008"),
        (1012, "offline:peer-closed 1012 leave:1012 wait"),
    ] {
        let mut page = connected();
        page.closed(code, at(40_000));
        let words = polled(&mut page, at(40_000));
        assert_eq!(words, expected, "{code}");
        let wait = page.poll_timeout().map(|due| due.saturating_duration_since(at(40_000)));
        match code {
            1012 => assert!(wait.unwrap() >= millis(5000) && wait.unwrap() <= millis(30_000)),
            1005 | 1006 | 1015 => assert!(wait.unwrap() <= millis(5000)),
            _ => assert_eq!(wait, None),
        }
    }
}

#[test]
fn closing_is_for_good_until_somebody_asks() {
    let mut page = connected();
    page.close(CloseCode::NORMAL, at(100));
    assert_eq!(polled(&mut page, at(100)), "offline:local-closed leave:1000 end:stopped by this side");
    assert_eq!(page.poll_timeout(), None);
    page.wake(at(200));
    assert_eq!(polled(&mut page, at(200)), "");
    page.dial_now(at(300));
    assert_eq!(polled(&mut page, at(300)), "dialling dial");
}

#[test]
fn closing_in_a_hand_over_tells_of_no_other_dial() {
    let mut page = Link::new(
        Settings { stable_after: Duration::ZERO, ..settings() },
        backoff as fn() -> Backoff,
        7,
        at(0),
    );
    assert_eq!(polled(&mut page, at(0)), "dialling dial");
    assert!(page.opened(at(0)));
    assert_eq!(polled(&mut page, at(0)), "open online");
    page.hand_over(Duration::ZERO, at(100));
    assert_eq!(polled(&mut page, at(100)), "dial");
    page.close(CloseCode::NORMAL, at(200));
    assert_eq!(
        polled(&mut page, at(200)),
        "offline:local-closed leave:1000 abandon end:stopped by this side"
    );
}

#[test]
fn a_heartbeat_that_is_changed_is_that_of_the_open_connection_and_counts_from_where_the_old_one_did() {
    let mut page = connected();
    page.configure(slow(), at(10));
    assert_eq!(lived(&mut page, at(60_000)).first().map(|(_, words)| &**words), Some("ping"));
    let mut page = connected();
    page.message(at(500));
    page.sent(0, 5, at(500));
    let _ = probed(&mut page, at(1000));
    page.message(at(1100));
    page.configure(slow(), at(4000));
    assert_eq!(lived(&mut page, at(70_000)), [(61_000, "ping".to_owned())]);
    // The answer to an earlier ping is still a round trip, whether or not anything was heard since.
    for heard in [false, true] {
        let mut page = connected();
        let payload = probed(&mut page, at(1000));
        if heard {
            page.message(at(1100));
        }
        page.configure(slow(), at(1500));
        page.pong(payload, at(1700));
        assert_eq!(polled(&mut page, at(1700)), "rtt");
        assert_eq!(page.rtt().unwrap().latest, millis(700));
    }
    // It does not undo what has happened either.
    let mut page = connected();
    page.closed(1006, at(1000));
    page.configure(slow(), at(1000));
    assert_eq!(polled(&mut page, at(1000)), "offline:transport-closed leave wait");
    // The wait for an answer still counts.
    let mut page = connected();
    probed(&mut page, at(1000));
    page.configure(slow(), at(1500));
    let life = lived(&mut page, at(31_050));
    assert_eq!(life, [(31_050, "offline:ping-timeout leave:3008 wait".to_owned())]);
}

#[test]
fn a_server_that_floods_with_questions_is_given_up() {
    let mut page = connected();
    let answered = (0..200).take_while(|_| {
        page.ping(at(10));
        let words = polled(&mut page, at(10));
        assert!(words == "pong" || words.starts_with("offline:ping-flood leave:1008"), "{words}");
        words.starts_with("pong")
    });
    assert_eq!(answered.count(), 128);
}

#[test]
fn an_end_says_why() {
    let mut page = page();
    assert_eq!(page.poll(at(0)), Some(Action::Dialling));
    assert_eq!(page.poll(at(0)), Some(Action::Dial));
    page.close(CloseCode::NORMAL, at(1));
    assert_eq!(page.poll(at(1)), Some(Action::Abandon));
    assert_eq!(page.poll(at(1)), Some(Action::End(GiveUpReason::Stopped)));
    assert_eq!(page.report(at(1)).map(|report| report.to_string()), None);
    assert_eq!(Reason::LocalClosed.connection_close_code(), 1000);
}
