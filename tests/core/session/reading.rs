//! What is kept for a caller, when reading stops, and what the machine learns about unread data.

use std::time::Duration;

use liveness::dialect::Heard;
use liveness::session::{Inbound, Limits, Role, Session};
use liveness::{Reason, Timestamp};

use super::desk::{Desk, SMALL, calm, millis, secs};

#[test]
fn what_nobody_waits_for_is_kept_in_order() {
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b"]);
    assert_eq!((desk.session.kept(), desk.take(), desk.session.kept()), (2, Some("a"), 1));
    desk.keep(&["c"]);
    assert_eq!([desk.take(), desk.take(), desk.take()], [Some("b"), Some("c"), None]);
}

#[test]
fn the_default_limits_are_64_messages_and_a_mebibyte() {
    let mut desk = Desk::with(Session::new(Role::Server), calm());
    desk.keep(&["x"; 63]);
    assert!(desk.wants_read());
    desk.keep(&["x"]);
    assert!(!desk.wants_read() && desk.session.kept() == 64);

    let mut desk = Desk::with(Session::new(Role::Server), calm());
    desk.keep_bytes("x", (1 << 20) - 1);
    assert!(desk.wants_read());
    desk.keep(&["x"]);
    assert!(!desk.wants_read());
    assert_eq!(Limits::default(), Limits { messages: 64, bytes: 1 << 20, answers: 64 });
}

#[test]
fn reading_is_paused_when_the_inbox_is_full_and_resumed_below_half() {
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b"]);
    assert!(desk.wants_read() && !desk.session.is_paused() && !desk.machine_is_paused());
    desk.keep(&["c"]);
    assert!(!desk.wants_read() && !desk.machine_is_paused(), "the caller may be about to take one");
    desk.nobody_reads();
    assert!(!desk.wants_read() && desk.session.is_paused() && desk.machine_is_paused());
    // Half of three is one.
    desk.take();
    assert!(!desk.wants_read() && desk.machine_is_paused());
    desk.take();
    assert!(desk.wants_read() && !desk.session.is_paused() && !desk.machine_is_paused());
}

#[test]
fn a_caller_that_reads_on_pauses_nothing_however_slowly_it_does() {
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b", "c"]);
    for _ in 0..100 {
        // Each turn takes two passes: in the first the machine had something to do.
        desk.read_suspended();
        desk.pass(millis(10));
        desk.read_suspended();
        assert!(!desk.session.is_paused() && !desk.machine_is_paused());
        desk.pass(secs(6));
        desk.take();
        assert!(desk.wants_read());
        desk.keep(&["d"]);
    }
}

#[test]
fn nobody_reads_where_nothing_was_taken_for_longer_than_a_last_look() {
    for (later, paused) in [(Duration::ZERO, false), (Duration::from_nanos(1), true)] {
        let mut desk = Desk::new(Role::Server);
        desk.keep(&["a", "b", "c"]);
        desk.pass(secs(3));
        desk.read_suspended();
        desk.pass(millis(10) + later);
        desk.read_suspended();
        assert_eq!((desk.session.is_paused(), desk.machine_is_paused()), (paused, paused));
    }
    // There was room at the end of a turn in between.
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b"]);
    desk.read_suspended();
    desk.pass(secs(1));
    desk.keep(&["c"]);
    desk.read_suspended();
    assert!(!desk.session.is_paused());
    desk.pass(secs(1));
    desk.read_suspended();
    assert!(desk.session.is_paused());
}

#[test]
fn what_lies_behind_a_full_inbox_puts_a_verdict_off_before_it_pauses_reading() {
    let mut desk = noted();
    desk.keep(&["a", "b", "c"]);
    desk.read_suspended();
    desk.pass(millis(10));
    assert!(desk.judge().is_empty());
    assert_eq!(desk.machine.verdict(), None);
}

#[test]
fn bytes_fill_the_inbox_too_and_a_message_is_taken_whole() {
    let mut desk = Desk::new(Role::Server);
    desk.keep_bytes("a", 999);
    assert!(desk.wants_read());
    desk.keep_bytes("b", 1 << 30);
    desk.nobody_reads();
    assert!(!desk.wants_read() && desk.machine_is_paused());
    desk.take();
    assert!(!desk.wants_read(), "the large one is still there");
    desk.take();
    assert!(desk.wants_read() && !desk.machine_is_paused());
}

#[test]
fn half_of_the_bytes_must_be_free_too() {
    for (kept, resumed) in [(500, true), (501, false)] {
        let mut desk = Desk::new(Role::Server);
        desk.keep_bytes("a", 1_000 - kept);
        desk.keep_bytes("b", kept);
        desk.nobody_reads();
        assert!(!desk.wants_read());
        desk.take();
        assert_eq!(desk.wants_read(), resumed, "{kept} of 1,000 bytes");
        assert_eq!(desk.machine_is_paused(), !resumed);
    }
}

#[test]
fn limits_of_nothing_are_limits_of_one() {
    let nothing = Limits { messages: 0, bytes: 0, answers: 0 };
    let mut desk = Desk::with(Session::new(Role::Server).limits(nothing), calm());
    assert!(desk.wants_read());
    // A message without bytes is a message.
    desk.keep_bytes("", 0);
    assert!(!desk.wants_read());
    desk.take();
    assert!(desk.wants_read());
    desk.pinged(1);
    assert!(!desk.wants_read());
    desk.write();
    assert!(desk.wants_read());

    let no_bytes = Limits { bytes: 0, ..SMALL };
    let mut desk = Desk::with(Session::new(Role::Server).limits(no_bytes), calm());
    desk.keep_bytes("", 0);
    assert!(desk.wants_read());
    desk.keep_bytes("a", 1);
    assert!(!desk.wants_read());
}

#[test]
fn control_frames_are_not_kept_for_anybody() {
    let mut desk = Desk::new(Role::Server);
    for _ in 0..60 {
        desk.pinged(1);
        assert!(!desk.hear(Inbound::Pong(b"foreign")) && !desk.hear(Inbound::Heard(Heard::Beat)));
        desk.flushed();
    }
    assert_eq!(desk.session.kept(), 0);
    assert!(desk.wants_read());
}

/// Fault 12b: 64 messages were unread, and a writer was deaf for ever.
#[test]
fn a_mute_peer_is_found_by_a_caller_that_only_writes_and_reads_nothing() {
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b"]);
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(60), |desk| {
        desk.session.wrote();
        desk.write();
        desk.flushed();
        desk.read_blocked();
    });
    assert_eq!(verdict, Some(Reason::PingTimeout));
    assert!(desk.now <= Timestamp::ZERO + desk.machine.config().detection_bound(secs(0)));
}

#[test]
fn while_reading_is_paused_only_the_writing_is_judged() {
    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b", "c"]);
    desk.nobody_reads();
    // What is written is taken: nothing is held against a peer that we do not listen to.
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(300), |desk| drop(desk.write()));
    assert_eq!(verdict, None);
    assert!(desk.machine.stats().pings > 50);
    // Nothing is taken.
    let until = desk.now + desk.machine.config().detection_bound(secs(0));
    assert_eq!(desk.verdict_by(until), Some(Reason::WriteStalled));
}

#[test]
fn the_wait_for_an_answer_starts_anew_at_the_resumption() {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    desk.write();
    desk.keep(&["a", "b", "c"]);
    desk.nobody_reads();
    // The data is evidence, so ask again, in the pause.
    desk.ping_due();
    desk.write();
    desk.pass(secs(30));
    desk.take();
    desk.take();
    let resumed = desk.now;
    let verdict = desk.verdict_by_turns(resumed + millis(9_999), |desk| drop(desk.write()));
    assert_eq!(verdict, None);
    let verdict = desk.verdict_by_turns(resumed + secs(11), |desk| drop(desk.write()));
    assert_eq!(verdict, Some(Reason::PingTimeout));
}

// -- The caller was away.

/// A ping went out at 5 s, and a message was handed to the caller with it.
fn asked() -> Desk {
    let mut desk = Desk::new(Role::Server);
    desk.ping_due();
    desk.write();
    assert!(desk.hear(Inbound::Data));
    desk.session.delivered(desk.now);
    // Evidence ended the wait: ask again, so that a round trip can be measured.
    desk.now = Timestamp::from_secs(10);
    assert_eq!(desk.judge(), ["ping"]);
    desk.write();
    desk
}

#[test]
fn a_round_trip_does_not_measure_the_caller() {
    let mut desk = asked();
    desk.session.delivered(desk.now);
    desk.pass(millis(800));
    desk.answered();
    assert_eq!(desk.machine.rtt(), None);
    assert_eq!(desk.machine.stats().answers, 1);
}

#[test]
fn a_caller_that_comes_back_at_once_spoils_no_round_trip() {
    let mut desk = asked();
    desk.session.delivered(desk.now);
    // As long as a last look is nobody away.
    desk.pass(millis(10));
    desk.answered();
    assert_eq!(desk.machine.rtt().map(|rtt| rtt.latest), Some(millis(10)));

    let mut desk = asked();
    desk.session.delivered(desk.now);
    desk.pass(millis(10) + Duration::from_nanos(1));
    desk.answered();
    assert_eq!(desk.machine.rtt(), None);
}

#[test]
fn what_arrives_after_all_was_read_did_not_wait_for_the_caller() {
    let mut desk = asked();
    desk.session.delivered(desk.now);
    desk.read_blocked();
    desk.pass(millis(800));
    desk.answered();
    assert_eq!(desk.machine.rtt().map(|rtt| rtt.latest), Some(millis(800)));
}

#[test]
fn a_message_that_was_kept_sends_the_caller_away_too() {
    let mut desk = asked();
    desk.keep(&["a"]);
    desk.read_blocked();
    // The data answered that ping, too.
    desk.ping_due();
    desk.write();
    assert_eq!(desk.take(), Some("a"));
    desk.pass(millis(800));
    desk.answered();
    assert_eq!(desk.machine.rtt(), None);
}

#[test]
fn a_part_of_a_message_may_have_waited_for_the_caller_too() {
    let mut desk = asked();
    desk.session.delivered(desk.now);
    desk.pass(millis(800));
    desk.session.received_bytes(3, desk.now);
    desk.read_suspended();
    // It was said before the Progress, and once: what comes next has not waited.
    let told = desk.machine.clone();
    desk.hear(Inbound::Data);
    let mut expected = told;
    expected.handle(liveness::Event::Data, desk.now);
    assert_eq!(desk.machine, expected);
}

/// The wait for an answer is over, and the caller is away with a message.
fn noted() -> Desk {
    let mut desk = Desk::pong_only(Role::Server);
    desk.ping_due();
    desk.write();
    desk.now = Timestamp::from_secs(15);
    assert!(desk.hear(Inbound::Data));
    assert!(desk.judge().iter().all(|done| done == "ping"));
    assert_eq!(desk.machine.verdict(), None);
    desk
}

#[test]
fn no_verdict_falls_before_what_waited_for_the_caller_is_read() {
    let mut desk = noted();
    desk.session.delivered(desk.now);
    desk.pass(millis(500));
    // Another message lay there, and the answer behind it.
    assert!(desk.hear(Inbound::Data));
    desk.session.delivered(desk.now);
    assert!(desk.judge().is_empty());
    desk.pass(millis(500));
    desk.answered();
    desk.judge();
    assert_eq!(desk.machine.verdict(), None);

    // Nobody was away: the message had not waited.
    let mut desk = noted();
    desk.read_blocked();
    desk.pass(millis(500));
    desk.hear(Inbound::Data);
    assert_eq!(desk.judge()[0], "offline ping-timeout");
}

/// Fault 4: a caller that took longer than the tolerance for each message kept a peer that never answers for ever.
#[test]
fn a_mute_peer_whose_pongs_are_not_there_is_found_although_the_caller_is_slow() {
    for away in [millis(100), secs(1), secs(3), secs(6), secs(15)] {
        let mut desk = Desk::pong_only(Role::Server);
        // A message lies there whenever the caller comes back.
        let mut turns = 0;
        while desk.machine.verdict().is_none() {
            desk.write();
            assert!(desk.hear(Inbound::Data));
            desk.session.delivered(desk.now);
            desk.judge();
            desk.write();
            desk.pass(away);
            turns += 1;
            assert!(turns < 10_000, "away for {away:?}: immortal");
        }
        let config = desk.machine.config();
        // With `Unread`, once more.
        let bound = config.detection_bound(away) + config.timeout() + config.last_look() + away;
        assert!(desk.now <= Timestamp::ZERO + bound, "away for {away:?}: found at {}", desk.now);
        assert_eq!(desk.machine.verdict(), Some(Reason::PingTimeout));
    }
}

#[test]
fn a_peer_that_answers_is_kept_although_the_caller_is_slow() {
    for away in [millis(100), secs(1), secs(3), secs(6), secs(9)] {
        let mut desk = Desk::pong_only(Role::Server);
        for _ in 0..500 {
            desk.write();
            assert!(desk.hear(Inbound::Data));
            desk.session.delivered(desk.now);
            // Where a verdict is at stake, what lies behind the message is read ahead.
            if desk.machine.would_judge(desk.now) && desk.machine.awaited().is_some() {
                desk.answered();
                desk.read_blocked();
            }
            desk.judge();
            desk.pass(away);
        }
        assert_eq!(desk.machine.verdict(), None, "away for {away:?}");
        assert!(desk.machine.stats().answers > 2 && desk.machine.rtt().is_none());
    }
}

// -- The end of a share.

#[test]
fn what_lies_unread_at_the_end_of_a_share_puts_a_verdict_off() {
    let mut desk = noted();
    desk.read_suspended();
    desk.pass(millis(10));
    assert!(desk.judge().is_empty());
    desk.answered();
    desk.pass(millis(10));
    desk.judge();
    assert_eq!(desk.machine.verdict(), None);
}

#[test]
fn a_share_that_ends_without_end_spares_nobody_for_ever() {
    let mut desk = noted();
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(60), Desk::read_suspended);
    assert_eq!(verdict, Some(Reason::PingTimeout));
    // Its clock has run out a second time.
    assert_eq!(desk.now, Timestamp::from_secs(25));
}

#[test]
fn nothing_lies_unread_where_all_was_read_or_reading_is_paused_or_over() {
    let mut desk = noted();
    desk.read_blocked();
    desk.pass(millis(10));
    assert_eq!(desk.judge()[0], "offline ping-timeout");

    let mut desk = Desk::new(Role::Server);
    desk.keep(&["a", "b", "c"]);
    desk.nobody_reads();
    let paused = desk.machine.clone();
    desk.read_suspended();
    assert_eq!(desk.machine, paused);

    let mut desk = Desk::new(Role::Server);
    desk.session.read_ended(&mut desk.machine, desk.now);
    let ended = desk.machine.clone();
    desk.read_suspended();
    assert_eq!(desk.machine, ended);
}

// -- Parts of messages.

fn last_heard(desk: &Desk) -> String {
    let report = desk.machine.report(desk.now).to_string();
    report.split("; ").find(|part| part.contains("heard")).unwrap().to_owned()
}

#[test]
fn bytes_that_complete_nothing_are_progress() {
    let mut desk = Desk::new(Role::Server);
    desk.hear(Inbound::Data);
    desk.pass(secs(3));
    desk.session.received_bytes(0, desk.now);
    desk.read_blocked();
    assert_eq!(last_heard(&desk), "last heard 3.0 s ago (data)");
    desk.session.received_bytes(1, desk.now);
    assert_eq!(last_heard(&desk), "last heard 3.0 s ago (data)");
    desk.read_blocked();
    assert_eq!(last_heard(&desk), "last heard 0 us ago (part of a message)");
    // It is told once.
    desk.pass(secs(1));
    desk.read_blocked();
    assert_eq!(last_heard(&desk), "last heard 1.0 s ago (part of a message)");
    desk.session.received_bytes(1, desk.now);
    desk.read_suspended();
    assert_eq!(last_heard(&desk), "last heard 0 us ago (part of a message)");
}

#[test]
fn bytes_that_complete_a_frame_are_that_frame_and_no_progress() {
    let mut desk = Desk::new(Role::Server);
    desk.session.received_bytes(2, desk.now);
    desk.pinged(1);
    desk.pass(secs(1));
    desk.read_blocked();
    assert_eq!(last_heard(&desk), "last heard 1.0 s ago (ping)");
}

#[test]
fn a_message_that_takes_a_minute_to_arrive_is_no_silence() {
    let mut desk = Desk::new(Role::Server);
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(60), |desk| {
        desk.write();
        desk.session.received_bytes(100, desk.now);
        desk.read_blocked();
    });
    assert_eq!(verdict, None);
}

/// Fault 4 again, by way of reading ahead: for a verdict that may be refuted the caller's inbox fills up.
#[test]
fn a_mute_talker_is_found_although_a_slow_caller_is_read_ahead_of() {
    for away in [millis(100), secs(1), secs(3), secs(6), secs(15)] {
        let mut desk = Desk::pong_only(Role::Server);
        let mut turns = 0;
        while desk.machine.verdict().is_none() {
            // There is always more than is taken; each turn takes two passes.
            for _ in 0..2 {
                desk.write();
                while desk.wants_read() && desk.machine.would_judge(desk.now) {
                    desk.keep(&["x"]);
                }
                desk.read_suspended();
                desk.judge();
            }
            if desk.take().is_none() {
                assert!(desk.hear(Inbound::Data));
                desk.session.delivered(desk.now);
            }
            desk.pass(away);
            turns += 1;
            assert!(turns < 10_000, "away for {away:?}: immortal");
        }
        assert_eq!(desk.machine.verdict(), Some(Reason::PingTimeout));
        let config = desk.machine.config();
        let bound = config.detection_bound(away) + config.timeout() + config.last_look() + away;
        assert!(desk.now <= Timestamp::ZERO + bound, "away for {away:?}: found at {}", desk.now);
    }
}
