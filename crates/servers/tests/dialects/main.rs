//! The dialects against the official ends of their protocols, which nobody here wrote: each lives for several intervals, is frozen by
//! SIGSTOP and found; and where our end falls silent, the official one does what its documents say.
//!
//! They run where `target/interop` has the libraries, as `.ci/run` puts them there, and say so where not; with `LIVENESS_INTEROP=1`
//! in the environment their absence is a failure. Our end is a loop of its own, without a driver; our server is `LiveStream` once more.

#![cfg(unix)]

mod bare_loop;
mod live_stream;
mod process;

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use liveness::dialect::{
    Dialect, action_cable, centrifugo, engine_io, graphql, phoenix, pusher, signalr, stomp,
};
use liveness::{Clock, Config, Reason};
use liveness_testing::Process;
use liveness_testing::raw_peer::PATIENCE;
use rustix::process::Signal;
use tungstenite::WebSocket;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tungstenite::protocol::Message as Frame;

use self::bare_loop::{BareLoop, Told};
use self::process::foreign;

/// A timeout that a busy machine does not exceed by itself.
const TIMEOUT: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_millis(300);
/// Several intervals, and longer than the detection bound.
const WHILE: Duration = Duration::from_millis(4_500);

/// Our end of a protocol, with small numbers.
struct Ours {
    dialect: fn() -> Box<dyn Dialect + Send>,
    config: Config,
    /// What a server says first.
    hello: Option<&'static str>,
    /// What begins the message that opens the conversation, and what it is answered with.
    handshake: Option<(&'static str, &'static str)>,
}

/// What an official client does when it is asked nothing and answered nothing: how its connection ends, as our machine tells it.
type Gives = Option<fn(Reason) -> bool>;

/// These settings with small numbers.
fn quick(config: Config) -> Config {
    config.to_builder().interval(INTERVAL).timeout(TIMEOUT).build().unwrap()
}

impl Ours {
    fn new(dialect: fn() -> Box<dyn Dialect + Send>, config: Config) -> Self {
        Self { dialect, config, hello: None, handshake: None }
    }

    fn hello(self, hello: &'static str) -> Self {
        Self { hello: Some(hello), ..self }
    }

    fn handshake(self, begins: &'static str, answer: &'static str) -> Self {
        Self { handshake: Some((begins, answer)), ..self }
    }
}

fn ours(name: &str) -> Ours {
    let each = |config: Config| config.to_builder().interval(INTERVAL).build().unwrap();
    match name {
        "engine.io" => {
            let hello = r#"0{"sid":"a","upgrades":[],"pingInterval":300,"pingTimeout":3000,"maxPayload":1000000}"#;
            Ours::new(|| Box::new(engine_io::server()), engine_io::server_config(INTERVAL, TIMEOUT)).hello(hello)
        }
        "graphql" => Ours::new(|| Box::new(graphql::TransportWs), quick(graphql::TransportWs::SERVER_CONFIG))
            .handshake(r#"{"type":"connection_init""#, r#"{"type":"connection_ack"}"#),
        "subscriptions" => Ours::new(|| Box::new(graphql::keep_alive_server()), each(graphql::KEEP_ALIVE_SERVER_CONFIG))
            .handshake(r#"{"type":"connection_init""#, r#"{"type":"connection_ack"}"#),
        "action cable" => {
            let dialect = || Box::new(action_cable::Server::new(|| 1_795_979_930)) as _;
            Ours::new(dialect, each(action_cable::SERVER_CONFIG)).hello(r#"{"type":"welcome"}"#)
        }
        "phoenix" | "supabase" => {
            let config = phoenix::Server::CONFIG.to_builder().silence_timeout(2 * TIMEOUT).build().unwrap();
            Ours::new(|| Box::new(phoenix::Server), config)
        }
        "pusher" => Ours::new(|| Box::new(pusher::dialect()), quick(pusher::SERVER_CONFIG)).hello(
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.1\",\"activity_timeout\":1}"}"#,
        ),
        "signalr" => Ours::new(|| Box::new(signalr::Json), signalr::config(INTERVAL, TIMEOUT))
            .handshake(r#"{"protocol":"json""#, "{}\u{1e}"),
        "signalr, message pack" => {
            Ours::new(|| Box::new(signalr::message_pack()), signalr::config(INTERVAL, TIMEOUT))
                .handshake(r#"{"protocol":"messagepack""#, "{}\u{1e}")
        }
        "stomp" => {
            let both = stomp::HeartBeat { sends: TIMEOUT / 2, wants: TIMEOUT / 2 };
            Ours::new(|| Box::new(stomp::Stomp), both.config(both))
                .handshake("CONNECT\n", "CONNECTED\nversion:1.2\nheart-beat:1500,1500\n\n\0")
        }
        "centrifugo" => Ours::new(|| Box::new(centrifugo::Server), quick(centrifugo::SERVER_CONFIG)).handshake(
            r#"{"connect":"#,
            r#"{"id":1,"connect":{"client":"c","version":"5","ping":1,"pong":true}}"#,
        ),
        other => panic!("{other}"),
    }
}

/// Returns the subprotocol that the client asks for first.
#[expect(clippy::result_large_err, reason = "tungstenite's signature")]
fn subprotocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, tungstenite::handshake::server::ErrorResponse> {
    if let Some(asked) = request.headers().get(SEC_WEBSOCKET_PROTOCOL) {
        let first = asked.to_str().unwrap().split(',').next().unwrap().trim().parse().unwrap();
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, first);
    }
    Ok(response)
}

/// A connection that is served, and what is known about it.
struct Served {
    told: Receiver<Told>,
    mute: Arc<AtomicBool>,
}

impl Served {
    fn by(socket: WebSocket<TcpStream>, dialect: Box<dyn Dialect + Send>, config: Config) -> Self {
        let (tell, told) = channel();
        let mute = Arc::new(AtomicBool::new(false));
        let bare = BareLoop { socket, config, mute: mute.clone(), tell, dialect };
        thread::spawn(move || bare.run());
        Self { told, mute }
    }

    /// Nothing but heartbeats for a while, and so many of those.
    #[track_caller]
    fn expect_to_live(&self, lasts: Duration, at_least: u32) {
        let clock = Clock::new();
        let (until, mut beats) = (clock.now() + lasts, 0);
        while let Ok(told) = self.told.recv_timeout(until.saturating_duration_since(clock.now())) {
            let Told::Heard(so_many) = told else { panic!("{told:?}") };
            beats = so_many;
        }
        assert!(beats >= at_least, "only {beats} beats or answers");
    }

    #[track_caller]
    fn expect_offline(&self) -> Reason {
        let clock = Clock::new();
        let until = clock.now() + PATIENCE;
        loop {
            match self.told.recv_timeout(until.saturating_duration_since(clock.now())) {
                Ok(Told::Heard(_)) => {}
                Ok(Told::Offline(reason, _)) => return reason,
                Err(error) => panic!("not offline: {error}"),
            }
        }
    }
}

/// Takes a connection and goes through its handshake.
fn accept(listener: &TcpListener, ours: &Ours) -> Served {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut socket = tungstenite::accept_hdr(stream, subprotocol).unwrap();
    if let Some(hello) = ours.hello {
        socket.send(Frame::text(hello)).unwrap();
    }
    if let Some((begins, answer)) = ours.handshake {
        while !socket.read().unwrap().to_text().unwrap().starts_with(begins) {}
        socket.send(Frame::text(answer)).unwrap();
    }
    Served::by(socket, (ours.dialect)(), ours.config)
}

/// What a frozen peer is given up for.
fn verdict(config: Config) -> Reason {
    if config.timeout() == Duration::MAX { Reason::Silent } else { Reason::PingTimeout }
}

/// The official client of our end.
#[track_caller]
fn our_server(name: &str, gives_up: Gives) {
    let ours = ours(name);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let start = || {
        let mut client = foreign("clients.js")?;
        client.args([name, &url]);
        Some(Process::start(client))
    };

    // It lives, is frozen, and found.
    let Some(client) = start() else { return };
    let served = accept(&listener, &ours);
    client.expect("connected");
    if ours.config.detection_bound(Duration::ZERO) == Duration::MAX {
        // It tells, and learns nothing of its client.
        served.expect_to_live(WHILE, 0);
    } else {
        served.expect_to_live(WHILE, 2);
        client.signal(Signal::STOP);
        assert_eq!(served.expect_offline(), verdict(ours.config));
    }
    drop(client);

    live_stream::serves(&start().unwrap(), &listener, &ours);

    // Our end falls silent: the client does what its documents say.
    let Some(gives_up) = gives_up else { return };
    let client = start().unwrap();
    let ours = Ours { config: forgiving(ours.config), ..ours };
    let served = accept(&listener, &ours);
    client.expect("connected");
    // Some count from the first beat that they have heard.
    served.expect_to_live(2 * INTERVAL, 0);
    served.mute.store(true, Ordering::Relaxed);
    let reason = served.expect_offline();
    assert!(gives_up(reason), "{reason}");
    client.expect("closed");
}

/// Gives no verdict, so that the peer has the time to judge.
fn forgiving(config: Config) -> Config {
    config.to_builder().timeout(Duration::MAX).silence_timeout(Duration::MAX).build().unwrap()
}

/// Without a code, as those do that follow the browser's `close()`.
fn without_a_code(reason: Reason) -> bool {
    reason == Reason::PeerClosed(None)
}

fn with_1000(reason: Reason) -> bool {
    reason == Reason::PeerClosed(Some(1000))
}

#[test]
fn engine_io_client_closes_after_the_sum_without_a_code() {
    our_server("engine.io", Some(without_a_code));
}

#[test]
fn graphql_ws_client_never_judges() {
    our_server("graphql", None);
}

#[test]
fn phoenix_closes_with_1000() {
    our_server("phoenix", Some(with_1000));
}

#[test]
fn supabase_closes_with_1000() {
    our_server("supabase", Some(with_1000));
}

#[test]
fn subscriptions_transport_ws_closes_without_a_code() {
    our_server("subscriptions", Some(without_a_code));
}

#[test]
fn rails_action_cable_closes_without_a_code() {
    our_server("action cable", Some(without_a_code));
}

#[test]
fn signalr_in_message_pack_closes_without_a_code() {
    our_server("signalr, message pack", Some(without_a_code));
}

#[test]
fn pusher_js_closes_with_1000() {
    our_server("pusher", Some(with_1000));
}

#[test]
fn signalr_closes_without_a_code() {
    our_server("signalr", Some(without_a_code));
}

#[test]
fn stompjs_closes_without_a_code() {
    our_server("stomp", Some(without_a_code));
}

#[test]
fn centrifuge_closes_without_a_code() {
    our_server("centrifugo", Some(without_a_code));
}

/// The official server of our client.
#[track_caller]
fn our_client(
    name: &str,
    path: &str,
    dialect: fn() -> Box<dyn Dialect + Send>,
    config: Config,
    gives_up: Gives,
) {
    let Some(mut server) = foreign("servers.js") else { return };
    server.arg(name);
    let server = Process::start(server);
    let port = server.expect("listening on");
    let dial = |config| {
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("ws://127.0.0.1:{port}{path}").into_client_request().unwrap();
        if name == "graphql" {
            let headers = request.headers_mut();
            headers.insert(SEC_WEBSOCKET_PROTOCOL, "graphql-transport-ws".parse().unwrap());
        }
        let (mut socket, _) = tungstenite::client(request, stream).unwrap();
        if name == "graphql" {
            socket.send(Frame::text(r#"{"type":"connection_init"}"#)).unwrap();
        }
        let served = Served::by(socket, dialect(), config);
        server.expect("connected");
        served
    };

    let served = dial(config);
    served.expect_to_live(WHILE, 2);
    if let Some(gives_up) = gives_up {
        let served = dial(forgiving(config));
        served.mute.store(true, Ordering::Relaxed);
        let reason = served.expect_offline();
        assert!(gives_up(reason), "{reason}");
        server.expect("closed");
    }
    server.signal(Signal::STOP);
    assert_eq!(served.expect_offline(), verdict(config));
}

#[test]
fn engine_io_server_closes_a_client_that_does_not_answer() {
    let config = engine_io::client_config(Duration::from_millis(400), TIMEOUT);
    let path = "/engine.io/?EIO=4&transport=websocket";
    our_client("engine.io", path, || Box::new(engine_io::client()), config, Some(without_a_code));
}

#[test]
fn graphql_ws_server_returns_our_payloads() {
    let config = quick(graphql::TransportWs::CLIENT_CONFIG);
    our_client("graphql", "/", || Box::new(graphql::TransportWs), config, None);
}
