//! What heartbeats cost a stream of messages at full speed. A bare `WebSocketStream` is compared with a `LiveStream`,
//! once with Ping frames and once with a dialect that reads JSON. They run in turns, over loopback TCP.
//!
//! `cargo bench -p liveness-bench --bench throughput`

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::{Duration, Instant};

use futures_util::{SinkExt, Stream, StreamExt};
use liveness::Config;
use liveness::dialect::graphql::TransportWs;
use liveness::driver::tokio_tungstenite::accept;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tungstenite::Message;

/// Rounds of each, in turns. Noise comes in bursts, so it hits all of them alike.
const ROUNDS: usize = 41;

/// The reader that is measured.
#[derive(Clone, Copy)]
enum Reader {
    Bare,
    Frames,
    Dialect,
}

fn main() {
    println!(
        "messages received, in ns each; the median of {ROUNDS} rounds, and of their ratios to the bare one's"
    );
    println!(
        "{:>10} {:>10} {:>10} {:>8} {:>10} {:>8}",
        "bytes", "bare", "watched", "ratio", "dialect", "ratio"
    );
    for (size, count) in [(16, 200_000), (1024, 100_000), (64 * 1024, 5_000)] {
        let (mut times, mut ratios) = ([const { Vec::new() }; 3], [const { Vec::new() }; 2]);
        for _ in 0..ROUNDS {
            let round =
                [Reader::Bare, Reader::Frames, Reader::Dialect].map(|reader| round(size, count, reader));
            ratios[0].push(round[1] / round[0]);
            ratios[1].push(round[2] / round[0]);
            times.iter_mut().zip(round).for_each(|(times, time)| times.push(time));
        }
        let ([bare, watched, dialect], [ratio, dialects]) = (times.map(median), ratios.map(median));
        println!("{size:>10} {bare:>10.0} {watched:>10.0} {ratio:>8.3} {dialect:>10.0} {dialects:>8.3}");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds for each message. The sender has its own thread, so that only the reader is measured.
fn round(size: usize, count: u32, reader: Reader) -> f64 {
    let sender = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let took = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let sending: JoinHandle<()> = sender.spawn(async move {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let (mut socket, _) =
                tokio_tungstenite::client_async("ws://localhost/", stream).await.expect("a handshake");
            // The text begins as JSON does, so the dialect has to look into it.
            let message =
                Message::text(format!(r#"{{"data":"{:x<1$}"}}"#, "", size - r#"{"data":""}"#.len()));
            for _ in 0..count {
                socket.feed(message.clone()).await.expect("sent");
            }
            socket.flush().await.expect("flushed");
            // The sender stays until the reader has everything.
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
        });
        let (stream, _) = listener.accept().await.expect("a client");
        let took = match reader {
            Reader::Bare => {
                read(tokio_tungstenite::accept_async(stream).await.expect("a handshake"), count).await
            }
            Reader::Frames => read(accept(stream, Config::DEFAULT).await.expect("a handshake"), count).await,
            Reader::Dialect => {
                let socket = accept(stream, TransportWs::SERVER_CONFIG).await.expect("a handshake");
                read(socket.dialect(TransportWs), count).await
            }
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
    assert!(first.is_text());
    let start = Instant::now();
    for _ in 1..count {
        assert!(socket.next().await.expect("a message").is_ok());
    }
    start.elapsed()
}
