//! Exchanges whose heartbeat is a message. (Binance sends frames, which need no dialect. HTX compresses its messages.)
//!
//! ```text
//! OKX           ping                              pong                                     the client asks
//! Bybit 5       {"op":"ping","req_id":"…"}        {"op":"pong",…} or {"op":"ping","ret_msg":"pong",…}
//! Kraken 2      {"method":"ping","req_id":1}      {"method":"pong","req_id":1,…}; and {"channel":"heartbeat"}
//! KuCoin        {"type":"ping","id":"…"}          {"type":"pong","id":"…"}
//! Hyperliquid   {"method":"ping"}                 {"channel":"pong"}
//! MEXC          {"method":"ping"}                 {"channel":"pong","data":1587453241453}
//! Deribit       {"method":"heartbeat","params":{"type":"test_request"}}      the server asks: the client calls public/test
//! Crypto.com    {"method":"public/heartbeat","id":7}      {"method":"public/respond-heartbeat","id":7}
//! ```
//!
//! All of these are the client's end. A client that asks is `Steady`, because exchanges differ in what they count. MEXC wants
//! pings. OKX, Hyperliquid and Bybit (private streams, "Customise Private Connection Alive Time") also count the data that they
//! send. A ping that was not needed costs next to nothing.

use core::time::Duration;

use super::configs::{asks, listens, takes_any_number};
use super::{Dialect, Exact, Heard, Json, JsonValue, Message, NumberedJson, Out};
use crate::config::Config;
use crate::payload::Payload;

/// OKX: the texts `ping` and `pong`. Source: OKX API guide, "WebSocket", "Connect".
#[must_use]
pub const fn okx() -> Exact {
    Exact::text("ping", "pong").only_asks()
}

/// A ping every 20 s, and 20 s to answer: OKX closes a connection after 30 s without traffic, and recommends less than that
/// for both.
pub const OKX_CONFIG: Config = asks(Duration::from_secs(20), Duration::from_secs(20));

/// KuCoin: an `id` that is a string. Source: KuCoin docs, "Ping"; ccxt 4.5.84.
#[must_use]
pub const fn kucoin() -> Json {
    Json::new("type", "ping", "pong").id("id").only_asks()
}

/// `pingInterval` 18 s and `pingTimeout` 10 s. Other numbers come with the token, before the connection opens:
/// [`kucoin_config`].
pub const KUCOIN_CONFIG: Config = kucoin_config(Duration::from_secs(18), Duration::from_secs(10));

/// For the `pingInterval` and `pingTimeout` that came with the token.
#[must_use]
pub const fn kucoin_config(ping_interval: Duration, ping_timeout: Duration) -> Config {
    asks(ping_interval, ping_timeout)
}

/// Hyperliquid, and MEXC's futures, whose answer has a time in it. An answer names no ping. Source: Hyperliquid docs, "Timeouts
/// and heartbeats"; MEXC docs, "Send ping".
#[must_use]
pub const fn hyperliquid() -> Json {
    Json::new("method", "ping", "pong").pong_key("channel").only_asks()
}

/// A ping every 20 s: Hyperliquid closes a connection on which it sent nothing for a minute, MEXC one on which it received
/// no ping for a minute. The docs give no time for the answer; it is this crate's default.
pub const HYPERLIQUID_CONFIG: Config = asks(Duration::from_secs(20), Config::DEFAULT.timeout());

/// Crypto.com: the server asks, and expects its `id` in the answer. Source: ccxt 4.5.84, hummingbot.
#[must_use]
pub const fn crypto_com() -> Json {
    Json::new("method", "public/heartbeat", "public/respond-heartbeat").id("id").only_answers()
}

/// Offline after a minute of silence. The sources do not say how often the server asks.
pub const CRYPTO_COM_CONFIG: Config = listens(Duration::from_secs(60));

/// Bybit 5. Its answers differ by stream: some return `req_id`, and some do not. Source:
/// `docs/v5/websocket/wss-authentication.mdx` of bybit-exchange/docs, "How to Send the Heartbeat Packet".
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, exchange};
///
/// let mut out = OutBuffer::new();
/// let spot = r#"{"success":true,"ret_msg":"pong","conn_id":"0970e817-426e-429a-a679-ff7f55e0b16a","op":"ping"}"#;
/// assert_eq!(exchange::Bybit.hear(Message::Text(spot), &mut out), Heard::SomeAnswer);
/// let options = r#"{"args":["1672916271846"],"op":"pong"}"#;
/// assert_eq!(exchange::Bybit.hear(Message::Text(options), &mut out), Heard::SomeAnswer);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing inside, and never will")]
pub struct Bybit;

/// A ping every 20 s, as Bybit recommends. Bybit gives no time for the answer; it is this crate's default.
pub const BYBIT_CONFIG: Config = asks(Duration::from_secs(20), Config::DEFAULT.timeout());

impl Dialect for Bybit {
    fn hear(&mut self, message: Message<'_>, _: &mut dyn Out) -> Heard {
        let value = message.text().and_then(|text| JsonValue::read_if(text, &["pong"]));
        let Some(value) = value else { return Heard::Data };
        let has = |name, text| value.field(name).is_some_and(|field| field.is(text));
        let answers = has("op", "pong") || (has("op", "ping") && has("ret_msg", "pong"));
        if !answers {
            return Heard::Data;
        }
        // Some streams return an empty string.
        let id = value.field("req_id").filter(|id| !id.is(""));
        id.map_or(Heard::SomeAnswer, |id| id.payload().map_or(Heard::Data, Heard::Answer))
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        beat.text(format_args!(r#"{{"op":"ping","req_id":"{ping}"}}"#));
        true
    }
}

/// Kraken 2: asks with a `req_id`. Kraken's `heartbeat`, which comes every second without other traffic, is a beat and not
/// data. Source: Kraken docs, "WebSocket v2", "Ping" and "Heartbeat".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kraken {
    json: NumberedJson,
}

impl Kraken {
    /// The dialect of a new connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { json: Json::new("method", "ping", "pong").only_asks().numbers("req_id") }
    }
}

impl Default for Kraken {
    fn default() -> Self {
        Self::new()
    }
}

/// This crate's default numbers, because Kraken gives none.
pub const KRAKEN_CONFIG: Config =
    takes_any_number(asks(Config::DEFAULT.interval(), Config::DEFAULT.timeout()));

impl Dialect for Kraken {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let value = message.text().and_then(|text| JsonValue::read_if(text, &["heartbeat", "pong"]));
        let Some(value) = value else { return Heard::Data };
        if value.field("channel").is_some_and(|channel| channel.is("heartbeat")) {
            return Heard::Beat;
        }
        self.json.hear_value(value, answer)
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        self.json.ask(ping, beat)
    }
}

/// Deribit, after `public/set_heartbeat`. It answers a `test_request` with a call of `public/test`, and does not answer a
/// `heartbeat`. It never asks by itself. Source: Deribit API, "public/set_heartbeat".
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, exchange};
///
/// let mut out = OutBuffer::new();
/// let mut deribit = exchange::Deribit::new(9_999);
/// let asked = r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#;
/// assert_eq!(deribit.hear(Message::Text(asked), &mut out), Heard::Beat);
/// assert_eq!(out.message(), Some(Message::Text(r#"{"jsonrpc":"2.0","id":9999,"method":"public/test"}"#)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deribit {
    id: u64,
}

impl Deribit {
    /// A dialect with this identifier. No other call of the program may use it, because every reply to it counts as the
    /// heartbeat's.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self { id }
    }
}

/// For `set_heartbeat` with 30 s.
pub const DERIBIT_CONFIG: Config = deribit_config(Duration::from_secs(30));

/// For this `interval` of `set_heartbeat`, at least 10 s. The server is offline after two intervals of silence.
#[must_use]
pub const fn deribit_config(interval: Duration) -> Config {
    listens(interval.saturating_mul(2))
}

impl Dialect for Deribit {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let Some(value) = message.text().and_then(JsonValue::read) else { return Heard::Data };
        let Some(method) = value.field("method") else {
            let is_ours = value.field("id").and_then(JsonValue::number) == Some(self.id);
            return if is_ours { Heard::Beat } else { Heard::Data };
        };
        if !method.is("heartbeat") {
            return Heard::Data;
        }
        let kind = value.field("params").and_then(|params| params.field("type"));
        if kind.is_some_and(|kind| kind.is("test_request")) {
            answer.text(format_args!(r#"{{"jsonrpc":"2.0","id":{},"method":"public/test"}}"#, self.id));
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
