//! Failures and ends: what had arrived is read before the end is told, the cause is kept once, and then there is nothing.

use liveness::dialect::Heard;
use liveness::session::{ErrorKind, Inbound, Role};
use liveness::{CloseCode, Event};

use super::desk::{Desk, secs};

impl Desk {
    fn failed_with(&mut self, kind: ErrorKind) -> bool {
        self.session.failed(kind, &"words", &mut self.machine, self.now)
    }

    fn read_ended(&mut self) {
        self.session.read_ended(&mut self.machine, self.now);
    }
}

#[test]
fn after_a_failed_write_the_last_words_are_read_and_then_the_end_is_told() {
    let mut desk = Desk::new(Role::Server);
    desk.write_failed();
    assert!(desk.judge().is_empty() && desk.wants_read() && desk.session.is_write_broken());
    desk.keep(&["a"]);
    assert!(desk.judge().is_empty());
    desk.read_blocked();
    assert_eq!(desk.judge(), ["offline transport-closed", "disconnect"]);
    assert_eq!(desk.take(), Some("a"));
}

#[test]
fn the_peers_close_may_be_the_last_word() {
    let mut desk = Desk::new(Role::Server);
    desk.write_failed();
    desk.hear(Inbound::Close(Some(1012)));
    desk.read_blocked();
    assert_eq!(desk.judge()[0], "offline peer-closed 1012");
    assert_eq!(desk.judge(), [""; 0]);
    assert!(desk.machine.is_finished());
}

#[test]
fn pings_read_after_a_failed_write_are_owed_no_answer() {
    let mut desk = Desk::new(Role::Server);
    desk.write_failed();
    desk.pinged(10);
    assert!(desk.wants_read(), "the last words are behind them");
    desk.hear(Inbound::Close(Some(1001)));
    desk.read_blocked();
    assert_eq!(desk.judge()[0], "offline peer-closed 1001");
}

/// A flush after a failed one made `sink::unfold` panic.
#[test]
fn after_a_failed_write_the_library_is_never_written_to_again() {
    for role in [Role::Server, Role::Client] {
        let mut desk = Desk::answering(role);
        desk.hear(Inbound::Ping(b"?"));
        desk.answer("a");
        desk.session.wrote();
        desk.ping_due();
        desk.write_failed();
        let quiet = |desk: &mut Desk| {
            desk.offered().is_none() && !desk.session.wants_write() && !desk.session.wants_flush()
        };
        assert!(quiet(&mut desk));
        desk.hear(Inbound::Ping(b"?"));
        desk.hear(Inbound::Heard(Heard::Beat));
        desk.answer("b");
        assert!(quiet(&mut desk));
        desk.hear(Inbound::Close(Some(1000)));
        assert!(quiet(&mut desk));
        desk.judge();
        assert!(quiet(&mut desk));
    }
}

#[test]
fn a_failed_write_after_our_close_ends_the_wait_when_all_is_read() {
    let mut desk = Desk::new(Role::Server);
    desk.session.close(CloseCode::NORMAL, "", &mut desk.machine, desk.now);
    desk.judge();
    desk.write_failed();
    assert!(desk.judge().is_empty());
    desk.read_blocked();
    assert_eq!(desk.judge(), ["disconnect"]);

    // There is nothing to wait for except unread data, if the peer closes too.
    let mut desk = Desk::new(Role::Server);
    desk.session.close(CloseCode::NORMAL, "", &mut desk.machine, desk.now);
    desk.judge();
    desk.write_failed();
    desk.hear(Inbound::Close(None));
    assert!(desk.judge().is_empty());
    desk.read_blocked();
    assert_eq!(desk.judge(), ["disconnect"]);
}

#[test]
fn reading_goes_on_for_the_last_words_although_answers_were_owed() {
    let mut desk = Desk::new(Role::Server);
    desk.pinged(4);
    desk.write_blocked();
    assert!(desk.machine_is_paused());
    desk.write_failed();
    assert!(desk.wants_read() && !desk.machine_is_paused());
}

#[test]
fn a_full_inbox_is_emptied_before_the_last_words_are_read() {
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b", "c"]);
    desk.nobody_reads();
    desk.write_failed();
    assert!(!desk.wants_read() && desk.machine_is_paused());
    desk.take();
    desk.take();
    assert!(desk.wants_read());
    desk.read_blocked();
    assert_eq!(desk.judge()[0], "offline transport-closed");
}

#[test]
fn a_caller_that_only_waits_to_write_is_told_the_end() {
    let mut desk = Desk::new(Role::Server);
    let wait = |desk: &mut Desk| desk.session.writer_waits(&mut desk.machine, desk.now);
    desk.keep(&["a", "b"]);
    wait(&mut desk);
    desk.keep(&["c"]);
    wait(&mut desk);
    assert!(desk.judge().is_empty(), "it can be written yet");
    desk.write_failed();
    assert!(desk.judge().is_empty(), "the caller may take what is there");
    wait(&mut desk);
    assert_eq!(desk.judge()[0], "offline transport-closed");

    // There is room: the last words are read first.
    let mut desk = Desk::new(Role::Server);
    desk.write_failed();
    wait(&mut desk);
    assert!(desk.judge().is_empty());
}

// -- The cause.

#[test]
fn the_first_error_is_the_cause_and_no_other() {
    let mut desk = Desk::new(Role::Server);
    assert!(!desk.failed_with(ErrorKind::Rejected));
    assert!(desk.failed_with(ErrorKind::Transport));
    assert!(!desk.failed_with(ErrorKind::Transport));
    assert!(!desk.failed_with(ErrorKind::Protocol(CloseCode::TOO_BIG)));
    assert_eq!(desk.judge(), ["offline transport-closed", "disconnect"]);

    let mut desk = Desk::new(Role::Server);
    assert!(desk.failed_with(ErrorKind::Protocol(CloseCode::TOO_BIG)));
    assert!(!desk.failed_with(ErrorKind::Transport));
    assert_eq!(desk.judge()[0], "offline protocol-error 1009");
}

#[test]
fn an_error_after_the_verdict_is_the_cause_of_nothing() {
    for kind in [ErrorKind::Transport, ErrorKind::Protocol(CloseCode::TOO_BIG), ErrorKind::Closed] {
        let mut desk = Desk::new(Role::Server);
        desk.hear(Inbound::Close(None));
        assert!(!desk.failed_with(kind));
        assert_eq!(desk.judge()[0], "offline peer-closed");
    }
}

#[test]
fn an_end_without_an_error_has_no_cause_and_leaves_room_for_none() {
    let mut desk = Desk::new(Role::Server);
    desk.read_ended();
    // The machine knows already.
    assert!(!desk.failed_with(ErrorKind::Transport));
    assert!(!desk.failed_with(ErrorKind::Protocol(CloseCode::TOO_BIG)) && !desk.session.is_discarding());
}

// -- The end.

#[test]
fn the_end_of_the_transport_ends_the_reading() {
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a"]);
    assert!(desk.wants_read());
    desk.read_ended();
    assert!(!desk.wants_read());
    assert_eq!(desk.judge(), ["offline transport-closed", "disconnect"]);
    assert!(!desk.wants_read() && desk.session.is_disconnected());
    assert_eq!([desk.take(), desk.take()], [Some("a"), None]);
}

#[test]
fn an_end_is_told_once() {
    let mut desk = Desk::new(Role::Server);
    desk.read_ended();
    let told = desk.machine.clone();
    desk.pass(secs(1));
    desk.read_ended();
    desk.failed_with(ErrorKind::Transport);
    assert_eq!(desk.machine, told);
    let mut once = told;
    once.handle(Event::Eof, desk.now);
    assert_ne!(desk.machine, once, "it would have seen the later moment");
}

#[test]
fn what_is_full_at_the_end_pauses_nothing() {
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b"]);
    desk.read_ended();
    let told = desk.machine.clone();
    desk.session.keep("c", 1);
    desk.nobody_reads();
    assert_eq!(desk.machine, told);
    assert!(!desk.session.is_paused());
}

#[test]
fn after_the_disconnect_there_is_nothing_to_do() {
    let mut desk = Desk::answering(Role::Server);
    desk.keep(&["a"]);
    desk.session.wrote();
    desk.hear(Inbound::Ping(b"?"));
    desk.session.close(CloseCode::NORMAL, "", &mut desk.machine, desk.now);
    desk.judge();
    assert!(!desk.session.is_disconnected());
    desk.pass(secs(5));
    assert_eq!(desk.judge(), ["disconnect"]);
    assert!(desk.session.is_disconnected() && !desk.wants_read() && !desk.session.wants_write());
    assert!(desk.offered().is_none() && !desk.session.wants_flush());
    desk.session.wrote();
    assert!(!desk.session.wants_flush());
    assert_eq!(desk.take(), Some("a"));
}
