//! Close frames: what they say, in which order they leave, and what is left to do after them.

use liveness::CloseCode;
use liveness::session::{Inbound, Role};

use super::desk::{Desk, millis};

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
    // Nothing may follow our Close. The peer's is behind more Pings than may be owed.
    desk.pinged(10);
    assert!(desk.wants_read() && !desk.session.wants_flush());
    desk.hear(Inbound::Close(Some(1000)));
    assert_eq!(desk.judge(), ["disconnect"]);
}

#[test]
fn where_both_close_at_once_ours_leaves_before_the_transport_goes() {
    for mut desk in [Desk::new(Role::Server), Desk::answering(Role::Server), Desk::new(Role::Client)] {
        desk.close("enough");
        desk.hear(Inbound::Close(Some(1001)));
        assert_eq!(desk.judge(), ["offline local-closed", "close 1000"]);
        assert_eq!(desk.write()[..4], ["flush", "flush", "close 1000 enough", "flush"]);
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
