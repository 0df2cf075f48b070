//! A peer that can do what no library allows: raw frames on a raw socket.

use std::io::{self, ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use liveness::Clock;

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The bit that ends a message.
pub const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Longer than anything here takes on the slowest machine. What has not happened by then never will. A page may wait half
/// a minute before it dials again.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The request that opens a WebSocket, with its key.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub fn sleep(time: Duration) {
    let clock = Clock::new();
    let end = clock.now() + time;
    while clock.now() < end {
        thread::park_timeout(end.saturating_duration_since(clock.now()));
    }
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The start of a frame to a server. The mask is zero: the receiver cannot tell, and the payload needs no arithmetic.
pub fn header(first: u8, len: u64) -> Vec<u8> {
    let mut header = unmasked_header(first, len);
    header[1] |= MASKED;
    header.extend([0; 4]);
    header
}

fn unmasked_header(first: u8, len: u64) -> Vec<u8> {
    let mut header = vec![first];
    // RFC 6455 5.2: seven bits hold the length up to 125; 126 announces 16, and 127 announces 64.
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short @ 0..=125), _) => header.push(short),
        (_, Ok(medium)) => {
            header.push(126);
            header.extend(medium.to_be_bytes());
        }
        _ => {
            header.push(127);
            header.extend(len.to_be_bytes());
        }
    }
    header
}

/// A whole frame to a server. It is the last of its message.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    part(FIN | opcode, payload)
}

/// A whole frame to a server, with this first byte.
pub fn part(first: u8, payload: &[u8]) -> Vec<u8> {
    [header(first, payload.len() as u64), payload.to_vec()].concat()
}

/// A whole frame as only a server may send it: without a mask.
pub fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [unmasked_header(FIN | opcode, payload.len() as u64), payload.to_vec()].concat()
}

/// A Close frame to a server.
pub fn close(code: u16, text: &str) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), text.as_bytes()].concat())
}

/// A frame that was received: its opcode and payload.
pub type Frame = (u8, Vec<u8>);

/// The code and text of a received Close frame.
#[track_caller]
pub fn code_and_text((opcode, payload): &Frame) -> (u16, String) {
    assert_eq!(*opcode, CLOSE, "{payload:?} is no Close");
    let (code, text) = payload.split_at(2);
    (u16::from_be_bytes([code[0], code[1]]), String::from_utf8(text.to_vec()).unwrap())
}

/// What frames are written to and read from: a socket with a timeout of `PATIENCE`, or TLS over one.
pub struct Peer<S>(pub S);

impl<S: Read + Write> Peer<S> {
    /// Opens a WebSocket as a client.
    pub fn shake_hands(mut stream: S) -> Self {
        stream.write_all(REQUEST).unwrap();
        Self::accepted(stream)
    }

    /// Reads the response to `REQUEST`, which must accept it.
    pub fn accepted(stream: S) -> Self {
        let mut peer = Self(stream);
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            peer.0.read_exact(&mut byte).unwrap();
            response.extend(byte);
        }
        assert!(response.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&response));
        peer
    }

    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Writes this again and again, at this pace, until the other side has hung up.
    #[track_caller]
    pub fn write_until_the_end(&mut self, bytes: &[u8], pace: Duration) {
        let clock = Clock::new();
        let end = clock.now() + PATIENCE;
        while self.0.write_all(bytes).is_ok() {
            assert!(clock.now() < end, "a peer that does this should be cut off");
            sleep(pace);
        }
    }

    /// The next frame; `None` if the other side has ended or reset the connection.
    #[track_caller]
    pub fn next_frame(&mut self) -> Option<Frame> {
        let mut start = [0; 2];
        match self.0.read_exact(&mut start) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return None,
            Err(error) => panic!("no frame, and no end: {error}"),
        }
        let mut len = [0; 8];
        let wide = match start[1] {
            0..=125 => 0,
            126 => 2,
            _ => 8,
        };
        self.0.read_exact(&mut len[8 - wide..]).unwrap();
        let len = if wide == 0 { u64::from(start[1]) } else { u64::from_be_bytes(len) };
        let mut payload = vec![0; usize::try_from(len).unwrap()];
        self.0.read_exact(&mut payload).unwrap();
        Some((start[0] & 0x0f, payload))
    }

    /// The next frame of this kind. Others are dropped.
    #[track_caller]
    pub fn next_of(&mut self, opcode: u8) -> Frame {
        loop {
            let frame = self.next_frame().expect("the connection ended before such a frame");
            if frame.0 == opcode {
                return frame;
            }
        }
    }

    /// The Close must be the last frame. After it the connection must end.
    #[track_caller]
    pub fn final_close(&mut self) -> Frame {
        let close = self.next_of(CLOSE);
        assert_eq!(self.next_frame(), None, "a frame after the Close");
        close
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
