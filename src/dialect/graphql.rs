//! GraphQL over WebSockets: `graphql-transport-ws`, and the older `graphql-ws` of subscriptions-transport-ws.
//!
//! ```text
//! graphql-transport-ws   {"type":"ping"}, {"type":"pong"}      either end asks, both may carry a "payload"
//! graphql-ws (older)     {"type":"ka"}                         the server sends, without an answer
//! ```
//!
//! The names are misleading: the library graphql-ws implements the subprotocol `graphql-transport-ws`, and the subprotocol
//! `graphql-ws` belongs to the older library.
//!
//! Source: PROTOCOL.md of graphql-ws 6.4.2, "Ping" and "Pong"; its client and server return the payload; other ends may not
//! (async-graphql does not). subscriptions-transport-ws 0.11.0.

use core::time::Duration;

use super::configs::{asks, asks_where_quiet, beats, listens, takes_any_number};
use super::{Dialect, Heard, Json, JsonValue, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// Either end of `graphql-transport-ws`.
///
/// Our ping has its digits in `payload`. If a peer returns the payload, its answer names the ping. An answer without it is
/// [`Heard::SomeAnswer`], and so is an unsolicited pong, which the protocol allows as a beat. We return the payload of the
/// peer's ping unchanged.
///
/// Either end may send either message as soon as the socket is open, even before `connection_ack`.
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, graphql};
///
/// let mut answer = OutBuffer::new();
/// let heard = graphql::TransportWs.hear(Message::Text(r#"{"payload":{"n":7},"type":"ping"}"#), &mut answer);
/// assert_eq!(heard, Heard::Beat);
/// assert_eq!(answer.message(), Some(Message::Text(r#"{"type":"pong","payload":{"n":7}}"#)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing inside, and never will")]
pub struct TransportWs;

impl TransportWs {
    /// For a server: asks when a client has been quiet for 12 s, as the official server does (with frames). The protocol
    /// defines no numbers; `timeout` is this crate's default.
    pub const SERVER_CONFIG: Config = asks_where_quiet(Duration::from_secs(12), Config::DEFAULT.timeout());

    /// For a client: asks every 10 s, because a server may close a client that never asks (`keepalive_timeout` of
    /// async-graphql, the keep-alive of juniper). The protocol defines no number.
    pub const CLIENT_CONFIG: Config = asks(Duration::from_secs(10), Config::DEFAULT.timeout());
}

/// The field of our payload that has the digits.
const PING: &str = "ping";

impl Dialect for TransportWs {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let value = message.text().and_then(|text| JsonValue::read_if(text, &["ping", "pong"]));
        let Some(value) = value else { return Heard::Data };
        let Some(kind) = value.field("type") else { return Heard::Data };
        let payload = value.field("payload");
        if kind.is("ping") {
            match payload {
                Some(payload) => {
                    answer.text(format_args!(r#"{{"type":"pong","payload":{}}}"#, payload.raw()))
                }
                None => answer.text(format_args!(r#"{{"type":"pong"}}"#)),
            }
            Heard::Beat
        } else if kind.is("pong") {
            let ping = payload.and_then(|payload| payload.field(PING)?.payload());
            ping.map_or(Heard::SomeAnswer, Heard::Answer)
        } else {
            Heard::Data
        }
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        beat.text(format_args!(r#"{{"type":"ping","payload":{{"{PING}":"{ping}"}}}}"#));
        true
    }
}

/// The server's end of subscriptions-transport-ws: it sends beats without an answer.
///
/// Send no `ka` before `connection_ack`.
#[must_use]
pub const fn keep_alive_server() -> Json {
    Json::beat("type", "ka").only_asks()
}

/// The client's end of subscriptions-transport-ws, and of AWS AppSync: it receives beats, and never asks.
#[must_use]
pub const fn keep_alive_client() -> Json {
    Json::beat("type", "ka").only_answers()
}

/// A `ka` every 10 s: three in the 30 s that the official client waits. The server learns nothing about its client from it.
pub const KEEP_ALIVE_SERVER_CONFIG: Config = beats(Duration::from_secs(10), Duration::MAX);

/// Offline after 30 s of silence: the `timeout` of the official client, which counts only `ka`.
pub const KEEP_ALIVE_CLIENT_CONFIG: Config = keep_alive_client_config(Duration::from_secs(30));

/// For a server that announces its timeout, as AppSync does: `connectionTimeoutMs` in `connection_ack`.
#[must_use]
pub const fn keep_alive_client_config(timeout: Duration) -> Config {
    takes_any_number(listens(timeout))
}
