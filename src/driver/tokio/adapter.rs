//! How a library's messages are read and written, and how to add a library.

use std::io;
use std::string::{String, ToString as _};
use std::vec::Vec;

use core::error::Error;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_util::{Sink, Stream};

use crate::driver::ErrorKind;
use crate::event::CloseCode;

/// Reads and writes the messages of a library. Implement it for your own empty type, for a socket of any crate.
///
/// `docs/stacks.md` in the repository has an adapter for each widely used library, and says what the driver cannot see
/// there.
///
/// Pass it to [`LiveStream::with_adapter`](super::LiveStream::with_adapter). The sockets of tokio-tungstenite and axum need
/// none: use [`LiveStream::new`](super::LiveStream::new).
///
/// ```
/// # #![allow(dead_code)]
/// use liveness::CloseCode;
/// use liveness::driver::tokio::{Adapter, MessageKind};
/// # mod tokio_tungstenite { pub(crate) struct WebSocketStream<T>(T); pub(crate) use ::tungstenite; }
/// use tokio_tungstenite::WebSocketStream;
/// use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
///
/// struct Old; // an older version of tokio-tungstenite
///
/// impl<T> Adapter<WebSocketStream<T>> for Old {
///     type Message = Message;
///     fn kind(message: &Message) -> MessageKind<'_> {
///         match message {
///             Message::Text(text) => MessageKind::Text(text),
///             Message::Binary(bytes) => MessageKind::Binary(bytes),
///             Message::Ping(payload) => MessageKind::Ping(payload),
///             Message::Pong(payload) => MessageKind::Pong(payload),
///             Message::Close(frame) => MessageKind::Close(frame.as_ref().map(|f| (f.code.into(), &*f.reason))),
///             Message::Frame(frame) => MessageKind::Binary(frame.payload()),
///         }
///     }
///     fn ping(payload: &[u8]) -> Message {
///         Message::Ping(payload.to_vec().into())
///     }
///     fn text(text: String) -> Message {
///         Message::Text(text.into())
///     }
///     fn binary(bytes: Vec<u8>) -> Message {
///         Message::Binary(bytes.into())
///     }
///     fn close(code: Option<CloseCode>, text: &str) -> Message {
///         Message::Close(code.map(|code| CloseFrame { code: code.get().into(), reason: text.to_owned().into() }))
///     }
/// }
/// ```
pub trait Adapter<S: ?Sized> {
    /// The library's message.
    type Message;

    /// The library answers Pings and echoes a Close by itself, as most do. False: it does not, and [`pong`](Self::pong)
    /// makes the answer.
    const ANSWERS: bool = true;

    /// The kind of a message.
    fn kind(message: &Self::Message) -> MessageKind<'_>;

    /// A Ping with this payload.
    fn ping(payload: &[u8]) -> Self::Message;

    /// A Pong with this payload; `None` if the library answers Pings itself.
    #[must_use]
    fn pong(_payload: &[u8]) -> Option<Self::Message> {
        None
    }

    /// A text message, for a heartbeat in text messages: [`LiveStream::dialect`](super::LiveStream::dialect).
    fn text(text: String) -> Self::Message;

    /// A binary message, for a heartbeat in binary messages.
    fn binary(bytes: Vec<u8>) -> Self::Message;

    /// A Close with this code and text, or an empty one.
    fn close(code: Option<CloseCode>, text: &str) -> Self::Message;

    /// What an error of reading or writing means. Default: [`guess`].
    fn error_kind(error: &(dyn Error + 'static)) -> ErrorKind {
        guess(error)
    }

    /// Shuts the write half of the transport. Under TLS this also tells the peer. If the library hides its transport, return
    /// ready at once, which is the default.
    fn poll_shutdown(_socket: &mut S, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Reads and drops bytes after a frame against the protocol. Returns how many; zero or an error at the end. Without it,
    /// closing at once would reset the connection, and the peer might lose our Close. If the library hides its transport,
    /// return pending, which is the default; the connection then stays for `close_timeout`.
    fn poll_discard(_socket: &mut S, _cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

/// The kind of a message, with its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageKind<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message, or a part of a message.
    Binary(&'a [u8]),
    /// A Ping with this payload.
    Ping(&'a [u8]),
    /// A Pong with this payload.
    Pong(&'a [u8]),
    /// A Close with this code and text, if it has them.
    Close(Option<(u16, &'a str)>),
}

impl MessageKind<'_> {
    /// The number of bytes.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Close(Some((_, text))) => text.len(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Close(None) => 0,
        }
    }
}

/// A WebSocket with a known adapter: those of this crate's features, and those for which you implement it.
#[diagnostic::on_unimplemented(
    message = "`liveness` has no adapter for the WebSocket `{Self}`",
    label = "a WebSocket without an adapter",
    note = "the features `tokio-tungstenite` (for version 0.30) and `axum` (for version 0.8) have adapters",
    note = "for any other library or version write an `Adapter`, about 25 lines, and use `LiveStream::with_adapter`",
    note = "`docs/stacks.md` in the repository has a recipe for warp, actix, poem, salvo, Rocket, smol and others"
)]
pub trait WebSocket: Socket<<Self as WebSocket>::Adapter> {
    /// The adapter of its messages.
    type Adapter: Adapter<Self>;
}

/// A `Stream` and `Sink` of an adapter's messages, which a [`LiveStream`](super::LiveStream) can wrap. Their errors may
/// differ.
///
/// It is implemented for all such types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream and a sink of the messages of the adapter `{A}`",
    label = "not a WebSocket of this adapter",
    note = "it must be `Stream<Item = Result<M, E1>> + Sink<M, Error = E2> + Unpin`, where `M` is the adapter's `Message` and the errors are `Error + Send + Sync + 'static`",
    note = "`Joined(stream, sink)` joins two halves; another version of the same crate has other message types",
    note = "`docs/stacks.md` in the repository has a recipe for warp, actix, poem, salvo, Rocket, smol and others"
)]
pub trait Socket<A: Adapter<Self>>:
    Stream<Item = Result<A::Message, <Self as Socket<A>>::ReadError>>
    + Sink<A::Message, Error = <Self as Socket<A>>::WriteError>
    + Unpin
    + Sized
{
    /// The error of reading.
    type ReadError: Error + Send + Sync + 'static;
    /// The error of writing.
    type WriteError: Error + Send + Sync + 'static;
}

impl<S, A, E1, E2> Socket<A> for S
where
    A: Adapter<S>,
    S: Stream<Item = Result<A::Message, E1>> + Sink<A::Message, Error = E2> + Unpin,
    E1: Error + Send + Sync + 'static,
    E2: Error + Send + Sync + 'static,
{
    type ReadError = E1;
    type WriteError = E2;
}

/// Two halves as one socket: the half to read from, and the half to write to. Their errors may differ.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers join two halves, and there is no third")]
pub struct Joined<R, W>(pub R, pub W);

impl<R: Stream + Unpin, W: Unpin> Stream for Joined<R, W> {
    type Item = R::Item;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<R::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl<M, R: Unpin, W: Sink<M> + Unpin> Sink<M> for Joined<R, W> {
    type Error = W::Error;
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), W::Error>> {
        Pin::new(&mut self.1).poll_ready(cx)
    }
    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), W::Error> {
        Pin::new(&mut self.1).start_send(message)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), W::Error>> {
        Pin::new(&mut self.1).poll_flush(cx)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), W::Error>> {
        Pin::new(&mut self.1).poll_close(cx)
    }
}

/// Guesses what an error means: by an `io::Error` among its sources, or by the words of tungstenite's errors, of any
/// version. Any other error counts as the peer's fault: the peer gets a Close, and the connection ends.
///
/// ```
/// use liveness::CloseCode;
/// use liveness::driver::{ErrorKind, tokio::guess};
///
/// let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
/// assert_eq!(guess(&broken), ErrorKind::Transport);
/// let utf8 = tungstenite::Error::Utf8("bad".into());
/// assert_eq!(guess(&utf8), ErrorKind::Protocol(CloseCode::INVALID_PAYLOAD));
/// ```
pub fn guess(error: &(dyn Error + 'static)) -> ErrorKind {
    let mut next = Some(error);
    while let Some(error) = next {
        let known = by_words(&error.to_string());
        if let Some(kind) = known {
            return kind;
        }
        if error.is::<io::Error>() {
            return ErrorKind::Transport;
        }
        next = error.source();
    }
    ErrorKind::Protocol(CloseCode::PROTOCOL_ERROR)
}

fn by_words(text: &str) -> Option<ErrorKind> {
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    if says(&["without closing handshake"]) {
        Some(ErrorKind::Transport)
    } else if says(&["onnection closed", "lready closed", "closed connection", "after closing"]) {
        Some(ErrorKind::Closed)
    } else if says(&["buffer is full", "queue is full"]) {
        Some(ErrorKind::Rejected)
    } else if says(&["UTF-8"]) {
        Some(ErrorKind::Protocol(CloseCode::INVALID_PAYLOAD))
    } else if says(&["Space limit", "too large", "too long"]) {
        Some(ErrorKind::Protocol(CloseCode::TOO_BIG))
    } else if says(&["WebSocket protocol error"]) {
        Some(ErrorKind::Protocol(CloseCode::PROTOCOL_ERROR))
    } else {
        None
    }
}
