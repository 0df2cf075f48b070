//! A chat: rooms, who is in them, and how well each is heard.
//!
//! `cargo chat`, then open <http://127.0.0.1:8080> in two windows or three.
//!
//! What this crate does here:
//!
//! - each socket is a `LiveStream`, which finds dead connections and closes them;
//! - the browser answers a Ping, and not the page in it. So the heartbeat is text messages that only the page's script
//!   can answer (`TextHeartbeats`). A page that has frozen is found too. The round trips are shown beside the names;
//! - the page uses the same machine to notice that its hub is gone, and dials again: `liveness.js`;
//! - `Presence` makes users of connections: two tabs are one person, and a reloaded page neither leaves nor joins.
//!
//! `main.rs` accepts the connections, `hub.rs` is the one task that joins everything, `connection.rs` is a connection as
//! the hub knows it, `room.rs` is a room, and `words.rs` has the messages of pages and hub.

mod connection;
mod hub;
mod room;
mod words;

use std::future::pending;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocketUpgrade};
use axum::extract::{State, ws::WebSocket};
use axum::response::Response;
use axum::routing::any;
use clap::Parser;
use connection::{Health, Order};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hub::{Hub, Input};
use liveness::dialect::TextHeartbeats;
use liveness::driver::axum::Counters;
use liveness::driver::tokio::LiveStream;
use liveness::{CloseCode, Config, Schedule};
use liveness_programs::web;
use tokio::sync::{mpsc, oneshot, watch};
use words::Key;

/// A chat: rooms, who is in them, and how well each is heard.
#[derive(Parser)]
#[command(name = "chat")]
struct Program {
    #[command(flatten)]
    web: web::Args,
    /// How long somebody without a page is still shown, because a reload takes a moment.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = web::duration)]
    linger: Duration,
}

#[derive(Clone)]
struct App {
    config: Config,
    hub: mpsc::Sender<Input>,
}

/// How many messages may wait for the hub. Then their senders wait.
const INPUTS: usize = 1024;
/// How many messages may wait for one page. A page that is further behind skips them, and gets the current state instead.
const ORDERS: usize = 64;
/// The longest message of a page, in bytes: the longest text with each letter escaped, and a little around it.
const MESSAGE: usize = 12 * words::TEXT + 4096;

#[tokio::main]
async fn main() -> Result<(), web::Failure> {
    let args = Program::parse();
    // A page is pinged at every interval, whatever it sends, because its round trip is shown.
    let config = args.web.config(Config::builder().schedule(Schedule::Steady))?;
    let listener = args.web.listen().await?;
    let (hub, inputs) = mpsc::channel(INPUTS);
    tokio::spawn(Hub::new(config, args.linger).run(inputs));
    let page = web::page(include_str!("page.html"), include_str!("page.js"))
        .route("/chat.css", web::file("text/css; charset=utf-8", include_str!("chat.css")))
        .route("/live", any(upgrade))
        .with_state(App { config, hub });
    web::serve(listener, page).await
}

async fn upgrade(upgrade: WebSocketUpgrade, counters: Counters, State(app): State<App>) -> Response {
    let upgrade = upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE);
    upgrade.on_upgrade(async move |socket| {
        let socket = LiveStream::new(socket, app.config).counted(counters).dialect(TextHeartbeats);
        converse(socket, app.hub).await;
    })
}

/// The whole life of a connection, in one task. It reads while it writes, however slowly the page reads.
async fn converse(socket: LiveStream<WebSocket>, hub: mpsc::Sender<Input>) {
    let health = watch::Sender::new(Health::NEW);
    let seen = health.subscribe();
    let mut socket = socket.on_action(move |_, peer| {
        let rtt = peer.rtt().map(|rtt| rtt.smoothed);
        health.send_replace(Health { status: peer.status(), rtt });
    });
    let (outbox, orders) = mpsc::channel(ORDERS);
    let (tell, told) = oneshot::channel();
    // If the hub is gone, the program is too. The same holds below.
    let _ = hub.send(Input::Open(outbox, tell)).await;
    let Ok(key) = told.await else {
        socket.close(CloseCode::TRY_AGAIN_LATER, "too many are here");
        while socket.next().await.is_some() {}
        return;
    };
    let (sink, stream) = socket.split();
    tokio::select! {
        () = listen(key, stream, seen, &hub) => {}
        () = speak(key, sink, orders, &hub) => {}
    }
    let _ = hub.send(Input::Ended(key)).await;
}

async fn listen(
    key: Key,
    mut stream: SplitStream<LiveStream<WebSocket>>,
    mut health: watch::Receiver<Health>,
    hub: &mpsc::Sender<Input>,
) {
    loop {
        let input = tokio::select! {
            message = stream.next() => match message {
                Some(Ok(Message::Text(words))) => Input::Said(key, words),
                Some(_) => continue,
                None => return,
            },
            Ok(()) = health.changed() => Input::Health(key, *health.borrow_and_update()),
        };
        let _ = hub.send(input).await;
    }
}

/// Never completes. The reader sees the end of the connection.
async fn speak(
    key: Key,
    mut sink: SplitSink<LiveStream<WebSocket>, Message>,
    mut orders: mpsc::Receiver<Order>,
    hub: &mpsc::Sender<Input>,
) {
    loop {
        let sent = match orders.recv().await {
            Some(Order::Tell(words)) => sink.send(Message::Text(words)).await.is_ok(),
            Some(Order::Close(code, why)) => {
                let frame = CloseFrame { code: code.get(), reason: why.into() };
                sink.send(Message::Close(Some(frame))).await.is_ok()
            }
            // The hub has given up this queue, because it was full. It is empty now, and there is a new one.
            None => {
                let (outbox, fresh) = mpsc::channel(ORDERS);
                orders = fresh;
                hub.send(Input::Again(key, outbox)).await.is_ok()
            }
        };
        if !sent {
            return pending().await;
        }
    }
}
