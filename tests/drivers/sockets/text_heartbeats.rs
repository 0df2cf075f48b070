//! Heartbeats in text messages, with the blocking driver. The peer is a program that sees no control frames.

use std::net::TcpStream;
use std::time::Duration;

use liveness::dialect::TextHeartbeats;
use liveness::driver::tungstenite::accept_raw;
use liveness::{Config, Evidence, Reason, Schedule, TextHeartbeat};
use tungstenite::{Message, WebSocket};

use liveness_testing::host::{Host, Life, Watched, brisk, leave, live_for, strict};
use liveness_testing::raw_peer::{TEXT, frame, millis};

fn beating(config: Config) -> Host<Life> {
    Host::open(move |stream| {
        let socket = accept_raw(stream, None).unwrap();
        Watched::new(socket.watch(config).dialect(TextHeartbeats)).life()
    })
}

/// Receives this many pings, and answers them.
fn answer(client: &mut WebSocket<TcpStream>, pings: u32) {
    for _ in 0..pings {
        let message = client.read().unwrap();
        let heartbeat = TextHeartbeat::parse(message.to_text().unwrap()).expect("nothing else is said");
        client.send(Message::text(heartbeat.answer().unwrap().to_string())).unwrap();
    }
}

#[test]
fn a_program_that_answers_in_text_lives_where_only_answers_count() {
    let host = beating(brisk().evidence(Evidence::PongOnly).schedule(Schedule::Steady).build_const());
    let mut client = host.client();
    answer(&mut client, 12);
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert!(life.stats.answers >= 12, "{life:?}");
    assert_eq!(life.messages, []);
    assert!(life.rtt.is_some());
}

#[test]
fn a_library_that_answers_frames_for_a_program_that_hangs_does_not_keep_it() {
    let host = beating(strict().build_const());
    let mut client = host.client();
    while client.read().is_ok() {}
    assert_eq!(host.join().offline.reason(), Reason::PingTimeout);
}

#[test]
fn pings_of_the_program_are_answered_and_nothing_of_it_is_shown() {
    let host = beating(brisk().interval(Duration::MAX).build_const());
    let mut client = host.client();
    for number in 0..20 {
        client.send(Message::text(format!("ping {number:016x}"))).unwrap();
        assert_eq!(client.read().unwrap(), Message::text(format!("pong {number:016x}")));
    }
    client.send(Message::text("ping me tomorrow")).unwrap();
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, [Message::text("ping me tomorrow")]);
}

/// The Close comes in one segment with the ping. It is a proper Close, although we still have an answer to send.
#[test]
fn a_close_right_behind_a_ping_is_a_proper_close() {
    for _ in 0..20 {
        let host = beating(brisk().build_const());
        let mut client = host.client();
        client.write(Message::text("ping 0000000000000001")).unwrap();
        leave(client);
        host.join().assert_closed_by_peer();
    }
}

#[test]
fn a_flood_of_pings_in_text_is_a_flood() {
    let host = beating(brisk().build_const());
    let mut client = host.client();
    while client.write(Message::text("ping 0000000000000001")).and_then(|()| client.flush()).is_ok() {
        live_for_nothing(&mut client);
    }
    assert_eq!(host.join().offline.reason(), Reason::PingFlood);
}

/// Its pings are evidence, until we have so many answers to send that we stop reading.
#[test]
fn a_program_that_asks_and_never_reads_is_given_up() {
    let host = Host::open(move |stream| {
        let socket = accept_raw(stream, None).unwrap();
        // The first ping waits behind the message, and is not sent before it.
        let config = strict().interval(millis(1000)).jitter(0).unlimited_control_frames();
        let socket = socket.watch(config.build_const());
        let mut watched = Watched::new(socket.dialect(TextHeartbeats));
        let offline = watched.socket.send(Message::binary(vec![0; 48 << 20])).unwrap_err();
        assert_eq!(offline.reason(), Some(Reason::WriteStalled));
        watched.life()
    });
    host.peer().write_until_the_end(&frame(TEXT, b"ping 0000000000000001"), millis(10));
    assert_eq!(host.join().offline.reason(), Reason::WriteStalled);
}

/// Takes what is there, so that the answers have room.
fn live_for_nothing(client: &mut WebSocket<TcpStream>) {
    client.get_ref().set_nonblocking(true).unwrap();
    let _ = client.read();
    client.get_ref().set_nonblocking(false).unwrap();
}

/// Frames keep their meaning beside them.
#[test]
fn ping_frames_are_answered_by_the_library_as_ever() {
    let host = beating(brisk().interval(Duration::MAX).build_const());
    let mut client = host.client();
    client.send(Message::Ping("frame".into())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong("frame".into()));
    assert_eq!(live_for(&mut client, millis(100)), []);
    leave(client);
    host.join().assert_closed_by_peer();
}
