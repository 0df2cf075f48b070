//! A live feed that comes back: figures of a wind farm as they are measured, drawn as a chart.
//!
//! `cargo feed`, and open <http://127.0.0.1:8080>. The page finds out by itself when the server does not answer any more.
//! It says so, dials again, and fills in what it missed. Break the server from the page, and watch it.
//!
//! `cargo feed -- --follow ws://127.0.0.1:8080/live` is the same without a page: a client in Rust that prints
//! each figure once, and comes back as [`liveness::Reconnect`] says.
//!
//! The figures have numbers, and the server keeps the latest of them. A client that connects says what it has, `from
//! EPOCH NUMBER`, and gets everything that follows. So after a moment without a connection nothing is missing, and
//! nothing comes twice. The server reports as lost what it no longer has. A server that was restarted knows nothing about
//! the old one's figures: it counts from 1, and its `epoch` is another.
//!
//! A page may also send `freeze SECONDS`, `drop`, `restart SECONDS`, and `move SECONDS` for a server that will go. With
//! `move`, each client is asked to dial another connection within that time, and leaves the old one when the new one
//! stands. The heartbeats of both ends are text messages, which the driver here and `liveness.js` there hide.

mod farm;
mod follow;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use clap::Parser;
use farm::{Farm, Figure};
use futures_util::{SinkExt, StreamExt};
use liveness::dialect::TextHeartbeats;
use liveness::driver::axum::Counters;
use liveness::driver::tokio::LiveStream;
use liveness::{CloseCode, Config};
use liveness_programs::web;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

/// How many figures go into one message. A client that was away for long should not wait for one huge message.
const BATCH: usize = 500;
/// How long a page can make the server be away.
const LONGEST_OUTAGE: u64 = 60;

/// Figures of a wind farm as they are measured, drawn as a chart by a page that comes back.
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    web: web::Args,
    /// How often the farm is measured.
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = web::interval)]
    every: Duration,
    /// How many figures the server keeps for clients that were away.
    #[arg(long, value_name = "FIGURES", default_value_t = 1500)]
    history: usize,
    /// Follow such a server instead of being one, and print its figures.
    #[arg(long, value_name = "URL")]
    follow: Option<String>,
}

struct App {
    config: Config,
    farm: Farm,
    /// Until this moment nothing is read, written or answered.
    frozen: watch::Sender<Instant>,
    orders: broadcast::Sender<Order>,
    /// Every client should move to another connection within this many seconds.
    moving: broadcast::Sender<u64>,
}

/// What happens to every connection at once.
#[derive(Clone, Copy)]
enum Order {
    Drop,
    /// The server restarts, and listens again after this time.
    Restart(Duration),
}

fn main() -> Result<(), web::Failure> {
    let args = Options::parse();
    let config = args.web.config(Config::builder())?;
    if let Some(url) = &args.follow {
        return Runtime::new()?.block_on(follow::follow(url, config));
    }
    let mut address = None;
    let mut outage = Duration::ZERO;
    loop {
        // A new server each time. Nothing is left of the old one: no connection, no figure.
        let server = Runtime::new()?;
        outage = server.block_on(serve(&args, config, &mut address, outage))?;
        server.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Serves until a restart is asked for. Returns how long to wait before it listens again.
async fn serve(
    args: &Options,
    config: Config,
    address: &mut Option<SocketAddr>,
    outage: Duration,
) -> Result<Duration, web::Failure> {
    sleep(outage).await;
    let farm = Farm::new(args.history);
    let listener = match *address {
        None => {
            // The first server finds what the farm has measured before. A restarted one has forgotten it.
            farm.measure_before(web::unix_millis(), args.every);
            args.web.listen().await?
        }
        Some(address) => TcpListener::bind(address).await?,
    };
    *address = Some(listener.local_addr()?);
    let frozen = watch::Sender::new(Instant::now());
    let (orders, moving) = (broadcast::Sender::new(16), broadcast::Sender::new(16));
    let app = Arc::new(App { config, farm, frozen, orders, moving });
    tokio::spawn(measure(Arc::clone(&app), args.every));
    let mut orders = app.orders.subscribe();
    let page = web::page(include_str!("page.html"), include_str!("page.js"))
        .route("/chart.js", web::file("text/javascript; charset=utf-8", include_str!("chart.js")))
        .route("/feed.css", web::file("text/css; charset=utf-8", include_str!("feed.css")))
        .route("/live", any(upgrade))
        .with_state(app);
    let restart = async {
        loop {
            if let Ok(Order::Restart(outage)) = orders.recv().await {
                // The listener is closed at once. Open connections have a moment for their goodbyes.
                break outage;
            }
        }
    };
    tokio::select! {
        served = web::serve(listener, page) => served.map(|()| Duration::ZERO),
        outage = restart => {
            sleep(Duration::from_millis(300)).await;
            Ok(outage)
        }
    }
}

async fn measure(app: Arc<App>, every: Duration) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        app.farm.measure(web::unix_millis());
    }
}

async fn upgrade(upgrade: WebSocketUpgrade, counters: Counters, State(app): State<Arc<App>>) -> Response {
    // A frozen server opens no connection either.
    thawed(&app).await;
    upgrade.on_upgrade(async move |socket| {
        let mut orders = app.orders.subscribe();
        let socket = LiveStream::new(socket, app.config).counted(counters);
        let mut socket = socket.dialect(TextHeartbeats);
        let order = tokio::select! {
            () = converse(&mut socket, &app) => return,
            order = orders.recv() => order,
        };
        match order {
            Ok(Order::Restart(_)) => {
                socket.close(CloseCode::GOING_AWAY, "the server is restarted");
                while socket.next().await.is_some() {}
            }
            // Its transport ends, and no Close frame says why.
            Ok(Order::Drop) | Err(_) => drop(socket.into_inner()),
        }
    })
}

async fn thawed(app: &App) {
    let until = *app.frozen.borrow();
    sleep_until(until).await;
}

/// One connection: reads what it sends, and sends it what it does not have yet.
async fn converse(socket: &mut LiveStream<WebSocket>, app: &App) {
    let mut frozen = app.frozen.subscribe();
    let (mut news, mut moving) = (app.farm.news(), app.moving.subscribe());
    // The number of the last figure that it has. Nothing is sent before it has said so.
    let mut has = None;
    loop {
        thawed(app).await;
        let said = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(said))) => said,
                Some(_) => continue,
                None => return,
            },
            _ = news.changed(), if has.is_some() => "".into(),
            _ = frozen.changed() => continue,
            Ok(seconds) = moving.recv() => {
                let _ = socket.send(Message::text(json!({ "moving": seconds }).to_string())).await;
                continue;
            }
        };
        let mut words = said.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("from"), Some(epoch), Some(number)) => has = Some(greet(socket, app, epoch, number).await),
            (Some("freeze"), Some(seconds), None) => {
                let _ = app.frozen.send(Instant::now() + outage(seconds));
            }
            (Some("move"), Some(seconds), None) => drop(app.moving.send(outage(seconds).as_secs())),
            (Some("drop"), None, None) => drop(app.orders.send(Order::Drop)),
            (Some("restart"), Some(seconds), None) => drop(app.orders.send(Order::Restart(outage(seconds)))),
            _ => {}
        }
        if let Some(number) = &mut has {
            catch_up(socket, app, number).await;
        }
    }
}

fn outage(seconds: &str) -> Duration {
    Duration::from_secs(seconds.parse().unwrap_or(1).min(LONGEST_OUTAGE))
}

/// Sends our epoch, and the number that it has by our count: none, if it followed another server.
async fn greet(socket: &mut LiveStream<WebSocket>, app: &App, epoch: &str, number: &str) -> u64 {
    let (oldest, newest) = app.farm.range();
    let hello = json!({ "hello": {
        "epoch": app.farm.epoch(),
        "oldest": oldest,
        "newest": newest,
        "now": web::unix_millis(),
        "timing": web::timing(&app.config),
    }});
    // If nothing can be sent, the stream ends, and says why.
    let _ = socket.send(Message::text(hello.to_string())).await;
    let follows = epoch == app.farm.epoch();
    number.parse().ok().filter(|_| follows).map_or(oldest - 1, |number: u64| number.min(newest))
}

/// Sends what it does not have yet. However slowly it reads, only its number is kept for it.
async fn catch_up(socket: &mut LiveStream<WebSocket>, app: &App, has: &mut u64) {
    loop {
        let (lost, figures) = app.farm.after(*has, BATCH);
        if let Some((first, last)) = lost {
            let lost = json!({ "lost": [first, last] });
            if socket.send(Message::text(lost.to_string())).await.is_err() {
                return;
            }
            *has = last;
        }
        let Some(newest) = figures.last().map(|figure| figure.number) else { return };
        let figures: Vec<_> =
            figures.iter().map(|Figure { number, time, value }| json!([number, time, value])).collect();
        let figures = json!({ "figures": figures });
        if socket.send(Message::text(figures.to_string())).await.is_err() {
            return;
        }
        *has = newest;
    }
}
