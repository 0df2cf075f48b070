//! What goes to the library, in which order, and when the machine learns that it left.

use liveness::dialect::Heard;
use liveness::session::{Inbound, Outbound, Role, Session};
use liveness::{Action, CloseCode, Event, Reason, Schedule, Timestamp};

use super::desk::{Desk, SMALL, calm, millis, secs};

impl Desk {
    /// A message of the caller's.
    fn send(&mut self) {
        assert!(self.session.may_send());
        self.session.wrote();
    }
}

#[test]
fn ours_go_out_in_order() {
    let mut desk = Desk::answering(Role::Server);
    desk.ping_due();
    desk.hear(Inbound::Ping(b"?"));
    desk.hear(Inbound::Heard(Heard::Beat));
    desk.answer("a");
    assert!(desk.session.wants_write());
    // Then the caller's; at the end a Close. The ping is flushed before anything else.
    assert_eq!(desk.write(), ["pong ?", "answer a", "ping", "flush"]);
    assert!(!desk.session.wants_write());
    desk.hear(Inbound::Ping(b"!"));
    desk.session.close(CloseCode::GOING_AWAY, "bye", &mut desk.machine, desk.now);
    desk.judge();
    assert_eq!(desk.write(), ["pong !", "flush", "flush", "close 1001 bye", "flush"]);
    assert!(!desk.session.wants_write() && !desk.session.wants_flush());
}

#[test]
fn a_ping_of_an_end_that_leaves_is_dropped() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    desk.session.close(CloseCode::NORMAL, "", &mut desk.machine, desk.now);
    desk.judge();
    assert_eq!(desk.write(), ["flush", "flush", "close 1000", "flush"]);

    // The peer left: it waits for no ping.
    let mut desk = Desk::answering(Role::Client);
    desk.ping_due();
    desk.hear(Inbound::Close(Some(1000)));
    assert!(desk.offered().is_none());
}

#[test]
fn the_library_is_flushed_twice_before_a_close_and_once_after() {
    let mut desk = Desk::new(Role::Server);
    desk.session.close(CloseCode::NORMAL, "", &mut desk.machine, desk.now);
    desk.judge();
    for _ in 0..3 {
        assert_eq!(desk.offered().as_deref(), Some("flush"));
    }
    desk.flushed();
    // An answer that found no room at the first flush has it at the second.
    assert_eq!(desk.offered().as_deref(), Some("flush"));
    desk.flushed();
    assert_eq!(desk.offered().as_deref(), Some("close 1000"));
    assert_eq!(desk.offered().as_deref(), Some("flush"));
    assert!(desk.session.wants_flush());
    desk.flushed();
    assert_eq!(desk.offered(), None);
    assert!(!desk.session.wants_flush());
}

// -- Pings.

#[test]
fn a_newer_ping_takes_the_place_of_one_that_is_still_ours() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    let newer = liveness::Liveness::new(calm().build().unwrap(), 8, Timestamp::ZERO).clone();
    let newer = newer_ping(newer);
    desk.session.act(Action::SendPing(newer), None);
    assert_eq!(desk.session.poll_write(), Some(Outbound::Ping(newer)));
    assert_eq!(desk.session.poll_write(), Some(Outbound::Flush));
    desk.flushed();
    assert_eq!(desk.session.poll_write(), None);
}

fn newer_ping(mut machine: liveness::Liveness) -> liveness::Payload {
    loop {
        let now = machine.poll_timeout().unwrap();
        if let Some(Action::SendPing(payload)) = machine.poll(now) {
            return payload;
        }
    }
}

#[test]
fn a_ping_that_the_library_has_stays_and_the_newer_one_is_what_counts_as_sent() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    assert_eq!([desk.offered().as_deref(), desk.offered().as_deref()], [Some("ping"), Some("flush")]);
    // Rule 6 hands one out although another is being written.
    desk.pass(secs(20));
    assert_eq!(desk.judge(), ["ping"]);
    assert_eq!(desk.machine.stats().stalls_forgiven, 1);
    desk.flushed();
    assert!(desk.is_writing(), "the newest one is still ours");
    assert_eq!(desk.write(), ["ping", "flush"]);
    assert!(!desk.is_writing());
}

#[test]
fn a_ping_has_left_when_the_library_holds_nothing() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    assert!(desk.is_writing());
    assert_eq!(desk.offered().as_deref(), Some("ping"));
    // Bytes leave, and nobody knows whether they are the ping's.
    desk.sent_bytes(5);
    assert!(desk.is_writing());
    desk.flushed();
    assert!(!desk.is_writing());
}

#[test]
fn a_ping_has_left_with_its_last_byte_where_offsets_are_known() {
    let mut desk = Desk::new(Role::Server);
    desk.sent_bytes(1_000);
    desk.ping_due();
    assert_eq!(desk.offered().as_deref(), Some("ping"));
    desk.ping_ends_after(10);
    // No flush is needed to know, however much the caller writes behind it.
    assert_eq!(desk.offered(), None);
    desk.send();
    desk.sent_bytes(9);
    assert!(desk.is_writing());
    desk.sent_bytes(0);
    assert!(desk.is_writing());
    desk.sent_bytes(1);
    assert!(!desk.is_writing());
    assert_eq!(desk.session.bytes_sent(), 1_010);
}

#[test]
fn a_ping_that_went_straight_through_has_left() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    assert_eq!(desk.offered().as_deref(), Some("ping"));
    desk.ping_ends_after(0);
    assert!(!desk.is_writing());

    // Told in the other order: the bytes first.
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    desk.offered();
    desk.sent_bytes(10);
    desk.ping_ends_after(0);
    assert!(!desk.is_writing());
}

#[test]
fn an_offset_and_no_ping_is_nothing() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    let before = desk.machine.clone();
    desk.ping_ends_after(0);
    assert_eq!(desk.machine, before, "it is still ours");
    assert_eq!(desk.offered().as_deref(), Some("ping"));
    assert_eq!(desk.offered().as_deref(), Some("flush"), "nobody has said where it ends");
}

#[test]
fn a_ping_is_sent_once() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    desk.write();
    // A ping sent counts as a write: the next flush of something is none, where bytes are counted.
    desk.sent_bytes(1);
    let before = desk.machine.clone();
    desk.session.wrote();
    desk.pass(secs(1));
    desk.flushed();
    assert_eq!(desk.machine, before);
}

/// Fault 6: `forward`, `send_all` and `feed` never said that a ping had left while they were saturated.
#[test]
fn a_caller_that_always_has_more_to_say_does_not_hide_that_a_ping_left() {
    let mut desk = Desk::new(Role::Server);
    let mut written = Vec::new();
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(60), |desk| {
        // The caller writes a message whenever it may, and flushes nothing of its own accord.
        for _ in 0..3 {
            written.extend(desk.write());
            desk.session.wrote();
        }
        desk.read_blocked();
    });
    // A mute consumer of that stream is found as soon as one of silence.
    assert_eq!(verdict, Some(Reason::PingTimeout));
    assert_eq!(desk.now, Timestamp::from_secs(15) + millis(10));
    assert_eq!(written[..2], ["ping", "flush"]);
}

/// The same with offsets: the transport is never empty, and takes 100 bytes a second.
#[test]
fn nor_where_the_transport_is_never_empty() {
    let mut desk = Desk::new(Role::Server);
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(120), |desk| {
        while let Some(out) = desk.offered().filter(|_| desk.machine.verdict().is_none()) {
            assert_eq!(out, "ping", "where offsets are known nothing is flushed for a ping");
            desk.ping_ends_after(150);
        }
        desk.session.wrote();
        desk.sent_bytes(100);
        desk.read_blocked();
    });
    assert_eq!(verdict, Some(Reason::PingTimeout));
    assert!(desk.now <= Timestamp::ZERO + desk.machine.config().detection_bound(secs(0)));
}

#[test]
fn answers_owed_are_flushed_before_a_caller_that_always_has_more_to_say() {
    let mut desk = Desk::new(Role::Server);
    desk.pinged(3);
    desk.send();
    assert_eq!(desk.offered(), None);
    desk.pinged(1);
    assert_eq!(desk.offered().as_deref(), Some("flush"));
    assert!(desk.session.wants_write());
}

// -- Bytes.

/// When the next ping is due: an interval after the older of what was heard last and written last.
fn next_ping(desk: &Desk) -> Timestamp {
    desk.machine.poll_timeout().unwrap()
}

fn heard_at_3_s() -> Desk {
    let config = calm().schedule(Schedule::Quiet);
    let mut desk = Desk::with(Session::new(Role::Server).limits(SMALL), config);
    desk.now = Timestamp::from_secs(3);
    desk.hear(Inbound::Data);
    assert_eq!(next_ping(&desk), Timestamp::from_secs(5));
    desk
}

#[test]
fn without_counters_a_flush_of_something_is_a_write() {
    let mut desk = heard_at_3_s();
    desk.flushed();
    assert_eq!(next_ping(&desk), Timestamp::from_secs(5), "it held nothing");
    desk.send();
    assert_eq!(next_ping(&desk), Timestamp::from_secs(5), "nothing has left");
    assert!(desk.session.wants_flush());
    desk.flushed();
    assert_eq!(next_ping(&desk), Timestamp::from_secs(8));
    assert!(!desk.session.wants_flush());
}

#[test]
fn with_counters_bytes_are_a_write_and_a_flush_is_none() {
    let mut desk = heard_at_3_s();
    desk.sent_bytes(0);
    assert_eq!(next_ping(&desk), Timestamp::from_secs(5));
    desk.sent_bytes(1);
    assert_eq!(next_ping(&desk), Timestamp::from_secs(8));

    desk.now = Timestamp::from_secs(4);
    desk.hear(Inbound::Data);
    desk.send();
    desk.flushed();
    assert_eq!(next_ping(&desk), Timestamp::from_secs(8), "the bytes of it left before");
}

#[test]
fn an_offset_says_that_bytes_are_counted() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    desk.offered();
    desk.ping_ends_after(0);
    let before = desk.machine.clone();
    desk.pass(secs(1));
    desk.flushed();
    assert_eq!(desk.machine, before);
}

#[test]
fn a_slow_reader_of_a_large_message_is_not_stalled() {
    let mut desk = Desk::new(Role::Server);
    desk.send();
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(100), |desk| {
        if desk.offered().as_deref() == Some("ping") {
            desk.ping_ends_after(1_000_000);
        }
        desk.sent_bytes(1);
        desk.read_blocked();
    });
    // It is not awaited either: its ping is still behind the message.
    assert_eq!(verdict, None);
}

// -- What is left to the caller.

#[test]
fn the_caller_may_write_until_somebody_leaves_or_nothing_can_be_written() {
    let desk = Desk::new(Role::Server);
    assert!(desk.session.may_send() && !desk.session.wants_flush());

    let mut desk = Desk::new(Role::Server);
    desk.session.close(CloseCode::NORMAL, "", &mut desk.machine, desk.now);
    desk.judge();
    assert!(!desk.session.may_send());

    let mut desk = Desk::new(Role::Server);
    desk.hear(Inbound::Close(None));
    assert!(!desk.session.may_send());

    let mut desk = Desk::new(Role::Server);
    desk.write_failed();
    assert!(!desk.session.may_send());

    let mut desk = Desk::new(Role::Server);
    desk.machine.handle(Event::Eof, desk.now);
    desk.judge();
    assert!(!desk.session.may_send());
}

#[test]
fn what_waits_to_be_flushed_is_said_whoever_gave_it() {
    let mut desk = Desk::answering(Role::Server);
    desk.hear(Inbound::Ping(b"?"));
    assert!(!desk.session.wants_flush(), "it is still ours");
    desk.offered();
    assert!(desk.session.wants_flush());
    desk.flushed();
    desk.answer("a");
    assert!(!desk.session.wants_flush());
    desk.offered();
    assert!(desk.session.wants_flush());
    desk.write_failed();
    assert!(!desk.session.wants_flush());
}
