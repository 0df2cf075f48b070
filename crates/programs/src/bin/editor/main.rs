//! One text and one pen: the user who holds the pen writes. The others read along and wait their turn.
//!
//! `cargo editor`, then open <http://127.0.0.1:8080> in two windows or three.
//!
//! What this crate does here:
//!
//! - each socket is a `LiveStream`, which finds dead connections and closes them;
//! - the browser answers a Ping, and not the page in it. So the program has its own heartbeat of text messages that only
//!   the page's script can answer. A `Fleet` watches it, and finds a page that has frozen;
//! - `Presence` makes users of connections, so that a reload does not count as leaving;
//! - `Lease` says who holds the pen, who is next, and whose late edits are refused.
//!
//! `main.rs` accepts the connections, `desk.rs` joins everything, `text.rs` is the text.

mod desk;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use clap::Parser;
use desk::{Desk, Input, Order};
use futures_util::{SinkExt, StreamExt};
use liveness::driver::axum::Counters;
use liveness::driver::tokio::LiveStream;
use liveness::{CloseCode, Config};
use liveness_programs::web;
use tokio::sync::{mpsc, oneshot};

/// One text and one pen: the user who holds the pen writes. The others read along and wait their turn.
#[derive(Parser)]
#[command(name = "editor")]
struct Program {
    #[command(flatten)]
    web: web::Args,
    /// How long a page that does not answer keeps the pen while others wait; `never`: until the page is given up.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = web::duration)]
    grace: Duration,
    /// How long somebody without a page is still there, because a reload takes a moment.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = web::duration)]
    linger: Duration,
    /// The file of the text. Without it the text ends with the program.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Clone)]
struct App {
    config: Config,
    desk: mpsc::Sender<Input>,
}

/// How many messages may wait for the desk. Then their senders wait.
const INPUTS: usize = 1024;
/// How many messages may wait for one page. A page that is further behind is let go, and comes back for the whole text.
const ORDERS: usize = 256;
/// The longest message of a page, in bytes: the longest text with each letter escaped, and a little around it.
const MESSAGE: usize = 6 * text::LIMIT + 4096;

#[tokio::main]
async fn main() -> Result<(), web::Failure> {
    let args = Program::parse();
    let config = args.web.config(Config::builder())?;
    let desk = Desk::new(config, args.grace, args.linger, args.file)?;
    let listener = args.web.listen().await?;
    let (inputs, to_desk) = mpsc::channel(INPUTS);
    let page = web::page(include_str!("page.html"), include_str!("page.js"));
    let router = page.route("/live", any(upgrade)).with_state(App { config, desk: inputs });
    tokio::select! {
        done = web::serve(listener, router) => done,
        failed = desk.run(to_desk) => Ok(failed?),
    }
}

async fn upgrade(upgrade: WebSocketUpgrade, counters: Counters, State(app): State<App>) -> Response {
    let upgrade = upgrade.max_message_size(MESSAGE).max_frame_size(MESSAGE);
    upgrade.on_upgrade(async move |socket| converse(socket, counters, app).await)
}

/// The whole life of a connection: the page's messages go to the desk, and the desk's messages go to the page.
async fn converse(socket: WebSocket, counters: Counters, app: App) {
    let mut socket = LiveStream::new(socket, app.config).counted(counters);
    let (to_page, mut orders) = mpsc::channel(ORDERS);
    let (tell, told) = oneshot::channel();
    if app.desk.send(Input::Open(to_page, tell)).await.is_err() {
        return;
    }
    let key = told.await.ok();
    if key.is_none() {
        socket.close(CloseCode::TRY_AGAIN_LATER, "too many are here");
    }
    let mut listening = key.is_some();
    loop {
        tokio::select! {
            message = socket.next() => match (message, key) {
                (Some(Ok(Message::Text(text))), Some(key)) => {
                    // If the desk is gone, the program is too.
                    let _ = app.desk.send(Input::Said(key, text)).await;
                }
                (Some(_), _) => {}
                (None, _) => break,
            },
            order = orders.recv(), if listening => match order {
                // If it cannot be sent, the stream ends too.
                Some(Order::Tell(text)) => drop(socket.send(Message::Text(text)).await),
                Some(Order::Close(code, why)) => socket.close(code, why),
                None => {
                    listening = false;
                    socket.close(CloseCode::GOING_AWAY, "behind");
                }
            },
        }
    }
    if let Some(key) = key {
        let _ = app.desk.send(Input::Ended(key)).await;
    }
}
