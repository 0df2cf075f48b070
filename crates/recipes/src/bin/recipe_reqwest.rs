//! A client of reqwest-websocket: an adapter, and `Role::Client`.
//!
//! What cannot be seen: reqwest hides the connection, so only whole messages are seen to move. A message that takes
//! longer than `interval + timeout` to arrive looks like silence. It cannot send an empty Close either: it echoes the
//! server's empty Close with 1000.

use futures_util::StreamExt as _;
use liveness::driver::{HANDSHAKE_TIMEOUT, tokio::LiveStream};
use liveness::session::Role;
use liveness::{Clock, Config};
use reqwest_websocket::Upgrade as _;
use tokio::time::timeout;

mod glue {
    use liveness::CloseCode;
    use liveness::driver::tokio::{Adapter, MessageKind};
    use reqwest_websocket::{Message, WebSocket};

    pub struct Reqwest;

    impl Adapter<WebSocket> for Reqwest {
        type Message = Message;

        fn kind(message: &Message) -> MessageKind<'_> {
            match message {
                Message::Text(text) => MessageKind::Text(text),
                Message::Binary(bytes) => MessageKind::Binary(bytes),
                Message::Ping(payload) => MessageKind::Ping(payload),
                Message::Pong(payload) => MessageKind::Pong(payload),
                // `Status` is the library's code for a Close without one.
                Message::Close { code: reqwest_websocket::CloseCode::Status, .. } => MessageKind::Close(None),
                Message::Close { code, reason } => MessageKind::Close(Some(((*code).into(), reason))),
            }
        }

        fn ping(payload: &[u8]) -> Message {
            Message::Ping(payload.to_vec().into())
        }

        fn text(text: String) -> Message {
            Message::Text(text)
        }

        fn binary(bytes: Vec<u8>) -> Message {
            Message::Binary(bytes.into())
        }

        fn close(code: Option<CloseCode>, text: &str) -> Message {
            let code = code.map_or(reqwest_websocket::CloseCode::Normal, |code| code.get().into());
            Message::Close { code, reason: text.to_owned() }
        }
    }
}

/// `recipe_reqwest URL [SETTING]...`: prints `SECONDS online|suspect|offline|disconnect [REASON]`.
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which server?")?;
    let config: Config = arguments.collect::<Vec<_>>().join(" ").parse()?;
    let opening =
        async { reqwest::Client::default().get(url).upgrade().send().await?.into_websocket().await };
    let socket = timeout(HANDSHAKE_TIMEOUT, opening).await??;
    let socket = LiveStream::with_adapter(glue::Reqwest, socket, config);
    let clock = Clock::new();
    let mut socket =
        socket.role(Role::Client).on_action(move |action, _| liveness_flags::print_own(action, clock));
    while let Some(message) = socket.next().await {
        println!("{message:?}");
    }
    Ok(())
}
