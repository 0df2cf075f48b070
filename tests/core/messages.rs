//! The texts for people: reasons, codes, and the line that says why.

use std::collections::BTreeSet;
use std::time::Duration;

use liveness::{
    Action, CloseCode, Config, ConfigBuilder, Event, Evidence, Liveness, Reason, Status, TextHeartbeat,
    Timestamp,
};
use liveness_testing::REASONS;

#[test]
fn each_reason_has_its_words_its_name_and_the_code_that_a_script_would_see() {
    let mut named = BTreeSet::new();
    for (reason, words, name, code) in [
        (Reason::PingTimeout, "no answer to a ping in time", "ping-timeout", 1006),
        (Reason::WriteStalled, "nothing could be written for too long", "write-stalled", 1006),
        (Reason::Silent, "nothing was received for too long", "silent", 1006),
        (Reason::Idle, "no data was received for too long", "idle", 1006),
        (Reason::PingFlood, "too many control frames", "ping-flood", 1006),
        (
            Reason::ProtocolError(CloseCode::TOO_BIG),
            "what was received breaks the protocol",
            "protocol-error 1009",
            1006,
        ),
        (Reason::PeerClosed(Some(1001)), "closed by the peer", "peer-closed 1001", 1001),
        (Reason::PeerClosed(None), "closed by the peer", "peer-closed", 1005),
        (Reason::TransportClosed, "the transport was closed", "transport-closed", 1006),
        (Reason::LocalClosed, "closed by this side", "local-closed", 1000),
    ] {
        assert_eq!((reason.description(), reason.to_string().as_str()), (words, name));
        assert_eq!(reason.connection_close_code(), code, "{name}");
        // RFC 6455 5.5: each fits into a Close frame, beside its code.
        assert!((1..=123).contains(&words.len()), "{name}");
        named.extend(name.split(' ').next());
    }
    assert_eq!(named, BTreeSet::from(REASONS));
    assert_eq!((CloseCode::TIMEOUT.get(), CloseCode::GOING_AWAY.to_string().as_str()), (3008, "1001"));
}

#[test]
fn a_code_that_may_not_go_on_the_wire_is_named_with_the_reason() {
    for (code, why) in [
        (1004, "it is reserved"),
        (1005, "that a Close frame had no code"),
        (1006, "that no Close frame came"),
        (1015, "that the TLS handshake failed"),
        (999, "codes are 1000 to 4999"),
        (5000, "codes are 1000 to 4999"),
    ] {
        let error = CloseCode::try_from(code).unwrap_err();
        assert_eq!(error.code(), code);
        let said = error.to_string();
        assert!(
            said.starts_with(&format!("{code} may not go on the wire: ")) && said.contains(why),
            "{said}"
        );
    }
    assert_eq!(CloseCode::try_from(3008).map(u16::from), Ok(3008));
}

#[test]
fn actions_and_states_are_shown_in_the_words_of_a_transcript() {
    let Some(TextHeartbeat::Ping(payload)) = TextHeartbeat::parse("ping 0123456789abcdef") else {
        panic!("it is one")
    };
    for (action, says) in [
        (Action::MarkOnline, "online"),
        (Action::SendPing(payload), "ping 0123456789abcdef"),
        (Action::MarkSuspect, "suspect"),
        (Action::MarkOffline(Reason::PeerClosed(Some(1001))), "offline peer-closed 1001"),
        (Action::Close(Some(CloseCode::TIMEOUT)), "close 3008"),
        (Action::Close(None), "close"),
        (Action::Disconnect, "disconnect"),
    ] {
        assert_eq!(action.to_string(), says);
    }
    for (status, says) in
        [(Status::Online, "online"), (Status::Suspect, "suspect"), (Status::Offline, "offline")]
    {
        assert_eq!((status.to_string(), format!("{status:>9}|")), (says.to_owned(), format!("{says:>9}|")));
    }
}

fn machine(set: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Liveness {
    let config =
        Config::builder().interval(Duration::from_secs(5)).timeout(Duration::from_secs(10)).jitter(0);
    Liveness::new(set(config).build().unwrap(), 1, Timestamp::ZERO)
}

/// Polls at these seconds. Returns what was handed out last.
fn poll(machine: &mut Liveness, seconds: &[u64]) -> Option<Action> {
    let polls = seconds.iter().map(|second| Timestamp::from_secs(*second));
    polls.flat_map(|now| std::iter::from_fn(|| machine.poll(now)).collect::<Vec<_>>()).last()
}

/// The machine's report at this second.
#[track_caller]
fn says(machine: &Liveness, second: u64, line: &str) {
    assert_eq!(machine.report(Timestamp::from_secs(second)).to_string(), line);
}

#[test]
fn the_report_says_what_is_awaited_and_since_when() {
    let mut peer = machine(|config| config);
    says(&peer, 2, "no ping outstanding; nothing heard since the start, 2.0 s ago; 0 answered");
    poll(&mut peer, &[0, 5]);
    says(
        &peer,
        6,
        "no answer to ping 1, handed out 1.0 s ago; nothing heard since the start, 6.0 s ago; 0 answered",
    );
    peer.handle(Event::Data, Timestamp::from_millis(6_500));
    says(&peer, 7, "no ping outstanding; last heard 500 ms ago (data); 0 answered");
    peer.handle(Event::ReadPaused, Timestamp::from_secs(7));
    says(&peer, 8, "no ping outstanding; not reading; last heard 1.5 s ago (data); 0 answered");
    peer.handle(Event::ReadResumed, Timestamp::from_secs(8));
    says(&peer, 8, "no ping outstanding; last heard 1.5 s ago (data); 0 answered");
}

#[test]
fn the_report_tells_a_ping_that_is_not_written_from_one_that_is_not_answered() {
    let mut peer = machine(|config| config.write_timeout(Duration::from_secs(3)).last_look(Duration::ZERO));
    poll(&mut peer, &[0, 5]);
    says(
        &peer,
        6,
        "ping 1 not written yet, handed out 1.0 s ago; nothing heard since the start, 6.0 s ago; 0 answered",
    );
    let mut sent = peer.clone();
    poll(&mut peer, &[8]);
    assert_eq!(peer.verdict(), Some(Reason::WriteStalled));
    says(
        &peer,
        9,
        "ping 1 not written yet, handed out 4.0 s ago; nothing heard since the start, 9.0 s ago; 0 answered",
    );
    sent.handle(Event::PingSent, Timestamp::from_secs(6));
    poll(&mut sent, &[16]);
    assert_eq!(sent.verdict(), Some(Reason::PingTimeout));
    says(
        &sent,
        17,
        "no answer to ping 1, handed out 12.0 s ago; nothing heard since the start, 17.0 s ago; 0 answered",
    );
}

#[test]
fn the_report_of_several_pings_says_since_when_an_answer_is_waited_for() {
    let mut peer = machine(|config| config.timeout(Duration::from_secs(20)));
    poll(&mut peer, &[0, 5, 10]);
    says(
        &peer,
        11,
        "no answer for 6.0 s to pings up to 2; nothing heard since the start, 11.0 s ago; 0 answered",
    );
}

#[test]
fn the_report_of_every_other_end_is_its_reason_in_words() {
    let mut peer = machine(|config| config);
    peer.handle(Event::Close(Some(1001)), Timestamp::from_secs(1));
    says(&peer, 1, "closed by the peer with code 1001; nothing heard since the start, 1.0 s ago; 0 answered");
    let mut peer = machine(|config| config);
    peer.close(CloseCode::NORMAL, Timestamp::from_secs(1));
    says(&peer, 1, "closed by this side; nothing heard since the start, 1.0 s ago; 0 answered");
}

#[test]
fn where_only_pongs_count_the_report_speaks_of_answers_alone() {
    let mut peer = machine(|config| config.evidence(Evidence::PongOnly));
    peer.handle(Event::Data, Timestamp::from_secs(1));
    says(&peer, 2, "no ping outstanding; no answer since the start, 2.0 s ago; 0 answered");
    let Some(Action::SendPing(payload)) = poll(&mut peer, &[0, 5]) else { panic!("no ping") };
    peer.handle(Event::Pong(payload.as_bytes()), Timestamp::from_millis(5_040));
    says(&peer, 6, "no ping outstanding; last answer 960 ms ago; 1 answered, srtt 40 ms");
}

#[test]
fn short_times_are_told_in_small_units() {
    for (micros, says) in [
        (0, "0 us"),
        (999, "999 us"),
        (1_000, "1 ms"),
        (999_999, "999 ms"),
        (1_000_000, "1.0 s"),
        (61_990_000, "61.9 s"),
    ] {
        let report = machine(|config| config).report(Timestamp::from_micros(micros)).to_string();
        assert!(report.contains(&format!("since the start, {says} ago;")), "{micros} us: {report}");
    }
}

#[test]
fn a_beat_is_read_as_it_is_written_and_nothing_else_is_one() {
    for digits in ["0000000000000000", "0123456789abcdef", "ffffffffffffffff", "8000000000000001"] {
        let ping = TextHeartbeat::parse(&format!("ping {digits}")).unwrap();
        let pong = TextHeartbeat::parse(&format!("pong {digits}")).unwrap();
        assert_eq!(
            (ping.to_string(), pong.to_string()),
            (format!("ping {digits}"), format!("pong {digits}"))
        );
        assert_eq!((ping.answer(), pong.answer()), (Some(pong), None));
        let TextHeartbeat::Pong(payload) = pong else { panic!("{pong}") };
        assert_eq!((ping.event(), pong.event()), (Event::Ping, Event::Pong(payload.as_bytes())));
        assert_eq!(u64::from_be_bytes(*payload.as_bytes()), u64::from_str_radix(digits, 16).unwrap());
    }
    for other in
        ["", "ping", "ping ", "ping 0123456789abcde", "ping 0123456789abcdef0", "ping 0123456789abcdeF"]
    {
        assert_eq!(TextHeartbeat::parse(other), None, "{other}");
    }
    for other in
        ["ping 0123456789abcde/", "ping 0123456789abcde:", "ping 0123456789abcde`", "ping 0123456789abcdeg"]
    {
        assert_eq!(TextHeartbeat::parse(other), None, "{other}");
    }
    for other in
        ["pang 0123456789abcdef", " ping 0123456789abcdef", "ping 0123456789abcdef ", "ping +123456789abcdef"]
    {
        assert_eq!(TextHeartbeat::parse(other), None, "{other}");
    }
}
