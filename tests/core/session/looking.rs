//! Reading for a caller that does not: when, and how far.

use liveness::session::{ErrorKind, Inbound, Role};

use super::desk::{Desk, millis, secs};

#[test]
fn a_caller_that_only_writes_is_read_for_each_50_ms() {
    let mut desk = Desk::new(Role::Server);
    desk.read_blocked();
    desk.pass(millis(49));
    assert!(!desk.session.is_behind(desk.now));
    desk.pass(millis(1));
    assert!(desk.session.is_behind(desk.now));
    desk.hear(Inbound::Ping(b"?"));
    desk.read_blocked();
    assert!(!desk.session.is_behind(desk.now));
    // Where there is no room for more there is nothing to look at.
    desk.keep(&["a", "b", "c"]);
    desk.nobody_reads();
    desk.pass(secs(1));
    assert!(!desk.session.is_behind(desk.now));
}

/// It takes none for longer than a verdict is put off: what it has not read is no reason to give anybody up.
#[test]
fn a_caller_that_takes_a_message_an_hour_is_no_reader() {
    for (away, paused) in [(secs(20), false), (secs(20) + millis(1), true)] {
        let mut desk = Desk::pong_only(Role::Server);
        assert!(desk.hear(Inbound::Data));
        desk.session.delivered(desk.now);
        desk.pass(away);
        desk.keep(&["a", "b", "c"]);
        desk.read_suspended();
        assert_eq!(desk.machine_is_paused(), paused, "{away:?}");
    }
}

#[test]
fn a_library_is_asked_for_room_before_a_frame_and_not_before_a_flush() {
    let mut desk = Desk::new(Role::Server);
    assert!(!desk.session.is_frame_next());
    desk.ping_due();
    assert!(desk.session.is_frame_next());
    assert_eq!(desk.offered().as_deref(), Some("ping"));
    assert!(!desk.session.is_frame_next() && desk.session.wants_write());
}

#[test]
fn what_an_error_of_writing_ends_goes_by_its_kind() {
    let mut desk = Desk::new(Role::Server);
    let failed = |desk: &mut Desk, kind| desk.session.failed_to_write(kind, &mut desk.machine, desk.now);
    assert!(!failed(&mut desk, ErrorKind::Rejected));
    assert!(desk.session.may_send(), "a message that was not taken ends nothing");
    assert!(failed(&mut desk, ErrorKind::Transport), "the first is the cause");
    assert!(!failed(&mut desk, ErrorKind::Transport));
    assert!(desk.session.is_write_broken() && !desk.session.may_send());
    desk.read_blocked();
    assert_eq!(desk.judge()[0], "offline transport-closed");
}
