//! Protocols that are streams of bytes. A message may cut them anywhere, so no dialect can read them. The program's own
//! codec finds the heartbeat, as `docs/dialects.md` says.

use liveness::dialect::{Dialect, Heard, Message, Out};
use liveness::{Config, Payload, Schedule};
use tungstenite::protocol::Message as Frame;

use super::ends::Ours;
use super::{INTERVAL, TIMEOUT};

/// Takes the next packet off the bytes that have arrived. Returns what it means, and the answer to it; `None` if the
/// packet is not complete yet.
pub(crate) type Next = fn(&mut Vec<u8>) -> Option<(Heard, &'static [u8])>;

/// A stream that has begun.
pub(crate) struct Codec {
    pub(crate) next: Next,
    pub(crate) arrived: Vec<u8>,
}

impl Codec {
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Vec<(Heard, &'static [u8])> {
        self.arrived.extend(bytes);
        std::iter::from_fn(|| (self.next)(&mut self.arrived)).collect()
    }
}

/// Pings with these bytes, and leaves everything that comes to the codec.
struct Asks(&'static [u8]);

impl Dialect for Asks {
    fn hear(&mut self, _: Message<'_>, _: &mut dyn Out) -> Heard {
        Heard::Data
    }

    fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
        beat.binary(self.0);
        true
    }
}

/// A stream has no messages of its own, so our end begins and talks in bytes.
fn stream(
    dialect: fn() -> Box<dyn Dialect + Send>,
    next: Next,
    hello: &'static [u8],
    talk: &'static [u8],
) -> Ours {
    let config = Config::builder().schedule(Schedule::Steady).interval(INTERVAL).timeout(TIMEOUT);
    let ours = Ours::new(dialect, config.build().unwrap(), "");
    Ours { hello: Some(Frame::binary(hello)), talk: Frame::binary(talk), codec: Some(next), ..ours }
}

/// MQTT 3.1.1, 2.2: a byte with type and flags, then the length of the rest. Here the length is 127 at most.
fn next_packet(arrived: &mut Vec<u8>) -> Option<(Heard, &'static [u8])> {
    let (first, rest) = (*arrived.first()?, *arrived.get(1)?);
    assert!(rest < 128, "a longer packet than this codec knows");
    let length = 2 + usize::from(rest);
    if arrived.len() < length {
        return None;
    }
    arrived.drain(..length);
    // PINGRESP
    Some((if first == 0xd0 { Heard::SomeAnswer } else { Heard::Data }, b""))
}

/// A client. It sends CONNECT with a keep-alive of 4 s, and PINGREQ each `INTERVAL`.
pub(crate) fn mqtt() -> Ours {
    let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x04\x00\x01a";
    let publish = b"\x30\x08\x00\x04newshi";
    let subscribe = b"\x82\x09\x00\x01\x00\x04news\x00";
    let ours = stream(|| Box::new(Asks(b"\xc0\x00")), next_packet, connect, publish);
    Ours { subprotocol: Some("mqtt"), wish: Some(Frame::binary(&subscribe[..])), ..ours }
}

/// NATS consists of lines. A PUB is followed by a payload, and its last word is the payload's length.
fn next_operation(arrived: &mut Vec<u8>) -> Option<(Heard, &'static [u8])> {
    let end = arrived.windows(2).position(|two| two == b"\r\n")?;
    let line = String::from_utf8(arrived[..end].to_vec()).unwrap();
    let payload = match line.strip_prefix("PUB ").and_then(|rest| rest.split(' ').next_back()) {
        Some(length) => length.parse::<usize>().unwrap() + 2,
        None => 0,
    };
    let length = end + 2 + payload;
    if arrived.len() < length {
        return None;
    }
    arrived.drain(..length);
    Some(match line.as_str() {
        "PING" => (Heard::Beat, b"PONG\r\n"),
        "PONG" => (Heard::SomeAnswer, b""),
        _ => (Heard::Data, b""),
    })
}

/// A server. Its INFO comes first. It answers pings in order.
pub(crate) fn nats() -> Ours {
    let info = b"INFO {\"server_id\":\"a\",\"version\":\"2.12.0\",\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n";
    // It belongs to no subscription.
    let message = b"MSG news 9 2\r\nhi\r\n";
    stream(|| Box::new(Asks(b"PING\r\n")), next_operation, info, message)
}
