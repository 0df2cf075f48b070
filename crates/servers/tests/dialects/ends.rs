//! Our end of each protocol, with small numbers.

use liveness::Config;
use liveness::Payload;
use liveness::dialect::{
    Dialect, Heard, Json, JsonValue, Message, Mute, Out, action_cable, centrifugo, engine_io, graphql,
    phoenix, pusher, signalr, stomp,
};
use tungstenite::protocol::Message as Frame;

use super::streams::{Codec, Next};
use super::{INTERVAL, TIMEOUT};

/// Our end of a protocol.
pub(crate) struct Ours {
    pub(crate) dialect: fn() -> Box<dyn Dialect + Send>,
    pub(crate) config: Config,
    /// Finds the heartbeat if the dialect cannot.
    pub(crate) codec: Option<Next>,
    /// The first message, which we send.
    pub(crate) hello: Option<Frame>,
    /// A text in the message that opens the conversation, and our answer to that message.
    pub(crate) handshake: Option<(&'static str, &'static str)>,
    /// Data, which we send again and again in a life that talks.
    pub(crate) talk: Frame,
    /// A message that makes an official server talk back, if our data does not.
    pub(crate) wish: Option<Frame>,
    /// The path to ask an official server for, and below it the subprotocol.
    pub(crate) path: &'static str,
    pub(crate) subprotocol: Option<&'static str>,
}

/// These settings, with a small interval and a small timeout.
fn quick(config: Config) -> Config {
    config.to_builder().interval(INTERVAL).timeout(TIMEOUT).build().unwrap()
}

/// The settings of an end that only sends, with a small interval.
fn each(config: Config) -> Config {
    config.to_builder().interval(INTERVAL).build().unwrap()
}

impl Ours {
    pub(crate) fn new(dialect: fn() -> Box<dyn Dialect + Send>, config: Config, talk: &'static str) -> Self {
        let talk = Frame::text(talk);
        let (codec, hello, handshake, wish, subprotocol) = (None, None, None, None, None);
        Self { dialect, config, codec, hello, handshake, talk, wish, path: "/", subprotocol }
    }

    /// A codec for a new connection.
    pub(crate) fn codec(&self) -> Option<Codec> {
        self.codec.map(|next| Codec { next, arrived: Vec::new() })
    }

    fn hello(self, hello: &'static str) -> Self {
        Self { hello: Some(Frame::text(hello)), ..self }
    }

    fn handshake(self, has: &'static str, answer: &'static str) -> Self {
        Self { handshake: Some((has, answer)), ..self }
    }

    fn path(self, path: &'static str) -> Self {
        Self { path, ..self }
    }
}

pub(crate) fn engine_io_server() -> Ours {
    Ours::new(|| Box::new(engine_io::server()), engine_io::server_config(INTERVAL, TIMEOUT), "4hello")
        .hello(r#"0{"sid":"a","upgrades":[],"pingInterval":300,"pingTimeout":3000,"maxPayload":1000000}"#)
}

pub(crate) fn socket_io_server() -> Ours {
    Ours { talk: Frame::text(r#"42["hello"]"#), ..engine_io_server() }.handshake("40", r#"40{"sid":"b"}"#)
}

pub(crate) fn engine_io_client() -> Ours {
    let config = engine_io::client_config(INTERVAL, TIMEOUT);
    Ours::new(|| Box::new(engine_io::client()), config, "4hello")
        .path("/engine.io/?EIO=4&transport=websocket")
}

pub(crate) fn socket_io_client() -> Ours {
    Ours { talk: Frame::text(r#"42["hello"]"#), ..engine_io_client() }
        .handshake("0{", "40")
        .path("/socket.io/?EIO=4&transport=websocket")
}

pub(crate) fn graphql_server() -> Ours {
    let config = quick(graphql::TransportWs::SERVER_CONFIG);
    // It belongs to no subscription, so the client ignores it.
    let talk = r#"{"id":"2","type":"next","payload":{"data":{"tick":1}}}"#;
    Ours::new(|| Box::new(graphql::TransportWs), config, talk)
        .handshake(r#""connection_init""#, r#"{"type":"connection_ack"}"#)
}

pub(crate) fn graphql_client() -> Ours {
    let config = quick(graphql::TransportWs::CLIENT_CONFIG);
    let talk = r#"{"id":"2","type":"complete"}"#;
    let subscribe = r#"{"id":"1","type":"subscribe","payload":{"query":"subscription { tick }"}}"#;
    let ours = Ours::new(|| Box::new(graphql::TransportWs), config, talk);
    Ours { subprotocol: Some("graphql-transport-ws"), wish: Some(Frame::text(subscribe)), ..ours }
        .hello(r#"{"type":"connection_init"}"#)
}

pub(crate) fn subscriptions() -> Ours {
    let config = each(graphql::KEEP_ALIVE_SERVER_CONFIG);
    Ours::new(
        || Box::new(graphql::keep_alive_server()),
        config,
        r#"{"type":"data","id":"1","payload":{"data":{"a":1}}}"#,
    )
    .handshake(r#""connection_init""#, r#"{"type":"connection_ack"}"#)
}

pub(crate) fn action_cable() -> Ours {
    let dialect = || Box::new(action_cable::Server::new(|| 1_795_979_930)) as _;
    Ours::new(dialect, each(action_cable::SERVER_CONFIG), r#"{"identifier":"{}","message":{}}"#)
        .hello(r#"{"type":"welcome"}"#)
}

pub(crate) fn phoenix() -> Ours {
    let config = phoenix::Server::CONFIG.to_builder().silence_timeout(2 * TIMEOUT).build().unwrap();
    Ours::new(|| Box::new(phoenix::Server), config, r#"[null,null,"room:1","news",{}]"#)
}

pub(crate) fn pusher() -> Ours {
    let config = quick(pusher::SERVER_CONFIG);
    Ours::new(|| Box::new(pusher::dialect()), config, r#"{"event":"news","channel":"room","data":"{}"}"#).hello(
        r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.1\",\"activity_timeout\":1}"}"#,
    )
}

pub(crate) fn signalr() -> Ours {
    let config = signalr::config(INTERVAL, TIMEOUT);
    let news = "{\"type\":1,\"target\":\"news\",\"arguments\":[]}\u{1e}";
    Ours::new(|| Box::new(signalr::Json), config, news).handshake(r#"{"protocol":"json""#, "{}\u{1e}")
}

pub(crate) fn message_pack() -> Ours {
    // Ten bytes: [1, {}, nil, "news", []].
    let news = Frame::binary(&b"\x0a\x95\x01\x80\xc0\xa4news\x90"[..]);
    let ours = Ours::new(|| Box::new(signalr::message_pack()), signalr::config(INTERVAL, TIMEOUT), "");
    Ours { talk: news, ..ours }.handshake(r#"{"protocol":"messagepack""#, "{}\u{1e}")
}

pub(crate) fn stomp() -> Ours {
    let both = stomp::HeartBeat { sends: TIMEOUT / 2, wants: TIMEOUT / 2 };
    let news = "MESSAGE\nsubscription:1\nmessage-id:1\ndestination:/news\n\nhello\0";
    Ours::new(|| Box::new(stomp::Stomp), both.config(both), news)
        .handshake("CONNECT\n", "CONNECTED\nversion:1.2\nheart-beat:1500,1500\n\n\0")
}

pub(crate) fn centrifugo() -> Ours {
    let config = quick(centrifugo::SERVER_CONFIG);
    let news = r#"{"push":{"channel":"news","pub":{"data":{}}}}"#;
    Ours::new(|| Box::new(centrifugo::Server), config, news).handshake(
        r#"{"connect":"#,
        r#"{"id":1,"connect":{"client":"c","version":"5","ping":1,"pong":true}}"#,
    )
}

/// In this protocol a server's end is each program's own: `{"id":19,"type":"ping"}` is answered.
pub(crate) fn home_assistant() -> Ours {
    let dialect = || Box::new(Json::new("type", "ping", "pong").id("id").only_answers()) as _;
    Ours::new(dialect, Mute::config(2 * TIMEOUT), r#"{"id":999,"type":"event","event":{}}"#)
        .hello(r#"{"type":"auth_required","ha_version":"2021.1.0"}"#)
        .handshake(r#"{"type":"auth""#, r#"{"type":"auth_ok","ha_version":"2021.1.0"}"#)
}

/// A Discord gateway, which the crate has no need for. It understands what `discord::Client` writes.
struct Gateway;

impl Dialect for Gateway {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let op = message.text().and_then(JsonValue::read).and_then(|value| value.field("op")?.number());
        if op != Some(1) {
            return Heard::Data;
        }
        answer.text(format_args!(r#"{{"t":null,"s":null,"op":11,"d":null}}"#));
        Heard::Beat
    }

    fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
        false
    }

    fn asks(&self) -> bool {
        false
    }
}

pub(crate) fn discord() -> Ours {
    let ready =
        r#"{"op":0,"s":1,"t":"READY","d":{"session_id":"a","resume_gateway_url":"ws://127.0.0.1:9"}}"#;
    Ours::new(|| Box::new(Gateway), Mute::config(2 * TIMEOUT), r#"{"op":0,"s":2,"t":"NEWS","d":{}}"#)
        .hello(r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":1500}}"#)
        .handshake(r#"{"op":2"#, ready)
}
