//! Home Assistant.
//!
//! ```text
//! client: {"type":"ping","id":19}
//! server: {"id":19,"type":"pong"}
//! ```
//!
//! Only the client asks, and only after `auth_ok`. Identifiers are numbers that grow over *all* commands of a connection.
//! The server refuses a number that does not (`id_reuse`). So the heartbeat takes its number from the program's own counter,
//! when it is written.
//!
//! Source: "WebSocket API" of developers.home-assistant (`docs/api/websocket.md`), "Pings and pongs";
//! `components/websocket_api/connection.py` of home-assistant/core; home-assistant-js-websocket 9.7.0.

use core::fmt;

use super::configs::asks;
use super::{Dialect, Heard, Json, Message, NumberedJson, Out};
use crate::config::Config;
use crate::payload::Payload;

/// The client's end. `N` returns the next number of the counter that the program's commands use too.
///
/// Write the heartbeat at once. If a command with a later number overtakes it, the server refuses it.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, home_assistant};
///
/// let counter = Arc::new(AtomicU64::new(18)); // the program's latest command
/// let next = counter.clone();
/// let mut dialect = home_assistant::Client::new(move || next.fetch_add(1, Relaxed) + 1);
/// # let ping = liveness::Payload::from_digits("0123456789abcdef").ok_or("no payload")?;
/// let mut beat = OutBuffer::new();
/// assert!(dialect.ask(ping, &mut beat));
/// assert_eq!(beat.message(), Some(Message::Text(r#"{"type":"ping","id":19}"#)));
/// assert_eq!(dialect.hear(Message::Text(r#"{"id":19,"type":"pong"}"#), &mut beat), Heard::Answer(ping));
///
/// // The program has asked by itself: the answer is its own.
/// assert_eq!(dialect.hear(Message::Text(r#"{"id":20,"type":"pong"}"#), &mut beat), Heard::Data);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy)]
pub struct Client<N> {
    json: NumberedJson,
    next: N,
}

/// This crate's default numbers, because the protocol has none. `Steady`: asks at every interval.
pub const CLIENT_CONFIG: Config = asks(Config::DEFAULT.interval(), Config::DEFAULT.timeout());

impl<N: FnMut() -> u64> Client<N> {
    /// A client that takes its numbers from `next`.
    #[must_use]
    pub const fn new(next: N) -> Self {
        Self { json: Json::new("type", "ping", "pong").only_asks().numbers("id"), next }
    }
}

impl<N> fmt::Debug for Client<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("json", &self.json).finish_non_exhaustive()
    }
}

impl<N: FnMut() -> u64> Dialect for Client<N> {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        self.json.hear(message, answer)
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        self.json.ask_with((self.next)(), ping, beat);
        true
    }
}
