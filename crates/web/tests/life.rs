//! What a page's end does about a loss, a sleep, a network that goes and comes, and a hand-over. The clock is simulated.

use std::time::Duration;

use liveness::reconnect::{Backoff, OnClose};
use liveness::{CloseCode, Config, Reason, Timestamp};
use liveness_web::{Action, Link, Settings, page_backoff};

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

type Page = Link<fn() -> Backoff>;

fn backoff() -> Backoff {
    page_backoff(secs(1), secs(15), 7)
}

/// The settings of a `LiveSocket` without options.
fn page() -> Page {
    let heartbeat = Config::builder().probe_timeout(secs(5)).jitter(0).build().unwrap();
    let settings =
        Settings { heartbeat, stable_after: secs(30), dial_timeout: secs(20), max_spread: Duration::MAX };
    Link::new(settings, backoff as _, 7, at(0))
}

/// A wall clock that runs like the page's own.
const BORN: Duration = secs(1_700_000_000);

#[track_caller]
fn turn(page: &mut Page, now: Timestamp) -> Vec<Action> {
    turn_with(page, now + BORN, true, now)
}

#[track_caller]
fn turn_with(page: &mut Page, wall: Timestamp, is_seen: bool, now: Timestamp) -> Vec<Action> {
    page.look(wall, is_seen, now);
    let mut actions = Vec::new();
    while let Some(action) = page.poll(now) {
        assert!(actions.len() < 10, "without end: {actions:?}");
        if let Action::Ping(_) = action {
            page.ping_sent(0, 21, now);
        }
        actions.push(action);
    }
    assert!(page.poll_timeout().is_none_or(|due| due > now), "its timer fires needlessly");
    actions
}

/// Looks whenever it is due. Returns what the page did, and when.
fn live(page: &mut Page, end: Timestamp) -> Vec<(Timestamp, Action)> {
    let mut life = Vec::new();
    while let Some(due) = page.poll_timeout().filter(|due| *due <= end) {
        life.extend(turn(page, due).into_iter().map(|action| (due, action)));
    }
    life
}

fn moment_of(life: &[(Timestamp, Action)], wanted: impl Fn(Action) -> bool) -> Option<Timestamp> {
    life.iter().find(|(_, action)| wanted(*action)).map(|(at, _)| *at)
}

fn is_dial(action: Action) -> bool {
    action == Action::Dial
}

/// The server was heard at this moment. Until then the page looked in time.
fn heard(page: &mut Page, now: Timestamp) {
    for second in 0.. {
        let next = at(second * 1000);
        live(page, next.min(now));
        if next >= now {
            break;
        }
        page.message(next);
    }
    page.message(now);
    turn(page, now);
}

fn connected() -> Page {
    let mut page = page();
    assert_eq!(turn(&mut page, at(0)), [Action::Dialling, Action::Dial]);
    assert!(page.opened(at(0)));
    assert_eq!(turn(&mut page, at(0)), [Action::Open, Action::Online]);
    page
}

#[test]
fn a_clock_that_stood_still_is_found_out_and_the_dead_server_is_left_within_eight_seconds() {
    let mut page = connected();
    heard(&mut page, at(10_000));
    // Ten minutes pass by the calendar, but two seconds by the page's own clock.
    let woken = at(12_000);
    let actions = turn_with(&mut page, woken + BORN + secs(598), true, woken);
    assert!(matches!(actions[..], [Action::Ping(_)]), "{actions:?}");
    let dial = loop {
        let now = page.poll_timeout().unwrap();
        if turn_with(&mut page, now + BORN + secs(598), true, now).contains(&Action::Dial) {
            break now;
        }
    };
    assert_eq!(dial, woken + Duration::from_millis(5050));
}

#[test]
fn a_page_that_nobody_looks_at_takes_a_late_timer_for_no_sleep() {
    let mut page = connected();
    assert_eq!(turn_with(&mut page, at(1000) + BORN, false, at(1000)), []);
    page.message(at(1000));
    // A hidden page's timers ring once a minute. So this is one scheduled ping, with the long wait.
    let actions = turn_with(&mut page, at(61_000) + BORN, false, at(61_000));
    assert!(matches!(actions[..], [Action::Ping(_)]));
    assert!(!page.is_alone(at(61_000)));
    // The same while the page is visible is a sleep.
    let mut seen = connected();
    seen.message(at(1000));
    turn(&mut seen, at(1000));
    turn(&mut seen, at(61_000));
    assert!(seen.is_alone(at(61_000)));
}

#[test]
fn while_the_system_is_offline_nothing_is_dialled_and_at_once_when_it_is_back() {
    let mut page = connected();
    heard(&mut page, at(40_000));
    page.network_lost(at(50_000));
    assert!(matches!(turn(&mut page, at(50_000))[..], [Action::Ping(_)]), "it asks whether that is so");
    // The system shows the page and wakes it, but says nothing about a network.
    page.wake(at(51_000));
    let life = live(&mut page, at(3_600_000));
    let offline = moment_of(&life, |action| matches!(action, Action::Offline(Reason::PingTimeout)));
    assert_eq!(offline, Some(at(55_050)), "a wait that was cut short does not begin again: {life:?}");
    assert_eq!(moment_of(&life, is_dial), None);
    assert_eq!(moment_of(&life, |action| action == Action::Wait(None)), offline);
    assert!(page.is_offline());
    page.network_back(at(3_600_000));
    assert_eq!(turn(&mut page, at(3_600_000)), [Action::Dialling, Action::Dial]);
}

#[test]
fn a_network_that_flaps_is_not_dialled_at_the_rate_of_its_flaps() {
    let mut page = page();
    let mut dials = 0;
    for tenth in 0..6000 {
        let now = at(tenth * 100);
        let actions = turn(&mut page, now);
        if actions.iter().any(|action| is_dial(*action)) {
            dials += 1;
            page.failed(now);
            turn(&mut page, now);
        }
        if tenth % 2 == 0 { page.network_lost(now) } else { page.network_back(now) }
    }
    // Five, and one more every 30 s, in addition to the backoff's own dials between two losses of the network.
    assert!((25..=130).contains(&dials), "{dials}");
}

#[test]
fn a_dial_that_the_page_woke_in_has_as_long_as_a_probe() {
    let mut page = page();
    turn(&mut page, at(0));
    live(&mut page, at(3000));
    page.wake(at(8000));
    assert_eq!(turn(&mut page, at(8000)), []);
    assert_eq!(live(&mut page, at(12_999)), []);
    let anew: Vec<_> = live(&mut page, at(13_000)).into_iter().map(|(_, action)| action).collect();
    assert_eq!(anew, [Action::Abandon, Action::Dialling, Action::Dial]);
    // A dial that succeeds in that time is left alone.
    let mut page = self::page();
    turn(&mut page, at(0));
    page.wake(at(8000));
    turn(&mut page, at(8000));
    assert!(page.opened(at(12_900)));
    assert_eq!(moment_of(&live(&mut page, at(14_000)), |action| action == Action::Abandon), None);
    // If the page did not look when the time ran out, the dial's success may be unread. It gets the same time again, once.
    let mut page = self::page();
    turn_with(&mut page, at(0) + BORN, false, at(0));
    page.wake(at(1000));
    assert_eq!(turn_with(&mut page, at(1000) + BORN, false, at(1000)), []);
    assert_eq!(turn_with(&mut page, at(7001) + BORN, false, at(7001)), []);
    assert_eq!(turn_with(&mut page, at(8001) + BORN, false, at(8001))[0], Action::Abandon);
}

#[test]
fn a_connection_is_replaced_while_it_serves() {
    let mut page = connected();
    heard(&mut page, at(60_000));
    page.hand_over(Duration::ZERO, at(60_000));
    assert_eq!(turn(&mut page, at(60_000)), [Action::Dial], "nobody is told: the old one serves");
    page.message(at(60_100));
    assert!(page.opened(at(60_200)));
    let actions = turn(&mut page, at(60_200));
    assert_eq!(actions, [Action::Open, Action::Online, Action::Retire], "nothing was ever offline");
}

#[test]
fn a_hand_over_that_fails_leaves_the_connection_and_tries_again() {
    let mut page = connected();
    heard(&mut page, at(60_000));
    page.hand_over(Duration::ZERO, at(60_000));
    turn(&mut page, at(60_000));
    page.failed(at(60_100));
    assert_eq!(turn(&mut page, at(60_100)), []);
    page.message(at(61_000));
    let life = live(&mut page, at(62_200));
    assert!(moment_of(&life, is_dial).is_some(), "{life:?}");
    // If the old connection is lost meanwhile, that is a loss, and the page then waits for the dial.
    page.closed(1006, at(62_300));
    let gone = Action::Offline(Reason::TransportClosed);
    assert_eq!(turn(&mut page, at(62_300)), [gone, Action::Leave(None), Action::Dialling]);
    assert!(page.opened(at(62_400)));
    assert_eq!(turn(&mut page, at(62_400)), [Action::Open, Action::Online]);
}

#[test]
fn whoever_begins_again_after_each_end_waits_as_the_backoff_says() {
    let mut page = connected();
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..6 {
        page.closed(1000, now);
        let actions = turn(&mut page, now);
        assert!(matches!(actions.last(), Some(Action::End(_))), "{actions:?}");
        let ended = now;
        page.dial_now(now);
        if !turn(&mut page, now).contains(&Action::Dial) {
            now = live(&mut page, now + secs(60)).first().unwrap().0;
        }
        waits.push(now.saturating_duration_since(ended).as_secs());
        assert!(page.opened(now));
        turn(&mut page, now);
    }
    let least = [0, 1, 2, 4, 8, 15];
    for (wait, least) in waits.iter().zip(least) {
        assert!((least..=2 * least).contains(wait), "{waits:?}");
    }
    // After a connection that was stable the backoff starts again.
    page.message(now + secs(31));
    turn(&mut page, now + secs(31));
    page.closed(1000, now + secs(31));
    turn(&mut page, now + secs(31));
    page.dial_now(now + secs(31));
    assert_eq!(turn(&mut page, now + secs(31)), [Action::Dialling, Action::Dial]);
}

#[test]
fn what_the_application_wants_of_a_loss_is_done() {
    let lost = |code, wish: OnClose| {
        let mut page = connected();
        heard(&mut page, at(40_000));
        page.closed(code, at(40_000));
        assert!(matches!(page.poll(at(40_000)), Some(Action::Offline(_))));
        page.wish(Some(wish));
        assert_eq!(page.plan(code), wish);
        let actions = turn(&mut page, at(40_000));
        let life = live(&mut page, at(400_000));
        (matches!(actions.last(), Some(Action::End(_))), moment_of(&life, is_dial))
    };
    assert_eq!(lost(4401, OnClose::Stop), (true, None));
    assert_eq!(lost(1000, OnClose::after(secs(60))), (false, Some(at(100_000))));
    let (_, spread) = lost(1012, OnClose::after(secs(5)).spread_over(secs(100)));
    assert!((at(45_000)..=at(145_000)).contains(&spread.unwrap()));
    // A change of the network does not shorten a wait that the server asked for.
    let mut page = page();
    turn(&mut page, at(0));
    page.wish(Some(OnClose::after(secs(120))));
    page.failed(at(1000));
    turn(&mut page, at(1000));
    page.network_back(at(2000));
    turn(&mut page, at(2000));
    assert_eq!(moment_of(&live(&mut page, at(400_000)), is_dial), Some(at(121_000)));
}

#[test]
fn a_person_who_asks_a_dead_connection_dials_when_a_probe_has_had_its_time() {
    let mut page = connected();
    heard(&mut page, at(60_000));
    page.dial_now(at(61_000));
    let life = live(&mut page, at(70_000));
    assert_eq!(moment_of(&life, is_dial), Some(at(66_050)), "{life:?}");
    // A connection whose server answers is not disturbed.
    let mut page = connected();
    page.dial_now(at(2000));
    let [Action::Ping(payload)] = turn(&mut page, at(2000))[..] else { panic!("it does not ask") };
    page.pong(payload, at(2100));
    turn(&mut page, at(2100));
    assert_eq!(moment_of(&live(&mut page, at(10_000)), is_dial), None);
}

#[test]
fn a_server_that_goes_after_it_has_answered_is_lost_by_all() {
    let mut page = connected();
    heard(&mut page, at(60_000));
    page.wake(at(61_000));
    let [Action::Ping(payload)] = turn(&mut page, at(61_000))[..] else { panic!("it does not ask") };
    page.pong(payload, at(61_050));
    page.closed(1006, at(61_500));
    assert!(
        matches!(turn(&mut page, at(61_500)).last(), Some(Action::Wait(Some(until))) if *until > at(61_500))
    );
}

#[test]
fn after_the_end_nothing_is_waited_for() {
    let mut page = connected();
    page.closed(1000, at(1000));
    assert!(matches!(turn(&mut page, at(1000)).last(), Some(Action::End(_))));
    assert_eq!(page.poll_timeout(), None, "not even a look at the clocks");
}

#[test]
fn the_system_is_not_believed_where_a_dial_succeeds_or_a_person_asks() {
    // A dial that was under way when the network went succeeds. So there is a network, and the next loss is followed by a
    // dial.
    let mut page = page();
    turn(&mut page, at(0));
    page.network_lost(at(100));
    assert!(page.opened(at(200)));
    assert!(!page.is_offline());
    turn(&mut page, at(200));
    // After the end a person may begin again, whatever the system says.
    page.network_lost(at(300));
    page.closed(1000, at(300));
    turn(&mut page, at(300));
    page.dial_now(at(400));
    assert_eq!(turn(&mut page, at(400)), [Action::Dialling, Action::Dial]);
    assert!(!page.is_offline());
}

#[test]
fn a_dial_is_put_off_for_a_late_look_once() {
    let mut page = page();
    turn_with(&mut page, at(0) + BORN, false, at(0));
    page.wake(at(1000));
    assert_eq!(turn_with(&mut page, at(1000) + BORN, false, at(1000)), []);
    assert_eq!(turn_with(&mut page, at(7001) + BORN, false, at(7001)), []);
    // The same delay again, and the dial is over.
    assert_eq!(turn_with(&mut page, at(9500) + BORN, false, at(9500))[0], Action::Abandon);
}

#[test]
fn what_is_usual_is_no_wider_than_the_widest_spread() {
    let settings = Settings {
        heartbeat: Config::DEFAULT,
        stable_after: secs(30),
        dial_timeout: secs(20),
        max_spread: secs(3),
    };
    let page = Link::new(settings, backoff as fn() -> Backoff, 7, at(0));
    assert_eq!(page.plan(1012), OnClose::after(secs(5)).spread_over(secs(3)));
    assert_eq!(page.plan(1006), OnClose::AT_ONCE.spread_over(secs(3)));
    assert_eq!(page.plan(1000), OnClose::Stop);
}

#[test]
fn whoever_closed_it_may_open_it_again_at_once() {
    let mut page = connected();
    for second in 1..5 {
        page.close(CloseCode::NORMAL, at(second * 1000));
        turn(&mut page, at(second * 1000));
        page.dial_now(at(second * 1000));
        assert_eq!(turn(&mut page, at(second * 1000)), [Action::Dialling, Action::Dial], "{second}");
        assert!(page.opened(at(second * 1000)));
        turn(&mut page, at(second * 1000));
    }
}

#[test]
fn an_answer_that_names_no_ping_answers_the_oldest_and_a_flood_of_them_is_a_flood() {
    let mut page = connected();
    page.probe(at(1000));
    turn(&mut page, at(1000));
    page.some_pong(at(1040));
    assert_eq!(turn(&mut page, at(1040)), [Action::Rtt]);
    assert_eq!(page.rtt().unwrap().latest, Duration::from_millis(40));
    for _ in 0..200 {
        page.some_pong(at(1100));
    }
    assert_eq!(turn(&mut page, at(1100)).first(), Some(&Action::Offline(Reason::PingFlood)));
}
