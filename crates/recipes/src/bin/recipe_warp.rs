//! warp: its WebSocket is a stream and a sink of messages of its own. hyper serves the connections, because `warp::serve` takes no
//! transport that counts.
//!
//! What cannot be seen: after a frame that breaks the protocol, the rest of what the peer sent is not read away, so a Close of ours may
//! be lost to a reset.

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use liveness::driver::tokio::{ByteCounters, Counted, LiveStream};
use liveness_recipes::{Echo, Failure, LARGEST};
use warp::Filter as _;
use warp::ws::Ws;

mod glue {
    use liveness::{
        CloseCode,
        driver::tokio::{Adapter, MessageKind},
    };
    use warp::ws::{Message, WebSocket};

    pub struct Warp;

    impl Adapter<WebSocket> for Warp {
        type Message = Message;
        fn kind(message: &Message) -> MessageKind<'_> {
            match message.to_str() {
                Ok(text) => MessageKind::Text(text),
                Err(()) if message.is_ping() => MessageKind::Ping(message.as_bytes()),
                Err(()) if message.is_pong() => MessageKind::Pong(message.as_bytes()),
                Err(()) if message.is_close() => MessageKind::Close(message.close_frame()),
                Err(()) => MessageKind::Binary(message.as_bytes()),
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
            code.map_or_else(Message::close, |code| Message::close_with(code.get(), text.to_owned()))
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (echo, listener) = Echo::from_flags()?;
    liveness::driver::tune(&listener); // on Linux, what it accepts inherits that
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let routes = warp::ws().and(warp::ext::get::<ByteCounters>()).map(move |ws: Ws, counters| {
        ws.max_message_size(LARGEST).max_frame_size(LARGEST).on_upgrade(move |socket| async move {
            let socket = LiveStream::with_adapter(glue::Warp, socket, echo.config).counted(counters);
            echo.serve(socket).await;
        })
    });
    let service = TowerToHyperService::new(warp::service(routes));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let stream = Counted::new(stream);
        let (service, counters) = (service.clone(), stream.counters().clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(counters.clone());
            hyper::service::Service::call(&service, request)
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades());
    }
}
