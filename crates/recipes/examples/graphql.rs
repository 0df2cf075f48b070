//! Subscriptions of async-graphql over a `LiveStream`. The `LiveStream` does the heartbeat of `graphql-transport-ws` in both directions, and
//! async-graphql sees nothing of it. Its own `keepalive_timeout` stays off, because it checks its timer before it reads what has arrived.
//!
//! Run `cargo run --features async_graphql --example graphql -- 127.0.0.1:8080`. Then any client may send
//! `subscription { ticks(count: 3) }`: it gets three ticks, and then nothing. Two more arguments, such as `300ms 3s`, are the interval and
//! the timeout.

use std::future::ready;
use std::time::Duration;

use async_graphql::http::{WebSocket, WebSocketProtocols, WsMessage};
use async_graphql::{EmptyMutation, Object, Schema, Subscription};
use futures_util::stream::{self, Stream, StreamExt};
use futures_util::{FutureExt, SinkExt};
use liveness::Config;
use liveness::dialect::graphql::TransportWs;
use liveness::driver::tokio::LiveStream;
use liveness::driver::tokio_tungstenite::accept_hdr;
use liveness::{driver::tune, parse_duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Ticking = Schema<Query, EmptyMutation, Ticks>;

struct Query;

#[Object]
impl Query {
    async fn version(&self) -> u32 {
        1
    }
}

struct Ticks;

#[Subscription]
impl Ticks {
    /// Ten ticks a second, `count` in all. After the last one the subscription stays open.
    async fn ticks(&self, count: u32) -> impl Stream<Item = u32> {
        let tick = |tick| tokio::time::sleep(Duration::from_millis(100)).map(move |()| tick);
        stream::iter(0..count).then(tick).chain(stream::pending())
    }
}

/// Serves one client until its end. This is all the glue.
async fn serve(stream: TcpStream, schema: Ticking, config: Config) -> Result<(), Failure> {
    let (socket, counters) = accept_hdr(stream, subprotocol, None).await?;
    let socket = LiveStream::new(socket, config).counted(counters).dialect(TransportWs);
    let socket = socket.on_action(|action, _| println!("{action}"));
    let (mut to_client, from_client) = socket.split();
    // A verdict is an error. After it the stream ends by itself, when the client has been told why or `close_timeout` is
    // over.
    let messages = from_client.filter_map(|message| ready(message.ok().filter(Message::is_text)));
    let requests = messages.map(Message::into_data);
    let mut answers = WebSocket::new(schema, requests, WebSocketProtocols::GraphQLWS);
    while let Some(answer) = answers.next().await {
        let answer = match answer {
            WsMessage::Text(text) => Message::text(text),
            WsMessage::Close(code, reason) => {
                Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
            }
        };
        // If an answer cannot be sent, the stream of messages ends too, and says why.
        let _ = to_client.send(answer).await;
    }
    Ok(())
}

#[expect(clippy::result_large_err, reason = "tungstenite's signature")]
fn subprotocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let ours = HeaderValue::from_static("graphql-transport-ws");
    response.headers_mut().insert("sec-websocket-protocol", ours);
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let listener = TcpListener::bind(words.next().unwrap_or_else(|| "127.0.0.1:8080".into())).await?;
    let mut config = TransportWs::SERVER_CONFIG;
    if let (Some(interval), Some(timeout)) = (words.next(), words.next()) {
        let builder = config.to_builder().interval(parse_duration(&interval)?);
        config = builder.timeout(parse_duration(&timeout)?).build()?;
    }
    println!("listening on {}", listener.local_addr()?);
    tune(&listener);
    let schema = Schema::new(Query, EmptyMutation, Ticks);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, schema.clone(), config));
    }
}
