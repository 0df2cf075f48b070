//! smol with async-tungstenite: no runtime of tokio's. `Counted` speaks the traits of tokio's transports, so it stands between two
//! adapters of tokio-util's.
//!
//! What cannot be seen: nothing. The transport is ours.

use async_tungstenite::{accept_async_with_config, tungstenite::protocol::WebSocketConfig};
use liveness::driver::tokio::{Counted, LiveStream};
use liveness_recipes::{Echo, Failure, LARGEST};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

mod glue {
    use std::{
        future::Future,
        io,
        pin::Pin,
        task::{Context, Poll, ready},
    };

    use async_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol::CloseFrame},
    };
    use liveness::driver::tokio::{Adapter, MessageKind, Timer};
    use liveness::{Clock, CloseCode, Timestamp};
    use smol::io::{AsyncRead, AsyncWrite};

    pub struct SmolTimer(smol::Timer, Clock);

    impl Default for SmolTimer {
        fn default() -> Self {
            Self(smol::Timer::never(), Clock::new())
        }
    }

    impl Timer for SmolTimer {
        fn now(&self) -> Timestamp {
            self.1.now()
        }
        fn poll_until(&mut self, at: Timestamp, cx: &mut Context<'_>) -> Poll<()> {
            self.0.set_at(self.1.instant(at));
            Pin::new(&mut self.0).poll(cx).map(drop)
        }
    }

    pub struct Async;

    impl<T: AsyncRead + AsyncWrite + Unpin> Adapter<WebSocketStream<T>> for Async {
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
            Pin::new(socket.get_mut()).poll_close(cx).map(drop)
        }
        fn poll_discard(socket: &mut WebSocketStream<T>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
            let mut scrap = [0; 4096];
            Poll::Ready(ready!(Pin::new(socket.get_mut()).poll_read(cx, &mut scrap)))
        }
    }
}

fn main() -> Result<(), Failure> {
    let (echo, listener) = Echo::from_flags()?;
    liveness::driver::tune(&listener); // on Linux, what it accepts inherits that
    let listener = smol::net::TcpListener::try_from(listener)?;
    let tasks = smol::LocalExecutor::new();
    smol::block_on(tasks.run(async {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let serve = async move {
                let stream = Counted::new(stream.compat());
                let counters = stream.counters().clone();
                let settings =
                    WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
                let Ok(socket) = accept_async_with_config(stream.compat(), Some(settings)).await else {
                    return;
                };
                let socket = LiveStream::<_, glue::Async, _>::with_timer(
                    glue::SmolTimer::default(),
                    socket,
                    echo.config,
                );
                echo.serve(socket.counted(counters)).await;
            };
            tasks.spawn(serve).detach();
        }
    }))
}
