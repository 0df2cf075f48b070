//! What heartbeats cost a stream of messages at full speed: a bare `WebSocketStream` beside the same in a `LiveStream`,
//! over loopback TCP, in turns.
//!
//! `cargo bench -p liveness-bench --bench throughput`

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::{Duration, Instant};

use futures_util::{SinkExt, Stream, StreamExt};
use liveness::Config;
use liveness::driver::tokio_tungstenite::accept;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tungstenite::Message;

/// Rounds of each, in turns: noise comes in lumps, and hits both alike.
const ROUNDS: usize = 41;

fn main() {
    println!("messages received, in ns each; the median of {ROUNDS} rounds, and of their ratios");
    println!("{:>10} {:>10} {:>10} {:>8}", "bytes", "bare", "watched", "ratio");
    for (size, count) in [(16, 200_000), (1024, 100_000), (64 * 1024, 5_000)] {
        let (mut bare, mut watched, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (one, other) = (round(size, count, false), round(size, count, true));
            ratios.push(other / one);
            bare.push(one);
            watched.push(other);
        }
        let [bare, watched, ratio] = [bare, watched, ratios].map(median);
        println!("{size:>10} {bare:>10.0} {watched:>10.0} {ratio:>8.3}");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds a message. The sender has a thread of its own, so that only the reader is measured.
fn round(size: usize, count: u32, watched: bool) -> f64 {
    let sender = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let reader = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let took = reader.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let sending: JoinHandle<()> = sender.spawn(async move {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let (mut socket, _) =
                tokio_tungstenite::client_async("ws://localhost/", stream).await.expect("a handshake");
            let message = Message::binary(vec![7; size]);
            for _ in 0..count {
                socket.feed(message.clone()).await.expect("sent");
            }
            socket.flush().await.expect("flushed");
            // It stays until the reader has all.
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
        });
        let (stream, _) = listener.accept().await.expect("a client");
        let took = if watched {
            read(accept(stream, Config::DEFAULT).await.expect("a handshake"), count).await
        } else {
            read(tokio_tungstenite::accept_async(stream).await.expect("a handshake"), count).await
        };
        sending.await.expect("the sender");
        took
    });
    took.as_nanos() as f64 / f64::from(count)
}

async fn read<E: std::fmt::Debug>(
    mut socket: impl Stream<Item = Result<Message, E>> + Unpin,
    count: u32,
) -> Duration {
    let first = socket.next().await.expect("a message").expect("a message");
    assert!(first.is_binary());
    let start = Instant::now();
    for _ in 1..count {
        assert!(socket.next().await.expect("a message").is_ok());
    }
    start.elapsed()
}
