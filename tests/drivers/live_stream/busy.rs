//! A peer that always has more to say, and tokio's budget, which makes a socket say "not now" when there is more.

use std::net::Ipv4Addr;

use futures_util::StreamExt;
use liveness::Config;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tungstenite::protocol::WebSocketConfig;

use super::support::watched;
use liveness_testing::raw_peer::{BINARY, frame, millis};

const MESSAGES: usize = 5000;

/// Reads them all, each of which takes a read of the socket.
async fn read_them_all() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let talker = tokio::spawn(async move {
        peer.write_all(&frame(BINARY, &[7; 1000]).repeat(MESSAGES)).await.unwrap();
        peer
    });
    // There is always more.
    tokio::time::sleep(millis(200)).await;
    let settings = WebSocketConfig::default().read_buffer_size(1024);
    // The peer never answers, and no busy machine reads so slowly that our ping waits for as long.
    let config = Config::builder().interval(millis(500)).timeout(millis(20_000)).build().unwrap();
    let mut live = watched(stream, config, Some(settings)).await;
    for number in 0..MESSAGES {
        let message = live.next().await.unwrap();
        assert!(
            message.is_ok(),
            "{message:?} after {number} messages: {}",
            live.liveness().report(live.clock().now())
        );
    }
    drop(talker.await.unwrap());
}

#[test]
fn a_talker_is_read_to_the_end_by_the_thread_that_blocks_on_the_runtime() {
    // Its tasks are put off when the budget is spent; the future that is blocked on is woken at once.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(read_them_all());
}

#[tokio::test]
async fn a_talker_is_read_to_the_end_by_a_runtime_of_one_thread() {
    read_them_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_talker_is_read_to_the_end_by_a_task() {
    tokio::spawn(read_them_all()).await.unwrap();
}
