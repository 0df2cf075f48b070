//! What the peers do. A panic says what a peer saw instead of the right thing.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use liveness_testing::eventually;
use liveness_testing::raw_peer::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Peer, TEXT, close, code_and_text, frame, header, millis,
    sleep,
};
use socket2::SockRef;

use crate::cases::{LATE, LIFE};
use crate::server::{Raw, Visit};
use crate::wire::Wire;

fn leave(mut peer: Raw, code: u16) {
    peer.write(&close(code, "bye"));
    assert_eq!(code_and_text(&peer.final_close()).0, code, "the echo");
}

/// Reads everything until the visit's end, and answers each ping with what `answer` makes of its payload.
fn answer_for(visit: &Visit<'_>, peer: &mut Raw, mut answer: impl FnMut(Vec<u8>) -> Option<Vec<u8>>) {
    while visit.clock.now() < visit.end && !visit.is_given_up() {
        match peer.next_frame() {
            Some((PING, payload)) => {
                if let Some(payload) = answer(payload) {
                    peer.write(&frame(PONG, &payload));
                }
            }
            Some(_) => {}
            None => return,
        }
    }
}

/// Reads up to the Close that carries the verdict.
fn hear_the_verdict(peer: &mut Raw, code: u16, text: &str) {
    assert_eq!(code_and_text(&peer.next_of(CLOSE)), (code, text.to_owned()));
}

const NO_ANSWER: &str = "no answer to a ping in time";

/// Holds the connection open until the server has hung up, and neither reads nor writes meanwhile.
pub(crate) fn freeze(visit: &Visit<'_>, mut peer: Raw) {
    visit.wait_until_done();
    let first = peer.next_frame().map(|frame| frame.0);
    assert_eq!(first, Some(PING));
    hear_the_verdict(&mut peer, 3008, NO_ANSWER);
    assert_eq!(peer.next_frame(), None, "the connection is still there");
}

/// Reads everything, and answers only the Close.
pub(crate) fn stay_mute(_: &Visit<'_>, mut peer: Raw) {
    hear_the_verdict(&mut peer, 3008, NO_ANSWER);
    peer.write(&close(3008, ""));
    assert_eq!(peer.next_frame(), None, "a frame after the Close");
}

/// Sends one frame that takes longer than the timeout. No pong can be sent inside it.
pub(crate) fn dribble(_: &Visit<'_>, mut peer: Raw) {
    const PIECES: usize = 100;
    const PIECE: usize = 100_000;
    peer.write(&header(FIN | BINARY, (PIECES * PIECE) as u64));
    for _ in 0..PIECES {
        peer.write(&[7; PIECE]);
        sleep(LIFE / PIECES as u32);
    }
    // The echo may come in fragments.
    let mut echoed = 0;
    while echoed < PIECES * PIECE {
        match peer.next_frame() {
            Some((BINARY | CONTINUATION, payload)) => echoed += payload.len(),
            Some((PING, _)) => {}
            other => panic!("{echoed} bytes of the echo, then {other:?}"),
        }
    }
    leave(peer, 1000);
}

/// Takes 20 MB, and answers the pings among them. The kernels would take the last 2 MB from the server at once. The peer reads
/// them for longer than the timeout.
pub(crate) fn read_slowly(_: &Visit<'_>, peer: Raw) {
    let mut left = 20_000_000;
    let mut peer = Peer(Slow { stream: peer.0, fast: left - 2_500_000 });
    peer.write(&frame(TEXT, format!("flood {left}").as_bytes()));
    while left > 0 {
        match peer.next_frame() {
            Some((BINARY | CONTINUATION, payload)) => left -= payload.len(),
            Some((PING, payload)) => peer.write(&frame(PONG, &payload)),
            Some((CLOSE, payload)) => {
                panic!("given up, {left} bytes before the end: {:?}", code_and_text(&(CLOSE, payload)))
            }
            other => panic!("{left} bytes before the end: {other:?}"),
        }
    }
    leave(Peer(peer.0.stream), 1000);
}

/// A stream that reads 4 MB a second, and after `fast` bytes 140 kB a second.
struct Slow {
    stream: Wire,
    fast: usize,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let share = if self.fast > 0 { 200_000 } else { 7_000 };
        let most = buffer.len().min(share);
        let count = self.stream.read(&mut buffer[..most])?;
        // TLS brings 16 KiB at most, however much room there is.
        sleep(millis(50).mul_f64(count as f64 / share as f64));
        self.fast = self.fast.saturating_sub(count);
        Ok(count)
    }
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Asks for more than two kernels can buffer, just after an answer, and reads none of it. So the next ping waits behind
/// it. In the end the server must hang up, although nobody reads what it has written.
pub(crate) fn stop_reading(visit: &Visit<'_>, mut peer: Raw) {
    let (_, payload) = peer.next_of(PING);
    peer.write(&[frame(PONG, &payload), frame(TEXT, b"flood 40000000")].concat());
    visit.wait_until_done();
    eventually("the connection ends", || peer.0.write_all(&frame(PONG, b"")).is_err());
}

/// Lets one ping go out, then talks without end and reads nothing. The echoes stay at the server. Talking does not excuse
/// that.
pub(crate) fn talk_unread(_: &Visit<'_>, mut peer: Raw) {
    peer.next_of(PING);
    peer.write_until_the_end(&frame(BINARY, &[7; 1000]), Duration::ZERO);
}

/// Answers each ping only when it is already suspect.
pub(crate) fn answer_late(_: &Visit<'_>, mut peer: Raw) {
    for _ in 0..3 {
        let (_, payload) = peer.next_of(PING);
        sleep(LATE);
        peer.write(&frame(PONG, &payload));
    }
    leave(peer, 1000);
}

/// Talks, and never answers a ping.
pub(crate) fn chat(visit: &Visit<'_>, mut peer: Raw) {
    while visit.clock.now() < visit.end && !visit.is_given_up() {
        peer.write(&frame(TEXT, b"hello"));
        assert_eq!(peer.next_of(TEXT).1, b"hello");
        sleep(millis(300));
    }
    leave(peer, 1000);
}

/// Talks, and is given up because only answers count.
pub(crate) fn chat_in_vain(visit: &Visit<'_>, mut peer: Raw) {
    while !visit.is_given_up() {
        peer.write(&frame(TEXT, b"hello"));
        sleep(millis(300));
    }
    hear_the_verdict(&mut peer, 3008, NO_ANSWER);
}

/// Sends only pongs that nobody asked for.
pub(crate) fn forge(visit: &Visit<'_>, mut peer: Raw) {
    while !visit.is_given_up() {
        peer.write(&frame(PONG, b"forgery!"));
        sleep(millis(300));
    }
    hear_the_verdict(&mut peer, 3008, NO_ANSWER);
}

/// Answers each ping with the first one's payload.
pub(crate) fn replay(visit: &Visit<'_>, mut peer: Raw) {
    let mut first = None;
    while !visit.is_given_up() {
        match peer.next_frame() {
            Some((PING, payload)) => peer.write(&frame(PONG, first.get_or_insert(payload))),
            Some((CLOSE, payload)) => {
                assert_eq!(code_and_text(&(CLOSE, payload)), (3008, NO_ANSWER.to_owned()));
                return;
            }
            Some(_) => {}
            None => panic!("the connection ended without a Close"),
        }
    }
}

/// Answers each ping, and sends nothing else.
pub(crate) fn answer(visit: &Visit<'_>, mut peer: Raw) {
    answer_for(visit, &mut peer, Some);
    leave(peer, 1000);
}

/// Sends pings, and gets an answer to the newest at least (RFC 6455 5.5.3).
pub(crate) fn ask(_: &Visit<'_>, mut peer: Raw) {
    for payload in [&b""[..], b"one", b"three", &[3; 125]] {
        peer.write(&frame(PING, payload));
        assert_eq!(peer.next_of(PONG).1, payload, "another pong");
    }
    leave(peer, 1000);
}

pub(crate) fn flood_pings(_: &Visit<'_>, mut peer: Raw) {
    peer.write(&frame(PING, b"!").repeat(5000));
    hear_the_verdict(&mut peer, 1008, "too many control frames");
    peer.write(&close(1008, ""));
    assert_eq!(peer.next_frame(), None, "a frame after the Close");
}

/// Sends these bytes, and gets a Close with this code. Then the connection ends.
fn offend(mut peer: Raw, bytes: &[u8], code: u16) {
    peer.write(bytes);
    assert_eq!(code_and_text(&peer.final_close()).0, code);
}

/// RFC 6455 5.2: opcode 3 is reserved.
pub(crate) fn break_rules(_: &Visit<'_>, peer: Raw) {
    offend(peer, &frame(3, b"x"), 1002);
}

pub(crate) fn bad_text(_: &Visit<'_>, peer: Raw) {
    offend(peer, &frame(TEXT, b"\xff"), 1007);
}

pub(crate) fn too_large(_: &Visit<'_>, peer: Raw) {
    offend(peer, &header(FIN | BINARY, 1 << 40), 1009);
}

pub(crate) fn reset(_: &Visit<'_>, peer: Raw) {
    SockRef::from(&peer.0.socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Ends its half of the connection without a Close.
pub(crate) fn half_close(_: &Visit<'_>, mut peer: Raw) {
    peer.0.socket.shutdown(Shutdown::Write).unwrap();
    let _ = peer.0.read_to_end(&mut Vec::new());
}

/// The Close comes in one segment with a message. The message is still answered first.
pub(crate) fn last_words(_: &Visit<'_>, mut peer: Raw) {
    peer.write(&[frame(TEXT, b"last"), close(1000, "")].concat());
    assert_eq!(peer.next_of(TEXT).1, b"last");
    assert_eq!(code_and_text(&peer.final_close()).0, 1000);
}

pub(crate) fn say_goodbye(_: &Visit<'_>, peer: Raw) {
    leave(peer, 4321);
}
