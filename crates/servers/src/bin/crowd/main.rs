//! Ten thousand connections on one server. Linux only, because it reads `/proc`.
//!
//! - Idle: no client is lost while they are idle, all are found when they freeze, and it shows what each costs. The
//!   recipe of an `interval` and a `timeout` in a task runs beside them.
//! - `--storm SECONDS`: most clients break in every way, come back and break again. No live one is lost, and no dead one
//!   is kept. The server has as many files as before, and its memory does not grow.
//!
//! `cargo build --release -p liveness-servers && cargo run --release -p liveness-servers --bin crowd`
//!
//! Exit status: 0 if every server except the recipe was right, 1 if not.

mod server;
mod storm;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use liveness::Config;
use liveness_servers::Failure;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tungstenite::Message;
use tungstenite::protocol::WebSocketConfig;

use crate::server::Server;

/// A crowd of idle clients against each server in turn.
#[derive(Parser)]
struct Args {
    /// How many clients.
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// Seconds of silence before a ping.
    #[arg(long, default_value_t = 5)]
    interval: u64,
    /// Seconds that an answer may take.
    #[arg(long, default_value_t = 5)]
    timeout: u64,
    /// Intervals for which the clients are idle.
    #[arg(long, default_value_t = 10)]
    intervals: u32,
    /// Let the clients break in every way for so many seconds.
    #[arg(long, value_name = "SECONDS")]
    storm: Option<u64>,
    /// The servers to try.
    #[arg(default_values = ["recipe", "server_tokio", "server_mio"])]
    servers: Vec<String>,
    /// Be the server of the recipe.
    #[arg(long, hide = true)]
    serve_recipe: bool,
}

fn main() -> Result<ExitCode, Failure> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if args.serve_recipe {
        return runtime.block_on(recipe(&args));
    }
    println!("{} clients, a ping after {} s, {} s for its answer", args.clients, args.interval, args.timeout);
    if let Some(seconds) = args.storm {
        let mut right = true;
        for name in args.servers.iter().filter(|name| *name != "recipe") {
            right &= runtime.block_on(storm::trial(name, &args, Duration::from_secs(seconds)))?;
        }
        return Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    println!(
        "{:14} {:>7} {:>7} {:>9} {:>18} {:>22} {:>15}",
        "server", "online", "lost", "found out", "slowest of bound", "CPU us/client/interval", "KiB/client"
    );
    let mut right = true;
    for name in &args.servers {
        let outcome = runtime.block_on(trial(name, &args))?;
        right &= outcome || name == "recipe";
    }
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One server's row. True if it lost no client, and found every frozen one within the bound.
async fn trial(name: &str, args: &Args) -> Result<bool, Failure> {
    let mut server = Server::start(name, args)?;
    let empty = server.resident_kib()?;
    let (freeze, frozen) = watch::channel(false);
    let over = Duration::from_secs(args.interval);
    let clients = connect(server.address, args.clients, over, &frozen).await?;
    let (online, _) = server.count("online", args.clients, Duration::from_secs(60)).await;
    // Wait until every client has been pinged once.
    sleep(Duration::from_secs(args.interval + 1)).await;
    let before = server.cpu()?;
    let idle = Duration::from_secs(args.interval) * args.intervals;
    let _ = server.count("offline", args.clients, idle).await;
    // This also counts clients that were lost while others were still connecting.
    let lost = server.gone.len();
    let cpu = server.cpu()?.saturating_sub(before);
    let resident = server.resident_kib()?.saturating_sub(empty);
    freeze.send(true)?;
    let config = Config::builder().interval(Duration::from_secs(args.interval));
    let config = config.timeout(Duration::from_secs(args.timeout)).build()?;
    // A busy machine may wake the server this late.
    let bound = config.detection_bound(Duration::from_millis(500));
    let (found, last) = server.count("offline", online - lost, bound * 3).await;
    drop(clients);
    let slowest = last.as_duration();
    let per_client = args.clients as f64;
    println!(
        "{name:14} {online:>7} {lost:>7} {found:>9} {:>18} {:>22.1} {:>15.1}",
        format!("{:.1}/{:.1} s", slowest.as_secs_f64(), bound.as_secs_f64()),
        cpu.as_secs_f64() * 1e6 / per_client / f64::from(args.intervals),
        resident as f64 / per_client,
    );
    Ok(online == args.clients && lost == 0 && found == online && slowest <= bound)
}

/// Clients that answer pings and do nothing else, until they freeze. They come evenly over an interval, as real ones come
/// at any time. If all came at once, the recipe would ping them all at once, which is cheap.
async fn connect(
    address: SocketAddr,
    count: usize,
    over: Duration,
    frozen: &watch::Receiver<bool>,
) -> Result<JoinSet<()>, Failure> {
    let (mut clients, at_once) = (JoinSet::new(), Arc::new(Semaphore::new(200)));
    let connected = Arc::new(Semaphore::new(0));
    for number in 0..count {
        let (at_once, connected) = (Arc::clone(&at_once), Arc::clone(&connected));
        let mut frozen = frozen.clone();
        let turn = over.mul_f64(number as f64 / count as f64);
        clients.spawn(async move {
            sleep(turn).await;
            let Ok(turn) = at_once.acquire_owned().await else { return };
            let Ok(stream) = dial(address, number).await else { return };
            let Ok((mut socket, _)) = tokio_tungstenite::client_async("ws://localhost/", stream).await else {
                return;
            };
            drop(turn);
            connected.add_permits(1);
            loop {
                tokio::select! {
                    message = socket.next() => if message.is_none_or(|message| message.is_err()) { return },
                    _ = frozen.wait_for(|frozen| *frozen) => break,
                }
            }
            // Keep the socket, and never look at it again.
            std::future::pending::<()>().await;
        });
    }
    let all = u32::try_from(count)?;
    let _permits = timeout(Duration::from_secs(120), connected.acquire_many(all))
        .await
        .map_err(|_| "not all connected")??;
    Ok(clients)
}

/// Dials from many addresses of the loopback, because one address has too few ports.
async fn dial(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let host = u8::try_from(number % 250).unwrap_or(0) + 1;
    socket.bind((std::net::Ipv4Addr::new(127, 0, 0, host), 0).into())?;
    socket.connect(address).await
}

/// The recipe that people are told to use: a task for each connection, an `interval` that pings, a `timeout` around the
/// next message.
async fn recipe(args: &Args) -> Result<ExitCode, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("listening on {}", listener.local_addr()?);
    let (every, patience) =
        (Duration::from_secs(args.interval), Duration::from_secs(args.interval + args.timeout));
    for connection in 1_usize.. {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A buffer as small as the other servers'.
            let settings = WebSocketConfig::default().read_buffer_size(16 * 1024);
            let Ok(mut socket) = tokio_tungstenite::accept_async_with_config(stream, Some(settings)).await
            else {
                return;
            };
            say("online", connection);
            let mut ticker = interval(every);
            ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut heard = tokio::time::Instant::now();
            loop {
                tokio::select! {
                    message = tokio::time::timeout_at(heard + patience, socket.next()) => match message {
                        Ok(Some(Ok(_))) => heard = tokio::time::Instant::now(),
                        _ => break,
                    },
                    _ = ticker.tick() => if socket.send(Message::Ping(Vec::new().into())).await.is_err() { break },
                }
            }
            say("offline", connection);
        });
    }
    Ok(ExitCode::SUCCESS)
}

fn say(what: &str, connection: usize) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "0 {what} {connection}").and_then(|()| out.flush());
}
