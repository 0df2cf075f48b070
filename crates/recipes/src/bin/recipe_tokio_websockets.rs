//! tokio-websockets: a stream and a sink of messages of its own.
//!
//! What cannot be seen: nothing. The transport is ours.

use liveness::driver::tokio::{Counted, LiveStream};
use liveness_recipes::{Echo, Failure, LARGEST};
use tokio_websockets::{Config, Limits, ServerBuilder};

mod glue {
    use std::{
        error::Error,
        io,
        pin::Pin,
        task::{Context, Poll, ready},
    };

    use liveness::CloseCode;
    use liveness::driver::{
        ErrorKind,
        tokio::{Adapter, MessageKind, guess},
    };
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio_websockets::{Message, WebSocketStream, proto::ProtocolError};

    pub struct TokioWebsockets;

    impl<T: AsyncRead + AsyncWrite + Unpin> Adapter<WebSocketStream<T>> for TokioWebsockets {
        type Message = Message;
        fn kind(message: &Message) -> MessageKind<'_> {
            match message.as_text() {
                Some(text) => MessageKind::Text(text),
                None if message.is_ping() => MessageKind::Ping(message.as_payload()),
                None if message.is_pong() => MessageKind::Pong(message.as_payload()),
                // 1005 says that there was none.
                None if message.is_close() => {
                    let close = message.as_close().map(|(code, text)| (u16::from(code), text));
                    MessageKind::Close(close.filter(|(code, _)| *code != 1005))
                }
                None => MessageKind::Binary(message.as_payload()),
            }
        }
        fn ping(payload: &[u8]) -> Message {
            Message::ping(payload.to_vec())
        }
        fn text(text: String) -> Message {
            Message::text(text)
        }
        fn binary(bytes: Vec<u8>) -> Message {
            Message::binary(bytes)
        }
        fn close(code: Option<CloseCode>, text: &str) -> Message {
            Message::close(code.and_then(|code| code.get().try_into().ok()), text)
        }
        fn error_kind(error: &(dyn Error + 'static)) -> ErrorKind {
            match error.downcast_ref() {
                Some(tokio_websockets::Error::AlreadyClosed) => ErrorKind::Closed,
                Some(tokio_websockets::Error::Protocol(ProtocolError::InvalidUtf8)) => {
                    ErrorKind::Protocol(CloseCode::INVALID_PAYLOAD)
                }
                Some(tokio_websockets::Error::PayloadTooLong { .. }) => {
                    ErrorKind::Protocol(CloseCode::TOO_BIG)
                }
                _ => guess(error),
            }
        }
        fn poll_shutdown(socket: &mut WebSocketStream<T>, cx: &mut Context<'_>) -> Poll<()> {
            Pin::new(socket.get_mut()).poll_shutdown(cx).map(drop)
        }
        fn poll_discard(socket: &mut WebSocketStream<T>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
            let mut scrap = [0; 4096];
            let mut buffer = ReadBuf::new(&mut scrap);
            ready!(Pin::new(socket.get_mut()).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().len()))
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (echo, listener) = Echo::from_flags()?;
    liveness::driver::tune(&listener); // on Linux, what it accepts inherits that
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            let stream = Counted::new(stream);
            let counters = stream.counters().clone();
            let limits = Limits::default().max_payload_len(Some(LARGEST));
            let server = ServerBuilder::new().limits(limits).config(Config::default().frame_size(LARGEST));
            let Ok((_request, socket)) = server.accept(stream).await else { return };
            let socket =
                LiveStream::with_adapter(glue::TokioWebsockets, socket, echo.config).counted(counters);
            echo.serve(socket).await;
        });
    }
}
