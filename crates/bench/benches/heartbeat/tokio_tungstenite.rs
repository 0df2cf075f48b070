//! tokio-tungstenite: a task a connection, all on one thread.

use std::net::TcpListener;

use liveness::driver::tokio::LiveStream;
use liveness::driver::tokio_tungstenite::accept_raw;
use liveness_bench::heartbeat::{Heartbeat, Server, by_hand, echo};
use tokio_tungstenite::accept_async_with_config;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, Message};

pub(crate) fn serve(listener: TcpListener, server: Server) {
    let settings = server.read_buffer.map(|bytes| WebSocketConfig::default().read_buffer_size(bytes));
    liveness_bench::heartbeat::serve_tasks(listener, move |stream| async move {
        match server.heartbeat {
            Heartbeat::Nothing => {
                echo(accept_async_with_config(stream, settings).await.expect("a handshake")).await
            }
            Heartbeat::ByHand(every) => {
                let socket = accept_async_with_config(stream, settings).await.expect("a handshake");
                by_hand(socket, every, || Message::Ping(Bytes::new()), Message::is_text).await;
            }
            Heartbeat::Driver(config) => {
                let (socket, counters) = accept_raw(stream, settings).await.expect("a handshake");
                echo(LiveStream::new(socket, config).counted(counters)).await;
            }
        }
    });
}
