//! The servers as processes of their own, seen from outside: their lines, and what they cost.
//!
//! Each scenario is played with each of them. Where one rightly differs, the scenario asks which it is, and says why.

/// Makes a test of a scenario for each of the servers.
macro_rules! with_each_server {
    ($($scenario:ident),+) => {$(
        mod $scenario {
            use super::super::Example;

            #[test]
            fn blocking() {
                super::$scenario(Example::Blocking);
            }

            #[test]
            fn tokio() {
                super::$scenario(Example::Tokio);
            }

            #[test]
            fn axum() {
                super::$scenario(Example::Axum);
            }

            #[test]
            fn mio() {
                super::$scenario(Example::Mio);
            }
        }
    )+};
}

mod chats;
mod crowd;
mod faults;
mod hostile;
mod interop;
#[cfg(target_os = "linux")]
mod resources;
#[cfg(unix)]
mod stall;
#[path = "../trust/mod.rs"]
mod trust;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use liveness_testing::host::bound;
use liveness_testing::raw_peer::{BINARY, CONTINUATION, Peer};
use liveness_testing::{REASONS, eventually};

/// The servers. Their flags, their manners and their lines are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Example {
    Blocking,
    Tokio,
    Axum,
    Mio,
    /// As `Mio`, on plain `poll(2)`: in one scenario, to see that any loop will do.
    #[cfg(unix)]
    Poll,
}

impl Example {
    /// The frames that it makes of a `flood`, by opcode and length. axum has messages only, and makes one of it. The
    /// loop by hand makes a message of each part. The others make fragments, between which a ping may go.
    fn flood(self, bytes: usize) -> Vec<(u8, usize)> {
        const PART: usize = 64 << 10;
        let parts = (0..bytes).step_by(PART).map(|start| (start, PART.min(bytes - start)));
        match self {
            Self::Axum => vec![(BINARY, bytes)],
            #[cfg(unix)]
            Self::Poll => parts.map(|(_, len)| (BINARY, len)).collect(),
            Self::Mio => parts.map(|(_, len)| (BINARY, len)).collect(),
            Self::Blocking | Self::Tokio => {
                parts.map(|(start, len)| (if start == 0 { BINARY } else { CONTINUATION }, len)).collect()
            }
        }
    }

    fn program(self) -> PathBuf {
        program(match self {
            Self::Blocking => "server_blocking",
            Self::Tokio => "server_tokio",
            Self::Axum => "server_axum",
            Self::Mio => "server_mio",
            #[cfg(unix)]
            Self::Poll => "server_poll",
        })
    }
}

/// A program of this package, which cargo has built for these tests.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_server_mio"))
        .with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// A running server, killed at the end whatever the end is.
struct Server {
    example: Example,
    child: Child,
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends a stopped process too.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            println!(
                "{:?} said:\n{}",
                self.example,
                self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
            );
        }
    }
}

/// Collects lines for as long as there are any.
fn collect(from: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&lines);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            collected.lock().unwrap().push(line);
        }
    });
    lines
}

impl Server {
    fn start(example: Example, arguments: &[&str]) -> Self {
        let mut command = Command::new(example.program());
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = collect(child.stdout.take().unwrap());
        let complaints = collect(child.stderr.take().unwrap());
        eventually("it listens", || !complaints.lock().unwrap().is_empty());
        let greeting = complaints.lock().unwrap().remove(0);
        let address = greeting.strip_prefix("listening on ").unwrap().parse().unwrap();
        Self { example, child, address, lines, complaints }
    }

    fn dial(&self) -> TcpStream {
        bound(TcpStream::connect(self.address).unwrap())
    }

    fn peer(&self) -> Peer<TcpStream> {
        Peer::shake_hands(self.dial())
    }

    /// The changes of each connection so far, each with its reason.
    #[track_caller]
    fn lives(&self) -> BTreeMap<u64, Vec<Change>> {
        let mut lives = BTreeMap::<u64, Vec<Change>>::new();
        for line in self.lines.lock().unwrap().iter() {
            let (connection, change) = Change::parse(line).unwrap_or_else(|| panic!("no such line: {line}"));
            lives.entry(connection).or_default().push(change);
        }
        lives
    }

    fn count(&self, what: &str) -> usize {
        self.lives().values().filter(|life| life.iter().any(|change| change.what == what)).count()
    }

    /// Waits until everybody has gone, and checks how: online first, one verdict, and `disconnect` last.
    #[track_caller]
    fn assert_proper_lives(&self) -> BTreeMap<u64, Vec<Change>> {
        let over = |life: &Vec<Change>| life.last().is_some_and(|change| change.what == "disconnect");
        eventually("everybody has gone", || self.lives().values().all(over));
        let lives = self.lives();
        for (connection, life) in &lives {
            let words: Vec<&str> = life.iter().map(|change| change.what.as_str()).collect();
            let shown = format!("connection {connection}: {words:?}");
            assert_eq!(words.first(), Some(&"online"), "{shown}");
            assert_eq!(words[words.len() - 2..], ["offline", "disconnect"], "{shown}");
            for once in ["offline", "disconnect"] {
                assert_eq!(words.iter().filter(|word| **word == once).count(), 1, "{shown}");
            }
            assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{shown}");
            assert!(life.windows(2).all(|pair| pair[0].at <= pair[1].at), "{shown}");
        }
        self.assert_no_complaint();
        lives
    }

    #[track_caller]
    fn assert_no_complaint(&self) {
        let complaints = self.complaints.lock().unwrap();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}

/// A line, but for its connection.
#[derive(Debug)]
struct Change {
    at: f64,
    what: String,
    reason: Option<String>,
}

impl Change {
    /// `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`: the reason with `offline`, and only there.
    fn parse(line: &str) -> Option<(u64, Self)> {
        let mut words = line.splitn(4, ' ');
        let at = words.next()?.parse().ok()?;
        let what = words.next()?.to_owned();
        let connection = words.next()?.parse().ok()?;
        let reason = words.next().map(str::to_owned);
        let proper = match (what.as_str(), &reason) {
            ("online" | "suspect" | "disconnect", None) => true,
            ("offline", Some(reason)) => REASONS.contains(&reason.split(' ').next()?),
            _ => false,
        };
        proper.then_some((connection, Self { at, what, reason }))
    }
}

/// The reason that a life ended by.
fn reason(life: &[Change]) -> &str {
    life.iter().find_map(|change| change.reason.as_deref()).unwrap_or("none")
}
