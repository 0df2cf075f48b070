//! GraphQL over WebSockets: `graphql-transport-ws`, and the older `graphql-ws` of subscriptions-transport-ws.
//!
//! ```text
//! graphql-transport-ws   {"type":"ping"}, {"type":"pong"}      either end asks, both may carry a "payload"
//! graphql-ws (older)     {"type":"ka"}                         the server tells, nobody answers
//! ```
//!
//! The names mislead: the library graphql-ws speaks the subprotocol `graphql-transport-ws`, and the subprotocol `graphql-ws` is
//! the older one's.
//!
//! Source: PROTOCOL.md of graphql-ws 6.4.2, "Ping" and "Pong"; its client and server return the payload, others need not
//! (async-graphql does not). subscriptions-transport-ws 0.11.0.

use core::time::Duration;

use super::configs::{asks, asks_where_quiet, beats, listens, takes_any_number};
use super::{Dialect, Heard, Json, JsonValue, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// An end of `graphql-transport-ws`, either one.
///
/// A ping carries its digits in `payload`, and the answer of a peer that returns it names the ping; one that returns nothing
/// gives [`Heard::SomeAnswer`], and so does a pong that nobody asked for, which the protocol allows as a beat. Payloads of the
/// peer are returned as they came.
///
/// Either message may be sent at any time after the socket is open, before `connection_ack` too.
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
    /// For a server: asks where a client has been quiet for 12 s, as the official server does (with frames). The protocol agrees
    /// on no numbers; `timeout` is this crate's default.
    pub const SERVER_CONFIG: Config = asks_where_quiet(Duration::from_secs(12), Config::DEFAULT.timeout());

    /// For a client: asks each 10 s. Servers may want to be asked (`keepalive_timeout` of async-graphql, the keep-alive of juniper),
    /// and the protocol agrees on no number.
    pub const CLIENT_CONFIG: Config = asks(Duration::from_secs(10), Config::DEFAULT.timeout());
}

/// The field of a payload of ours that has the digits.
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

/// The server's end of subscriptions-transport-ws: it tells, and nobody answers.
///
/// A `ka` may not be sent before `connection_ack`.
#[must_use]
pub const fn keep_alive_server() -> Json {
    Json::beat("type", "ka").only_asks()
}

/// The client's end of subscriptions-transport-ws, and of AWS AppSync: it hears, and never asks.
#[must_use]
pub const fn keep_alive_client() -> Json {
    Json::beat("type", "ka").only_answers()
}

/// A `ka` each 10 s, three in the 30 s that the official client waits. The server learns nothing of its client from it.
pub const KEEP_ALIVE_SERVER_CONFIG: Config = beats(Duration::from_secs(10), Duration::MAX);

/// 30 s without anything, the `timeout` of the official client, which counts nothing but `ka`.
pub const KEEP_ALIVE_CLIENT_CONFIG: Config = keep_alive_client_config(Duration::from_secs(30));

/// For a server that announces its own number: AppSync's `connectionTimeoutMs` in `connection_ack`.
#[must_use]
pub const fn keep_alive_client_config(timeout: Duration) -> Config {
    takes_any_number(listens(timeout))
}
