//! Centrifugo, and other servers that use the library centrifuge.
//!
//! ```text
//! server: {"id":1,"connect":{"ping":25,"pong":true, …}}      the interval, and whether it wants an answer
//! server: {}                                                 an empty reply
//! client: {}                                                 an empty command, at once
//! ```
//!
//! Only the server asks. In protobuf an empty message is one zero byte, because its length comes first.
//!
//! A server may join several replies with line feeds, and one of them may be empty. Such a message is data: **the program
//! that splits it answers each of its empty lines** with `{}`. The program never sees a message that this dialect has
//! answered. So nothing is answered twice, which would end the connection.
//!
//! Source: `client.go` and `config.go` of centrifugal/centrifuge at 1d8f99f (25 s, 10 s; `DisconnectNoPong` is 3012);
//! centrifuge-js
//! 5.8.0.

use core::time::Duration;

use super::configs::{asks, closes_with, listens};
use super::{Dialect, Exact, Heard, JsonValue, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// The client's end in JSON: it answers, and never asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    answers: bool,
}

/// The server's end in JSON: it asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing inside, and never will")]
pub struct Server;

impl Client {
    /// For a server that wants answers: `"pong":true`, the default of servers.
    #[must_use]
    pub const fn new() -> Self {
        Self { answers: true }
    }

    /// For a server that wants no answers, and closes a client that answers.
    #[must_use]
    pub const fn silent() -> Self {
        Self { answers: false }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// The client's end in protobuf.
#[must_use]
pub const fn protobuf_client() -> Exact {
    Exact::binary(&[0], &[0]).only_answers()
}

/// The server's end in protobuf.
#[must_use]
pub const fn protobuf_server() -> Exact {
    Exact::binary(&[0], &[0]).only_asks()
}

/// For a server that asks every 25 s, the default. Read another interval from its reply to `connect`: [`connect`],
/// [`client_config`].
pub const CLIENT_CONFIG: Config = client_config(Duration::from_secs(25));

/// A ping every 25 s, 10 s to answer, and close code 3012 ("no pong"): the library's own numbers.
pub const SERVER_CONFIG: Config = closes_with(3012, asks(Duration::from_secs(25), Duration::from_secs(10)));

/// For a server that asks every `ping`. Offline after `ping` and 10 s more of silence: the official client's
/// `maxServerPingDelay`. `Duration::MAX`: the server never asks, so its silence means nothing.
#[must_use]
pub const fn client_config(ping: Duration) -> Config {
    listens(ping.saturating_add(Duration::from_secs(10)))
}

/// Reads the server's interval, and whether it wants answers, from its reply to `connect`. An interval of `Duration::MAX`:
/// the server never asks, and sent no interval or zero. `None`: the message is not that reply, has other replies beside it,
/// or is longer than [`LONGEST`](super::LONGEST).
///
/// ```
/// use core::time::Duration;
/// use liveness::dialect::centrifugo;
///
/// let reply = r#"{"id":1,"connect":{"client":"c","version":"5","ping":25,"pong":true}}"#;
/// assert_eq!(centrifugo::connect(reply), Some((Duration::from_secs(25), true)));
/// ```
#[must_use]
pub fn connect(message: &str) -> Option<(Duration, bool)> {
    let connect = JsonValue::read(message)?.field("connect")?;
    let ping = match connect.field("ping").map_or(Some(0), JsonValue::number)? {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds),
    };
    let pong = connect.field("pong").is_some_and(|pong| pong.raw() == "true");
    Some((ping, pong))
}

fn is_empty(message: Message<'_>) -> bool {
    // Most replies have a field, which needs a quote.
    let text = message.text().filter(|text| !text.contains('"'));
    text.and_then(JsonValue::read).is_some_and(JsonValue::is_empty_object)
}

impl Dialect for Client {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        if !is_empty(message) {
            return Heard::Data;
        }
        if self.answers {
            answer.text(format_args!("{{}}"));
        }
        Heard::Beat
    }

    fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
        false
    }

    fn asks(&self) -> bool {
        false
    }
}

impl Dialect for Server {
    fn hear(&mut self, message: Message<'_>, _: &mut dyn Out) -> Heard {
        if is_empty(message) { Heard::SomeAnswer } else { Heard::Data }
    }

    fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
        beat.text(format_args!("{{}}"));
        true
    }
}
