//! A server that belongs to the tests, with a page that counts. It tries the tools.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::axum::Counters;
use liveness::driver::tokio::LiveStream;
use liveness::{Action, Config};
use tokio::time::{MissedTickBehavior, interval};

use liveness_programs::web::{self, Args};
use liveness_testing::raw_peer::millis;

/// The flags of a program with a page.
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    web: Args,
}

#[derive(Clone)]
struct App {
    config: Config,
    lives: Arc<Mutex<Vec<Vec<Action>>>>,
}

/// The running server.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    lives: Arc<Mutex<Vec<Vec<Action>>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Stage {
    /// Starts it with the timing of flags such as `--interval 300ms`.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let runtime = crate::runtime_of_one();
        let flags = ["stage", "--listen", "127.0.0.1:0"].iter().chain(flags);
        let args = Program::parse_from(flags).web;
        let config = args.config(Config::builder()).unwrap();
        let app = App { config, lives: Arc::default() };
        let lives = Arc::clone(&app.lives);
        let listener = runtime.block_on(args.listen()).unwrap();
        let address = listener.local_addr().unwrap();
        let page = web::page(include_str!("page.html"), include_str!("page.js"));
        let page = page.route("/live", any(upgrade)).with_state(app);
        runtime.spawn(web::serve(listener, page));
        Self { address, lives, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Why a program with these flags does not start.
    pub(crate) fn refusal(flags: &[&str]) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match Program::try_parse_from(["stage"].iter().chain(flags)) {
            Ok(program) => format!("{:?}", runtime.block_on(program.web.listen()).unwrap_err()),
            Err(error) => error.to_string(),
        }
    }

    /// What the server has received from each connection so far, without pings.
    pub(crate) fn lives(&self) -> Vec<Vec<Action>> {
        let is_told = |action: &Action| !matches!(action, Action::SendPing(_));
        let lives = self.lives.lock().unwrap();
        lives.iter().map(|life| life.iter().copied().filter(is_told).collect()).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn upgrade(upgrade: WebSocketUpgrade, counters: Counters, State(app): State<App>) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let life = {
            let mut lives = app.lives.lock().unwrap();
            lives.push(Vec::new());
            lives.len() - 1
        };
        let socket = LiveStream::new(socket, app.config).counted(counters);
        let mut socket = socket.on_action(move |action, _| app.lives.lock().unwrap()[life].push(action));
        let mut beat = interval(millis(100));
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for beats in 1_u64.. {
            let words = tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(words))) => format!("heard {words}"),
                    Some(_) => continue,
                    None => break,
                },
                _ = beat.tick() => format!("beat {beats}"),
            };
            // If it cannot be sent, the stream ends too.
            let _ = socket.send(Message::Text(words.into())).await;
        }
    })
}
