//! A recording that is made on a real socket replays to the same life.

use liveness::driver::tungstenite::accept_raw;
use liveness::transcript::{Page, Recorder};
use liveness::{CloseCode, Config, Reason};
use tungstenite::Message;

use liveness_testing::assert_replays;
use liveness_testing::host::{Host, LONGER, Life, Watched, answer_pings, brisk, leave, outlasted, strict};
use liveness_testing::raw_peer::{CLOSE, PING, PONG, TEXT, close, frame, millis, sleep};

type Recorded = Watched<liveness::driver::tungstenite::CountingSocket<std::net::TcpStream>>;

/// A server that calls `act`, then reads until the end, with a recorder.
fn recorded(config: Config, act: impl FnOnce(&mut Recorded) + Send + 'static) -> Host<(Life, String)> {
    Host::open(move |stream| {
        let socket = accept_raw(stream, None).unwrap();
        let page = Page::default();
        let socket = socket.watch(config).observe(Recorder::new(page.clone()));
        let mut watched = Watched::new(socket);
        act(&mut watched);
        (watched.life(), page.text())
    })
}

#[test]
fn a_conversation_replays() {
    let host = recorded(brisk().build_const(), |life| {
        life.read_each(|socket, message| drop(socket.send(message.clone())));
    });
    let mut client = host.client();
    for _ in 0..3 {
        client.send(Message::text("hello")).unwrap();
        client.send(Message::Ping("?".into())).unwrap();
        answer_pings(&mut client, 2);
    }
    leave(client);
    let (life, text) = host.join();
    life.assert_closed_by_peer();
    for line in ["> online", "< data", "< ping\n", "< wrote", "< ping-sent", "< pong #1", "< close 1000"] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert_replays(&text);
}

#[test]
fn a_stall_replays() {
    let host = recorded(outlasted().build_const(), |life| {
        for stall in [millis(300), LONGER, millis(300)] {
            life.read_one(|_, _| sleep(stall));
        }
    });
    let mut client = host.client();
    for _ in 0..3 {
        client.send(Message::text("hello")).unwrap();
        answer_pings(&mut client, 3);
    }
    leave(client);
    let (life, text) = host.join();
    life.assert_closed_by_peer();
    assert!(text.contains("< stall "), "{text}");
    assert_replays(&text);
}

#[test]
fn a_death_after_a_stall_replays() {
    let host = recorded(strict().build_const(), |life| life.read_one(|_, _| sleep(millis(900))));
    let mut peer = host.peer();
    let (_, payload) = peer.next_of(PING);
    peer.write(&[frame(PONG, &payload), frame(TEXT, b"last words")].concat());
    let (life, text) = host.join();
    assert_eq!(life.offline.reason(), Reason::PingTimeout);
    assert!(text.contains("> offline ping-timeout"), "{text}");
    assert_replays(&text);
}

#[test]
fn a_stalled_write_and_a_full_inbox_replay() {
    // The first ping waits behind the message, and is not sent before it.
    let config = strict().interval(millis(1000)).jitter(0).build_const();
    let host = recorded(config, |life| {
        drop(life.socket.send(Message::binary(vec![0; 32 << 20])));
    });
    let mut peer = host.peer();
    peer.write(&frame(TEXT, b"this and that").repeat(100));
    peer.write_until_the_end(&frame(TEXT, b"and another thing"), millis(5));
    let (life, text) = host.join();
    assert_eq!(life.offline.reason(), Reason::WriteStalled);
    assert!(text.contains("< read-paused"), "{text}");
    assert_replays(&text);
}

#[test]
fn commands_replay() {
    let host = recorded(brisk().build_const(), |life| {
        life.socket.probe();
        life.read_one(|socket, _| socket.probe());
        life.read_one(|socket, _| socket.close(CloseCode::GOING_AWAY, "enough"));
    });
    let mut peer = host.peer();
    for _ in 0..2 {
        let (_, payload) = peer.next_of(PING);
        peer.write(&[frame(PONG, &payload), frame(TEXT, b"here")].concat());
    }
    peer.next_of(CLOSE);
    peer.write(&close(1001, ""));
    let (life, text) = host.join();
    assert_eq!(life.offline.reason(), Reason::LocalClosed);
    for line in ["< probe", "< local-close 1001"] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert_replays(&text);
}
