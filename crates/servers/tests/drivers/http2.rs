//! axum over HTTP/2 (RFC 8441): its streams share one transport. A connection that breaks frees everything that it had.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::{Request, StatusCode, Version};
use axum::response::Response;
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use liveness::driver::axum::{Counters, CountingListener, make_service};
use liveness::driver::tokio::{ByteCounters, LiveStream};
use liveness::{Config, Reason};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use liveness_testing::eventually;
use liveness_testing::raw_peer::{PATIENCE, TEXT, close, frame};

const MIB: usize = 1 << 20;

async fn echo(upgrade: WebSocketUpgrade, counters: Counters, State(ends): State<Sender<Reason>>) -> Response {
    let counters: Option<ByteCounters> = counters.into();
    // The connection's bytes say nothing about this stream's peer.
    assert!(counters.is_none());
    upgrade.on_upgrade(async move |socket| {
        let config = Config::builder().interval(PATIENCE).close_timeout(Duration::from_millis(300));
        let mut socket = LiveStream::new(socket, config.build().unwrap()).counted(counters);
        while let Some(message) = socket.next().await {
            let Ok(Message::Text(text)) = message else { continue };
            let message =
                if text == "flood" { Message::binary(vec![0; 16 * MIB]) } else { Message::Text(text) };
            let _ = socket.send(message).await;
        }
        let _ = ends.send(socket.liveness().verdict().unwrap());
    })
}

/// A server on a runtime of its own, whose tasks can be counted.
fn serve() -> (Runtime, SocketAddr, Receiver<Reason>) {
    let server = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (ends, ended) = channel();
    let large = any(async || vec![0_u8; 16 * MIB]);
    let app = Router::new().route("/socket", any(echo)).route("/large", large).with_state(ends);
    let listener = server.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    server.spawn(async move { axum::serve(CountingListener(listener), make_service(app)).await });
    (server, address, ended)
}

/// A WebSocket in a stream of HTTP/2, and a handle for more requests on its connection.
struct Client {
    connection: tokio::task::JoinHandle<()>,
    requests: SendRequest<Bytes>,
    send: SendStream<Bytes>,
    receive: RecvStream,
}

impl Client {
    async fn dial(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        // Dropping it resets the connection.
        stream.set_zero_linger().unwrap();
        let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(async move { drop(connection.await) });
        let settings = async {
            while !requests.is_extended_connect_protocol_enabled() {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, settings).await.expect("the server knows RFC 8441");
        let mut request = Request::connect("http://localhost/socket").version(Version::HTTP_2);
        request = request.header("sec-websocket-version", "13").extension(Protocol::from_static("websocket"));
        let (response, send) = requests.send_request(request.body(()).unwrap(), false).unwrap();
        let response = timeout(PATIENCE, response).await.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Self { connection, requests, send, receive: response.into_body() }
    }

    fn say(&mut self, frame: Vec<u8>) {
        self.send.send_data(frame.into(), false).unwrap();
    }

    async fn hear(&mut self) -> Bytes {
        timeout(PATIENCE, self.receive.data()).await.unwrap().expect("not the end").unwrap()
    }

    async fn break_off(self) {
        self.connection.abort();
        let _ = self.connection.await;
    }
}

/// When the connection breaks.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// While the WebSocket is idle.
    Idle,
    /// While the server writes to it.
    Flooded,
    /// After the WebSocket was closed, in the middle of another response. Nobody calls a driver any more.
    Closed,
}

async fn meet(address: SocketAddr, breaks: Break) {
    let mut client = Client::dial(address).await;
    client.say(frame(TEXT, b"hello"));
    assert!(client.hear().await.ends_with(b"hello"));
    match breaks {
        Break::Idle => {}
        Break::Flooded => {
            client.say(frame(TEXT, b"flood"));
            client.hear().await;
        }
        Break::Closed => {
            client.say(close(1000, ""));
            assert_eq!(client.hear().await[..2], [0x88, 2]);
            let request = Request::get("http://localhost/large").version(Version::HTTP_2).body(()).unwrap();
            let (response, _) = client.requests.send_request(request, true).unwrap();
            let response = timeout(PATIENCE, response).await.unwrap().unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            timeout(PATIENCE, response.into_body().data()).await.unwrap().unwrap().unwrap();
        }
    }
    client.break_off().await;
}

/// A connection's file belongs to its task, so it is enough to count the tasks.
#[test]
fn a_connection_of_http2_that_breaks_frees_its_tasks_whenever_it_breaks() {
    const CLIENTS: usize = 5;
    let (server, address, ended) = serve();
    let tasks = server.handle().clone();
    let tasks = || tasks.metrics().num_alive_tasks();
    let client = Builder::new_current_thread().enable_all().build().unwrap();
    eventually("it listens", || tasks() == 1);
    for breaks in [Break::Idle, Break::Flooded, Break::Closed] {
        for _ in 0..CLIENTS {
            client.block_on(meet(address, breaks));
            let expected = match breaks {
                Break::Idle | Break::Flooded => Reason::TransportClosed,
                Break::Closed => Reason::PeerClosed(Some(1000)),
            };
            assert_eq!(ended.recv_timeout(PATIENCE), Ok(expected), "{breaks:?}");
        }
        eventually("its tasks are gone", || tasks() == 1);
    }
}
