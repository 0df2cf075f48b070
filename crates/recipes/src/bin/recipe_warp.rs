//! warp: an adapter for its `WebSocket`. hyper's loop replaces `warp::serve`, so that the connection is counted.
//!
//! Everything can be seen except what follows a frame that breaks the rules. `warp::serve(..).incoming(listener)` has no
//! place for counters. With it, only whole messages are seen to move: a message that takes longer than `interval +
//! timeout` to arrive looks like silence. Tune the listener in either case.

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use liveness::driver::tokio::{ByteCounters, Counted, LiveStream};
use liveness::driver::tune;
use liveness_recipes::{Failure, LARGEST, accept, echo, http1, listen};
use warp::Filter as _;
use warp::ws::Ws;

mod glue {
    use liveness::CloseCode;
    use liveness::driver::tokio::{Adapter, MessageKind};
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

fn upgrade(ws: Ws, counters: ByteCounters) -> impl warp::Reply {
    ws.max_message_size(LARGEST).max_frame_size(LARGEST).on_upgrade(async |socket| {
        let socket = LiveStream::with_adapter(glue::Warp, socket, echo().config).counted(counters);
        echo().serve(socket).await;
    })
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::from_std(listen()?)?;
    tune(&listener);
    let routes = warp::service(warp::ws().and(warp::ext::get::<ByteCounters>()).map(upgrade));
    loop {
        let stream = Counted::new(accept(&listener).await);
        let (counters, routes) = (stream.counters().clone(), TowerToHyperService::new(routes));
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(counters.clone());
            hyper::service::Service::call(&routes, request)
        });
        tokio::spawn(http1().serve_connection(TokioIo::new(stream), service).with_upgrades());
    }
}
