//! SignalR (ASP.NET Core), in JSON and in MessagePack.
//!
//! ```text
//! either: {"type":6}␞            text, ended by the byte 1E; never an answer
//!         02 91 06               the same in MessagePack, binary
//! ```
//!
//! No end may beat before the handshake (`{"protocol":"json","version":1}␞`, answered by `{}␞`). A message may have several
//! records. A message with anything beside the beat is data.
//!
//! Source: HubProtocol.md of dotnet/aspnetcore, "Ping" ("no obligation to respond"); @microsoft/signalr 10.0.11 and
//! @microsoft/signalr-protocol-msgpack 10.0.11, whose ping is the constant above.

use core::time::Duration;

use super::configs::{beats, takes_any_number};
use super::{Dialect, Exact, Heard, JsonValue, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// Either end of the JSON protocol.
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, signalr};
///
/// let mut out = OutBuffer::new();
/// assert_eq!(signalr::Json.hear(Message::Text("{\"type\":6}\u{1e}"), &mut out), Heard::Beat);
/// assert_eq!(out.message(), None); // nobody answers
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing inside, and never will")]
pub struct Json;

/// Either end of the MessagePack protocol.
#[must_use]
pub const fn message_pack() -> Exact {
    Exact::binary_beat(&[0x02, 0x91, 0x06])
}

/// `keepAliveInterval` 15 s and `serverTimeout` (a server's `ClientTimeoutInterval`) 30 s, the defaults of either end.
pub const CONFIG: Config = config(Duration::from_secs(15), Duration::from_secs(30));

/// For an end with these settings: it sends a beat every `keep_alive`, and the peer is offline after `timeout` without any
/// event. The ends do not negotiate them. The timeout should be at least twice the peer's interval.
///
/// `Steady`: the official ends delay a beat while they send, but they count whole messages. Bytes that we write may be
/// frames that the peer's hub never sees.
#[must_use]
pub const fn config(keep_alive: Duration, timeout: Duration) -> Config {
    takes_any_number(beats(keep_alive, timeout))
}

/// Ends a record.
const RECORD_SEPARATOR: char = '\u{1e}';

impl Dialect for Json {
    fn hear(&mut self, message: Message<'_>, _: &mut dyn Out) -> Heard {
        let record = message.text().and_then(|text| text.strip_suffix(RECORD_SEPARATOR));
        let kind = record.and_then(JsonValue::read).and_then(|value| value.field("type")?.number());
        if kind == Some(6) { Heard::Beat } else { Heard::Data }
    }

    fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
        beat.text(format_args!("{{\"type\":6}}{RECORD_SEPARATOR}"));
        true
    }
}
