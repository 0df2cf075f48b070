//! A WebSocket server that knows who is there: tokio-tungstenite, a task a connection.
//!
//! `cargo run -p liveness-servers --bin server_tokio -- --interval 5s --timeout 10s`
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::tokio::{Counted, LiveStream, clock};
use liveness::driver::tokio_tungstenite::accept_raw;
use liveness::driver::tune;
use liveness::transcript::Recorder;
use liveness::{Clock, Config};
use liveness_servers::{Args, complain, flood, fragments, limits, print};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;

#[tokio::main]
async fn main() -> Result<(), String> {
    let args = Arc::new(Args::parse());
    let config = args.config()?;
    let listener = args.listen()?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let listener = TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let clock = clock();
    for connection in 1.. {
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(tokio::spawn(serve(stream, connection, Arc::clone(&args), config, clock)))
            }
            // A server that has run out of files turns a client away, and lives.
            Err(error) => {
                complain(format_args!("connection {connection}: {error}"));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    Ok(())
}

async fn serve(stream: TcpStream, connection: usize, args: Arc<Args>, config: Config, clock: Clock) {
    tune(&stream);
    let Ok((socket, counters)) = accept_raw(stream, Some(limits())).await else { return };
    let record = match args.record(connection) {
        Ok(record) => record,
        Err(error) => return complain(format_args!("connection {connection}: no record: {error}")),
    };
    let socket = LiveStream::new(socket, config).counted(counters);
    let socket = match record {
        Some(sink) => socket.observe(Recorder::new(sink)),
        None => socket,
    };
    converse(socket, connection, clock).await;
}

/// The whole life of a connection: its own loop, as without heartbeats.
async fn converse(socket: LiveStream<WebSocketStream<Counted<TcpStream>>>, connection: usize, clock: Clock) {
    let mut socket = socket.on_action(move |action, _| print(action, connection, clock));
    // To the very end: the peer is told why, and given the time to hear it.
    while let Some(message) = socket.next().await {
        if let Ok(message) = message {
            // Where an answer cannot be sent, the stream ends too, and says why.
            let _ = answer(&mut socket, message).await;
        }
    }
}

async fn answer<S: SinkExt<Message> + Unpin>(socket: &mut S, message: Message) -> Result<(), S::Error> {
    let wanted = if let Message::Text(text) = &message { flood(text) } else { None };
    let Some(bytes) = wanted else { return socket.send(message).await };
    for fragment in fragments(bytes) {
        socket.send(fragment).await?;
    }
    Ok(())
}
