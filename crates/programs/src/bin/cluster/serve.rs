//! One node as a process: its listener, its page, and its connections.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures_util::{SinkExt, StreamExt};
use liveness::driver::axum::Counters;
use liveness::driver::tokio::LiveStream;
use liveness::{Action, CloseCode, Config, Status, TextHeartbeat};
use redis::Client;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::hub::{Hub, Input, Order};
use liveness_programs::cluster::settings::Settings;
use liveness_programs::web;

use crate::asked_to_end;

/// How many messages may wait for the hub. Then their senders wait.
const INPUTS: usize = 1024;
/// How many messages may wait for one page.
const ORDERS: usize = 256;
/// The longest message of a page, in bytes: the longest text with each letter escaped, and a little around it.
const MESSAGE: usize = 8192;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct App {
    config: Config,
    hub: mpsc::Sender<Input>,
}

pub(crate) async fn serve(
    name: &str,
    listener: TcpListener,
    config: Config,
    settings: Settings,
    redis: &str,
) -> Result<(), web::Failure> {
    let client = Client::open(redis).map_err(|why| format!("--redis {redis}: {why}"))?;
    let address = listener.local_addr()?.to_string();
    let (hub, inputs) = mpsc::channel(INPUTS);
    let task = tokio::spawn(Hub::new(name, &address, settings, client, hub.clone()).run(inputs));
    let goodbye = hub.clone();
    let page = web::page(include_str!("page.html"), include_str!("page.js"))
        .route("/cluster.css", web::file("text/css; charset=utf-8", include_str!("cluster.css")))
        .route("/live", any(upgrade))
        .route("/state", get(state))
        .with_state(App { config, hub });
    tokio::select! {
        done = web::serve(listener, page) => done,
        asked = asked_to_end() => {
            asked?;
            let _ = goodbye.send(Input::Goodbye).await;
            // If Redis does not answer, the node finds that out by itself.
            let _ = timeout(GOODBYE, task).await;
            Ok(())
        }
    }
}

/// What the node knows, as JSON, for an operator and for the tests.
async fn state(State(app): State<App>) -> Response {
    let (tell, told) = oneshot::channel();
    let _ = app.hub.send(Input::Show(tell)).await;
    ([(CONTENT_TYPE, "application/json")], told.await.unwrap_or_default()).into_response()
}

async fn upgrade(upgrade: WebSocketUpgrade, counters: Counters, State(app): State<App>) -> Response {
    let upgrade = upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE);
    upgrade.on_upgrade(async move |socket| converse(socket, counters, app).await)
}

/// The whole life of a connection. What its machine finds out goes to the hub before what the page says after it.
async fn converse(socket: WebSocket, counters: Counters, app: App) {
    let (marks, mut marked) = mpsc::unbounded_channel();
    let socket = LiveStream::new(socket, app.config).counted(counters);
    let mut socket = socket.on_action(move |action, _| {
        let status = match action {
            Action::MarkOnline => Status::Online,
            Action::MarkSuspect => Status::Suspect,
            Action::MarkOffline(_) => Status::Offline,
            Action::SendPing(_) | Action::Close(_) | Action::Disconnect => return,
        };
        // The receiver lives as long as this.
        let _ = marks.send(status);
    });
    let (page, mut orders) = mpsc::channel(ORDERS);
    let (tell, told) = oneshot::channel();
    let _ = app.hub.send(Input::Open(page, tell)).await;
    let Ok(conn) = told.await else {
        socket.close(CloseCode::TRY_AGAIN_LATER, "too many are here");
        while socket.next().await.is_some() {}
        return;
    };
    let mut listening = true;
    loop {
        tokio::select! {
            biased;
            Some(status) = marked.recv() => drop(app.hub.send(Input::Marked(conn, status)).await),
            message = socket.next() => {
                // It was found out while that was read.
                while let Ok(status) = marked.try_recv() {
                    let _ = app.hub.send(Input::Marked(conn, status)).await;
                }
                match message {
                    Some(Ok(Message::Text(words))) => match TextHeartbeat::parse(&words) {
                        // A page asks its node by messages. The node asks the page by frames, as it asks any client.
                        Some(heartbeat) => {
                            if let Some(answer) = heartbeat.answer() {
                                let _ = socket.send(Message::text(answer.to_string())).await;
                            }
                        }
                        None => drop(app.hub.send(Input::Said(conn, words)).await),
                    },
                    Some(_) => {}
                    None => break,
                }
            },
            order = orders.recv(), if listening => match order {
                // If it cannot be sent, the stream ends too.
                Some(Order::Tell(words)) => drop(socket.send(Message::Text(words)).await),
                Some(Order::Refuse(why)) => socket.close(CloseCode::INVALID_PAYLOAD, why),
                None => {
                    listening = false;
                    socket.close(CloseCode::GOING_AWAY, "behind");
                }
            },
        }
    }
    let _ = app.hub.send(Input::Ended(conn)).await;
}
