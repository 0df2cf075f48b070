//! Answers that the peer has asked for and not taken: of both kinds, and what they do to the reading.

use liveness::dialect::Heard;
use liveness::session::{Inbound, Role};
use liveness::{Reason, Timestamp};

use super::desk::{Desk, millis, secs};

impl Desk {
    fn beat(&mut self, answer: &'static str) {
        assert!(!self.hear(Inbound::Heard(Heard::Beat)));
        self.answer(answer);
    }
}

#[test]
fn pongs_and_answers_in_messages_are_owed_alike() {
    let mut desk = Desk::new(Role::Server);
    desk.pinged(2);
    desk.beat("a");
    assert!(desk.wants_read());
    desk.beat("b");
    // Four are too many. Where they leave, nobody need know.
    assert!(!desk.wants_read() && !desk.machine_is_paused());
    assert_eq!(desk.write(), ["answer a", "answer b", "flush"]);
    assert!(desk.wants_read() && !desk.machine_is_paused());
}

#[test]
fn pongs_that_the_library_does_not_write_are_owed_when_it_has_them() {
    let mut desk = Desk::answering(Role::Server);
    for _ in 0..3 {
        desk.pinged(1);
        assert_eq!(desk.write(), ["pong ?"]);
    }
    assert!(desk.wants_read() && desk.session.wants_flush());
    desk.pinged(1);
    assert_eq!(desk.write(), ["pong ?", "flush"]);
    assert!(desk.wants_read());
}

#[test]
fn a_peer_that_takes_no_answers_is_not_read_until_it_does() {
    let mut desk = Desk::new(Role::Server);
    desk.pinged(3);
    desk.write_blocked();
    assert!(desk.wants_read() && !desk.machine_is_paused(), "three may wait");
    desk.pinged(1);
    assert_eq!(desk.offered().as_deref(), Some("flush"));
    desk.write_blocked();
    assert!(!desk.wants_read() && desk.session.is_paused() && desk.machine_is_paused());
    desk.flushed();
    assert!(desk.wants_read() && !desk.session.is_paused() && !desk.machine_is_paused());
}

#[test]
fn reading_is_resumed_when_half_of_the_answers_are_taken_and_half_of_the_inbox() {
    let mut desk = Desk::new(Role::Server);
    for answer in ["a", "b", "c", "d"] {
        desk.beat(answer);
    }
    desk.write_blocked();
    assert!(desk.machine_is_paused());
    // Nothing has left yet: of four, two may still wait.
    assert_eq!(desk.offered().as_deref(), Some("answer a"));
    desk.flushed();
    assert!(desk.machine_is_paused());
    assert_eq!(desk.offered().as_deref(), Some("answer b"));
    desk.flushed();
    assert!(desk.wants_read() && !desk.machine_is_paused());

    // The inbox is not full, and not below half.
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["1", "2"]);
    desk.pinged(4);
    desk.write_blocked();
    desk.flushed();
    assert!(!desk.wants_read() && desk.machine_is_paused());
    desk.take();
    assert!(desk.wants_read() && !desk.machine_is_paused());

    // The other way round: the inbox is empty, and nothing was taken.
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["1", "2"]);
    desk.pinged(4);
    desk.write_blocked();
    desk.take();
    assert!(!desk.wants_read() && desk.machine_is_paused());
    desk.flushed();
    assert!(desk.wants_read() && !desk.machine_is_paused());
}

#[test]
fn answers_go_out_in_the_order_of_the_questions() {
    let mut desk = Desk::new(Role::Server);
    desk.beat("a");
    desk.beat("b");
    assert_eq!(desk.offered().as_deref(), Some("answer a"));
    desk.beat("c");
    assert_eq!(desk.write(), ["answer b", "answer c"]);
    assert!(desk.session.wants_flush());
}

/// RFC 6455 5.5.3.
#[test]
fn only_the_newest_ping_is_answered() {
    let mut desk = Desk::answering(Role::Server);
    desk.hear(Inbound::Ping(b"old"));
    desk.hear(Inbound::Ping(b"new"));
    assert_eq!(desk.write(), ["pong new"]);
    assert!(desk.write().is_empty());
}

#[test]
fn a_library_that_answers_pings_itself_is_only_flushed() {
    let mut desk = Desk::new(Role::Server);
    desk.pinged(1);
    assert!(desk.write().is_empty() && desk.session.wants_flush());
    desk.flushed();
    assert!(!desk.session.wants_flush());
}

#[test]
fn nothing_is_answered_once_nobody_waits_for_it() {
    // RFC 6455 5.5.1: behind the peer's Close.
    let mut desk = Desk::answering(Role::Client);
    desk.beat("a");
    desk.hear(Inbound::Ping(b"?"));
    desk.hear(Inbound::Close(Some(1000)));
    desk.answer("b");
    desk.hear(Inbound::Ping(b"?"));
    assert!(desk.write().is_empty());

    // After the verdict; but what was asked before is answered.
    let mut desk = Desk::answering(Role::Client);
    desk.hear(Inbound::Ping(b"before"));
    desk.beat("a");
    desk.machine.handle(liveness::Event::Violation(liveness::CloseCode::TOO_BIG), desk.now);
    desk.judge();
    desk.hear(Inbound::Ping(b"after"));
    desk.answer("b");
    assert_eq!(desk.write()[..3], ["pong before", "answer a", "flush"]);

    // Where nothing can be written.
    let mut desk = Desk::answering(Role::Client);
    desk.write_failed();
    desk.answer("a");
    desk.hear(Inbound::Ping(b"?"));
    assert!(desk.write().is_empty() && desk.wants_read());
}

#[test]
fn a_peer_that_asks_and_takes_nothing_is_found_by_its_transport() {
    for mut desk in [Desk::new(Role::Server), Desk::pong_only(Role::Server)] {
        // It asks all the while, and is read as long as it may be.
        let verdict = desk.verdict_by_turns(Timestamp::from_secs(60), |desk| {
            while desk.wants_read() {
                desk.pinged(1);
            }
            while desk.session.poll_write().is_some_and(|out| out != liveness::session::Outbound::Flush) {}
            desk.write_blocked();
        });
        assert_eq!(verdict, Some(Reason::WriteStalled));
        assert!(desk.now <= Timestamp::ZERO + desk.machine.config().detection_bound(secs(0)));
    }
}

/// What is not read is not counted, but what is read in between is.
#[test]
fn pauses_for_answers_owed_do_not_hide_a_flood() {
    let mut desk = Desk::pong_only(Role::Server);
    let mut asked = 0;
    while desk.machine.verdict().is_none() {
        // It asks as much as may wait, lets us wait, and then takes it all.
        desk.pinged(4);
        desk.write_blocked();
        desk.flushed();
        desk.read_blocked();
        desk.judge();
        desk.pass(millis(100));
        asked += 4;
        assert!(asked < 1_000, "a flood without end");
    }
    assert_eq!(desk.machine.verdict(), Some(Reason::PingFlood));
}
