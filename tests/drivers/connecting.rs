//! Clients that dial, with both drivers: the same addresses, and the same errors.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ::tungstenite::Message;
use ::tungstenite::protocol::WebSocketConfig;
use futures_util::StreamExt;
use liveness::driver::tokio_tungstenite::{ClientStream, connect};
use liveness::driver::tungstenite::{ClientSocket, connect as connect_blocking};
use liveness::driver::{ConnectError, Connector, HANDSHAKE_TIMEOUT, Stage, tokio_tungstenite, tungstenite};
use liveness::reconnect::OnClose;
use liveness::{Action, CloseCode, Config, Liveness, Reason};
use tokio::time::Instant;

use liveness_testing::host::{bound, brisk, strict};

const CONFIG: Config = brisk().build_const();

/// Serves this many connections, one after the other. Returns the address.
fn serve(
    listener: TcpListener,
    connections: usize,
    mut serve: impl FnMut(TcpStream) + Send + 'static,
) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for _ in 0..connections {
            serve(bound(listener.accept().unwrap().0));
        }
    });
    address
}

fn loopback() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// Sends each message back, as a library does.
fn echo(stream: TcpStream) {
    let mut socket = ::tungstenite::accept(stream).unwrap();
    while let Ok(message) = socket.read() {
        if message.is_text() {
            socket.send(message).unwrap();
        }
    }
}

/// Answers the request with these bytes.
fn answers(bytes: &'static str) -> impl FnMut(TcpStream) + Send + 'static {
    move |mut stream| {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        stream.write_all(bytes.as_bytes()).unwrap();
    }
}

/// The results of both drivers, one after the other.
async fn both(url: &str) -> [Result<(), ConnectError>; 2] {
    let ours = url.to_owned();
    let blocking = tokio::task::spawn_blocking(move || connect_blocking(ours, CONFIG).map(drop));
    [blocking.await.unwrap(), connect(url, CONFIG).await.map(drop)]
}

#[track_caller]
fn converse_blocking(mut socket: ClientSocket) {
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    socket.close(CloseCode::NORMAL, "");
    assert_eq!(socket.finish().reason(), Reason::LocalClosed);
}

async fn converse(mut socket: ClientStream) {
    futures_util::SinkExt::send(&mut socket, Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    socket.close(CloseCode::NORMAL, "");
    while socket.next().await.is_some() {}
    assert_eq!(socket.liveness().verdict(), Some(Reason::LocalClosed));
    assert!(socket.get_ref().is_none());
}

/// `localhost` may mean ::1 first, where nobody listens. Then the next address is tried.
#[tokio::test]
async fn a_name_is_looked_up_and_each_of_its_addresses_is_tried() {
    let port = serve(loopback(), 2, echo).port();
    let url = format!("ws://localhost:{port}/room");
    let (socket, response) = connect(&url, CONFIG).await.unwrap();
    assert_eq!(response.status(), 101);
    converse(socket).await;
    let blocking = move || {
        let (socket, response) = connect_blocking(url, CONFIG).unwrap();
        assert_eq!(response.status(), 101);
        converse_blocking(socket);
    };
    tokio::task::spawn_blocking(blocking).await.unwrap();
}

#[tokio::test]
async fn an_address_of_version_6_stands_in_brackets() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        println!("this machine has no ::1");
        return;
    };
    let port = serve(listener, 2, echo).port();
    let url = format!("ws://[::1]:{port}/");
    converse(connect(&url, CONFIG).await.unwrap().0).await;
    let blocking = move || converse_blocking(connect_blocking(url, CONFIG).unwrap().0);
    tokio::task::spawn_blocking(blocking).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_before_anybody_dials() {
    for (url, words) in [
        ("http://localhost/", "begins with ws:// or wss://, and not with http://"),
        ("localhost:8080", "begins with ws:// or wss://"),
        ("ws://", "an address looks like wss://example.com/path"),
    ] {
        for refused in both(url).await {
            let error = refused.unwrap_err();
            assert!(error.to_string().contains(words), "{url}: {error}");
            assert_eq!(error.then(), OnClose::Stop);
        }
    }
}

#[cfg(not(feature = "rustls"))]
#[tokio::test]
async fn without_the_feature_an_address_of_tls_is_refused_by_the_features_name() {
    for refused in both("wss://localhost/").await {
        let error = refused.unwrap_err();
        assert!(matches!(error, ConnectError::NoTls(_)), "{error:?}");
        assert!(error.to_string().contains("feature `rustls`"), "{error}");
        assert_eq!(error.then(), OnClose::Stop);
    }
}

/// `cargo test --features rustls --test drivers connecting`
#[cfg(all(feature = "rustls", not(feature = "rustls-ring")))]
#[tokio::test]
async fn without_a_provider_it_is_said_how_to_have_one() {
    for refused in both("wss://localhost/").await {
        let error = refused.unwrap_err();
        assert!(matches!(error, ConnectError::NoTls(_)), "{error:?}");
        assert!(error.to_string().contains("install_default()"), "{error}");
        assert!(error.to_string().contains("feature `rustls-ring`"), "{error}");
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    for refused in both("ws://name.invalid/").await {
        let error = refused.unwrap_err();
        assert!(matches!(error, ConnectError::LookUp { .. }), "{error:?}");
        assert!(error.to_string().starts_with("no address was found for name.invalid: "), "{error}");
        // There may be no network on this machine.
        assert_eq!(error.then(), OnClose::AT_ONCE);
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_named() {
    let port = loopback().local_addr().unwrap().port();
    for refused in both(&format!("ws://localhost:{port}/")).await {
        let error = refused.unwrap_err();
        assert!(error.to_string().starts_with(&format!("port {port} of localhost takes no connection: ")));
        let ConnectError::Unreachable { host, port: tried, error } = error else { panic!("{error:?}") };
        assert_eq!((&*host, tried), ("localhost", port));
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn a_server_that_answers_otherwise_is_heard() {
    let asked = |at_least, spread| OnClose::Redial {
        at_least: Duration::from_secs(at_least),
        spread: Duration::from_secs(spread),
    };
    for (head, status, then) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 404, OnClose::Stop),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", 502, OnClose::AT_ONCE),
        ("HTTP/1.1 503 Service Unavailable\r\nretry-after: 120\r\n\r\n", 503, asked(120, 30)),
        ("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 8\r\n\r\n", 429, asked(8, 2)),
        ("HTTP/1.1 503 No\r\nretry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n", 503, OnClose::AT_ONCE),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, OnClose::AT_ONCE),
    ] {
        let address = serve(loopback(), 2, answers(head));
        for refused in both(&format!("ws://{address}/")).await {
            let error = refused.unwrap_err();
            assert_eq!(error.response().map(|response| response.status().as_u16()), Some(status), "{error}");
            assert!(error.to_string().starts_with(&format!("the server answered {status}")), "{error}");
            assert_eq!(error.then(), then, "{error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_or_speaks_nonsense_opened_nothing() {
    for nonsense in ["", "220 mail.example.com ready\r\n\r\n"] {
        let address = serve(loopback(), 2, answers(nonsense));
        for refused in both(&format!("ws://{address}/")).await {
            let error = refused.unwrap_err();
            assert!(matches!(error, ConnectError::Handshake(_)), "{error:?}");
            assert_eq!(error.then(), OnClose::AT_ONCE);
        }
    }
}

/// The system accepts the connection, but the program never does.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up_after_the_whole_bound() {
    let listener = loopback();
    let start = Instant::now();
    let error = connect(format!("ws://{}/", listener.local_addr().unwrap()), CONFIG).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut(Stage::Handshake)), "{error:?}");
    assert_eq!(error.to_string(), "the server did not finish the handshake in 10 s");
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());
}

/// The same in real time: the dial ends.
#[test]
fn a_server_that_never_answers_a_thread_is_given_up() {
    let listener = loopback();
    let error = connect_blocking(format!("ws://{}/", listener.local_addr().unwrap()), CONFIG).unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut(Stage::Handshake)), "{error:?}");
}

#[tokio::test]
async fn settings_reach_the_library() {
    let port = serve(loopback(), 2, echo).port();
    let url = format!("ws://localhost:{port}/");
    let small = WebSocketConfig::default().max_message_size(Some(3));
    let connector = Connector::new().settings(small);
    let (mut socket, _) = tokio_tungstenite::connect_with(&url, &connector, CONFIG).await.unwrap();
    futures_util::SinkExt::send(&mut socket, Message::text("four")).await.unwrap();
    assert!(socket.next().await.unwrap().unwrap_err().to_string().contains("too long"));
    drop(socket);
    let blocking = move || {
        let (mut socket, _) = tungstenite::connect_with(url, &connector, CONFIG).unwrap();
        socket.send(Message::text("four")).unwrap();
        assert!(socket.read().unwrap_err().to_string().contains("too long"));
    };
    tokio::task::spawn_blocking(blocking).await.unwrap();
}

/// A server that opens the WebSocket, and then neither reads nor closes until the client has gone.
fn freeze(stream: TcpStream) {
    let mut stream = ::tungstenite::accept(stream).unwrap().into_inner();
    let _ = stream.read_to_end(&mut Vec::new());
}

/// A client that waits for the closing handshake would wait for an hour, and so would the test.
const NEVER_CLOSES: Config = strict().close_timeout(Duration::from_secs(3600)).build_const();

type Told = Arc<Mutex<Vec<Action>>>;

fn log(told: &Told) -> impl FnMut(Action, &Liveness) + Send + 'static {
    let told = Arc::clone(told);
    move |action, _| told.lock().unwrap().push(action)
}

#[tokio::test]
async fn a_client_is_told_at_the_verdict_and_dials_again_at_once() {
    let address = serve(loopback(), 2, freeze);
    let url = format!("ws://{address}/");
    let told = Told::default();
    let (socket, _) = connect(&url, NEVER_CLOSES).await.unwrap();
    let mut socket = socket.on_action(log(&told));
    let error = socket.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::PingTimeout));
    assert!(!told.lock().unwrap().contains(&Action::Disconnect));
    drop(socket);
    assert_eq!(told.lock().unwrap().last(), Some(&Action::Disconnect));

    let blocking = move || {
        let told = Told::default();
        let (socket, _) = connect_blocking(url, NEVER_CLOSES).unwrap();
        let mut socket = socket.on_action(log(&told));
        assert_eq!(socket.read().unwrap_err().reason(), Reason::PingTimeout);
        assert!(!told.lock().unwrap().contains(&Action::Disconnect));
        drop(socket);
    };
    tokio::task::spawn_blocking(blocking).await.unwrap();
}
