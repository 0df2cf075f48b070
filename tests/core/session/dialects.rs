//! A heartbeat inside messages: what a message means, what is written for it, and an end that never asks.

use std::time::Duration;

use liveness::dialect::{
    Dialect, Exact, Heard, Message, Mute, Out, TextHeartbeats, discord, engine_io, signalr,
};
use liveness::session::{Inbound, Peer as _, Role, Session};
use liveness::{ConfigBuilder, Event, Evidence, Fleet, Payload, Reason, Status, Suspicion, Timestamp};

use super::desk::{Desk, SMALL, calm, millis, secs};

impl Desk {
    fn speaking(role: Role, config: ConfigBuilder, dialect: impl Dialect + Send + 'static) -> Self {
        let mut desk = Self::with(Session::new(role).limits(SMALL), config);
        desk.session.set_dialect(dialect, &mut desk.machine, desk.now);
        desk
    }

    /// A text message arrives. True: it is the caller's.
    fn said(&mut self, text: &str) -> bool {
        self.hear(Inbound::Message(Message::Text(text)))
    }

    fn probed(&mut self) {
        self.session.probe(&mut self.machine, self.now);
    }
}

/// An end by the two methods that there must be: nobody knows that it never asks before it is asked to.
struct Refuses;

impl Dialect for Refuses {
    fn hear(&mut self, _: Message<'_>, _: &mut dyn Out) -> Heard {
        Heard::Data
    }
    fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
        false
    }
}

#[test]
fn a_beat_is_answered_and_a_message_is_the_callers() {
    let mut desk = Desk::speaking(Role::Client, calm(), engine_io::client());
    assert!(!desk.said("2"));
    assert_eq!(desk.write(), ["answer 3"]);
    assert!(desk.said("4hello") && desk.said("2probe") && desk.said("3"));
    assert_eq!(desk.write(), [""; 0]);
}

#[test]
fn without_a_dialect_every_message_is_the_callers() {
    let mut desk = Desk::new(Role::Client);
    assert!(desk.said("2") && desk.said("ping 0123456789abcdef"));
    assert_eq!(desk.write(), [""; 0]);
}

#[test]
fn our_ping_is_written_as_the_dialect_has_it() {
    let mut desk = Desk::speaking(Role::Server, calm(), engine_io::server());
    desk.ping_due();
    assert_eq!(desk.write(), ["beat 2", "flush"]);
    assert!(!desk.is_writing());
    // And its answer, which names no ping, is one.
    assert!(!desk.said("3"));
    assert_eq!((desk.machine.stats().answers, desk.machine.awaited()), (1, None));
    // A second one nobody asked for.
    assert!(!desk.said("3"));
    assert_eq!(desk.machine.stats().answers, 1);
}

/// Two pings are out: an answer that names none is the older one's.
#[test]
fn an_answer_without_a_name_is_the_oldest_pings() {
    let mut desk = Desk::speaking(Role::Server, calm(), Exact::text("2", "3"));
    for _ in 0..2 {
        desk.ping_due();
        assert_eq!(desk.write(), ["beat 2", "flush"]);
    }
    let older = desk.machine.awaited();
    assert!(!desk.said("3"));
    assert!(older.is_some() && desk.machine.awaited().is_some_and(|newer| Some(newer) != older));
    // It is evidence, and no measure of a round trip.
    assert_eq!((desk.machine.stats().answers, desk.machine.rtt()), (1, None));
    assert!(!desk.said("3"));
    assert_eq!((desk.machine.stats().answers, desk.machine.awaited()), (2, None));
}

#[test]
fn a_binary_heartbeat_is_binary_both_ways() {
    let mut desk = Desk::speaking(Role::Server, calm(), Exact::binary(&[0xc0, 0], &[0xd0, 0]));
    desk.ping_due();
    assert_eq!(desk.write(), ["beat [c0, 00]", "flush"]);
    assert!(!desk.hear(Inbound::Message(Message::Binary(&[0xd0, 0]))));
    assert!(!desk.hear(Inbound::Message(Message::Binary(&[0xc0, 0]))));
    assert_eq!(desk.write(), ["answer [d0, 00]"]);
    // The other kind of message with the same bytes is the program's.
    assert!(desk.said("\0\0") && desk.hear(Inbound::Message(Message::Binary(&[0xc0]))));
}

#[test]
fn what_is_longer_than_256_bytes_is_the_callers_unlooked() {
    /// Takes everything for a beat.
    struct Greedy;
    impl Dialect for Greedy {
        fn hear(&mut self, _: Message<'_>, answer: &mut dyn Out) -> Heard {
            answer.text(format_args!("yes"));
            Heard::Beat
        }
        fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
            false
        }
    }
    let mut desk = Desk::speaking(Role::Server, calm(), Greedy);
    assert!(!desk.said(&"x".repeat(256)));
    assert_eq!(desk.write(), ["answer yes"]);
    assert!(desk.said(&"x".repeat(257)));
    assert_eq!(desk.write(), [""; 0]);
}

#[test]
fn an_answer_as_long_as_it_must_be_is_written_whole() {
    struct Wordy;
    impl Dialect for Wordy {
        fn hear(&mut self, _: Message<'_>, answer: &mut dyn Out) -> Heard {
            answer.text(format_args!("{:x<1000}", ""));
            Heard::Beat
        }
        fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
            false
        }
    }
    let mut desk = Desk::speaking(Role::Server, calm(), Wordy);
    assert!(!desk.said("?"));
    assert_eq!(desk.write(), [format!("answer {:x<1000}", "")]);
}

/// The program is shown it, and the peer needs an answer all the same.
#[test]
fn a_message_of_the_programs_may_be_answered() {
    struct Acknowledges;
    impl Dialect for Acknowledges {
        fn hear(&mut self, _: Message<'_>, answer: &mut dyn Out) -> Heard {
            answer.text(format_args!("ok"));
            Heard::Data
        }
        fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
            false
        }
    }
    let mut desk = Desk::speaking(Role::Server, calm(), Acknowledges);
    assert!(desk.said("hello"));
    assert_eq!(desk.write(), ["answer ok"]);
}

// -- Order and bounds.

#[test]
fn answers_go_out_in_the_order_of_their_questions_and_before_our_ping() {
    let mut desk = Desk::speaking(Role::Server, calm(), TextHeartbeats);
    desk.ping_due();
    assert!(!desk.said("ping 0000000000000001") && !desk.said("ping 0000000000000002"));
    let written = desk.write();
    assert_eq!(written[..2], ["answer pong 0000000000000001", "answer pong 0000000000000002"]);
    assert!(written[2].starts_with("beat ping ") && written.len() == 4, "{written:?}");
}

#[test]
fn a_peer_that_beats_and_takes_no_answers_is_read_no_further() {
    let mut desk = Desk::speaking(Role::Server, calm(), engine_io::client());
    let mut asked = 0;
    while desk.wants_read() && asked < 100 {
        assert!(!desk.said("2"));
        desk.write_blocked();
        asked += 1;
    }
    assert_eq!(asked, SMALL.answers);
    assert!(desk.machine_is_paused());
    assert_eq!(desk.write(), ["answer 3", "answer 3", "answer 3", "answer 3", "flush"]);
    assert!(desk.wants_read() && !desk.machine_is_paused());
}

#[test]
fn a_flood_of_beats_is_a_flood_and_one_of_data_is_none() {
    for (said, expected) in [("2", Some(Reason::PingFlood)), ("4", None)] {
        let mut desk = Desk::speaking(Role::Server, calm().control_budget(8, 1), engine_io::client());
        for _ in 0..20 {
            desk.said(said);
            while desk.session.poll_write().is_some() {
                desk.flushed();
            }
        }
        desk.judge();
        assert_eq!(desk.machine.verdict(), expected, "{said}");
        // Nobody waits for an answer any more.
        desk.said("2");
        assert!(!desk.write().iter().any(|out| out.starts_with("answer")) || expected.is_none());
    }
}

#[test]
fn beats_that_owe_no_answer_cost_what_answers_to_nothing_cost() {
    let mut desk = Desk::speaking(Role::Server, calm().control_budget(8, 1), signalr::Json);
    for _ in 0..20 {
        assert!(!desk.said("{\"type\":6}\u{1e}"));
    }
    assert_eq!(desk.judge(), ["offline ping-flood", "close 1008"]);
    // Its own config has no such budget: after our own stall the beats of minutes are read at once.
    let config = signalr::CONFIG.to_builder();
    let mut desk = Desk::speaking(Role::Server, config, signalr::Json);
    for _ in 0..2_000 {
        assert!(!desk.said("{\"type\":6}\u{1e}"));
    }
    assert_eq!(desk.judge(), [""; 0]);
}

// -- The clock of the writing.

#[test]
fn a_ping_in_a_message_has_left_with_its_last_byte() {
    let mut desk = Desk::speaking(Role::Server, calm(), TextHeartbeats);
    desk.ping_due();
    assert!(desk.offered().is_some_and(|out| out.starts_with("beat ping ")));
    // 100 bytes of an earlier message, and 23 of the ping's frame.
    desk.ping_ends_after(123);
    desk.sent_bytes(122);
    assert!(desk.is_writing());
    desk.sent_bytes(1);
    assert!(!desk.is_writing());
}

#[test]
fn a_dialects_number_is_taken_when_the_ping_is_written_and_not_before() {
    let mut numbers = 0;
    let mut desk = Desk::speaking(
        Role::Client,
        calm().write_timeout(Duration::MAX),
        discord::Client::new(move || {
            numbers += 1;
            Some(numbers)
        }),
    );
    // The first is never written: a newer one takes its place.
    desk.ping_due();
    desk.ping_due();
    assert_eq!(desk.write(), [r#"beat {"op":1,"d":1}"#, "flush"]);
}

// -- An end that never asks.

#[test]
fn an_end_that_never_asks_hands_out_no_ping_whatever_its_config_says() {
    let pinging = calm().suspicion(Suspicion::After(secs(1))).probe_timeout(secs(2));
    for config in [pinging, pinging.evidence(Evidence::PongOnly), engine_io::CLIENT_CONFIG.to_builder()] {
        let mut desk = Desk::speaking(Role::Client, config, engine_io::client());
        desk.probed();
        let end = Timestamp::from_secs(44);
        assert_eq!(desk.verdict_by(end), None);
        desk.now = end;
        desk.probed();
        assert_eq!((desk.judge(), desk.write()), (vec![], vec![]));
        assert_eq!((desk.machine.stats().pings, desk.machine.status()), (0, Status::Online));
        assert!(desk.machine.report(desk.now).to_string().starts_with("no ping outstanding"));
    }
}

#[test]
fn an_end_that_never_asks_is_judged_by_silence() {
    let mut desk = Desk::speaking(Role::Client, calm().silence_timeout(secs(45)).last_look(millis(10)), Mute);
    desk.pass(secs(30));
    assert!(desk.said("anything"));
    assert_eq!(desk.verdict_by(Timestamp::from_secs(200)), Some(Reason::Silent));
    assert_eq!(desk.now, Timestamp::from_secs(75) + millis(10));
}

/// With the config of its own there is nothing to change, and a recording says nothing of it.
#[test]
fn the_dialects_own_config_stays_as_it_is() {
    for config in [engine_io::CLIENT_CONFIG, Mute::config(secs(45))] {
        let desk = Desk::speaking(Role::Client, config.to_builder(), Mute);
        assert_eq!(*desk.machine.config(), config);
    }
}

#[test]
fn an_end_that_refuses_to_ask_is_asked_once_and_waits_for_nothing() {
    let config = calm().suspicion(Suspicion::After(secs(1))).silence_timeout(secs(100));
    let mut desk = Desk::speaking(Role::Client, config, Refuses);
    desk.ping_due();
    // Nothing is on the wire; what it would have been has left when the library is empty.
    assert_eq!(desk.write(), ["flush"]);
    assert!(!desk.is_writing());
    desk.probed();
    assert_eq!(desk.verdict_by(Timestamp::from_secs(99)), None);
    assert_eq!((desk.machine.stats().pings, desk.machine.status()), (1, Status::Online));
    assert_eq!(desk.verdict_by(Timestamp::from_secs(200)), Some(Reason::Silent));
}

/// What was written counts, whatever the dialect says of it.
#[test]
fn a_dialect_that_contradicts_itself_asks_nothing() {
    struct Contradicts {
        writes: bool,
    }
    impl Dialect for Contradicts {
        fn hear(&mut self, _: Message<'_>, _: &mut dyn Out) -> Heard {
            Heard::Data
        }
        fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
            if self.writes {
                beat.text(format_args!("?"));
            }
            !self.writes
        }
    }
    for writes in [false, true] {
        let mut desk = Desk::speaking(Role::Client, calm(), Contradicts { writes });
        desk.ping_due();
        assert_eq!(desk.write(), ["flush"]);
        assert_eq!(desk.verdict_by(Timestamp::from_secs(1_000)), None);
        assert_eq!(desk.machine.stats().pings, 1);
    }
}

#[test]
fn new_numbers_bring_no_pings_to_an_end_that_never_asks() {
    let mut desk = Desk::speaking(Role::Client, calm(), Mute);
    let config = calm().silence_timeout(secs(9)).build().unwrap();
    desk.session.reconfigure(config, &mut desk.machine, desk.now);
    assert_eq!(desk.machine.config().interval(), Duration::MAX);
    assert_eq!(desk.verdict_by(Timestamp::from_secs(60)), Some(Reason::Silent));
    assert_eq!(desk.now, Timestamp::from_secs(9) + millis(10));
    // One that asks has them as they are.
    let mut desk = Desk::speaking(Role::Server, calm(), engine_io::server());
    desk.session.reconfigure(config, &mut desk.machine, desk.now);
    assert_eq!(*desk.machine.config(), config);
}

#[test]
fn numbers_of_the_servers_hello_take_the_place_of_those_before() {
    let mut desk = Desk::speaking(Role::Client, engine_io::CLIENT_CONFIG.to_builder(), engine_io::client());
    desk.pass(secs(1));
    let open = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":5000,"pingTimeout":4000}"#;
    assert!(desk.said(open));
    let (interval, timeout) = engine_io::open(open).unwrap();
    let config = engine_io::client_config(interval, timeout);
    desk.session.reconfigure(config, &mut desk.machine, desk.now);
    assert_eq!(desk.verdict_by(Timestamp::from_secs(60)), Some(Reason::Silent));
    assert_eq!(desk.now, Timestamp::from_secs(10) + millis(10));
}

/// Its machine has the config of others too.
#[test]
fn a_fleets_entry_that_never_asks_leaves_the_others_as_they_are() {
    let config = calm().build().unwrap();
    let mut fleet = Fleet::new(config, 7);
    let now = Timestamp::ZERO;
    let [one, two, other] = [(); 3].map(|()| fleet.insert(now).unwrap());
    let mut sessions = [(); 2].map(|()| Session::<u32>::new(Role::Client));
    for (session, key) in sessions.iter_mut().zip([one, two]) {
        session.set_dialect(Mute, &mut fleet.entry(key).unwrap(), now);
        session.probe(&mut fleet.entry(key).unwrap(), now);
    }
    let mut entry = |key| *fleet.entry(key).unwrap().config();
    assert_eq!(entry(one), entry(two));
    assert_eq!((entry(one).interval(), entry(other)), (Duration::MAX, config));
    let mut pinged = 0;
    while let Some((key, action)) = fleet.poll(Timestamp::from_secs(5)) {
        if let liveness::Action::SendPing(_) = action {
            assert_eq!(key, other);
            pinged += 1;
        }
    }
    assert_eq!(pinged, 1);
}

// -- Frames beside messages.

#[test]
fn frames_keep_their_meaning_beside_a_dialect() {
    let mut desk = Desk::speaking(Role::Server, calm(), engine_io::server());
    // A program that has the frames only: each of them is a sign of life.
    for _ in 0..20 {
        desk.pass(secs(4));
        assert!(!desk.hear(Inbound::Pong(b"here I am")));
        desk.judge();
        desk.write();
    }
    assert_eq!(desk.machine.verdict(), None);
    assert_eq!(desk.machine.stats().answers, 0);
    // A Ping frame is still answered by the library.
    assert!(!desk.hear(Inbound::Ping(b"?")));
    assert!(desk.session.wants_flush());
}

#[test]
fn where_only_answers_count_a_frame_is_none() {
    let config = calm().evidence(Evidence::PongOnly);
    let mut desk = Desk::speaking(Role::Server, config, engine_io::server());
    let mut heard = 0;
    let verdict = desk.verdict_by_turns(Timestamp::from_secs(60), |desk| {
        desk.hear(Inbound::Pong(b"here I am"));
        desk.write();
        heard += 1;
    });
    assert_eq!(verdict, Some(Reason::PingTimeout));
    assert!(heard > 2);
}

/// A codec of the program's own, for what no dialect can read.
#[test]
fn what_the_programs_codec_heard_is_handed_in_as_it_is() {
    let mut desk = Desk::new(Role::Client);
    desk.ping_due();
    assert_eq!(desk.write(), ["ping", "flush"]);
    let awaited = desk.machine.awaited().unwrap();
    assert!(!desk.hear(Inbound::Heard(Heard::Answer(awaited))));
    assert_eq!(desk.machine.stats().answers, 1);
    assert!(!desk.hear(Inbound::Heard(Heard::Beat)));
    desk.answer("here");
    assert_eq!(desk.write(), ["answer here"]);
    assert!(desk.hear(Inbound::Heard(Heard::Data)) && desk.hear(Inbound::Data));
    let mut twin = desk.machine.clone();
    desk.hear(Inbound::Heard(Heard::SomeAnswer));
    twin.handle(Event::Pong(b""), desk.now);
    assert_eq!(desk.machine, twin);
}

#[test]
fn after_the_verdict_a_beat_is_owed_nothing() {
    let mut desk = Desk::speaking(Role::Client, calm(), engine_io::client());
    desk.machine.handle(Event::Violation(liveness::CloseCode::PROTOCOL_ERROR), desk.now);
    desk.judge();
    assert!(!desk.said("2"));
    assert_eq!(desk.write().iter().filter(|out| out.starts_with("answer")).count(), 0);
}
