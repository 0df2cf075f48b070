//! Our server as a `LiveStream` under tokio-tungstenite, wrapped after the protocol's own handshake.

use std::net::{self, TcpListener};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::Reason;
use liveness::driver::tokio::LiveStream;
use liveness::driver::tokio_tungstenite::accept_hdr;
use liveness_testing::Process;
use liveness_testing::raw_peer::PATIENCE;
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tungstenite::protocol::Message as Frame;

use super::{Ours, WHILE, subprotocol, verdict};

/// The client lives with it for several intervals, is frozen, and found.
#[track_caller]
pub(crate) fn serves(client: &Process, listener: &TcpListener, ours: &Ours) {
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let judged = ours.config.detection_bound(Duration::ZERO) < Duration::MAX;
    let end = runtime.block_on(life(stream, client, ours, judged));
    assert_eq!(end, judged.then(|| verdict(ours.config)));
}

async fn life(stream: net::TcpStream, client: &Process, ours: &Ours, judged: bool) -> Option<Reason> {
    let stream = TcpStream::from_std(stream).unwrap();
    let (mut socket, counters) = accept_hdr(stream, subprotocol, None).await.unwrap();
    if let Some(hello) = ours.hello {
        socket.send(Frame::text(hello)).await.unwrap();
    }
    if let Some((begins, answer)) = ours.handshake {
        while !socket.next().await.unwrap().unwrap().to_text().unwrap().starts_with(begins) {}
        socket.send(Frame::text(answer)).await.unwrap();
    }
    let mut live = LiveStream::new(socket, ours.config).counted(counters).dialect((ours.dialect)());
    let lived = timeout(WHILE, until_the_end(&mut live)).await;
    assert!(lived.is_err(), "it did not live: {}", live.liveness().report(live.now()));
    client.expect("connected");
    if !judged {
        // It tells, and learns nothing of its client.
        return None;
    }
    client.signal(Signal::STOP);
    timeout(PATIENCE, until_the_end(&mut live)).await.expect("it is not found");
    live.liveness().verdict()
}

async fn until_the_end(
    live: &mut LiveStream<tokio_tungstenite::WebSocketStream<liveness::driver::tokio::Counted<TcpStream>>>,
) {
    while let Some(Ok(message)) = live.next().await {
        // What is the heartbeat's is not shown.
        assert!(!["2", "3", "{}", "\n"].contains(&message.to_text().unwrap_or("")), "{message}");
    }
}
