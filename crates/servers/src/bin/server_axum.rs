//! A WebSocket server that knows who is there: axum, behind an ordinary router.
//!
//! `cargo run -p liveness-servers --bin server_axum -- --interval 5s --timeout 10s`
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::axum::{Counters, CountingListener, make_service};
use liveness::driver::tokio::{LiveStream, clock};
use liveness::transcript::Recorder;
use liveness::{Clock, Config};
use liveness_servers::{Args, Failure, MIB, complain, flood, print};
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    args: Arc<Args>,
    config: Config,
    clock: Clock,
    connections: Arc<AtomicUsize>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Arc::new(Args::parse());
    args.no_tls()?;
    let config = args.config()?;
    let listener = args.listen()?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;

    let app = App { args, config, clock: clock(), connections: Arc::default() };
    let router = Router::new().fallback(any(upgrade)).with_state(app);
    Ok(axum::serve(CountingListener(listener), make_service(router)).await?)
}

async fn upgrade(upgrade: WebSocketUpgrade, counters: Counters, State(app): State<App>) -> Response {
    let upgrade = upgrade.max_message_size(64 * MIB).max_frame_size(64 * MIB).read_buffer_size(16 * 1024);
    upgrade.on_upgrade(async move |socket| {
        let connection = app.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let record = match app.args.record(connection) {
            Ok(record) => record,
            Err(error) => return complain(format_args!("connection {connection}: no record: {error}")),
        };
        let socket = LiveStream::new(socket, app.config).counted(counters);
        let socket = match record {
            Some(sink) => socket.observe(Recorder::new(sink)),
            None => socket,
        };
        converse(socket, connection, app.clock).await;
    })
}

/// The whole life of a connection. It has its own loop, the same as without heartbeats.
async fn converse(socket: LiveStream<WebSocket>, connection: usize, clock: Clock) {
    let mut socket = socket.on_action(move |action, _| print(action, connection, clock));
    // Read to the very end, so that the peer is told why, and has time to read it.
    while let Some(message) = socket.next().await {
        if let Ok(message) = message {
            // If an answer cannot be sent, the stream ends too, and says why.
            let _ = answer(&mut socket, message).await;
        }
    }
}

async fn answer<S: SinkExt<Message> + Unpin>(socket: &mut S, message: Message) -> Result<(), S::Error> {
    let wanted = if let Message::Text(text) = &message { flood(text) } else { None };
    let Some(mut left) = wanted else { return socket.send(message).await };
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(64 * MIB);
        socket.send(Message::Binary(vec![0; part].into())).await?;
        left -= part as u64;
    }
    Ok(())
}
