//! Discord's gateway, without compression.
//!
//! ```text
//! server: {"op":10,"d":{"heartbeat_interval":41250}}     its hello
//! client: {"op":1,"d":251}                               every interval; d: the latest "s" of a dispatch, or null
//! server: {"op":11}                                      the answer
//! server: {"op":1}                                       a request: the client sends its heartbeat at once
//! ```
//!
//! With `compress=zlib-stream` or zstd no message can be read alone. There the program finds op 11 and op 1 and reports
//! [`Heard::SomeAnswer`] and [`Heard::Beat`] (a driver's `heard`).
//!
//! Source: "Gateway" and "Gateway Events" of Discord's developer docs (`developers/events` of discord/discord-api-docs);
//! @discordjs/ws
//! 2.0.4.

use core::fmt;
use core::time::Duration;

use super::configs::{asks, closes_with};
use super::{Dialect, Heard, JsonValue, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// The client's end. `S` returns the latest sequence number, `None` before the first. The program reads the number from each
/// dispatch, because it needs it to resume, and most dispatches are longer than [`LONGEST`](super::LONGEST).
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, discord};
///
/// let latest = Arc::new(AtomicU64::new(0)); // Discord counts from 1
/// let told = latest.clone();
/// let mut dialect = discord::Client::new(move || Some(told.load(Relaxed)).filter(|sequence| *sequence > 0));
///
/// latest.store(251, Relaxed); // on each dispatch
/// let mut beat = OutBuffer::new();
/// assert_eq!(dialect.hear(Message::Text(r#"{"t":null,"s":null,"op":1,"d":null}"#), &mut beat), Heard::Beat);
/// assert_eq!(beat.message(), Some(Message::Text(r#"{"op":1,"d":251}"#)));
/// assert_eq!(dialect.hear(Message::Text(r#"{"t":null,"s":null,"op":11,"d":null}"#), &mut beat), Heard::SomeAnswer);
/// ```
#[derive(Clone, Copy)]
pub struct Client<S> {
    sequence: S,
}

impl<S: FnMut() -> Option<u64>> Client<S> {
    /// A client that reads the sequence number from `sequence`.
    #[must_use]
    pub const fn new(sequence: S) -> Self {
        Self { sequence }
    }

    fn beat(&mut self, beat: &mut dyn Out) {
        match (self.sequence)() {
            Some(sequence) => beat.text(format_args!(r#"{{"op":1,"d":{sequence}}}"#)),
            None => beat.text(format_args!(r#"{{"op":1,"d":null}}"#)),
        }
    }
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// For a hello of 41.25 s, Discord's usual number. Read the hello instead: [`hello`], [`client_config`].
pub const CLIENT_CONFIG: Config = client_config(Duration::from_millis(41_250));

/// A heartbeat every `heartbeat_interval`, whatever else is sent. The first comes after a random part of it, as Discord's
/// docs want. A heartbeat that has no ACK when the next is due is a dead connection. The close code is 4000: after 1000 and
/// 1001 the session could not be resumed.
#[must_use]
pub const fn client_config(heartbeat_interval: Duration) -> Config {
    closes_with(4000, asks(heartbeat_interval, heartbeat_interval))
}

/// Reads `heartbeat_interval` from the server's hello. `None`: the message is not a hello.
///
/// ```
/// use core::time::Duration;
/// use liveness::dialect::discord;
///
/// let hello = r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250,"_trace":["[\"gateway-prd-1\"]"]}}"#;
/// assert_eq!(discord::hello(hello), Some(Duration::from_millis(41_250)));
/// ```
#[must_use]
pub fn hello(message: &str) -> Option<Duration> {
    let hello = JsonValue::read(message)?;
    if hello.field("op")?.number() != Some(10) {
        return None;
    }
    hello.field("d")?.field("heartbeat_interval")?.number().map(Duration::from_millis)
}

impl<S: FnMut() -> Option<u64>> Dialect for Client<S> {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let op = message.text().and_then(JsonValue::read).and_then(|value| value.field("op")?.number());
        match op {
            Some(1) => {
                self.beat(answer);
                Heard::Beat
            }
            Some(11) => Heard::SomeAnswer,
            _ => Heard::Data,
        }
    }

    fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
        self.beat(beat);
        true
    }
}
