//! A client that keeps its connection alive, and notices when the server is gone: tokio-tungstenite, `ws` and `wss`.
//!
//! `cargo run -p liveness-servers --bin client -- ws://127.0.0.1:8080/`
//!
//! Sends each line of its input as a text message, and prints what comes. Prints a line for each change, `SECONDS
//! online|suspect|offline|disconnect [REASON]`, and `SECONDS rtt MILLISECONDS` for each answered ping. Works with any
//! server, whatever it is written in. With `--stay` it dials again after a loss, as [`liveness::Reconnect`] says. If the
//! server then sends `moving SECONDS`, it moves to another connection within that time, and loses no message.
//! Exit status: 0 after a proper close, 1 after any other end.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use liveness::driver::tokio_tungstenite::ClientStream;
use liveness::reconnect::{Backoff, Policy};
use liveness::{Action, CloseCode, Config, Liveness, Observer, Reason, Timestamp};
use liveness_client::{Client, News};
use liveness_servers::Failure;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tungstenite::Message;

/// A WebSocket client that keeps its connection alive.
#[derive(Parser)]
struct Args {
    /// Where to connect: `ws://HOST[:PORT]/PATH`, or `wss://`.
    url: String,
    /// Settings as in a transcript: `interval=5s timeout=10s suspicion=after:2s`; the defaults if not given.
    #[arg(value_name = "SETTING")]
    settings: Vec<String>,
    /// Dial again after a loss, and move to another connection if the server sends `moving SECONDS`.
    #[arg(long)]
    stay: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failure> {
    let args = Args::parse();
    let config: Config = args.settings.join(" ").parse()?;
    let observed = |socket: ClientStream| socket.observe(Printer::default());
    let mut client = Client::new(&args.url, config, Policy::DEFAULT, Backoff::DEFAULT, observed);
    let mut input = Some(BufReader::new(tokio::io::stdin()).lines());
    let mut properly = false;
    loop {
        let sends = input.is_some() && client.is_connected();
        // Each of these futures may be dropped at any time: no message and no heartbeat is lost.
        let news = tokio::select! {
            news = client.next() => news,
            line = next_line(&mut input), if sends => {
                match line? {
                    Some(line) => client.send(Message::text(line)).await,
                    // Input may end at once, for example under a service manager. The client stays.
                    None => input = None,
                }
                continue;
            }
            _ = tokio::signal::ctrl_c() => {
                client.close(CloseCode::GOING_AWAY, "the user left");
                continue;
            }
        };
        match news {
            News::Message(message) => match moving(&message).filter(|_| args.stay) {
                Some(within) => client.hand_over(within),
                None => print(&message),
            },
            News::LastWords(message) => print(&message),
            News::Connected { .. } | News::Waiting(_) => {}
            News::Over(_) => break,
            lost @ (News::Disconnected(..) | News::NotConnected(_) | News::NotInTime) => {
                properly = is_proper(&lost);
                if !args.stay {
                    break;
                }
            }
        }
    }
    Ok(if properly { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn next_line(input: &mut Option<Lines<BufReader<Stdin>>>) -> std::io::Result<Option<String>> {
    match input {
        Some(lines) => lines.next_line().await,
        None => Ok(None),
    }
}

/// Prints why there is no connection. Returns true if both sides closed it.
fn is_proper(lost: &News) -> bool {
    match lost {
        News::Disconnected(Reason::LocalClosed | Reason::PeerClosed(_), _) => return true,
        News::Disconnected(_, words) => eprintln!("{words}"),
        News::NotConnected(error) => eprintln!("{error}"),
        News::NotInTime => eprintln!("the dial took too long"),
        News::Connected { .. } | News::Message(_) | News::LastWords(_) | News::Waiting(_) | News::Over(_) => {
        }
    }
    false
}

/// Reads the server's announcement that it will go, and that its clients should leave within this time.
fn moving(message: &Message) -> Option<Duration> {
    let seconds = message.to_text().ok()?.strip_prefix("moving ")?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn print(message: &Message) {
    match message {
        Message::Text(text) => println!("{text}"),
        Message::Binary(bytes) => println!("({} bytes)", bytes.len()),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
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
