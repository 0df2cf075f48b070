//! An older tokio-tungstenite than this crate knows: 0.29 here, and the same lines for others.
//!
//! What cannot be seen: nothing. The transport is ours.

use liveness::driver::tokio::{Counted, LiveStream};
use liveness_recipes::{Echo, Failure, LARGEST};
use tokio_tungstenite_0_29::{accept_async_with_config, tungstenite::protocol::WebSocketConfig};

mod glue {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll, ready},
    };

    use liveness::{
        CloseCode,
        driver::tokio::{Adapter, MessageKind},
    };
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio_tungstenite_0_29::{
        WebSocketStream,
        tungstenite::{Message, protocol::CloseFrame},
    };

    pub struct Old;

    impl<T: AsyncRead + AsyncWrite + Unpin> Adapter<WebSocketStream<T>> for Old {
        type Message = Message;
        fn kind(message: &Message) -> MessageKind<'_> {
            match message {
                Message::Text(text) => MessageKind::Text(text),
                Message::Binary(bytes) => MessageKind::Binary(bytes),
                Message::Ping(payload) => MessageKind::Ping(payload),
                Message::Pong(payload) => MessageKind::Pong(payload),
                Message::Close(frame) => {
                    MessageKind::Close(frame.as_ref().map(|f| (f.code.into(), &*f.reason)))
                }
                Message::Frame(frame) => MessageKind::Binary(frame.payload()),
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
            Message::Close(
                code.map(|code| CloseFrame { code: code.get().into(), reason: text.to_owned().into() }),
            )
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
            let settings =
                WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
            let Ok(socket) = accept_async_with_config(stream, Some(settings)).await else { return };
            let socket = LiveStream::with_adapter(glue::Old, socket, echo.config).counted(counters);
            echo.serve(socket).await;
        });
    }
}
