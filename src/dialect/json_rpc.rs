//! JSON-RPC 2.0 with a method `ping`, as in the Model Context Protocol.
//!
//! ```text
//! either: {"jsonrpc":"2.0","method":"ping","id":"live0123456789abcdef"}
//! other:  {"jsonrpc":"2.0","id":"live0123456789abcdef","result":{}}
//! ```
//!
//! The end that asks chooses the identifier. Ours begin with `live`, so that no call of the program has the same. Any reply
//! with that identifier is an answer. An error is an answer too: a peer that says "method not found" is alive.
//!
//! Source: "JSON-RPC 2.0 Specification"; Model Context Protocol 2025-11-25, "Ping".

use super::configs::asks_where_quiet;
use super::json_value::{LONGEST_ID, OURS};
use super::{Dialect, Heard, JsonValue, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// Either end of JSON-RPC. It answers the peer's `ping` with an empty object. It does not answer a `ping` without an `id`,
/// which is a notification.
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, json_rpc};
///
/// let mut rpc = json_rpc::JsonRpc::new();
/// let mut out = OutBuffer::new();
/// let heard = rpc.hear(Message::Text(r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#), &mut out);
/// assert_eq!((heard, out.message()), (Heard::Beat, Some(Message::Text(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JsonRpc {
    method: &'static str,
}

/// This crate's defaults, because the protocol has no numbers.
pub const CONFIG: Config = asks_where_quiet(Config::DEFAULT.interval(), Config::DEFAULT.timeout());

impl JsonRpc {
    /// An end that asks by the method `ping`.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_method("ping")
    }

    /// An end that asks by another method. Its name must consist of letters, digits, `/`, `_`, `.` and `-`, because it is
    /// written without escapes.
    #[must_use]
    pub const fn with_method(method: &'static str) -> Self {
        Self { method }
    }
}

impl Default for JsonRpc {
    fn default() -> Self {
        Self::new()
    }
}

impl Dialect for JsonRpc {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let value = message.text().and_then(|text| JsonValue::read_if(text, &[self.method, OURS]));
        let Some(value) = value else { return Heard::Data };
        let id = value.field("id");
        let Some(method) = value.field("method") else {
            let is_answer = value.field("result").is_some() || value.field("error").is_some();
            return id.filter(|_| is_answer).and_then(JsonValue::ours).map_or(Heard::Data, Heard::Answer);
        };
        if !method.is(self.method) || id.is_some_and(|id| id.raw().len() > LONGEST_ID) {
            return Heard::Data;
        }
        if let Some(id) = id {
            answer.text(format_args!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id.raw()));
        }
        Heard::Beat
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        beat.text(format_args!(r#"{{"jsonrpc":"2.0","method":"{}","id":"{OURS}{ping}"}}"#, self.method));
        true
    }
}
