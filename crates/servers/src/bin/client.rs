//! A client that keeps its connection alive, and notices when the server is gone: tokio-tungstenite, `ws` and `wss`.
//!
//! `cargo run -p liveness-servers --bin client -- ws://127.0.0.1:8080/`
//!
//! Sends each line of its input as a text message and prints what comes. Prints a line for each change,
//! `SECONDS online|suspect|offline|disconnect [REASON]`, and `SECONDS rtt MILLISECONDS` for each answered ping. Works
//! against any server, whatever it is written in. With `--stay` it dials again after a loss, as [`Reconnect`] says. Exit status: 0
//! after a proper close, 1 after any other end.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use liveness::driver::tokio::clock;
use liveness::driver::tokio_tungstenite::{ClientStream, connect};
use liveness::reconnect::{Backoff, OnClose, Policy, Reconnect, ReconnectAction};
use liveness::{
    Action, CloseCode, Config, Liveness, Observer, Reason, SleepDetector, Timestamp, random_seed,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tungstenite::Message;

type Failure = Box<dyn std::error::Error>;

/// One connection, whose end is the end.
const ONCE: Policy = Policy::DEFAULT.max_attempts(1).on_close(|_| OnClose::Stop);

/// A WebSocket client that keeps its connection alive.
#[derive(Parser)]
struct Args {
    /// Where to connect: `ws://HOST[:PORT]/PATH`, or `wss://`.
    url: String,
    /// Settings as in a transcript: `interval=5s timeout=10s suspicion=after:2s`. Without: the defaults.
    #[arg(value_name = "SETTING")]
    settings: Vec<String>,
    /// Dial again after a loss.
    #[arg(long)]
    stay: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failure> {
    let args = Args::parse();
    let config: Config = args.settings.join(" ").parse()?;
    let (policy, clock) = (if args.stay { Policy::DEFAULT } else { ONCE }, clock());
    let mut reconnect = Reconnect::with_backoff(policy, Backoff::DEFAULT, random_seed(), clock.now());
    let mut input = Some(BufReader::new(tokio::io::stdin()).lines());
    let mut properly = false;
    loop {
        match reconnect.poll(clock.now()) {
            Some(ReconnectAction::Dial(attempt)) => match connect(&args.url, config).await {
                Ok((socket, _)) if reconnect.connected(attempt, clock.now()) => {
                    let socket = socket.observe(Printer::default());
                    let reason = converse(socket, &mut input).await?;
                    properly = matches!(reason, Reason::LocalClosed | Reason::PeerClosed(_));
                    reconnect.closed(attempt, reason.connection_close_code(), clock.now());
                }
                Ok(_) => {}
                Err(error) => {
                    eprintln!("{error}");
                    reconnect.failed_with(attempt, error.then(), clock.now());
                }
            },
            // A dial has ended before the next poll, and nobody asks for a hand-over.
            Some(ReconnectAction::Abandon(_) | ReconnectAction::Retire(_)) => {}
            Some(ReconnectAction::GiveUp(_)) if properly => return Ok(ExitCode::SUCCESS),
            Some(ReconnectAction::GiveUp(_)) => return Ok(ExitCode::FAILURE),
            None => {
                let wait = clock.until(reconnect.poll_timeout());
                tokio::time::sleep(wait.unwrap_or(Duration::MAX)).await;
            }
        }
    }
}

/// The whole life of a connection, and why it ended.
async fn converse(
    mut socket: ClientStream,
    input: &mut Option<Lines<BufReader<Stdin>>>,
) -> Result<Reason, Failure> {
    let (clock, mut sleep) = (socket.clock(), SleepDetector::DEFAULT);
    loop {
        if sleep.observe(clock.now(), clock.wall()).is_some() {
            socket.probe();
        }
        let look = clock.until(sleep.poll_timeout()).unwrap_or(Duration::MAX);
        // Each of these futures may be dropped at any time: no message and no heartbeat is lost.
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => println!("{text}"),
                Some(Ok(Message::Binary(bytes))) => println!("({} bytes)", bytes.len()),
                Some(Ok(_)) => {}
                Some(Err(offline)) => {
                    eprintln!("{offline}");
                    return Ok(offline.reason().unwrap_or(Reason::TransportClosed));
                }
                None => return Ok(socket.liveness().verdict().unwrap_or(Reason::TransportClosed)),
            },
            line = next_line(input), if input.is_some() => match line? {
                Some(line) => drop(socket.send(Message::text(line)).await),
                // Input that ends at once, as under a service manager, is no reason to leave.
                None => *input = None,
            },
            _ = tokio::signal::ctrl_c() => socket.close(CloseCode::GOING_AWAY, "the user left"),
            () = tokio::time::sleep(look) => {}
        }
    }
}

async fn next_line(input: &mut Option<Lines<BufReader<Stdin>>>) -> std::io::Result<Option<String>> {
    match input {
        Some(lines) => lines.next_line().await,
        None => Ok(None),
    }
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
