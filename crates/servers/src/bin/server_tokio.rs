//! A WebSocket server that knows who is there: tokio-tungstenite, a task for each connection.
//!
//! `cargo run -p liveness-servers --bin server_tokio -- --interval 5s --timeout 10s`
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::tokio::{ByteCounters, Counted, LiveStream, clock};
use liveness::driver::tokio_tungstenite::accept_raw;
use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness::transcript::Recorder;
use liveness::{Clock, Config};
use liveness_servers::{Args, Failure, complain, flood, fragments, limits, print, tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Arc::new(Args::parse());
    let config = args.config()?;
    let tls = tls(&args)?.map(TlsAcceptor::from);
    let listener = args.listen()?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let clock = clock();
    for connection in 1.. {
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(tokio::spawn(serve(stream, tls.clone(), connection, Arc::clone(&args), config, clock)));
            }
            // A server that has no file left turns a client away, and goes on.
            Err(error) => {
                complain(format_args!("connection {connection}: {error}"));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    Ok(())
}

async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    connection: usize,
    args: Arc<Args>,
    config: Config,
    clock: Clock,
) {
    tune(&stream);
    let Some(tls) = tls else {
        let Ok((socket, counters)) = accept_raw(stream, Some(limits())).await else { return };
        return converse(socket, counters, connection, &args, config, clock).await;
    };
    // Bytes are counted on the wire, below TLS.
    let stream = Counted::new(stream);
    let counters = stream.counters().clone();
    let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await else { return };
    let Ok((socket, _)) = accept_raw(stream, Some(limits())).await else { return };
    converse(socket, counters, connection, &args, config, clock).await;
}

/// The whole life of a connection. It has its own loop, the same as without heartbeats.
async fn converse<T: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<Counted<T>>,
    counters: ByteCounters,
    connection: usize,
    args: &Args,
    config: Config,
    clock: Clock,
) {
    let mut socket = LiveStream::new(socket, config)
        .counted(counters)
        .on_action(move |action, _| print(action, connection, clock));
    match args.record(connection) {
        Ok(None) => {}
        Ok(Some(sink)) => socket = socket.observe(Recorder::new(sink)),
        Err(error) => return complain(format_args!("connection {connection}: no record: {error}")),
    }
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
    let Some(bytes) = wanted else { return socket.send(message).await };
    for fragment in fragments(bytes) {
        socket.send(fragment).await?;
    }
    Ok(())
}
