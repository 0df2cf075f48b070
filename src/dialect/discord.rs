//! Discord's gateway, without compression.
//!
//! ```text
//! server: {"op":10,"d":{"heartbeat_interval":41250}}     its hello
//! client: {"op":1,"d":251}                               each interval; d: the latest "s" of a dispatch, or null
//! server: {"op":11}                                      the answer
//! server: {"op":1}                                       now, please: the client beats at once
//! ```
//!
//! With `compress=zlib-stream` or zstd no message can be read by itself: there the program finds op 11 and op 1, and hands in
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

/// The client's end. `S` tells the latest sequence number, `None` before the first: the program reads it from each dispatch,
/// most of which are longer than a dialect looks at, and needs it to resume.
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
    /// With this to tell the sequence number.
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

/// For a hello of 41.25 s, which is what Discord says; but read it: [`hello`], [`client_config`].
pub const CLIENT_CONFIG: Config = client_config(Duration::from_millis(41_250));

/// Each `heartbeat_interval`, whatever flows, the first after a random part of it, as Discord asks. A heartbeat without its ACK
/// before the next is a dead connection. The code is 4000: after 1000 and 1001 the session could not be resumed.
#[must_use]
pub const fn client_config(heartbeat_interval: Duration) -> Config {
    closes_with(4000, asks(heartbeat_interval, heartbeat_interval))
}

/// Reads `heartbeat_interval` from the server's hello; `None` if the message is none.
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
