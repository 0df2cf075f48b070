//! Callers that do not call, and a process that was not scheduled, lose no peer.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use liveness::{Config, Evidence, Reason};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use liveness_testing::host::{LONGER, answer_pings, brisk, leave, outlasted, served, strict};
use liveness_testing::raw_peer::{PING, PONG, TEXT, close, frame, millis, sleep};

/// Sends something, then answers pings until the server's stall is over, and some more.
fn outlast(mut client: WebSocket<TcpStream>) {
    client.send(Message::text("hello")).unwrap();
    answer_pings(&mut client, 5);
    leave(client);
}

#[test]
fn a_caller_that_does_not_read_for_long_loses_nobody() {
    let host = served(outlasted().build_const(), None, |life| life.read_one(|_, _| sleep(LONGER)));
    outlast(host.client());
    host.join().assert_closed_by_peer();
}

#[test]
fn a_caller_that_does_not_read_for_long_loses_nobody_where_only_pongs_count() {
    const CONFIG: Config = outlasted().evidence(Evidence::PongOnly).build_const();
    let host = served(CONFIG, None, |life| life.read_one(|_, _| sleep(LONGER)));
    outlast(host.client());
    host.join().assert_closed_by_peer();
}

/// The stall begins while an answer is awaited. The answer arrives during it.
#[test]
fn an_answer_that_came_while_we_did_not_look_is_an_answer() {
    let host = served(outlasted().evidence(Evidence::PongOnly).build_const(), None, |life| {
        life.read_one(|_, _| sleep(LONGER));
    });
    let mut peer = host.peer();
    let (_, payload) = peer.next_of(PING);
    peer.write(&frame(TEXT, b"this wakes the caller"));
    sleep(millis(100));
    peer.write(&frame(PONG, &payload));
    // The next ping comes when the stall is over.
    peer.next_of(PING);
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.stats.answers, 1, "{life:?}");
}

/// More than the inbox and the kernel keep.
#[test]
fn what_is_said_while_we_do_not_read_is_kept() {
    const COUNT: usize = 20_000;
    let host = served(outlasted().build_const(), None, |life| {
        life.read_each(|_, message| {
            if message.is_text() {
                sleep(LONGER);
            }
        });
    });
    let mut client = host.client();
    client.send(Message::text("hello")).unwrap();
    for n in 0..COUNT {
        client.write(Message::binary(vec![n as u8; 1000])).unwrap();
    }
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages.len(), COUNT + 1);
    assert!(
        life.messages[1..].iter().enumerate().all(|(n, message)| message.clone().into_data()[0] == n as u8)
    );
}

/// The peer's messages fill our inbox while a slow download keeps us writing. They are kept, in order.
#[test]
fn what_is_said_while_we_write_is_kept_in_order() {
    const DOWNLOAD: usize = 32 << 20;
    let host = served(brisk().build_const(), None, |life| {
        // The peer may have closed by the time this is sent.
        let _ = life.socket.send(Message::binary(vec![0; DOWNLOAD]));
    });
    let mut client = host.client();
    let stream = client.get_ref().try_clone().unwrap();
    let mut talker = WebSocket::from_raw_socket(stream, Role::Client, None);
    let talk = thread::spawn(move || {
        for n in 0..1000 {
            talker.send(Message::text(n.to_string())).unwrap();
        }
    });
    client.set_config(|settings| settings.max_frame_size = Some(DOWNLOAD));
    sleep(millis(300));
    loop {
        if let Message::Binary(bytes) = client.read().unwrap() {
            assert_eq!(bytes.len(), DOWNLOAD);
            break;
        }
    }
    talk.join().unwrap();
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    let said: Vec<Message> = (0..1000).map(|n| Message::text(n.to_string())).collect();
    assert_eq!(life.messages, said);
}

/// It sends now and then and never reads. Pongs are still read, and pings are still answered.
#[test]
fn a_caller_that_only_sends_keeps_its_peer() {
    let host = served(outlasted().evidence(Evidence::PongOnly).build_const(), None, |life| {
        // The peer may have closed by the time the last one is sent.
        for _ in 0..50 {
            let _ = life.socket.send(Message::text("news"));
            sleep(LONGER / 50);
        }
    });
    let mut client = host.client();
    client.send(Message::Ping("there?".into())).unwrap();
    let (mut news, mut pongs) = (0, 0);
    while news < 50 {
        match client.read().unwrap() {
            Message::Text(_) => news += 1,
            Message::Pong(payload) => {
                assert_eq!(payload, "there?".as_bytes());
                pongs += 1;
            }
            Message::Binary(_) | Message::Ping(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(pongs, 1);
    assert!(life.stats.answers > 3, "{life:?}");
}

/// Looks for a moment at a time. Between two looks it sends what others want to send.
#[test]
fn a_caller_that_looks_for_a_moment_hears_everything_and_gets_its_turn() {
    let host = served(brisk().build_const(), None, |life| {
        let mut turns = 0;
        while life.messages.len() < 3 {
            match life.socket.read_within(millis(5)).unwrap() {
                Some(message) => life.messages.push(message),
                None => {
                    turns += 1;
                    if turns == 20 {
                        life.socket.send(Message::text("from another")).unwrap();
                    }
                }
            }
        }
    });
    let mut client = host.client();
    client.send(Message::text("one")).unwrap();
    let mut heard = Vec::new();
    while heard.is_empty() {
        heard = answer_pings(&mut client, 1);
    }
    assert_eq!(heard, [Message::text("from another")]);
    client.send(Message::text("two")).unwrap();
    client.send(Message::text("three")).unwrap();
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, ["one", "two", "three"].map(Message::text));
    assert!(life.stats.answers > 0, "no heartbeat between the looks: {life:?}");
}

/// The client sends nothing before the server has sent something, and no ping comes that could end a wait.
#[test]
fn a_look_without_patience_does_not_wait_and_takes_what_is_there() {
    let host = served(brisk().interval(Duration::MAX).build_const(), None, |life| {
        assert_eq!(life.socket.read_within(Duration::ZERO).unwrap(), None);
        life.socket.send(Message::text("go")).unwrap();
        while life.messages.is_empty() {
            life.messages.extend(life.socket.read_within(Duration::ZERO).unwrap());
            thread::yield_now();
        }
    });
    let mut client = host.client();
    assert_eq!(client.read().unwrap(), Message::text("go"));
    client.send(Message::text("gone")).unwrap();
    leave(client);
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.messages, [Message::text("gone")]);
}

#[test]
fn a_short_look_after_a_long_one_is_short() {
    // No ping ends a look. A look that is not short would last until the client loses its patience.
    let host = served(brisk().interval(Duration::MAX).build_const(), None, |life| {
        life.read_one(|_, _| ());
        assert_eq!(life.socket.read_within(millis(20)).unwrap(), None);
        // The peer may have closed by the time this is sent.
        let _ = life.socket.send(Message::text("done"));
    });
    let mut client = host.client();
    // Until the server waits.
    sleep(millis(100));
    client.send(Message::text("hello")).unwrap();
    assert_eq!(client.read().unwrap(), Message::text("done"));
    leave(client);
    host.join().assert_closed_by_peer();
}

#[test]
fn a_peer_that_dies_between_two_looks_is_given_up() {
    let host =
        served(strict().build_const(), None, |life| while life.socket.read_within(millis(5)).is_ok() {});
    let peer = host.peer();
    assert_eq!(host.join().offline.reason(), Reason::PingTimeout);
    drop(peer);
}
