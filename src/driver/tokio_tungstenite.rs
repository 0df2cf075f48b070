//! tokio-tungstenite: its `WebSocketStream`, watched.
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
//!                 Ok(message) if message.is_text() || message.is_binary() => drop(socket.send(message).await),
//!                 Ok(_) => {}
//!                 Err(offline) => println!("{offline}"),
//!             }
//!         }
//!     });
//! }
//! # }
//! ```

use std::boxed::Box;
use std::string::String;

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

use super::tokio::{Counted, LiveStream, MessageKind, MessageStream};
use super::{ErrorKind, HANDSHAKE_TIMEOUT};
use crate::config::Config;
use crate::event::CloseCode;
use crate::payload::Payload;

/// Accepts a WebSocket from a client, and watches it.
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub async fn accept<T>(transport: T, config: Config) -> Result<LiveStream<WebSocketStream<Counted<T>>>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (socket, counters) = accept_raw(transport, None).await?;
    Ok(LiveStream::new(socket, config).counted(counters))
}

/// Accepts a WebSocket with tungstenite's own settings, ready for [`LiveStream::new`] and
/// [`LiveStream::counted`].
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
pub async fn accept_raw<T>(
    transport: T,
    settings: Option<WebSocketConfig>,
) -> Result<(WebSocketStream<Counted<T>>, super::tokio::ByteCounters), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    accept_hdr(transport, NoCallback, settings).await
}

/// As [`accept_raw`], and shows the request to a callback of tungstenite's, which may add headers or refuse it: for
/// its path, a cookie, an origin.
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
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`], or where the callback refuses.
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
    // On the heap: what a handshake needs is large, and a connection outlives it.
    let socket = timeout(HANDSHAKE_TIMEOUT, Box::pin(handshake)).await.map_err(|_| too_long())??;
    Ok((socket, counters))
}

/// Opens a WebSocket to a server over a connected transport, and watches it.
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
///     println!("{}", message?); // the verdict is the error: dial again, as `Reconnect` says
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of the handshake, which fails where it takes longer than [`HANDSHAKE_TIMEOUT`].
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
    Ok((LiveStream::new(socket, config).counted(counters), response))
}

fn too_long() -> Error {
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the handshake took too long"))
}

impl<T: AsyncRead + AsyncWrite + Unpin> MessageStream for WebSocketStream<T> {
    type Message = Message;
    type Failure = Error;

    fn kind(message: &Message) -> MessageKind<'_> {
        match message {
            Message::Text(text) => MessageKind::Text(text),
            Message::Binary(_) | Message::Frame(_) => MessageKind::Data,
            Message::Ping(_) => MessageKind::Ping,
            Message::Pong(payload) => MessageKind::Pong(payload),
            Message::Close(frame) => MessageKind::Close(frame.as_ref().map(|frame| frame.code.into())),
        }
    }

    fn len(message: &Message) -> usize {
        message.len()
    }

    fn ping(payload: Payload) -> Message {
        Message::Ping(payload.as_bytes().to_vec().into())
    }

    fn text(text: String) -> Message {
        Message::Text(text.into())
    }

    fn close(code: Option<CloseCode>, text: &str) -> Message {
        Message::Close(code.map(|code| CloseFrame { code: code.get().into(), reason: text.into() }))
    }

    fn error_kind(error: &Error) -> ErrorKind {
        ErrorKind::from(error)
    }

    fn poll_discard_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Tell the peer that nothing more will come, so that it hangs up; an error means that it has.
        if ready!(Pin::new(self.get_mut()).poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        let mut scrap = [0; 4096];
        for _ in 0..DISCARDS_BEFORE_COOLDOWN {
            let mut buffer = ReadBuf::new(&mut scrap);
            let read = ready!(Pin::new(self.get_mut()).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

/// Reads of what nobody can understand, with a pause after: 16 KiB each 5 ms, in which a kernel's buffer is soon empty.
const DISCARDS_BEFORE_COOLDOWN: usize = 4;
