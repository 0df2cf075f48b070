//! tokio-tungstenite 0.29, or any other version: an adapter, because this crate knows only the newest.
//!
//! Everything can be seen.

use liveness::driver::tokio::{Counted, LiveStream};
use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness_recipes::{Failure, LARGEST, accept, echo, listen};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite_0_29 as tokio_tungstenite; // in a program of your own the crate has its own name

mod glue {
    use liveness::CloseCode;
    use liveness::driver::tokio::{Adapter, MessageKind};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

    use super::tokio_tungstenite;

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

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::from_std(listen()?)?;
    tune(&listener);
    loop {
        let stream = Counted::new(accept(&listener).await);
        let counters = stream.counters().clone();
        tokio::spawn(async move {
            let settings =
                WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
            let opening = tokio_tungstenite::accept_async_with_config(stream, Some(settings));
            let Ok(Ok(socket)) = timeout(HANDSHAKE_TIMEOUT, opening).await else { return };
            let socket = LiveStream::with_adapter(glue::Tungstenite, socket, echo().config).counted(counters);
            echo().serve(socket).await;
        });
    }
}
