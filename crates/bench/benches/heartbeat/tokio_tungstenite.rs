//! tokio-tungstenite: a task a connection, all on one thread.

use std::net::TcpListener;

use liveness::driver::tokio_tungstenite::accept;
use liveness_bench::heartbeat::{Heartbeat, by_hand, echo};
use tokio_tungstenite::accept_async;
use tungstenite::{Bytes, Message};

pub(crate) fn serve(listener: TcpListener, heartbeat: Heartbeat) {
    liveness_bench::heartbeat::serve_tasks(listener, move |stream| async move {
        match heartbeat {
            Heartbeat::Nothing => echo(accept_async(stream).await.expect("a handshake")).await,
            Heartbeat::ByHand(every) => {
                let socket = accept_async(stream).await.expect("a handshake");
                by_hand(socket, every, || Message::Ping(Bytes::new()), Message::is_text).await;
            }
            Heartbeat::Driver(config) => echo(accept(stream, config).await.expect("a handshake")).await,
        }
    });
}
