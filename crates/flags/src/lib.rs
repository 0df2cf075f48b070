//! What every server and every recipe needs, although none of them is about it: flags, output lines, record files.

#![allow(
    missing_debug_implementations,
    missing_docs,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "for the programs of this repository, and for nobody else"
)]

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Parser;
use liveness::{Action, Clock, Config, ParseConfigError};
use socket2::SockRef;

/// How many clients may wait to be accepted. With std's 128, a burst of clients would wait for a second.
const BACKLOG: i32 = 1024;

/// A WebSocket echo server that prints who is online. Durations are written as `20s` or `250ms`.
#[derive(Parser, Clone)]
pub struct Args {
    /// Where to listen. Port 0 takes a free port; the line `listening on` on stderr names it.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// How long silence lasts before a ping, or `never`; 20s if not given.
    #[arg(long, value_parser = setting("interval"))]
    interval: Option<String>,
    /// How long an answer may take, or `never`; 25s if not given.
    #[arg(long, value_parser = setting("timeout"))]
    timeout: Option<String>,
    /// What counts as a sign of life: `any-traffic` (if not given) or `pong-only`.
    #[arg(long, value_parser = setting("evidence"))]
    evidence: Option<String>,
    /// When to ping: `quiet` (if not given) or `steady`.
    #[arg(long, value_parser = setting("schedule"))]
    schedule: Option<String>,
    /// How long a ping may stay unanswered before its peer is suspect, or `never`; `never` if not given.
    #[arg(long, value_name = "DURATION", value_parser = suspect_after)]
    suspect_after: Option<String>,
    /// How long a peer may go without a data message, or `never`; `never` if not given.
    #[arg(long, value_parser = setting("idle_timeout"))]
    idle_timeout: Option<String>,
    /// How long a ping may wait while the transport takes no byte, or `never`; as long as the timeout if not given.
    #[arg(long, value_parser = setting("write_timeout"))]
    write_timeout: Option<String>,
    /// How long to wait for a peer after its verdict or its Close; 5s if not given.
    #[arg(long, value_parser = setting("close_timeout"))]
    close_timeout: Option<String>,
    /// Control frames allowed in a burst, and then in a second, or `never`; 128/16 if not given.
    #[arg(long, value_parser = setting("control_budget"))]
    control_budget: Option<String>,
    /// Write a transcript of each connection's life into this folder, for `replay`.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Serve `wss://` with these two PEM files: the certificates and the key. Only `server_blocking` and `server_tokio`
    /// can.
    #[arg(long, num_args = 2, value_names = ["CERTIFICATES", "KEY"])]
    pub tls: Option<Vec<PathBuf>>,
}

/// Checks one setting, and keeps its text.
fn setting(key: &'static str) -> impl Fn(&str) -> Result<String, ParseConfigError> + Clone {
    move |value| {
        let setting = format!("{key}={value}");
        setting.parse::<Config>().map(|_| setting)
    }
}

fn suspect_after(value: &str) -> Result<String, ParseConfigError> {
    setting("suspicion")(&if value == "never" { value.into() } else { format!("after:{value}") })
}

impl Args {
    pub fn config(&self) -> Result<Config, String> {
        let settings = [
            &self.interval,
            &self.timeout,
            &self.evidence,
            &self.schedule,
            &self.suspect_after,
            &self.idle_timeout,
            &self.write_timeout,
            &self.close_timeout,
            &self.control_budget,
        ];
        let settings: Vec<&str> = settings.into_iter().flatten().map(String::as_str).collect();
        settings.join(" ").parse().map_err(|error: ParseConfigError| error.to_string())
    }

    /// Where to listen, for a server that binds its listener itself and then calls [`announce`].
    pub fn address(&self) -> &str {
        &self.listen
    }

    /// Binds the listener, and prints its address on stderr. Makes the folder to record into.
    pub fn listen(&self) -> Result<TcpListener, Failure> {
        if let Some(folder) = &self.record {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let listener =
            TcpListener::bind(&self.listen).map_err(|error| cannot_listen(&self.listen, ANY, &error))?;
        SockRef::from(&listener).listen(BACKLOG)?;
        announce(listener.local_addr()?);
        Ok(listener)
    }

    /// Refuses `--tls`, for a server that has no TLS: a framework hides what is below it, and a hand-written loop should show
    /// the loop. A proxy in front of it may do TLS.
    pub fn no_tls(&self) -> Result<(), Failure> {
        self.tls.is_none().then_some(()).ok_or_else(|| "this server has no --tls; server_tokio has".into())
    }

    /// Refuses `--record`, for a server that writes no transcripts.
    pub fn no_record(&self) -> Result<(), Failure> {
        self.record
            .is_none()
            .then_some(())
            .ok_or_else(|| "this server has no --record; server_tokio has".into())
    }

    /// A file for the transcript of a connection, if `--record` asks for one.
    pub fn record(&self, connection: usize) -> io::Result<Option<Sink>> {
        let Some(folder) = &self.record else { return Ok(None) };
        Sink::create(&folder.join(format!("connection-{connection}.txt"))).map(Some)
    }
}

/// An address with port 0: the system picks a free port.
pub const ANY: &str = "127.0.0.1:0";

/// Why a program cannot go on, in words for the person who started it. `main` prints it unchanged.
pub struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: fmt::Display> From<T> for Failure {
    fn from(cause: T) -> Self {
        Self(cause.to_string())
    }
}

/// Why a program cannot listen at this place, and what would work. `any` is what its user writes to get any free place.
pub fn cannot_listen(place: &str, any: &str, error: &io::Error) -> Failure {
    let kind = error.kind();
    Failure(if kind == io::ErrorKind::AddrInUse {
        format!("{place} is taken: give another, or {any} for any that is free")
    } else if kind == io::ErrorKind::InvalidInput {
        format!("{place}: {error}; expected HOST:PORT, such as 127.0.0.1:8080")
    } else {
        format!("{place}: {error}")
    })
}

/// How many bytes a text message asks for, if it is `flood N`.
pub fn flood(text: &str) -> Option<u64> {
    text.strip_prefix("flood ")?.parse().ok()
}

/// A server's line for a change: `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.
pub fn print(action: Action, connection: usize, clock: Clock) {
    print_change(action, &format!(" {connection}"), clock);
}

/// A client's line: the same without a connection's number.
pub fn print_own(action: Action, clock: Clock) {
    print_change(action, "", clock);
}

fn print_change(action: Action, whose: &str, clock: Clock) {
    let change = match action {
        Action::MarkOnline => format!("online{whose}"),
        Action::MarkSuspect => format!("suspect{whose}"),
        Action::MarkOffline(reason) => format!("offline{whose} {reason}"),
        Action::Disconnect => format!("disconnect{whose}"),
        Action::SendPing(_) | Action::Close(_) => return,
    };
    let seconds = clock.now().as_duration().as_secs_f64();
    let mut out = io::stdout().lock();
    // Nobody may be reading this any more. The connections are served anyway.
    let _ = writeln!(out, "{seconds:.3} {change}").and_then(|()| out.flush());
}

/// Prints on stderr where the server listens.
pub fn announce(address: SocketAddr) {
    complain(format_args!("listening on {address}"));
}

/// A line for the operator, on stderr. `eprintln!` would panic if that is closed.
pub fn complain(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// A file to record into.
pub struct Sink(BufWriter<File>);

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

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};
    use liveness::Config;

    #[test]
    fn what_a_server_does_not_do_it_refuses() {
        let plain = super::Args::parse_from(["server"]);
        assert!(plain.no_tls().is_ok() && plain.no_record().is_ok());
        let asking =
            super::Args::parse_from(["server", "--tls", "certificates", "key", "--record", "folder"]);
        assert!(asking.no_tls().is_err() && asking.no_record().is_err());
    }

    #[test]
    fn the_help_says_the_defaults() {
        let help = super::Args::command().render_long_help().to_string();
        let (defaults, budget) = (Config::DEFAULT, Config::DEFAULT.control_budget().unwrap());
        for time in [defaults.interval(), defaults.timeout(), defaults.close_timeout()] {
            assert!(help.contains(&format!("; {time:?} if not given")), "{time:?}: {help}");
        }
        assert!(help.contains(&format!("; {}/{} if not given", budget.0, budget.1)), "{help}");
    }
}
