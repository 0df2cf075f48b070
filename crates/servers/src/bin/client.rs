//! A client that keeps its connection alive, and notices when the server is gone: tokio-tungstenite, `ws` and `wss`.
//!
//! `cargo run -p liveness-servers --bin client -- ws://127.0.0.1:8080/`
//!
//! Sends each line of its input as a text message and prints what comes. Prints a line for each change,
//! `SECONDS online|suspect|offline|disconnect [REASON]`, and `SECONDS rtt MILLISECONDS` for each answered ping. Works
//! against any server, whatever it is written in. Exit status: 0 after a proper close, 1 after any other end.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::tokio::{Counted, LiveStream, clock};
use liveness::driver::tune;
use liveness::{Action, Clock, CloseCode, Config, Event, Liveness, Monitor, Timestamp, random_seed};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

type Socket = LiveStream<WebSocketStream<MaybeTlsStream<Counted<TcpStream>>>, PrintingMonitor>;
type Failure = Box<dyn std::error::Error>;

/// How long it may take to connect and to shake hands.
const PATIENCE: Duration = Duration::from_secs(20);

/// A WebSocket client that keeps its connection alive.
#[derive(Parser)]
struct Args {
    /// Where to connect: `ws://HOST[:PORT]/PATH`, or `wss://`.
    url: String,
    /// Settings as in a transcript: `interval=5s timeout=10s suspicion=after:2s`. Without: the defaults.
    #[arg(value_name = "SETTING")]
    settings: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failure> {
    let args = Args::parse();
    let config: Config = args.settings.join(" ").parse()?;
    let mut socket = timeout(PATIENCE, connect(&args.url, config)).await??;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut input = true;
    loop {
        // Either future may be dropped at any time: no message and no heartbeat is lost.
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => println!("{text}"),
                Some(Ok(Message::Binary(bytes))) => println!("({} bytes)", bytes.len()),
                Some(Ok(_)) => {}
                Some(Err(offline)) => {
                    eprintln!("{offline}");
                    return Ok(ExitCode::FAILURE);
                }
                None => return Ok(ExitCode::SUCCESS),
            },
            line = lines.next_line(), if input => match line? {
                Some(line) => socket.send(Message::text(line)).await?,
                // Input that ends at once, as under a service manager, is no reason to leave.
                None => input = false,
            },
            _ = tokio::signal::ctrl_c() => socket.close(CloseCode::GOING_AWAY, "the user left"),
        }
    }
}

async fn connect(url: &str, config: Config) -> Result<Socket, Failure> {
    let request = url.into_client_request()?;
    let (secure, uri) = (request.uri().scheme_str() == Some("wss"), request.uri());
    let host = uri.host().ok_or("the address has no host")?;
    // An IPv6 address stands in brackets in a URL, and without in a socket's address.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(if secure { 443 } else { 80 }))).await?;
    tune(&stream);
    // Bytes are counted on the wire, and TLS is around that.
    let stream = Counted::new(stream);
    let counters = stream.counters().clone();
    let (socket, _) = tokio_tungstenite::client_async_tls(request, stream).await?;
    let clock = clock();
    let monitor =
        PrintingMonitor { machine: Liveness::new(config.for_drivers(), random_seed(), clock.now()), clock };
    Ok(LiveStream::with_machine(socket, monitor, clock).counted(counters))
}

/// A machine that prints what changes.
struct PrintingMonitor {
    machine: Liveness,
    clock: Clock,
}

impl PrintingMonitor {
    fn print(&self, change: std::fmt::Arguments<'_>) {
        println!("{:.3} {change}", self.clock.now().as_duration().as_secs_f64());
    }
}

impl Monitor for PrintingMonitor {
    fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        let answers = self.machine.stats().answers;
        self.machine.handle(event, now);
        if let Some(rtt) = self.machine.rtt().filter(|_| self.machine.stats().answers > answers) {
            self.print(format_args!("rtt {:.3}", rtt.latest.as_secs_f64() * 1000.0));
        }
    }

    fn poll(&mut self, now: Timestamp) -> Option<Action> {
        let action = self.machine.poll(now)?;
        match action {
            Action::MarkOnline => self.print(format_args!("online")),
            Action::MarkSuspect => self.print(format_args!("suspect")),
            Action::MarkOffline(reason) => self.print(format_args!("offline {reason}")),
            Action::Disconnect => self.print(format_args!("disconnect")),
            Action::SendPing(_) | Action::Close(_) => {}
        }
        Some(action)
    }

    fn probe(&mut self, now: Timestamp) {
        self.machine.probe(now);
    }

    fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.machine.close(code, now);
    }

    fn reconfigure(&mut self, config: Config, now: Timestamp) {
        self.machine.reconfigure(config, now);
    }

    fn liveness(&self) -> &Liveness {
        &self.machine
    }
}
