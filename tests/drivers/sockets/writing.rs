//! What goes out: in order, complete, and without delay.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use liveness::driver::tungstenite::{CountingSocket, Error, accept_over};
use liveness::{Clock, Timestamp};
use tungstenite::Message;
use tungstenite::protocol::WebSocketConfig;

use liveness_testing::host::{Host, LONGER, Stingy, Watched, brisk, echo, leave, outlasted, served};
use liveness_testing::raw_peer::{BINARY, PATIENCE, PING, PONG, TEXT, close, frame, sleep};

const MIB: usize = 1 << 20;

/// A peer that sends nothing must not slow down what it is sent. While the driver has something to write, it looks for 5
/// ms for something to read. If it did so for each message, this would take twice as long as allowed.
#[test]
fn sending_to_a_silent_peer_takes_no_time() {
    const COUNT: u32 = 24_000;
    let host = served(brisk().timeout(PATIENCE).build_const(), None, |life| {
        let clock = Clock::new();
        for _ in 0..COUNT {
            life.socket.send(Message::text("tick")).unwrap();
        }
        assert!(clock.now() < Timestamp::ZERO + PATIENCE, "it waits for each");
        let _ = life.socket.send(Message::binary(Vec::new()));
    });
    let mut client = host.client();
    let mut ticks = 0;
    loop {
        let message = client.read().unwrap();
        ticks += u32::from(message.is_text());
        if message.is_binary() {
            break;
        }
    }
    assert_eq!(ticks, COUNT);
    leave(client);
    host.join().assert_closed_by_peer();
}

#[test]
fn a_probe_goes_out_before_what_is_said_after_it() {
    let host = served(brisk().interval(PATIENCE).timeout(PATIENCE).jitter(0).build_const(), None, |life| {
        life.socket.probe();
        // The peer may have closed by the time this is sent.
        let _ = life.socket.send(Message::text("and another thing"));
    });
    let mut peer = host.peer();
    assert_eq!([peer.next_frame(), peer.next_frame()].map(|frame| frame.unwrap().0), [PING, TEXT]);
    peer.write(&close(1000, ""));
    host.join().assert_closed_by_peer();
}

#[test]
fn large_messages_come_back_whole() {
    let host = echo(brisk().build_const());
    let mut client = host.client();
    for size in [0, 125, 126, 65_535, 65_536, 3 * MIB] {
        client.send(Message::binary(vec![size as u8; size])).unwrap();
        let echo = loop {
            if let Message::Binary(bytes) = client.read().unwrap() {
                break bytes;
            }
        };
        assert!(echo == vec![size as u8; size], "{size} bytes came back as {}", echo.len());
    }
    leave(client);
    host.join().assert_closed_by_peer();
}

/// Both sides write before they read. Each must take what the other sends, otherwise neither makes progress.
#[test]
fn a_pong_is_read_in_the_middle_of_a_download() {
    let host = served(outlasted().write_timeout(PATIENCE).build_const(), None, |life| {
        // The peer may have closed by the time this is sent.
        let _ = life.socket.send(Message::binary(vec![0; 12 * MIB]));
    });
    let mut peer = host.peer();
    // It reads nothing for a while, and sends pings. What we write must not keep us from hearing them.
    for _ in 0..14 {
        peer.write(&frame(PING, b"wait"));
        sleep(LONGER / 14);
    }
    assert_eq!(peer.next_of(BINARY).1.len(), 12 * MIB);
    assert_eq!(peer.next_of(PONG).1, b"wait");
    peer.write(&close(1000, ""));
    host.join().assert_closed_by_peer();
}

fn narrow() -> Option<WebSocketConfig> {
    let mut settings = WebSocketConfig::default();
    settings.write_buffer_size = 0;
    settings.max_write_buffer_size = 8 * MIB;
    Some(settings)
}

#[test]
fn a_message_that_no_buffer_can_hold_is_refused_and_the_connection_lives() {
    let host = served(brisk().build_const(), narrow(), |life| {
        life.read_one(|_, _| ());
        let refused = life.socket.send(Message::binary(vec![0; 9 * MIB])).unwrap_err();
        assert!(matches!(&refused, Error::TooLarge(message) if message.len() == 9 * MIB), "{refused}");
        assert!(refused.to_string().contains("9437184 bytes exceeds max_write_buffer_size"), "{refused}");
        life.socket.send(Message::text("small")).unwrap();
    });
    let mut peer = host.peer();
    peer.write(&[frame(TEXT, b"go"), frame(PING, b"?")].concat());
    assert_eq!(peer.next_of(TEXT).1, b"small");
    peer.write(&close(1000, ""));
    host.join().assert_closed_by_peer();
}

/// The socket has no room for a ping. The ping waits, and is not reported as sent before it is.
#[test]
fn a_full_buffer_loses_no_ping() {
    let host = Host::open(|stream| {
        // After the handshake, each of these writes fails, one every few milliseconds, until long after a ping is due.
        let stingy = Stingy { writes: 60, ..Stingy::never(stream) };
        let armed = Arc::clone(&stingy.armed);
        let socket = accept_over(CountingSocket::new(stingy), narrow()).unwrap();
        armed.store(true, Ordering::Relaxed);
        let mut watched = Watched::new(socket.watch(brisk().build_const()));
        // Ten bytes of header, and two to spare.
        let _ = watched.socket.send(Message::binary(vec![0; 8 * MIB - 12]));
        watched.life()
    });
    let mut peer = host.peer();
    assert_eq!(peer.next_frame().unwrap().1.len(), 8 * MIB - 12);
    for _ in 0..3 {
        let (_, payload) = peer.next_of(PING);
        peer.write(&frame(PONG, &payload));
    }
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(life.stats.answers, 3, "{life:?}");
}
