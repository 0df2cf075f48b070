//! One text and one pen: the user who holds the pen writes, the others read along and wait their turn.
//!
//! `cargo editor`, then open <http://127.0.0.1:8080> in two windows or three.
//!
//! What is the crate's here:
//!
//! - each socket is a `LiveStream`, which finds out dead connections and closes them;
//! - what answers a Ping is the browser, not the page in it: one that has frozen is found out by a heartbeat of the
//!   program's own, text messages that only the page's script can answer, watched by a `Fleet`;
//! - `Presence` makes people of connections, so that a reload is no farewell;
//! - `Lease` says who holds the pen, who is next, and whose late words are refused.
//!
//! `main.rs` is the door, `desk.rs` the desk at which all of it comes together, `text.rs` the text.

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

/// One text and one pen: the user who holds the pen writes, the others read along and wait their turn.
#[derive(Parser)]
#[command(name = "editor")]
struct Program {
    #[command(flatten)]
    web: web::Args,
    /// How long a page that does not answer keeps the pen while others wait, or `never`: until it is given up.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = web::duration)]
    grace: Duration,
    /// How long somebody without a page is still there: a reload takes a moment.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = web::duration)]
    linger: Duration,
    /// Where the text is kept. Without it the text ends with the program.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Clone)]
struct App {
    config: Config,
    desk: mpsc::Sender<Input>,
}

/// So many messages may wait for the desk; then those who write wait.
const INPUTS: usize = 1024;
/// So many may wait for one page; one that is further behind is let go, and comes back for the whole text.
const ORDERS: usize = 256;
/// The longest message of a page, in bytes: the longest text, each letter of it escaped, and a little around it.
const MESSAGE: usize = 6 * text::LIMIT + 4096;

#[tokio::main]
async fn main() -> Result<(), web::Failure> {
    let args = Program::parse();
    let config = args.web.config(Config::builder())?;
    let desk = Desk::new(config, args.grace, args.linger, args.file)?;
    let listener = args.web.listen().await?;
    let (inputs, to_desk) = mpsc::channel(INPUTS);
    let page = web::page(include_str!("page.html"), include_str!("page.js"));
    let page = page.route("/editor.css", web::file("text/css; charset=utf-8", include_str!("editor.css")));
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

/// The whole life of a connection: what the page says goes to the desk, what the desk says goes to the page.
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
                    // Where the desk is gone, so is the program.
                    let _ = app.desk.send(Input::Said(key, text)).await;
                }
                (Some(_), _) => {}
                (None, _) => break,
            },
            order = orders.recv(), if listening => match order {
                // Where it cannot be sent, the stream ends too.
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
