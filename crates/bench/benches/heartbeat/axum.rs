//! axum: its own accept loop, a task a connection, all on one thread.

use std::net::TcpListener;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::any;
use liveness::driver::axum::{Counters, CountingListener, make_service};
use liveness::driver::tokio::LiveStream;
use liveness_bench::heartbeat::{Heartbeat, Server, by_hand, echo, runtime, tokio_listener};

pub(crate) fn serve(listener: TcpListener, server: Server) {
    runtime().block_on(async {
        let listener = tokio_listener(listener);
        let served = match server.heartbeat {
            Heartbeat::Nothing => {
                let handler = async move |upgrade: WebSocketUpgrade| with(upgrade, server).on_upgrade(echo);
                axum::serve(listener, Router::new().route("/", any(handler))).await
            }
            Heartbeat::ByHand(every) => {
                let handler = async move |upgrade: WebSocketUpgrade| {
                    with(upgrade, server).on_upgrade(move |socket| {
                        by_hand(
                            socket,
                            every,
                            || Message::Ping(Bytes::new()),
                            |message| matches!(message, Message::Text(_)),
                        )
                    })
                };
                axum::serve(listener, Router::new().route("/", any(handler))).await
            }
            Heartbeat::Driver(config) => {
                let handler = async move |upgrade: WebSocketUpgrade, counters: Counters| {
                    with(upgrade, server)
                        .on_upgrade(move |socket| echo(LiveStream::new(socket, config).counted(counters)))
                };
                let router = Router::new().route("/", any(handler));
                axum::serve(CountingListener(listener), make_service(router)).await
            }
        };
        served.expect("a server");
    });
}

fn with(upgrade: WebSocketUpgrade, server: Server) -> WebSocketUpgrade {
    match server.read_buffer {
        None => upgrade,
        Some(bytes) => upgrade.read_buffer_size(bytes),
    }
}
