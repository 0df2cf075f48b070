//! async-tungstenite on smol: smol's sockets, executor and timer. No runtime of tokio's, and no second thread.
//!
//! Everything can be seen. The same lines work with async-std and its own `TcpListener`.

use std::time::Duration;

use async_tungstenite::tungstenite::{Error, protocol::WebSocketConfig};
use liveness::driver::tokio::{Counted, LiveStream};
use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness_recipes::{Failure, LARGEST, echo, listen};
use smol::{Async, LocalExecutor, Timer, future::or};

mod glue {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use async_tungstenite::WebSocketStream;
    use async_tungstenite::tungstenite::{Message, protocol::CloseFrame};
    use liveness::driver::tokio::{Adapter, MessageKind, Timer, clock};
    use liveness::{Clock, CloseCode, Timestamp};

    pub struct AsyncIo(async_io::Timer, Clock);

    impl AsyncIo {
        pub fn new() -> Self {
            Self(async_io::Timer::never(), clock())
        }
    }

    impl Timer for AsyncIo {
        fn now(&self) -> Timestamp {
            self.1.now()
        }

        fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
            self.0.set_at(self.1.instant(at));
            Pin::new(&mut self.0).poll(cx).map(drop)
        }
    }

    pub struct Tungstenite;

    impl<T> Adapter<WebSocketStream<T>> for Tungstenite {
        type Message = Message;

        fn kind(message: &Message) -> MessageKind<'_> {
            match message {
                Message::Text(text) => MessageKind::Text(text),
                Message::Binary(bytes) => MessageKind::Binary(bytes),
                Message::Ping(payload) => MessageKind::Ping(payload),
                Message::Pong(payload) => MessageKind::Pong(payload),
                Message::Close(frame) => {
                    MessageKind::Close(frame.as_ref().map(|frame| (frame.code.into(), &*frame.reason)))
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
            Message::Close(code.map(|code| CloseFrame { code: code.get().into(), reason: text.into() }))
        }
    }
}

fn main() -> Result<(), Failure> {
    let listener = Async::<std::net::TcpListener>::try_from(listen()?)?;
    tune(&listener);
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                Timer::after(Duration::from_millis(10)).await; // the process has no file left
                continue;
            };
            let stream = Counted::new(stream);
            let counters = stream.counters().clone();
            let serve = async move {
                let settings =
                    WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
                let opening = async_tungstenite::accept_async_with_config(stream, Some(settings));
                let too_long = async {
                    Timer::after(HANDSHAKE_TIMEOUT).await;
                    Err(Error::ConnectionClosed)
                };
                let Ok(socket) = or(opening, too_long).await else { return };
                let timer = glue::AsyncIo::new();
                let socket = LiveStream::<_, glue::Tungstenite, _>::with_timer(timer, socket, echo().config);
                let socket = socket.counted(counters);
                echo().serve(socket).await;
            };
            executor.spawn(serve).detach();
        }
    }))
}
