//! Heartbeats as Prometheus metrics: an axum server whose `/metrics` an operator can graph.
//!
//! `cargo run -p liveness-servers --bin metrics`, connect to `ws://127.0.0.1:8080/socket`, look at `http://127.0.0.1:8080/metrics`.

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{any, get};
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::axum::{Counters, CountingListener, make_service};
use liveness::driver::tokio::LiveStream;
use liveness::{Action, Config, Liveness, Stats, Status};
use liveness_servers::{ANY, Failure, cannot_listen};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

/// An echo server with metrics.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Settings as in a transcript: `interval=5s timeout=10s suspicion=after:2s`; the defaults if not given.
    #[arg(value_name = "SETTING")]
    settings: Vec<String>,
}

/// From a LAN to a satellite, in seconds.
const RTT_BUCKETS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let config: Config = args.settings.join(" ").parse()?;
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("websocket_rtt_seconds".into()), &RTT_BUCKETS)?
        .install_recorder()?;
    describe_gauge!("websocket_peers", "Connections, by status: online, suspect");
    describe_counter!("websocket_offline_total", "Connections that went offline, by reason");
    describe_counter!("websocket_pings_total", "Pings handed out");
    describe_counter!("websocket_answers_total", "Pongs that answered one");
    describe_counter!(
        "websocket_stalls_forgiven_total",
        "Deadlines that this server was too late to judge by"
    );
    describe_counter!("websocket_suspicions_survived_total", "Suspects that turned out to be alive");
    describe_histogram!("websocket_rtt_seconds", "Round-trip times of answered pings");
    let app = Router::new()
        .route("/socket", any(upgrade))
        .with_state(config)
        .route("/metrics", get(async move || prometheus.render()));
    let listener = tokio::net::TcpListener::bind(&args.listen).await;
    let listener = listener.map_err(|error| cannot_listen(&args.listen, ANY, &error))?;
    eprintln!("listening on {}", listener.local_addr()?);
    axum::serve(CountingListener(listener), make_service(app)).await?;
    Ok(())
}

async fn upgrade(upgrade: WebSocketUpgrade, counters: Counters, State(config): State<Config>) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let mut exported = Exported::default();
        let socket = LiveStream::new(socket, config).counted(counters);
        echo(socket.on_action(move |action, peer| exported.update(action, peer))).await;
    })
}

async fn echo(mut socket: LiveStream<WebSocket>) {
    while let Some(Ok(message)) = socket.next().await {
        // If it cannot be sent, the stream says why.
        let _ = socket.send(message).await;
    }
}

/// The part of one connection's counts that is in the metrics already. A connection that is dropped before its end is
/// taken out.
#[derive(Default)]
struct Exported {
    stats: Stats,
    status: Option<Status>,
}

impl Exported {
    /// Adds what is new since the last action.
    fn update(&mut self, action: Action, peer: &Liveness) {
        let (old, new) = (self.stats, peer.stats());
        self.stats = new;
        counter!("websocket_pings_total").increment(u64::from(new.pings - old.pings));
        counter!("websocket_answers_total").increment(u64::from(new.answers - old.answers));
        counter!("websocket_stalls_forgiven_total")
            .increment(u64::from(new.stalls_forgiven - old.stalls_forgiven));
        counter!("websocket_suspicions_survived_total")
            .increment(u64::from(new.suspicions_survived - old.suspicions_survived));
        if let Some(rtt) = peer.rtt().filter(|_| new.answers != old.answers) {
            histogram!("websocket_rtt_seconds").record(rtt.latest);
        }
        if let Action::MarkOffline(reason) = action {
            // The code is left out. A peer chooses the code that it closes with, and each code would make a series.
            let reason = reason.to_string();
            let kind = reason.split(' ').next().unwrap_or_default().to_owned();
            counter!("websocket_offline_total", "reason" => kind).increment(1);
        }
        self.count(Some(peer.status()));
    }

    fn count(&mut self, status: Option<Status>) {
        let old = std::mem::replace(&mut self.status, status);
        if old != status {
            if let Some(peers) = old.and_then(peers) {
                peers.decrement(1);
            }
            if let Some(peers) = status.and_then(peers) {
                peers.increment(1);
            }
        }
    }
}

impl Drop for Exported {
    fn drop(&mut self) {
        self.count(None);
    }
}

fn peers(status: Status) -> Option<metrics::Gauge> {
    match status {
        Status::Online => Some(gauge!("websocket_peers", "status" => "online")),
        Status::Suspect => Some(gauge!("websocket_peers", "status" => "suspect")),
        Status::Offline => None,
    }
}
