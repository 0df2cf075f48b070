//! Failures: what had arrived is read before the end is told.

use liveness::session::{Inbound, Role};

use super::desk::Desk;

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
