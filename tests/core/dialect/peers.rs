//! Every protocol with both of its ends: ours, and a double of the documented servers if this crate does not have the
//! other end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use liveness::dialect::{
    Dialect, Exact, Heard, Json, Message, Mute, Out, TextHeartbeats, action_cable, centrifugo, ddp, discord,
    engine_io, exchange, graphql, home_assistant, json_rpc, phoenix, ping_pong, pusher, signalr, stomp,
};
use liveness::{Config, Payload};

/// One end: its dialect and its settings.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) dialect: fn() -> Box<dyn Dialect>,
    pub(crate) config: Config,
    /// The same two, as a program writes them.
    pub(crate) code: [&'static str; 2],
}

/// Two ends that understand each other.
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    pub(crate) client: End,
    pub(crate) server: End,
}

/// An end that is not part of this crate. It answers by comparing whole texts, and may ask with a text of its own.
struct Double {
    asks: Option<&'static str>,
    answers: fn(&str) -> Option<String>,
}

impl Dialect for Double {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let Some(text) = message.text().and_then(self.answers) else { return Heard::Data };
        answer.text(format_args!("{text}"));
        Heard::Beat
    }

    fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
        let Some(asks) = self.asks else { return false };
        beat.text(format_args!("{asks}"));
        true
    }

    fn asks(&self) -> bool {
        self.asks.is_some()
    }
}

/// The part between these two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

fn discord_server() -> Double {
    let answers = |text: &str| between(text, r#"{"op":1,"d":"#, "}").map(|_| r#"{"op":11}"#.into());
    Double { asks: Some(r#"{"op":1}"#), answers }
}

fn bybit_server() -> Double {
    let answers = |text: &str| {
        let id = between(text, r#"{"op":"ping","req_id":""#, r#""}"#)?;
        Some(format!(
            r#"{{"req_id":"{id}","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0-1b"}}"#
        ))
    };
    Double { asks: None, answers }
}

fn kraken_server() -> Double {
    let answers = |text: &str| {
        let id = between(text, r#"{"method":"ping","req_id":"#, "}")?;
        Some(format!(r#"{{"method":"pong","req_id":{id},"time_in":"2023-09-24T14:10:23.799685Z"}}"#))
    };
    Double { asks: Some(r#"{"channel":"heartbeat"}"#), answers }
}

fn deribit_server() -> Double {
    let answers = |text: &str| {
        between(text, r#"{"jsonrpc":"2.0","id":"#, r#","method":"public/test"}"#).map(|id| {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"version":"1.2.26"}},"usIn":1535043730126248}}"#
            )
        })
    };
    Double {
        asks: Some(r#"{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}"#),
        answers,
    }
}

fn counter() -> impl FnMut() -> u64 {
    let counter = Arc::new(AtomicU64::new(18));
    move || counter.fetch_add(1, Ordering::Relaxed) + 1
}

/// A server of an exchange. It gives no verdict, and may ask every 30 s.
const JUDGES_NOBODY: Config = Config::builder().interval(Duration::MAX).timeout(Duration::MAX).build_const();
const ASKS_EACH_30_S: Config = JUDGES_NOBODY
    .to_builder()
    .interval(Duration::from_secs(30))
    .schedule(liveness::Schedule::Steady)
    .build_const();

macro_rules! end {
    ($dialect:expr, $config:expr) => {
        End {
            dialect: || Box::new($dialect),
            config: $config,
            code: [stringify!($dialect), stringify!($config)],
        }
    };
}

macro_rules! protocols {
    ($($name:literal: $client:expr, $client_config:expr; $server:expr, $server_config:expr;)+) => {
        vec![$(Protocol {
            name: $name,
            client: end!($client, $client_config),
            server: end!($server, $server_config),
        }),+]
    };
}

/// All pairs.
pub(crate) fn protocols() -> Vec<Protocol> {
    let mut all = protocols! {
        "text heartbeats": TextHeartbeats, Config::DEFAULT; TextHeartbeats, Config::DEFAULT;
        "engine.io": engine_io::client(), engine_io::CLIENT_CONFIG; engine_io::server(), engine_io::SERVER_CONFIG;
        "graphql-transport-ws": graphql::TransportWs, graphql::TransportWs::CLIENT_CONFIG;
            graphql::TransportWs, graphql::TransportWs::SERVER_CONFIG;
        "graphql-transport-ws, a peer that returns nothing": graphql::TransportWs, graphql::TransportWs::CLIENT_CONFIG;
            Json::new("type", "ping", "pong"), graphql::TransportWs::SERVER_CONFIG;
        "subscriptions-transport-ws": graphql::keep_alive_client(), graphql::KEEP_ALIVE_CLIENT_CONFIG;
            graphql::keep_alive_server(), graphql::KEEP_ALIVE_SERVER_CONFIG;
        "phoenix": phoenix::Client::new(), phoenix::Client::CONFIG; phoenix::Server, phoenix::Server::CONFIG;
        "phoenix 1": phoenix::Client::version_1(), phoenix::Client::CONFIG; phoenix::Server, phoenix::Server::CONFIG;
        "supabase": phoenix::Client::new(), phoenix::Client::SUPABASE_CONFIG; phoenix::Server, phoenix::Server::CONFIG;
        "ping and pong": ping_pong::texts(), ping_pong::CONFIG; ping_pong::texts(), ping_pong::CONFIG;
        "ping and pong in JSON": ping_pong::json(), ping_pong::CONFIG; ping_pong::json().id("id"), ping_pong::CONFIG;
        "json-rpc": json_rpc::JsonRpc::new(), json_rpc::CONFIG; json_rpc::JsonRpc::new(), json_rpc::CONFIG;
        "pusher": pusher::dialect(), pusher::CLIENT_CONFIG; pusher::dialect(), pusher::SERVER_CONFIG;
        "discord": discord::Client::new(|| Some(251)), discord::CLIENT_CONFIG; discord_server(), ASKS_EACH_30_S;
        "signalr": signalr::Json, signalr::CONFIG; signalr::Json, signalr::CONFIG;
        "signalr, message pack": signalr::message_pack(), signalr::CONFIG; signalr::message_pack(), signalr::CONFIG;
        "stomp": stomp::Stomp, stomp::CONFIG; stomp::Stomp, stomp::CONFIG;
        "action cable": action_cable::client(), action_cable::CLIENT_CONFIG;
            action_cable::Server::new(|| 1_795_979_930), action_cable::SERVER_CONFIG;
        "centrifugo": centrifugo::Client::new(), centrifugo::CLIENT_CONFIG; centrifugo::Server, centrifugo::SERVER_CONFIG;
        "centrifugo, protobuf": centrifugo::protobuf_client(), centrifugo::CLIENT_CONFIG;
            centrifugo::protobuf_server(), centrifugo::SERVER_CONFIG;
        "home assistant": home_assistant::Client::new(counter()), home_assistant::CLIENT_CONFIG;
            Json::new("type", "ping", "pong").id("id").only_answers(), JUDGES_NOBODY;
        "ddp": ddp::dialect(), ddp::CONFIG; ddp::dialect(), ddp::CONFIG;
    };
    all.extend(protocols! {
        "okx": exchange::okx(), exchange::OKX_CONFIG; Exact::text("ping", "pong").only_answers(), JUDGES_NOBODY;
        "bybit": exchange::Bybit, exchange::BYBIT_CONFIG; bybit_server(), JUDGES_NOBODY;
        "kraken": exchange::Kraken::new(), exchange::KRAKEN_CONFIG; kraken_server(), ASKS_EACH_30_S;
        "kucoin": exchange::kucoin(), exchange::KUCOIN_CONFIG;
            Json::new("type", "ping", "pong").id("id").only_answers(), JUDGES_NOBODY;
        "hyperliquid": exchange::hyperliquid(), exchange::HYPERLIQUID_CONFIG;
            Json::new("method", "ping", "pong").pong_key("channel").only_answers(), JUDGES_NOBODY;
        "deribit": exchange::Deribit::new(9_999), exchange::DERIBIT_CONFIG; deribit_server(), ASKS_EACH_30_S;
        "crypto.com": exchange::crypto_com(), exchange::CRYPTO_COM_CONFIG;
            Json::new("method", "public/heartbeat", "public/respond-heartbeat").id("id").only_asks(), ASKS_EACH_30_S;
        "nothing but data": Mute, Mute::config(Duration::from_secs(45)); Exact::text_beat("h"), ASKS_EACH_30_S;
    });
    all
}
