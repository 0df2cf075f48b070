//! What a server on a stream and a sink looks like: with and without a heartbeat by hand.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::interval;

use super::TIMEOUT;

/// A runtime on this thread alone.
#[expect(clippy::missing_panics_doc, reason = "a bench without a runtime has nothing to do")]
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The listener as tokio's.
#[expect(clippy::missing_panics_doc, reason = "the bench ends")]
pub fn tokio_listener(listener: TcpListener) -> tokio::net::TcpListener {
    listener.set_nonblocking(true).expect("a listener");
    tokio::net::TcpListener::from_std(listener).expect("a listener")
}

/// A task a connection, all on this thread.
#[expect(clippy::missing_panics_doc, reason = "the bench ends")]
pub fn serve_tasks<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime().block_on(async {
        let listener = tokio_listener(listener);
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            tokio::spawn(serve(stream));
        }
    });
}

/// Echoes messages. A driver's stream returns no others; a bare one is sent no others.
pub async fn echo<S, M, E, F>(mut socket: S)
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = F> + Unpin,
{
    while let Some(Ok(message)) = socket.next().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// The textbook's loop: a timer, the time of the latest message, a timeout.
#[expect(clippy::disallowed_methods, reason = "so it is written by hand")]
pub async fn by_hand<S, M, E, F>(
    mut socket: S,
    every: Duration,
    ping: impl Fn() -> M,
    is_text: impl Fn(&M) -> bool,
) where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = F> + Unpin,
{
    let mut ticks = interval(every);
    let mut seen = Instant::now();
    // The first comes at once.
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if seen.elapsed() > TIMEOUT || socket.send(ping()).await.is_err() {
                    return;
                }
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                seen = Instant::now();
                if is_text(&message) && socket.send(message).await.is_err() {
                    return;
                }
            }
        }
    }
}
