//! axum: its `WebSocket`, watched.
//!
//! The handler stays a handler; the socket is wrapped in one line.
//!
//! ```no_run
//! use axum::Router;
//! use axum::extract::ConnectInfo;
//! use axum::extract::ws::WebSocketUpgrade;
//! use axum::response::Response;
//! use axum::routing::any;
//! use axum::serve::ListenerExt;
//! use futures_util::{SinkExt, StreamExt};
//! use liveness::Config;
//! use liveness::driver::axum::{CountingListener, Peer};
//! use liveness::driver::tokio::LiveStream;
//! use liveness::driver::tune;
//!
//! async fn echo(upgrade: WebSocketUpgrade, ConnectInfo(peer): ConnectInfo<Peer>) -> Response {
//!     upgrade.on_upgrade(async move |socket| {
//!         let mut socket = LiveStream::new(socket, Config::DEFAULT).counted(peer.counters);
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
//! let listener = CountingListener(listener.tap_io(|stream| tune(stream)));
//! axum::serve(listener, app.into_make_service_with_connect_info::<Peer>()).await
//! # }
//! ```
//!
//! # In a program that exists
//!
//! A chat with a handler that upgrades, a function that splits the socket into two tasks, and `axum::serve` changes in seven
//! lines; the loops and the two halves stay as they are:
//!
//! ```diff
//! -    axum::serve(listener, app).await
//! +    let app = app.into_make_service_with_connect_info::<Peer>();
//! +    axum::serve(CountingListener(listener), app).await
//!
//!  async fn handler(
//!      upgrade: WebSocketUpgrade,
//! +    ConnectInfo(peer): ConnectInfo<Peer>,
//!      State(state): State<Chat>,
//!  ) -> Response {
//! -    upgrade.on_upgrade(|socket| chat(socket, state))
//! +    let live = |socket| LiveStream::new(socket, Config::DEFAULT).counted(peer.counters);
//! +    upgrade.on_upgrade(|socket| chat(live(socket), state))
//!  }
//!
//! -async fn chat(socket: WebSocket, state: Chat) {
//! +async fn chat(socket: LiveStream<WebSocket>, state: Chat) {
//!      let (mut sink, mut stream) = socket.split();
//! ```
//!
//! A loop that leaves at the first message that is not text, as many do, need not fear pongs: the answers to the
//! machine's own pings are kept from it.
//!
//! # What can be seen, and how
//!
//! axum hides the transport of a WebSocket. [`CountingListener`] counts the bytes of each connection, and hands its counters to
//! the handler as connect info. With it the driver sees what it sees under tokio-tungstenite.
//!
//! *Without counters* (another listener, a test server) only whole messages are seen. Then a peer that sends one message
//! for longer than `interval + timeout` looks silent, and one that reads one message of ours for longer than
//! `write_timeout` looks stalled: send large things in pieces, or choose the timeouts for them. After a frame against the
//! protocol the peer is told so and, as axum gives no access to the bytes that follow, let go after `close_timeout`.
//!
//! *Before the upgrade* nobody watches: `axum::serve` gives the head of a request no deadline. Where strangers connect, let a
//! proxy do so, or serve with hyper's `header_read_timeout`.
//!
//! *Over HTTP/2* the streams of one connection share its counters: traffic of one counts for all.

use std::string::{String, ToString as _};

use core::error::Error as _;
use core::net::SocketAddr;

use ::axum::extract::connect_info::Connected;
use ::axum::extract::ws::{CloseFrame, Message, WebSocket};
use ::axum::serve::{IncomingStream, Listener};

use super::ErrorKind;
use super::tokio::{ByteCounters, Counted, MessageKind, MessageStream};
use crate::event::CloseCode;
use crate::payload::Payload;

/// A listener that counts the bytes of each connection.
#[derive(Debug)]
pub struct CountingListener<L>(pub L);

impl<L: Listener> Listener for CountingListener<L> {
    type Io = Counted<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.0.accept().await;
        (Counted::new(io), address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// Who connected, and the counters of its connection: the connect info of a [`CountingListener`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peer<A = SocketAddr> {
    /// The peer's address.
    pub address: A,
    /// What moves through its connection.
    pub counters: ByteCounters,
}

impl<L> Connected<IncomingStream<'_, CountingListener<L>>> for Peer<L::Addr>
where
    L: Listener,
    L::Addr: Clone + Send + Sync + 'static,
{
    fn connect_info(stream: IncomingStream<'_, CountingListener<L>>) -> Self {
        Self { address: stream.remote_addr().clone(), counters: stream.io().counters().clone() }
    }
}

impl MessageStream for WebSocket {
    type Message = Message;
    type Failure = ::axum::Error;

    fn kind(message: &Message) -> MessageKind<'_> {
        match message {
            Message::Text(text) => MessageKind::Text(text),
            Message::Binary(_) => MessageKind::Data,
            Message::Ping(_) => MessageKind::Ping,
            Message::Pong(payload) => MessageKind::Pong(payload),
            Message::Close(frame) => MessageKind::Close(frame.as_ref().map(|frame| frame.code)),
        }
    }

    fn len(message: &Message) -> usize {
        match message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
            Message::Close(frame) => frame.as_ref().map_or(0, |frame| frame.reason.len()),
        }
    }

    fn ping(payload: Payload) -> Message {
        Message::Ping(payload.as_bytes().to_vec().into())
    }

    fn text(text: String) -> Message {
        Message::Text(text.into())
    }

    fn close(code: Option<CloseCode>, text: &str) -> Message {
        Message::Close(code.map(|code| CloseFrame { code: code.get(), reason: text.into() }))
    }

    /// axum hides the type of the error as well, so this goes by what can be seen of it.
    fn error_kind(error: &Self::Failure) -> ErrorKind {
        let mut source = error.source();
        while let Some(cause) = source {
            if cause.is::<std::io::Error>() {
                return ErrorKind::Transport;
            }
            source = cause.source();
        }
        let text = error.to_string();
        if text.contains("without closing handshake") {
            ErrorKind::Transport
        } else if text.contains("closed") {
            ErrorKind::Closed
        } else if text.contains("buffer is full") {
            ErrorKind::Rejected
        } else if text.contains("UTF-8") {
            ErrorKind::Protocol(CloseCode::INVALID_PAYLOAD)
        } else if text.contains("Space limit") {
            ErrorKind::Protocol(CloseCode::TOO_BIG)
        } else {
            ErrorKind::Protocol(CloseCode::PROTOCOL_ERROR)
        }
    }
}
