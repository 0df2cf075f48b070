//! tokio-websockets.
//!
//! Everything can be seen.

use liveness::driver::tokio::{Counted, LiveStream};
use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness_recipes::{Failure, LARGEST, accept, echo, listen};
use tokio::time::timeout;
use tokio_websockets::{Limits, ServerBuilder};

pub mod glue {
    use std::error::Error;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use liveness::CloseCode;
    use liveness::driver::ErrorKind;
    use liveness::driver::tokio::{Adapter, MessageKind, guess};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio_websockets::proto::ProtocolError;
    use tokio_websockets::{Error as Failure, Message, WebSocketStream};

    pub struct TokioWebsockets;

    impl<T: AsyncRead + AsyncWrite + Unpin> Adapter<WebSocketStream<T>> for TokioWebsockets {
        type Message = Message;

        fn kind(message: &Message) -> MessageKind<'_> {
            match message.as_text() {
                Some(text) => MessageKind::Text(text),
                None if message.is_ping() => MessageKind::Ping(message.as_payload()),
                None if message.is_pong() => MessageKind::Pong(message.as_payload()),
                // 1005 is the library's code for a Close without one.
                None if message.is_close() => MessageKind::Close(
                    message
                        .as_close()
                        .map(|(code, text)| (code.into(), text))
                        .filter(|close| close.0 != 1005),
                ),
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
                Some(Failure::AlreadyClosed) => ErrorKind::Closed,
                Some(Failure::Protocol(ProtocolError::InvalidUtf8)) => {
                    ErrorKind::Protocol(CloseCode::INVALID_PAYLOAD)
                }
                Some(Failure::PayloadTooLong { .. }) => ErrorKind::Protocol(CloseCode::TOO_BIG),
                _ => guess(error),
            }
        }

        // The connection can be reached here. So our Close to a peer that broke the rules is not lost in a reset.
        fn poll_shutdown(socket: &mut WebSocketStream<T>, cx: &mut Context<'_>) -> Poll<()> {
            Pin::new(socket.get_mut()).poll_shutdown(cx).map(drop)
        }

        fn poll_discard(socket: &mut WebSocketStream<T>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
            let mut scrap = [0; 4096];
            let mut scrap = ReadBuf::new(&mut scrap);
            ready!(Pin::new(socket.get_mut()).poll_read(cx, &mut scrap))?;
            Poll::Ready(Ok(scrap.filled().len()))
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::from_std(listen()?)?;
    tune(&listener);
    loop {
        let stream = Counted::new(accept(&listener).await);
        let counters = stream.counters().clone();
        tokio::spawn(async move {
            let builder = ServerBuilder::new().limits(Limits::default().max_payload_len(Some(LARGEST)));
            let opened = timeout(HANDSHAKE_TIMEOUT, builder.accept(stream)).await;
            let Ok(Ok((_request, socket))) = opened else { return };
            let socket = LiveStream::with_adapter(glue::TokioWebsockets, socket, echo().config);
            echo().serve(socket.counted(counters)).await;
        });
    }
}
