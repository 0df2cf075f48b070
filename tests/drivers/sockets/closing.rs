//! Ends that somebody chose: closes of either side, resets, and what was sent before them.

use std::net::Shutdown;
use std::sync::mpsc::channel;
use std::time::Duration;

use liveness::{CloseCode, Config, Reason};
use socket2::SockRef;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

use liveness_testing::host::{brisk, echo, leave, reader, served, strict};
use liveness_testing::raw_peer::{
    CLOSE, PATIENCE, PING, PONG, TEXT, close, code_and_text, frame, millis, sleep,
};

/// Closing may take as long as it likes, because here each life ends by itself.
const UNHURRIED: Config = Config::builder().close_timeout(Duration::from_secs(3600)).build_const();

#[test]
fn a_close_is_echoed_with_its_code() {
    for code in [1000, 1001, 1003, 1007, 1011, 3000, 4999] {
        let host = reader(UNHURRIED);
        let mut peer = host.peer();
        peer.write(&close(code, "bye"));
        assert_eq!(code_and_text(&peer.final_close()).0, code);
        drop(peer);
        assert_eq!(host.join().offline.reason(), Reason::PeerClosed(Some(code)));
    }
}

#[test]
fn a_close_without_a_code_is_echoed_without_one() {
    let host = reader(UNHURRIED);
    let mut peer = host.peer();
    peer.write(&frame(CLOSE, b""));
    assert_eq!(peer.final_close(), (CLOSE, Vec::new()));
    drop(peer);
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::PeerClosed(None));
    assert!(life.offline.cause().is_none());
}

#[test]
fn a_code_that_may_not_go_on_the_wire_is_answered_by_1002() {
    for code in [0, 999, 1005, 1006, 1015, 5000, u16::MAX] {
        let host = reader(UNHURRIED);
        let mut peer = host.peer();
        peer.write(&close(code, ""));
        assert_eq!(code_and_text(&peer.final_close()).0, 1002, "{code}");
        drop(peer);
        assert!(matches!(host.join().offline.reason(), Reason::PeerClosed(_)), "{code}");
    }
}

#[test]
fn a_peer_that_closes_and_never_hangs_up_is_cut_off() {
    let host = reader(brisk().build_const());
    let mut peer = host.peer();
    peer.write(&close(1000, ""));
    let life = host.join();
    life.assert_closed_by_peer();
    assert_eq!(code_and_text(&peer.final_close()).0, 1000);
}

#[test]
fn a_peer_that_talks_on_after_its_close_is_cut_off_and_not_heard() {
    let host = reader(brisk().build_const());
    let mut peer = host.peer();
    peer.write(&close(1000, ""));
    peer.write_until_the_end(&frame(TEXT, b"and another thing"), millis(0));
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::PeerClosed(Some(1000)));
    assert!(life.messages.is_empty(), "{}", life.messages.len());
}

#[test]
fn our_close_carries_its_code_and_text_and_ends_with_the_echo() {
    let host = served(UNHURRIED, None, |life| {
        life.socket.close(CloseCode::GOING_AWAY, "maintenance");
    });
    let mut peer = host.peer();
    let word = peer.next_frame().unwrap();
    assert_eq!(code_and_text(&word), (1001, "maintenance".to_owned()));
    peer.write(&frame(CLOSE, &word.1));
    assert_eq!(peer.next_frame(), None);
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::LocalClosed);
    assert!(life.offline.cause().is_none());
}

#[test]
fn our_close_needs_no_answer() {
    let host = served(strict().build_const(), None, |life| {
        life.socket.close(CloseCode::NORMAL, "");
    });
    let mut peer = host.peer();
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::LocalClosed);
    assert_eq!(code_and_text(&peer.final_close()), (1000, String::new()));
}

#[test]
fn a_close_that_is_sent_as_a_message_is_our_close() {
    // A code that must not be sent goes out as 1000.
    for (code, sent) in [(4001_u16, 4001), (1006, 1000)] {
        let host = served(strict().build_const(), None, move |life| {
            let frame = CloseFrame { code: code.into(), reason: "done".into() };
            life.socket.send(Message::Close(Some(frame))).unwrap();
            assert_eq!(life.socket.read().unwrap_err().reason(), Reason::LocalClosed);
        });
        let mut peer = host.peer();
        assert_eq!(code_and_text(&peer.final_close()), (sent, "done".to_owned()));
        host.join();
    }
}

/// RFC 6455 5.5: 125 bytes, two of them for the code. The text is cut between letters, not inside one.
#[test]
fn a_text_that_is_too_long_is_cut_between_two_letters() {
    let host = served(strict().build_const(), None, |life| {
        life.socket.close(CloseCode::NORMAL, &"ä".repeat(100));
    });
    let mut peer = host.peer();
    assert_eq!(code_and_text(&peer.final_close()), (1000, "ä".repeat(61)));
    host.join();
}

#[test]
fn what_arrives_between_our_close_and_its_echo_is_delivered() {
    let host = served(UNHURRIED, None, |life| life.socket.close(CloseCode::NORMAL, ""));
    let mut peer = host.peer();
    peer.next_of(CLOSE);
    peer.write(&frame(TEXT, b"one more"));
    peer.write(&close(1000, ""));
    let life = host.join();
    assert_eq!(life.messages, [Message::text("one more")]);
    assert_eq!(life.offline.reason(), Reason::LocalClosed);
}

#[test]
fn everything_said_before_a_close_is_delivered_before_the_end() {
    let host = reader(brisk().build_const());
    let mut peer = host.peer();
    let talk: Vec<u8> = (0..500).flat_map(|n| frame(TEXT, n.to_string().as_bytes())).collect();
    peer.write(&[talk, close(1000, "")].concat());
    let life = host.join();
    life.assert_closed_by_peer();
    let said: Vec<Message> = (0..500).map(|n| Message::text(n.to_string())).collect();
    assert_eq!(life.messages, said);
}

#[test]
fn everything_said_before_the_transport_ends_is_delivered() {
    let host = reader(UNHURRIED);
    let mut peer = host.peer();
    peer.write(&frame(TEXT, b"x").repeat(300));
    peer.0.shutdown(Shutdown::Write).unwrap();
    let life = host.join();
    assert_eq!((life.messages.len(), life.offline.reason()), (300, Reason::TransportClosed));
    assert!(life.offline.cause().is_some());
    assert_eq!(peer.next_frame(), None);
}

#[test]
fn a_reset_is_the_end_of_the_transport() {
    let host = reader(brisk().build_const());
    let peer = host.peer();
    SockRef::from(&peer.0).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::TransportClosed);
    let cause = life.offline.cause();
    assert!(matches!(cause, Some(Error::Io(_))), "{cause:?}");
    assert!(life.offline.to_string().starts_with("the transport was closed: "), "{}", life.offline);
}

#[test]
fn an_end_in_the_middle_of_a_frame_is_the_end_of_the_transport() {
    let host = reader(brisk().build_const());
    let mut peer = host.peer();
    let half = frame(TEXT, b"never finished");
    peer.write(&half[..9]);
    drop(peer);
    let life = host.join();
    assert_eq!((life.messages.len(), life.offline.reason()), (0, Reason::TransportClosed));
}

/// It sends more and leaves while we still answer the first message. Our writing fails, but what it sent is still read.
#[test]
fn a_peer_that_leaves_while_we_write_is_heard_to_its_last_message() {
    let (left, has_left) = channel();
    let host = served(brisk().build_const(), None, move |life| {
        life.read_one(|_, _| ());
        // Everything has arrived, and the sender is gone.
        has_left.recv_timeout(PATIENCE).unwrap();
        for _ in 0..3 {
            if life.socket.send(Message::text("answer")).is_err() {
                break;
            }
            sleep(millis(50));
        }
    });
    let mut peer = host.peer();
    peer.write(
        &[frame(TEXT, b"hello"), frame(TEXT, b"again"), frame(TEXT, b"bye"), close(1000, "")].concat(),
    );
    drop(peer);
    left.send(()).unwrap();
    let life = host.join();
    assert_eq!(life.messages.len(), 3, "{life:?}");
    assert_eq!(life.offline.reason(), Reason::PeerClosed(Some(1000)), "{life:?}");
}

/// The same with a pong that we must send. It cannot be written any more, and must not keep us from reading.
#[test]
fn a_pong_that_cannot_be_written_loses_no_message() {
    let (left, has_left) = channel();
    let host = served(brisk().build_const(), None, move |life| {
        life.read_one(|_, _| ());
        has_left.recv_timeout(PATIENCE).unwrap();
    });
    let mut peer = host.peer();
    let talk: Vec<u8> = (0..100).flat_map(|_| [frame(PING, b"?"), frame(TEXT, b"x")].concat()).collect();
    peer.write(&[frame(TEXT, b"hello"), talk, close(1000, "")].concat());
    drop(peer);
    left.send(()).unwrap();
    let life = host.join();
    assert_eq!(life.messages.len(), 101, "{:?}", life.offline);
    assert_eq!(life.offline.reason(), Reason::PeerClosed(Some(1000)));
}

/// It sent more than is kept, so more than can be read before the end is reported.
#[test]
fn a_peer_that_leaves_much_unread_keeps_no_sender_waiting() {
    let (left, has_left) = channel();
    let host = served(brisk().build_const(), None, move |life| {
        has_left.recv_timeout(PATIENCE).unwrap();
        while life.socket.send(Message::text("anybody?")).is_ok() {
            sleep(millis(20));
        }
    });
    let mut peer = host.peer();
    peer.write(&frame(TEXT, b"x").repeat(200));
    drop(peer);
    left.send(()).unwrap();
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::TransportClosed);
    assert!(life.messages.len() >= 64, "{life:?}");
}

#[test]
fn many_conversations_end_properly() {
    let host = echo(brisk().build_const());
    let mut client = host.client();
    for n in 0..200 {
        client.send(Message::text(n.to_string())).unwrap();
        // A ping may be in between.
        let echo = std::iter::repeat_with(|| client.read().unwrap()).find(Message::is_text);
        assert_eq!(echo, Some(Message::text(n.to_string())));
    }
    leave(client);
    assert_eq!(host.join().messages.len(), 200);
}

#[test]
fn a_peers_pings_are_answered_while_we_only_read() {
    let host = reader(brisk().build_const());
    let mut peer = host.peer();
    for n in 0..10_u8 {
        peer.write(&frame(PING, &[n; 125]));
        assert_eq!(peer.next_of(PONG).1, [n; 125]);
    }
    peer.write(&close(1000, ""));
    host.join().assert_closed_by_peer();
}
