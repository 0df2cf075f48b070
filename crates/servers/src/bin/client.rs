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
use liveness::driver::tokio::{Counted, LiveStream};
use liveness::driver::tune;
use liveness::session::Role;
use liveness::{Action, CloseCode, Config, Liveness, Observer, Timestamp};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

type Socket = LiveStream<WebSocketStream<MaybeTlsStream<Counted<TcpStream>>>>;
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
    Ok(LiveStream::new(socket, config).role(Role::Client).counted(counters).observe(Printer::default()))
}

/// Prints what changes.
#[derive(Default)]
struct Printer {
    answers: u32,
}

impl Observer for Printer {
    fn changed(&mut self, peer: &Liveness, now: Timestamp) {
        let answers = peer.stats().answers;
        if let Some(rtt) = peer.rtt().filter(|_| answers > self.answers) {
            println!("{now:.3} rtt {:.3}", rtt.latest.as_secs_f64() * 1000.0);
        }
        self.answers = answers;
    }

    fn action(&mut self, action: Action, _: &Liveness, now: Timestamp) {
        match action {
            Action::MarkOnline => println!("{now:.3} online"),
            Action::MarkSuspect => println!("{now:.3} suspect"),
            Action::MarkOffline(reason) => println!("{now:.3} offline {reason}"),
            Action::Disconnect => println!("{now:.3} disconnect"),
            Action::SendPing(_) | Action::Close(_) => {}
        }
    }
}
