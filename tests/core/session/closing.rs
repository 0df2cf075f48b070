//! Close frames: what they say, in which order they leave, and what is left to do after them.

use std::time::Duration;

use liveness::session::{ErrorKind, Inbound, Role};
use liveness::{CloseCode, Reason, Timestamp};

use super::desk::{Desk, millis, secs};

impl Desk {
    fn close(&mut self, text: &str) {
        self.session.close(CloseCode::NORMAL, text, &mut self.machine, self.now);
    }
}

#[test]
fn the_echo_of_an_empty_close_is_empty() {
    let mut desk = Desk::answering(Role::Server);
    desk.hear(Inbound::Close(None));
    assert_eq!(desk.judge(), ["offline peer-closed", "close"]);
    // RFC 6455 5.5.1: without a code there is no text either.
    assert_eq!(desk.write(), ["flush", "flush", "close -", "flush", "shut"]);
}

#[test]
fn pings_behind_our_close_are_owed_no_answer() {
    let mut desk = Desk::new(Role::Client);
    desk.close("");
    assert_eq!(desk.judge(), ["offline local-closed", "close 1000"]);
    assert_eq!(desk.write(), ["flush", "flush", "close 1000", "flush"]);
    // Nothing may follow our Close. The peer's is behind more Pings than may wait for answers.
    desk.pinged(10);
    assert!(desk.wants_read() && !desk.session.wants_flush());
    desk.hear(Inbound::Close(Some(1000)));
    desk.session.read_ended(&mut desk.machine, desk.now);
    assert_eq!(desk.judge(), ["disconnect"]);
}

#[test]
fn where_both_close_at_once_ours_leaves_before_the_transport_goes() {
    for mut desk in [Desk::new(Role::Server), Desk::answering(Role::Server), Desk::new(Role::Client)] {
        desk.close("enough");
        desk.hear(Inbound::Close(Some(1001)));
        assert_eq!(desk.judge(), ["offline local-closed", "close 1000"]);
        let written = desk.write();
        assert_eq!(written[..4], ["flush", "flush", "close 1000 enough", "flush"]);
        match written.get(4).map(String::as_str) {
            Some("shut") => {}
            // A client's server hangs up.
            _ => desk.session.read_ended(&mut desk.machine, desk.now),
        }
        assert_eq!(desk.judge(), ["disconnect"]);
    }
}

#[test]
fn a_peer_that_closes_too_and_does_not_take_our_close_is_let_go_in_time() {
    let mut desk = Desk::new(Role::Server);
    desk.close("enough");
    desk.judge();
    desk.hear(Inbound::Close(Some(1001)));
    assert_eq!(desk.offered().as_deref(), Some("flush"));
    desk.write_blocked();
    assert!(desk.judge().is_empty());
    desk.pass(millis(4_999));
    assert!(desk.judge().is_empty());
    desk.pass(millis(1));
    assert_eq!(desk.judge(), ["disconnect"]);
}

#[test]
fn what_is_handed_over_after_a_verdict_has_no_gap() {
    let mut desk = Desk::new(Role::Client);
    desk.close("");
    desk.judge();
    desk.keep(&["a", "b", "c"]);
    // No room for this one. There is some for the next, but it comes after a message that is lost.
    desk.keep_bytes("d", 1);
    assert_eq!(desk.take(), Some("a"));
    assert!(!desk.hear(Inbound::Data), "behind a lost message everything is lost");
    assert_eq!([desk.take(), desk.take(), desk.take()], [Some("b"), Some("c"), None]);
}

// -- The text.

#[test]
fn the_text_of_our_close_is_the_callers() {
    let mut desk = Desk::new(Role::Server);
    desk.close("back at noon");
    desk.judge();
    assert!(desk.write().contains(&"close 1000 back at noon".to_owned()));
}

#[test]
fn else_the_errors() {
    let mut desk = Desk::new(Role::Server);
    desk.violated("invalid opcode: 3");
    desk.judge();
    assert!(desk.write().contains(&"close 1002 invalid opcode: 3".to_owned()));
}

#[test]
fn else_the_reasons() {
    let mut desk = Desk::new(Role::Server);
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(60), |desk| {
        if desk.machine.verdict().is_none() {
            desk.write();
        }
    });
    assert_eq!(verdict, Some(Reason::PingTimeout));
    assert!(desk.write().contains(&"close 3008 no answer to a ping in time".to_owned()));
}

#[test]
fn a_text_is_cut_to_123_bytes_where_a_character_ends() {
    // (bytes before, bytes of the character at the edge, what is left)
    for (before, character, left) in
        [(122, "x", 123), (123, "x", 123), (122, "é", 122), (121, "é", 123), (120, "𝄞", 120), (119, "𝄞", 123)]
    {
        let text = "a".repeat(before) + character + "and more";
        let text = if before + character.len() == 123 { text } else { text + "." };
        let mut desk = Desk::new(Role::Server);
        desk.close(&text);
        desk.judge();
        let close = desk.write().into_iter().find(|out| out.starts_with("close")).unwrap();
        let said = close.strip_prefix("close 1000 ").unwrap();
        assert_eq!(said, &text[..left], "{before} {character}");
    }
    let mut desk = Desk::new(Role::Server);
    desk.violated(&"é".repeat(100));
    desk.judge();
    assert!(desk.write().contains(&format!("close 1002 {}", "é".repeat(61))));
}

#[test]
fn after_a_verdict_nobody_changes_the_text() {
    let mut desk = Desk::new(Role::Server);
    desk.close("first");
    desk.close("second");
    desk.violated("third");
    desk.judge();
    assert!(desk.write().contains(&"close 1000 first".to_owned()));
}

// -- The peer's Close.

#[test]
fn a_server_sends_the_echo_and_hangs_up() {
    let mut desk = Desk::new(Role::Server);
    desk.hear(Inbound::Close(Some(1000)));
    assert_eq!(desk.judge(), ["offline peer-closed 1000", "close 1000"]);
    // The library has the echo ready. RFC 6455 7.1.1: the server hangs up first.
    assert_eq!(desk.write(), ["flush", "shut"]);
    assert_eq!(desk.judge(), ["disconnect"]);
}

#[test]
fn a_client_sends_the_echo_and_waits_for_the_server_to_hang_up() {
    let mut desk = Desk::new(Role::Client);
    desk.hear(Inbound::Close(Some(1000)));
    desk.judge();
    assert_eq!(desk.write(), ["flush"]);
    assert!(desk.judge().is_empty() && desk.wants_read());
    desk.session.read_ended(&mut desk.machine, desk.now);
    assert_eq!(desk.judge(), ["disconnect"]);

    // Not for ever.
    let mut desk = Desk::new(Role::Client);
    desk.hear(Inbound::Close(Some(1000)));
    desk.judge();
    desk.write();
    desk.pass(secs(5));
    assert_eq!(desk.judge(), ["disconnect"]);
}

#[test]
fn where_the_library_does_not_echo_we_do() {
    for (role, end) in [(Role::Server, &["flush", "shut"][..]), (Role::Client, &["flush"])] {
        let mut desk = Desk::answering(role);
        desk.hear(Inbound::Close(Some(1001)));
        desk.judge();
        assert!(!desk.session.wants_flush());
        let written = desk.write();
        assert_eq!(written[..3], ["flush", "flush", "close 1001 closed by the peer"]);
        assert_eq!(&written[3..], end);
    }
}

#[test]
fn the_librarys_echo_waits_to_be_flushed_before_the_verdict_is_out() {
    let mut desk = Desk::new(Role::Server);
    desk.hear(Inbound::Close(None));
    assert!(desk.session.wants_flush() && desk.offered().is_none());
}

#[test]
fn where_the_library_is_done_a_server_hangs_up_and_a_client_is_told_the_end() {
    let mut desk = Desk::new(Role::Server);
    assert!(!desk.failed(ErrorKind::Closed));
    assert!(desk.judge().is_empty());
    assert_eq!(desk.write(), ["shut"]);
    assert_eq!(desk.judge(), ["offline transport-closed", "disconnect"]);

    // What it still holds goes first.
    let mut desk = Desk::new(Role::Server);
    desk.session.wrote();
    desk.failed(ErrorKind::Closed);
    assert_eq!(desk.write(), ["flush", "shut"]);

    // A client's library says so when the server has hung up.
    let mut desk = Desk::new(Role::Client);
    assert!(!desk.failed(ErrorKind::Closed));
    assert_eq!(desk.judge(), ["offline transport-closed", "disconnect"]);

    // Where nothing can be written, there is nothing to wait for.
    let mut desk = Desk::new(Role::Server);
    desk.write_failed();
    desk.failed(ErrorKind::Closed);
    assert_eq!(desk.judge(), ["offline transport-closed", "disconnect"]);
}

/// RFC 6455 7.1.1.
#[test]
fn where_the_peer_answers_our_close_a_server_hangs_up_and_a_client_waits_for_the_server_to() {
    let mut desk = Desk::new(Role::Server);
    desk.close("");
    desk.judge();
    assert_eq!(desk.write().last().map(String::as_str), Some("flush"));
    assert!(desk.judge().is_empty() && desk.wants_read());
    desk.hear(Inbound::Close(Some(1000)));
    assert!(desk.judge().is_empty());
    assert_eq!(desk.write(), ["shut"]);
    assert_eq!(desk.judge(), ["disconnect"]);

    let mut desk = Desk::new(Role::Client);
    desk.close("");
    desk.judge();
    desk.write();
    desk.hear(Inbound::Close(Some(1000)));
    assert!(desk.judge().is_empty() && desk.write().is_empty() && desk.wants_read());
    desk.session.read_ended(&mut desk.machine, desk.now);
    assert_eq!(desk.judge(), ["disconnect"]);
}

#[test]
fn a_half_that_is_shut_for_other_reasons_ends_nothing() {
    let mut desk = Desk::new(Role::Server);
    desk.close("");
    desk.judge();
    desk.write();
    desk.session.shut(&mut desk.machine, desk.now);
    assert!(desk.judge().is_empty() && desk.offered().is_none());
}

// -- Violations.

impl Desk {
    fn violated(&mut self, text: &str) -> bool {
        let kind = ErrorKind::Protocol(CloseCode::PROTOCOL_ERROR);
        self.session.failed(kind, &text, &mut self.machine, self.now)
    }

    fn failed(&mut self, kind: ErrorKind) -> bool {
        self.session.failed(kind, &"no text", &mut self.machine, self.now)
    }

    fn received_bytes(&mut self, count: usize) {
        self.session.received_bytes(count, self.now);
    }
}

/// Fault 1: it ended as our own wish, with 1000, and nobody dialled again.
#[test]
fn a_violation_is_the_peers_fault_and_no_wish_of_ours() {
    let mut desk = Desk::new(Role::Client);
    assert!(desk.violated("invalid opcode: 3"));
    assert_eq!(desk.judge(), ["offline protocol-error 1002", "close 1002"]);
    assert_eq!(desk.machine.verdict().unwrap().connection_close_code(), 1006);
}

#[test]
fn after_a_violation_our_close_goes_out_then_the_write_half_is_shut_and_the_rest_is_dropped() {
    for role in [Role::Server, Role::Client] {
        let mut desk = Desk::new(role);
        desk.pinged(1);
        assert!(!desk.session.is_discarding());
        desk.violated("bad");
        assert!(desk.session.is_discarding() && desk.wants_read());
        desk.judge();
        assert_eq!(desk.write(), ["flush", "flush", "close 1002 bad", "flush", "shut"]);
        // To hang up on unread bytes would reset the connection, and our Close might be lost.
        assert!(desk.judge().is_empty() && desk.wants_read());
        desk.received_bytes(1_000);
        desk.read_blocked();
        assert!(desk.judge().is_empty());
        desk.session.read_ended(&mut desk.machine, desk.now);
        assert_eq!(desk.judge(), ["disconnect"]);
    }
}

#[test]
fn what_is_dropped_is_nothing_that_the_machine_hears_of() {
    let mut desk = Desk::new(Role::Client);
    desk.violated("bad");
    desk.judge();
    let before = desk.machine.clone();
    desk.received_bytes(1_000);
    desk.read_blocked();
    assert!(!desk.violated("again"));
    assert_eq!(desk.machine, before);
    desk.pass(secs(5));
    assert_eq!(desk.judge(), ["disconnect"], "nor for ever");
}

#[test]
fn a_violation_after_our_verdict_is_discarded_too() {
    let mut desk = Desk::new(Role::Client);
    desk.close("");
    desk.judge();
    assert!(!desk.violated("bad"), "no cause of anything");
    assert!(desk.session.is_discarding());
    assert_eq!(desk.write(), ["flush", "flush", "close 1000", "flush", "shut"]);
}

#[test]
fn a_message_that_our_own_library_refuses_ends_nothing() {
    let mut desk = Desk::new(Role::Server);
    let before = desk.machine.clone();
    assert!(!desk.failed(ErrorKind::Rejected));
    assert_eq!(desk.machine, before);
    assert!(desk.session.may_send() && desk.wants_read() && desk.offered().is_none());
}

// -- After the verdict.

#[test]
fn data_is_handed_over_after_the_verdict_while_there_is_room() {
    let mut desk = Desk::new(Role::Client);
    desk.keep(&["a", "b", "c"]);
    desk.close("");
    assert!(!desk.wants_read());
    desk.judge();
    assert!(desk.wants_read(), "for the peer's Close");
    assert_eq!([desk.take(), desk.take()], [Some("a"), Some("b")]);
    desk.keep(&["d", "e"]);
    assert!(desk.hear(Inbound::Data));
    assert_eq!([desk.take(), desk.take(), desk.take()], [Some("c"), Some("d"), Some("e")]);
}

#[test]
fn after_the_verdict_nothing_is_told_of_a_pause() {
    let mut desk = Desk::new(Role::Client);
    desk.close("");
    desk.judge();
    desk.keep(&["a", "b", "c"]);
    assert!(desk.wants_read() && !desk.machine_is_paused() && !desk.session.is_paused());
}

/// Fault 3: there was a rest after each message, and what was behind the first thousand was lost.
#[test]
fn a_peer_that_talks_on_is_read_64_frames_at_a_time() {
    let mut desk = Desk::new(Role::Client);
    desk.close("");
    desk.judge();
    desk.write();
    for _ in 0..63 {
        desk.hear(Inbound::Pong(b""));
        assert!(desk.wants_read());
        assert_eq!(desk.session.poll_timeout(desk.now), None);
    }
    desk.hear(Inbound::Data);
    assert!(!desk.wants_read());
    let rested = desk.now + millis(5);
    assert_eq!(desk.session.poll_timeout(desk.now), Some(rested));
    desk.pass(millis(5) - Duration::from_nanos(1));
    assert!(!desk.wants_read());
    desk.pass(Duration::from_nanos(1));
    assert!(desk.wants_read());
    assert_eq!(desk.session.poll_timeout(desk.now), None);
    // A share is a share again.
    for _ in 0..63 {
        desk.hear(Inbound::Pong(b""));
    }
    assert!(desk.wants_read());
}

#[test]
fn or_16_kib_at_a_time() {
    let mut desk = Desk::new(Role::Client);
    desk.received_bytes(1 << 20);
    desk.close("");
    desk.judge();
    desk.received_bytes(16 * 1024 - 1);
    assert!(desk.wants_read());
    desk.received_bytes(1);
    assert!(!desk.wants_read());
    desk.pass(millis(5));
    desk.received_bytes(16 * 1024 - 1);
    assert!(desk.wants_read());
}

#[test]
fn a_close_behind_ten_thousand_messages_is_found_within_a_second() {
    let mut desk = Desk::new(Role::Server);
    desk.close("");
    desk.judge();
    desk.write();
    for _ in 0..10_000 {
        if !desk.wants_read() {
            desk.now = desk.session.poll_timeout(desk.now).unwrap();
        }
        assert!(desk.wants_read());
        desk.hear(Inbound::Data);
    }
    desk.hear(Inbound::Close(Some(1000)));
    assert!(desk.now < Timestamp::from_secs(1));
    assert_eq!(desk.write(), ["shut"]);
    assert_eq!(desk.judge(), ["disconnect"]);
}

#[test]
fn before_the_verdict_nobody_rests() {
    let mut desk = Desk::new(Role::Client);
    for _ in 0..1_000 {
        desk.hear(Inbound::Data);
        desk.received_bytes(1 << 20);
    }
    assert!(desk.wants_read() && desk.session.poll_timeout(desk.now).is_none());
}

#[test]
fn nobody_rests_from_what_has_ended() {
    let mut desk = Desk::new(Role::Client);
    desk.close("");
    desk.judge();
    desk.received_bytes(1 << 20);
    desk.session.read_ended(&mut desk.machine, desk.now);
    assert_eq!(desk.session.poll_timeout(desk.now), None);
}
