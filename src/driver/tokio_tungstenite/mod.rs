//! tokio-tungstenite: its `WebSocketStream` with a heartbeat. For a web framework see `driver::axum` or `docs/stacks.md`.
//!
//! ```no_run
//! use futures_util::{SinkExt, StreamExt};
//! use liveness::Config;
//! use liveness::driver::tokio_tungstenite::accept;
//! use liveness::driver::tune;
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:8080").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     tune(&stream);
//!     tokio::spawn(async move {
//!         let Ok(mut socket) = accept(stream, Config::DEFAULT).await else { return };
//!         while let Some(message) = socket.next().await {
//!             match message {
//!                 Ok(message) => drop(socket.send(message).await),
//!                 Err(offline) => println!("{offline}"),
//!             }
//!         }
//!     });
//! }
//! # }
//! ```
//!
//! A client calls [`connect`]: `ws://`, or `wss://` with feature `rustls`.

mod connect;

use std::boxed::Box;
use std::io;
use std::string::String;
use std::vec::Vec;

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Response;
use tungstenite::handshake::server::{Callback, NoCallback};
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message};

pub use self::connect::{ClientStream, connect, connect_with};
use super::connecting::tungstenite_role;
use super::tokio::{Adapter, Counted, LiveStream, MessageKind, WebSocket, guess};
use super::{ErrorKind, HANDSHAKE_TIMEOUT};
use crate::config::Config;
use crate::event::CloseCode;
use crate::session::Role;

/// Accepts a WebSocket from a client, and starts its heartbeat.
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`].
pub async fn accept<T>(transport: T, config: Config) -> Result<LiveStream<WebSocketStream<Counted<T>>>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (socket, counters) = accept_raw(transport, None).await?;
    Ok(LiveStream::new(socket, config).counted(counters))
}

/// Accepts a WebSocket with tungstenite's own settings, ready for [`LiveStream::new`] and [`LiveStream::counted`].
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`].
pub async fn accept_raw<T>(
    transport: T,
    settings: Option<WebSocketConfig>,
) -> Result<(WebSocketStream<Counted<T>>, super::tokio::ByteCounters), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    accept_hdr(transport, NoCallback, settings).await
}

/// Like [`accept_raw`], with a callback of tungstenite's for the request. The callback may add headers, or refuse the
/// request, for example by its path, a cookie or an origin.
///
/// ```no_run
/// # #![allow(dead_code)]
/// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::StreamExt;
/// use liveness::Config;
/// use liveness::driver::tokio::LiveStream;
/// use liveness::driver::tokio_tungstenite::accept_hdr;
/// use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
///
/// let mut path = String::new();
/// let look = |request: &Request, response: Response| {
///     path = request.uri().path().to_owned();
///     Ok(response)
/// };
/// let (socket, counters) = accept_hdr(stream, look, None).await?;
/// let mut socket = LiveStream::new(socket, Config::DEFAULT).counted(counters);
/// println!("{path}: {:?}", socket.next().await);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`], or if the callback refuses.
pub async fn accept_hdr<T, C>(
    transport: T,
    callback: C,
    settings: Option<WebSocketConfig>,
) -> Result<(WebSocketStream<Counted<T>>, super::tokio::ByteCounters), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
    C: Callback + Unpin,
{
    let transport = Counted::new(transport);
    let counters = transport.counters().clone();
    let handshake = tokio_tungstenite::accept_hdr_async_with_config(transport, callback, settings);
    // On the heap, because a handshake's future is large, and a connection lives longer.
    let socket = timeout(HANDSHAKE_TIMEOUT, Box::pin(handshake)).await.map_err(|_| too_long())??;
    Ok((socket, counters))
}

/// Opens a WebSocket to a server over a connected transport, and starts its heartbeat. [`connect`] also dials.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::StreamExt;
/// use liveness::Config;
/// use liveness::driver::tokio_tungstenite::client;
/// use tokio::net::TcpStream;
///
/// let stream = TcpStream::connect("127.0.0.1:8080").await?;
/// liveness::driver::tune(&stream);
/// let (mut socket, _response) = client("ws://127.0.0.1:8080/", stream, Config::DEFAULT).await?;
/// while let Some(message) = socket.next().await {
///     println!("{}", message?); // the verdict is an error: dial again, as `Reconnect` says
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of the handshake, which fails if it takes longer than [`HANDSHAKE_TIMEOUT`].
pub async fn client<R, T>(
    request: R,
    transport: T,
    config: Config,
) -> Result<(LiveStream<WebSocketStream<Counted<T>>>, Response), Error>
where
    R: IntoClientRequest + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let transport = Counted::new(transport);
    let counters = transport.counters().clone();
    let handshake = Box::pin(tokio_tungstenite::client_async(request, transport));
    let (socket, response) = timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| too_long())??;
    Ok((LiveStream::new(socket, config).counted(counters).role(Role::Client), response))
}

/// Watches a WebSocket whose opening handshake another library has done, such as a web framework, over the transport that it
/// returns.
///
/// It sees each byte of the transport, for example of an upgraded connection of hyper. `docs/stacks.md` in the repository
/// lists the frameworks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use futures_util::{SinkExt, StreamExt};
/// # use tokio_tungstenite::tungstenite::Message;
/// use liveness::Config;
/// use liveness::driver::tokio_tungstenite::from_raw_socket;
/// use liveness::session::Role;
///
/// # let (upgraded, theirs) = tokio::io::duplex(1024);
/// # let mut client = from_raw_socket(theirs, Role::Client, None, Config::DEFAULT).await;
/// let mut socket = from_raw_socket(upgraded, Role::Server, None, Config::DEFAULT).await;
/// # let (said, heard) = tokio::join!(client.send(Message::text("hello")), socket.next());
/// # said?;
/// # assert_eq!(heard.ok_or("over")??, Message::text("hello"));
/// # Ok(())
/// # }
/// ```
pub async fn from_raw_socket<T>(
    transport: T,
    role: Role,
    settings: Option<WebSocketConfig>,
    config: Config,
) -> LiveStream<WebSocketStream<Counted<T>>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let transport = Counted::new(transport);
    let counters = transport.counters().clone();
    let socket = WebSocketStream::from_raw_socket(transport, tungstenite_role(role), settings).await;
    LiveStream::new(socket, config).counted(counters).role(role)
}

fn too_long() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long"))
}

/// The adapter for the messages of tokio-tungstenite 0.30.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Tungstenite;

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket for WebSocketStream<T> {
    type Adapter = Tungstenite;
}

impl<T: AsyncRead + AsyncWrite + Unpin> Adapter<WebSocketStream<T>> for Tungstenite {
    type Message = Message;

    fn kind(message: &Message) -> MessageKind<'_> {
        match message {
            Message::Text(text) => MessageKind::Text(text),
            Message::Binary(bytes) => MessageKind::Binary(bytes),
            Message::Frame(frame) => MessageKind::Binary(frame.payload()),
            Message::Ping(payload) => MessageKind::Ping(payload),
            Message::Pong(payload) => MessageKind::Pong(payload),
            Message::Close(frame) => {
                MessageKind::Close(frame.as_ref().map(|frame| (frame.code.into(), frame.reason.as_str())))
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
        Message::Close(code.map(|code| CloseFrame { code: code.get().into(), reason: text.into() }))
    }

    fn error_kind(error: &(dyn core::error::Error + 'static)) -> ErrorKind {
        error.downcast_ref::<Error>().map_or_else(|| guess(error), ErrorKind::from)
    }

    fn poll_shutdown(socket: &mut WebSocketStream<T>, cx: &mut Context<'_>) -> Poll<()> {
        // After an error it is shut.
        Pin::new(socket.get_mut()).poll_shutdown(cx).map(drop)
    }

    fn poll_discard(socket: &mut WebSocketStream<T>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scrap = [0; 4096];
        let mut buffer = ReadBuf::new(&mut scrap);
        ready!(Pin::new(socket.get_mut()).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}
