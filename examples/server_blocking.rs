//! A WebSocket server that knows who is there: tungstenite, a thread a connection.
//!
//! `cargo run --example server_blocking -- --interval 5s --timeout 10s`
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`. Where it listens it says on stderr: with port 0 the
//! system picks one.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Parser;
use liveness::driver::Meter;
use liveness::driver::tungstenite::{LiveSocket, Offline, accept_unwatched, driven, random_seed};
use liveness::transcript::Recorder;
use liveness::{Action, Clock, Config, Liveness, Machine};
use tungstenite::Message;
use tungstenite::protocol::WebSocketConfig;

const MIB: usize = 1 << 20;

/// A WebSocket echo server that prints who is online. Durations are written as `20s` or `250ms`.
#[derive(Parser, Clone)]
struct Args {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// How long silence lasts before a ping, or `never`.
    #[arg(long, value_parser = setting("interval"))]
    interval: Option<String>,
    /// How long an answer may take, or `never`.
    #[arg(long, value_parser = setting("timeout"))]
    timeout: Option<String>,
    /// What counts as a sign of life: `any-traffic` or `pong-only`.
    #[arg(long, value_parser = setting("evidence"))]
    evidence: Option<String>,
    /// When to ping: `quiet` or `steady`.
    #[arg(long, value_parser = setting("schedule"))]
    schedule: Option<String>,
    /// How long an unanswered ping may be before its peer is suspect, or `never`.
    #[arg(long, value_name = "DURATION", value_parser = suspect_after)]
    suspect_after: Option<String>,
    /// How long a peer may go without a data message, or `never`.
    #[arg(long, value_parser = setting("idle_timeout"))]
    idle_timeout: Option<String>,
    /// How long a ping may wait while the transport takes no byte; as long as the timeout if not given.
    #[arg(long, value_parser = setting("write_timeout"))]
    write_timeout: Option<String>,
    /// Control frames allowed in a burst and a second, such as `128/16`, or `never`.
    #[arg(long, value_parser = setting("control_budget"))]
    control_budget: Option<String>,
    /// Write a transcript of each connection's life into this folder, for `replay`.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

/// Checks one setting, and keeps it as the text that it is.
fn setting(key: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |value| {
        let setting = format!("{key}={value}");
        setting.parse::<Config>().map(|_| setting)
    }
}

fn suspect_after(value: &str) -> Result<String, String> {
    setting("suspicion")(&if value == "never" { value.into() } else { format!("after:{value}") })
}

impl Args {
    fn config(&self) -> Result<Config, String> {
        let settings = [
            &self.interval,
            &self.timeout,
            &self.evidence,
            &self.schedule,
            &self.suspect_after,
            &self.idle_timeout,
            &self.write_timeout,
            &self.control_budget,
        ];
        let settings: Vec<&str> = settings.into_iter().flatten().map(String::as_str).collect();
        settings.join(" ").parse()
    }
}

fn main() -> Result<(), String> {
    let args = Args::parse();
    let config = args.config()?;
    if let Some(folder) = &args.record {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let listener = TcpListener::bind(&args.listen).map_err(|error| format!("{}: {error}", args.listen))?;
    if let Ok(address) = listener.local_addr() {
        eprintln!("listening on {address}");
    }
    let clock = Clock::new();
    for (stream, connection) in listener.incoming().zip(1..) {
        let record = args.record.clone();
        let serve = move |stream| serve(stream, connection, config, record.as_deref(), clock);
        // A server that has run out of files or threads turns a client away, and lives.
        let spawned =
            stream.and_then(|stream| thread::Builder::new().stack_size(MIB / 2).spawn(move || serve(stream)));
        if let Err(error) = spawned {
            eprintln!("connection {connection}: {error}");
            thread::park_timeout(Duration::from_millis(10));
        }
    }
    Ok(())
}

fn serve(stream: TcpStream, connection: u64, config: Config, record: Option<&Path>, clock: Clock) {
    let mut settings = WebSocketConfig::default();
    settings.max_message_size = Some(64 * MIB);
    settings.max_frame_size = Some(64 * MIB);
    settings.read_buffer_size = 16 * 1024;
    // Small answers must not wait for the acknowledgement of the last one.
    let _ = stream.set_nodelay(true);
    let Ok(socket) = accept_unwatched(stream, Some(settings)) else { return };
    let Some(folder) = record else {
        return converse(LiveSocket::new(socket, config), connection, clock);
    };
    match Sink::create(&folder.join(format!("connection-{connection}.txt"))) {
        Ok(sink) => {
            let machine = Recorder::new(driven(config), random_seed(), clock.now(), sink);
            converse(LiveSocket::with_machine(socket, machine, clock), connection, clock);
        }
        Err(error) => eprintln!("connection {connection}: no record: {error}"),
    }
}

/// The whole life of a connection: its own loop, as without heartbeats.
fn converse<M: Machine>(socket: LiveSocket<Meter<TcpStream>, M>, connection: u64, clock: Clock) {
    let mut socket = socket.on_action(move |action, _: &Liveness| print(action, connection, clock));
    loop {
        let answered = socket.read().and_then(|message| answer(&mut socket, message));
        if answered.is_err() && socket.liveness().is_finished() {
            return;
        }
    }
}

fn answer<M: Machine>(socket: &mut LiveSocket<Meter<TcpStream>, M>, message: Message) -> Result<(), Offline> {
    let order = if let Message::Text(text) = &message { text.strip_prefix("flood ") } else { None };
    let flood = order.and_then(|count| count.parse::<u64>().ok());
    let Some(mut left) = flood else { return socket.send(message) };
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(64 * MIB);
        socket.send(Message::Binary(vec![0; part].into()))?;
        left -= part as u64;
    }
    Ok(())
}

fn print(action: Action, connection: u64, clock: Clock) {
    let change = match action {
        Action::MarkOnline => format!("online {connection}"),
        Action::MarkSuspect => format!("suspect {connection}"),
        Action::MarkOffline(reason) => format!("offline {connection} {reason}"),
        Action::Disconnect => format!("disconnect {connection}"),
        Action::SendPing(_) | Action::Close(_) => return,
    };
    let seconds = Duration::from_nanos(clock.now().as_nanos()).as_secs_f64();
    let mut out = io::stdout().lock();
    // Nobody may be listening any more; the connections are served all the same.
    let _ = writeln!(out, "{seconds:.3} {change}").and_then(|()| out.flush());
}

/// A file to record into.
struct Sink(BufWriter<File>);

impl Sink {
    fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(|file| Self(BufWriter::new(file)))
    }
}

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
