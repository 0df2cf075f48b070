//! Frames that break the protocol: the right code, no panic, and the cause is kept.

use std::net::Shutdown;
use std::time::Duration;

use liveness::sim::Rng;
use liveness::{CloseCode, Reason};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message};

use liveness_testing::host::{Life, brisk, served};
use liveness_testing::raw_peer::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, close, code_and_text, frame, header, part, unmasked,
};

/// The life of a peer that sends `hello` and then these bytes, and gets this code.
#[track_caller]
fn fails(bytes: &[u8], code: u16) -> Life {
    let mut settings = WebSocketConfig::default();
    settings.max_frame_size = Some(1000);
    settings.max_message_size = Some(2000);
    let host = served(brisk().build_const(), Some(settings), |_| ());
    let mut peer = host.peer();
    peer.write(&[frame(TEXT, b"hello"), bytes.to_vec()].concat());
    let (heard, text) = code_and_text(&peer.final_close());
    assert_eq!(heard, code, "{text}");
    drop(peer);
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::ProtocolError(CloseCode::new(code).unwrap()));
    let cause = life.offline.cause().expect("a cause").to_string();
    assert!(cause.starts_with(&text) && !text.is_empty(), "{text} is not how {cause} begins");
    assert_eq!(life.messages, [Message::text("hello")]);
    life
}

#[test]
fn an_unmasked_frame_is_1002() {
    fails(&unmasked(TEXT, b"bare"), 1002);
}

#[test]
fn reserved_bits_are_1002() {
    for bit in [0x40, 0x20, 0x10] {
        fails(&part(FIN | bit | TEXT, b"x"), 1002);
    }
}

#[test]
fn unknown_opcodes_are_1002() {
    for opcode in [3, 7, 11, 15] {
        fails(&frame(opcode, b""), 1002);
    }
}

#[test]
fn a_control_frame_of_126_bytes_is_1002() {
    fails(&frame(PING, &[0; 126]), 1002);
}

#[test]
fn a_control_frame_in_fragments_is_1002() {
    fails(&part(PING, b"?"), 1002);
}

#[test]
fn fragments_out_of_order_are_1002() {
    fails(&frame(CONTINUATION, b"of nothing"), 1002);
    fails(&[part(TEXT, b"one"), frame(TEXT, b"two")].concat(), 1002);
}

#[test]
fn a_close_of_one_byte_is_1002() {
    fails(&frame(CLOSE, &[3]), 1002);
}

#[test]
fn text_that_is_not_utf8_is_1007() {
    let life = fails(&frame(TEXT, b"\xff"), 1007);
    assert!(matches!(life.offline.cause(), Some(Error::Utf8(_))));
    fails(&[part(TEXT, b"\xc3"), frame(CONTINUATION, b"\xc3")].concat(), 1007);
}

#[test]
fn a_closing_text_that_is_not_utf8_is_1007() {
    fails(&frame(CLOSE, &[3, 232, 0xff]), 1007);
}

#[test]
fn a_frame_or_a_message_that_is_too_big_is_1009() {
    let life = fails(&header(FIN | BINARY, 1001), 1009);
    assert!(matches!(life.offline.cause(), Some(Error::Capacity(_))));
    fails(&header(FIN | BINARY, 1 << 63), 1009);
    fails(&header(FIN | BINARY, u64::MAX), 1009);
    fails(&[part(BINARY, &[0; 1000]), part(CONTINUATION, &[0; 1000]).repeat(2)].concat(), 1009);
}

/// What follows is not even read.
#[test]
fn nothing_after_the_wrong_frame_counts() {
    let life = fails(&[frame(TEXT, b"\xff"), frame(TEXT, b"sorry"), close(1000, "")].concat(), 1007);
    assert!(matches!(life.offline.cause(), Some(Error::Utf8(_))));
}

/// The peer has gone before it can be told. The cause is still what it did.
#[test]
fn a_wrong_frame_and_a_hasty_end_keep_the_first_cause() {
    let host = served(brisk().build_const(), None, |life| life.read_one(|_, _| ()));
    let mut peer = host.peer();
    peer.write(&[frame(TEXT, b"hello"), unmasked(TEXT, b"bare")].concat());
    drop(peer);
    let life = host.join();
    assert_eq!(life.offline.reason(), Reason::ProtocolError(CloseCode::PROTOCOL_ERROR));
    let cause = life.offline.cause();
    assert!(matches!(cause, Some(Error::Protocol(_))), "{cause:?}");
}

#[test]
fn noise_is_refused_with_a_code_and_never_a_panic() {
    let (mut rng, mut refused) = (Rng::new(7), 0);
    for _ in 0..50 {
        let noise: Vec<u8> = (0..64).map(|_| rng.below(256) as u8).collect();
        let host = served(brisk().interval(Duration::MAX).build_const(), None, |_| ());
        let mut peer = host.peer();
        peer.write(&noise);
        let _ = peer.0.shutdown(Shutdown::Write);
        let last = std::iter::from_fn(|| peer.next_frame()).last();
        let reason = host.join().offline.reason();
        if let Reason::ProtocolError(violation) = reason {
            let (code, _) = code_and_text(&last.expect("a Close"));
            assert!([1002, 1007, 1009].contains(&code), "{code} to {noise:?}");
            assert_eq!(code, violation.get());
            refused += 1;
        } else {
            // It happens to be the start of a frame, which never ends.
            assert_eq!((reason, last), (Reason::TransportClosed, None), "{noise:?}");
        }
    }
    assert!(refused >= 40, "{refused}");
}
