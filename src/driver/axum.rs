//! axum: its `WebSocket` with a heartbeat.
//!
//! Your handler stays as it is, except for one line that wraps the socket. For another framework see `docs/stacks.md`.
//!
//! ```no_run
//! use axum::Router;
//! use axum::extract::ws::WebSocketUpgrade;
//! use axum::response::Response;
//! use axum::routing::any;
//! use futures_util::{SinkExt, StreamExt};
//! use liveness::Config;
//! use liveness::driver::axum::{Counters, CountingListener, make_service};
//! use liveness::driver::tokio::LiveStream;
//!
//! async fn echo(upgrade: WebSocketUpgrade, counters: Counters) -> Response {
//!     upgrade.on_upgrade(async move |socket| {
//!         let mut socket = LiveStream::new(socket, Config::DEFAULT).counted(counters);
//!         while let Some(Ok(message)) = socket.next().await {
//!             if socket.send(message).await.is_err() {
//!                 break;
//!             }
//!         }
//!     })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let app = Router::new().route("/", any(echo));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(CountingListener(listener), make_service(app)).await
//! # }
//! ```
//!
//! # In an existing program
//!
//! This chat has a handler that upgrades, a function that splits the socket into two tasks, and `axum::serve`. Six of its
//! lines change; the loops and the two halves stay as they are:
//!
//! ```diff
//! -    axum::serve(listener, app).await
//! +    axum::serve(CountingListener(listener), make_service(app)).await
//!
//!  async fn handler(
//!      upgrade: WebSocketUpgrade,
//! +    counters: Counters,
//!      State(state): State<Chat>,
//!  ) -> Response {
//! -    upgrade.on_upgrade(|socket| chat(socket, state))
//! +    upgrade.on_upgrade(|socket| chat(LiveStream::new(socket, Config::DEFAULT).counted(counters), state))
//!  }
//!
//! -async fn chat(socket: WebSocket, state: Chat) {
//! +async fn chat(socket: LiveStream<WebSocket>, state: Chat) {
//!      let (mut sink, mut stream) = socket.split();
//! ```
//!
//! Your handlers and layers can still use `ConnectInfo<SocketAddr>`.
//!
//! # What the driver sees
//!
//! axum hides the transport of a WebSocket. [`CountingListener`] counts the bytes of each connection, and [`make_service`]
//! passes the counters to the handler. With them the driver sees as much as under tokio-tungstenite. [`CountingListener`]
//! also prepares TCP sockets for heartbeats, as [`tune`](super::tune) does.
//!
//! *Without counters* (another listener, a test server) the driver sees only whole messages. Then a peer that sends one
//! message for longer than `interval + timeout` looks silent, and a peer that reads one of our messages for longer than
//! `write_timeout` looks stalled. Send large data in pieces, or choose longer timeouts.
//!
//! *Over HTTP/2* there are no counters: the streams of a connection share its bytes, and the traffic of one stream says
//! nothing about another. So the driver sees only whole messages. Everything else works as over HTTP/1.
//!
//! *After a frame against the protocol* the peer gets a Close. axum gives no access to the bytes that follow. If you keep
//! polling the stream, the connection stays for `close_timeout`. If you drop the stream, a peer that is still sending may
//! see a reset.
//!
//! *Before the upgrade* there is no deadline: `axum::serve` sets none for the head of a request. On a public server, use a
//! proxy that sets one, or serve with hyper's `header_read_timeout`.

use std::string::String;
use std::vec::Vec;

use core::any::Any;
use core::convert::Infallible;

use ::axum::Router;
use ::axum::extract::connect_info::{ConnectInfo, Connected, IntoMakeServiceWithConnectInfo};
use ::axum::extract::ws::{CloseFrame, Message, WebSocket};
use ::axum::extract::{FromRequestParts, Request};
use ::axum::http::request::Parts;
use ::axum::http::{Extensions, Version};
use ::axum::middleware::map_request;
use ::axum::serve::{IncomingStream, Listener};
use ::tokio::net::TcpStream;

use super::tokio::{Adapter, ByteCounters, Counted, MessageKind};
use crate::event::CloseCode;

/// A listener that counts the bytes of each connection, and [tunes](super::tune) TCP sockets.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is made around a listener and has nothing else")]
pub struct CountingListener<L>(pub L);

impl<L: Listener> Listener for CountingListener<L> {
    type Io = Counted<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.0.accept().await;
        if let Some(stream) = (&io as &dyn Any).downcast_ref::<TcpStream>() {
            super::tune(stream);
        }
        (Counted::new(io), address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// The service for `axum::serve` with a [`CountingListener`]: the router and, for each connection, its address as
/// `ConnectInfo` and its [`Counters`].
///
/// Give a router its state first: `make_service(router.with_state(state))`.
pub fn make_service(router: Router) -> IntoMakeServiceWithConnectInfo<Router, Connection> {
    router.layer(map_request(bring_extensions)).into_make_service_with_connect_info()
}

async fn bring_extensions(mut request: Request) -> Request {
    let connection = request.extensions_mut().remove::<ConnectInfo<Connection>>();
    if let Some(ConnectInfo(connection)) = connection {
        request.extensions_mut().extend(connection.extensions);
    }
    request
}

/// A connection of a [`CountingListener`], for [`make_service`].
#[derive(Clone, Debug)]
pub struct Connection {
    /// The extensions of each of its requests.
    extensions: Extensions,
}

impl<L: Listener<Addr: Clone + Send + Sync + 'static>> Connected<IncomingStream<'_, CountingListener<L>>>
    for Connection
{
    fn connect_info(stream: IncomingStream<'_, CountingListener<L>>) -> Self {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(stream.remote_addr().clone()));
        extensions.insert(stream.io().counters().clone());
        Self { extensions }
    }
}

/// An extractor: the counters of the request's connection, for [`LiveStream::counted`](super::tokio::LiveStream::counted).
///
/// It is empty over HTTP/2, and without [`CountingListener`] and [`make_service`], as in a test.
#[derive(Clone, Debug)]
pub struct Counters(Option<ByteCounters>);

impl<S: Sync> FromRequestParts<S> for Counters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let is_its_own = parts.version < Version::HTTP_2;
        Ok(Self(parts.extensions.get::<ByteCounters>().filter(|_| is_its_own).cloned()))
    }
}

impl From<Counters> for Option<ByteCounters> {
    fn from(counters: Counters) -> Self {
        counters.0
    }
}

/// The adapter for axum's messages.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Axum;

impl super::tokio::WebSocket for WebSocket {
    type Adapter = Axum;
}

impl Adapter<WebSocket> for Axum {
    type Message = Message;

    fn kind(message: &Message) -> MessageKind<'_> {
        match message {
            Message::Text(text) => MessageKind::Text(text),
            Message::Binary(bytes) => MessageKind::Binary(bytes),
            Message::Ping(payload) => MessageKind::Ping(payload),
            Message::Pong(payload) => MessageKind::Pong(payload),
            Message::Close(frame) => {
                MessageKind::Close(frame.as_ref().map(|frame| (frame.code, frame.reason.as_str())))
            }
        }
    }

    fn ping(payload: &[u8]) -> Message {
        Message::Ping(payload.to_vec().into())
    }

    fn text(text: String) -> Message {
        Message::Text(text.into())
    }

    fn binary(bytes: Vec<u8>) -> Message {
        Message::Binary(bytes.into())
    }

    fn close(code: Option<CloseCode>, text: &str) -> Message {
        Message::Close(code.map(|code| CloseFrame { code: code.get(), reason: text.into() }))
    }
}
