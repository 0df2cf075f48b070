//! axum's own WebSocket behind an ordinary router, on real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::axum::{Counters, CountingListener, make_service};
use liveness::driver::tokio::LiveStream;
use liveness::{CloseCode, Config, Reason, Stats};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tungstenite::Message as WsMessage;
use tungstenite::protocol::CloseFrame;

use liveness_testing::raw_peer::PATIENCE;

const INTERVAL: Duration = Duration::from_millis(150);
/// For clients that must be given up, and for those that must live. No busy machine is late by so much.
const SHORT: Duration = Duration::from_millis(450);
const LONG: Duration = Duration::from_secs(20);

/// How a connection ended.
type Ends = mpsc::UnboundedReceiver<(Option<Reason>, Stats)>;

#[derive(Clone)]
struct App {
    config: Config,
    counted: bool,
    ends: mpsc::UnboundedSender<(Option<Reason>, Stats)>,
}

async fn echo(upgrade: WebSocketUpgrade, counters: Counters, State(app): State<App>) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let mut socket = LiveStream::new(socket, app.config);
        if app.counted {
            socket = socket.counted(counters);
        }
        while let Some(message) = socket.next().await {
            if let Ok(message @ (Message::Text(_) | Message::Binary(_))) = message {
                let _ = socket.send(message).await;
            }
        }
        let _ = app.ends.send((socket.liveness().verdict(), socket.liveness().stats()));
    })
}

async fn serve(timeout: Duration, counted: bool) -> (SocketAddr, Ends) {
    let config = Config::builder()
        .interval(INTERVAL)
        .timeout(timeout)
        .close_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let (ends, ended) = mpsc::unbounded_channel();
    let app = Router::new().route("/socket", any(echo)).with_state(App { config, counted, ends });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(CountingListener(listener), make_service(app)).await });
    (address, ended)
}

async fn connect(address: SocketAddr) -> tokio_tungstenite::WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    tokio_tungstenite::client_async(format!("ws://{address}/socket"), stream).await.unwrap().0
}

async fn end(ends: &mut Ends) -> (Option<Reason>, Stats) {
    timeout(PATIENCE, ends.recv()).await.expect("it ends in time").expect("it ends")
}

#[tokio::test]
async fn a_client_that_only_reads_lives_and_closes_properly() {
    let (address, mut ends) = serve(LONG, true).await;
    let mut client = connect(address).await;
    for _ in 0..8 {
        let message = timeout(PATIENCE, client.next()).await.expect("a ping comes");
        assert!(message.expect("the connection was ended").unwrap().is_ping());
    }
    client.send(WsMessage::text("still here")).await.unwrap();
    while client.next().await.unwrap().unwrap() != WsMessage::text("still here") {}
    client.close(Some(CloseFrame { code: 1000.into(), reason: "bye".into() })).await.unwrap();
    while client.next().await.is_some_and(|message| message.is_ok()) {}
    let (reason, stats) = end(&mut ends).await;
    assert_eq!(reason, Some(Reason::PeerClosed(Some(1000))));
    assert!(stats.answers >= 8, "{stats:?}");
}

#[tokio::test]
async fn a_frozen_client_is_given_up_and_told_so() {
    let (address, mut ends) = serve(SHORT, true).await;
    let mut client = connect(address).await;
    client.send(WsMessage::text("one moment")).await.unwrap();
    assert_eq!(end(&mut ends).await.0, Some(Reason::PingTimeout));
    let mut found = Vec::new();
    timeout(PATIENCE, client.into_inner().read_to_end(&mut found)).await.unwrap().unwrap();
    let close = found.windows(2).any(|code| code == 3008_u16.to_be_bytes());
    assert!(close, "no Close with 3008 in {found:?}");
}

#[tokio::test]
async fn one_frame_that_dribbles_keeps_its_sender_where_bytes_are_seen() {
    // 50 bytes take five seconds, which is longer than the timeout. 120 bytes take long enough to be given up.
    for (counted, len) in [(true, 50), (false, 120)] {
        let (address, mut ends) = serve(Duration::from_secs(4), counted).await;
        let mut stream = connect(address).await.into_inner();
        let dribble = async {
            stream.write_all(&[0x82, 0x80 | len, 0, 0, 0, 0]).await?;
            for _ in 0..len {
                stream.write_all(b"x").await?;
                sleep(Duration::from_millis(100)).await;
            }
            // Room for the header and the echo.
            let mut echo = [0; 122];
            loop {
                stream.read_exact(&mut echo[..2]).await?;
                let len = usize::from(echo[1]);
                stream.read_exact(&mut echo[2..2 + len]).await?;
                if echo[0] == 0x82 {
                    return Ok::<_, std::io::Error>(len);
                }
            }
        };
        let echoed = timeout(PATIENCE, dribble).await.unwrap();
        if counted {
            assert_eq!(echoed.unwrap(), usize::from(len));
            drop(stream);
            assert_eq!(end(&mut ends).await.0, Some(Reason::TransportClosed));
        } else {
            // The docs say this about a socket without counters.
            assert!(echoed.is_err());
            assert_eq!(end(&mut ends).await.0, Some(Reason::PingTimeout));
        }
    }
}

#[tokio::test]
async fn errors_that_hide_their_type_are_still_told_apart() {
    for (bytes, code) in [
        (&b"\x82\x01x"[..], Some(1002_u16)),
        (b"\x81\x81\0\0\0\0\xff", Some(1007)),
        (b"\x82\xff\x10\0\0\0\0\0\0\0\0\0\0\0", Some(1009)),
        // The transport just ends, without a Close.
        (b"", None),
    ] {
        let (address, mut ends) = serve(LONG, true).await;
        let mut stream = connect(address).await.into_inner();
        stream.write_all(bytes).await.unwrap();
        if code.is_none() {
            stream.shutdown().await.unwrap();
        }
        let violation = code.and_then(CloseCode::new);
        let expected = violation.map_or(Reason::TransportClosed, Reason::ProtocolError);
        assert_eq!(end(&mut ends).await.0, Some(expected));
        let mut found = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut found)).await.unwrap();
        let told = found.windows(4).find(|frame| frame[0] == 0x88).map(|frame| [frame[2], frame[3]]);
        assert_eq!(told.map(u16::from_be_bytes), code, "{found:?}");
    }
}

#[tokio::test]
async fn a_reset_is_the_end_of_the_transport() {
    for counted in [true, false] {
        let (address, mut ends) = serve(LONG, counted).await;
        let stream = connect(address).await.into_inner();
        stream.set_zero_linger().unwrap();
        drop(stream);
        assert_eq!(end(&mut ends).await.0, Some(Reason::TransportClosed));
    }
}
