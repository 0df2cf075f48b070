//! The server that is judged: either a process, whose lines are read, or an address.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use liveness::{Clock, Timestamp};
use liveness_testing::host::bound;
use liveness_testing::raw_peer::{Peer, millis, sleep};
use liveness_testing::{REASONS, Running, eventually};
use rustls::ClientConfig;
use socket2::SockRef;

use crate::cases::LIFE;
use crate::wire::Wire;

/// A peer of the server, with a small receive buffer.
pub(crate) type Raw = Peer<Wire>;

/// A server: either a process here, which is killed when this is dropped, or one at an address.
pub struct Server {
    address: SocketAddr,
    request: String,
    process: Option<Running>,
    visits: AtomicU64,
    tls: Option<Arc<ClientConfig>>,
}

impl Server {
    /// Starts a program on a free port, with these flags beside `--listen`.
    #[track_caller]
    pub fn start(program: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]).args(flags);
        let process = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        eventually("it says `listening on ADDRESS` on stderr", || !process.complaints.lock().is_empty());
        let greeting = process.complaints.lock().remove(0);
        let address = greeting.strip_prefix("listening on ").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("it says {greeting:?}, not `listening on ADDRESS`"));
        let (request, process) = (request("localhost", "/"), Some(process));
        Self { address, request, process, visits: AtomicU64::new(0), tls: None }
    }

    /// A server at `ws://HOST:PORT/PATH`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the address, or that no server answers there.
    pub fn at(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("ws://").ok_or("the address does not begin with ws://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let mut addresses = with_port.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
        // `localhost` has two addresses, and many servers listen at one of them only.
        let address = addresses.find(|address| TcpStream::connect_timeout(address, millis(10_000)).is_ok());
        let address = address.ok_or_else(|| format!("{host}: no server answers there"))?;
        let request = request(host, &format!("/{path}"));
        Ok(Self { address, request, process: None, visits: AtomicU64::new(0), tls: None })
    }

    /// The same, spoken to over TLS.
    #[must_use]
    pub fn over_tls(mut self, tls: Option<Arc<ClientConfig>>) -> Self {
        self.tls = tls;
        self
    }

    pub const fn has_lines(&self) -> bool {
        self.process.is_some()
    }

    /// The process, if it is ours.
    pub fn child(&self) -> Option<&Child> {
        self.process.as_ref().map(|process| &process.child)
    }

    pub fn dial(&self) -> TcpStream {
        bound(TcpStream::connect(self.address).unwrap())
    }

    pub fn peer(&self) -> Peer<TcpStream> {
        self.shake_hands(self.dial())
    }

    fn shake_hands<S: Read + Write>(&self, mut stream: S) -> Peer<S> {
        stream.write_all(self.request.as_bytes()).unwrap();
        Peer::accepted(stream)
    }

    /// Connects, and learns the connection's number. Only one may do so at a time.
    pub(crate) fn enter(&self) -> (Visit<'_>, Raw) {
        let known = self.lives();
        let stream = self.dial();
        // As much as a link with a short queue would hold. Everything else must wait at the server.
        SockRef::from(&stream).set_recv_buffer_size(64 * 1024).unwrap();
        let peer = self.shake_hands(Wire::over(stream, self.tls.as_ref()));
        let mut number = Some(self.visits.fetch_add(1, Ordering::Relaxed)).filter(|_| !self.has_lines());
        if self.has_lines() {
            eventually("it is online", || {
                number = self.lives().into_keys().find(|number| !known.contains_key(number));
                number.is_some()
            });
        }
        let clock = Clock::new();
        let end = clock.now() + LIFE;
        (Visit { server: self, number: number.unwrap(), clock, end }, peer)
    }

    /// The changes of each connection so far, each with its reason.
    #[track_caller]
    pub fn lives(&self) -> BTreeMap<u64, Vec<Change>> {
        let mut lives = BTreeMap::<u64, Vec<Change>>::new();
        let Some(process) = &self.process else { return lives };
        for line in process.lines.lock().iter() {
            let (connection, change) =
                Change::parse(line).unwrap_or_else(|| panic!("this is no line of a server: {line}"));
            lives.entry(connection).or_default().push(change);
        }
        lives
    }

    /// The number of connections that have such a change.
    pub fn count(&self, what: &str) -> usize {
        self.lives().values().filter(|life| life.iter().any(|change| change.what == what)).count()
    }

    /// Waits until every connection has ended, and checks the order: online first, one verdict, and `disconnect` last.
    #[track_caller]
    pub fn assert_proper_lives(&self) -> BTreeMap<u64, Vec<Change>> {
        let over = |life: &Vec<Change>| life.last().is_some_and(|change| change.what == "disconnect");
        eventually("everybody has gone", || self.lives().values().all(over));
        let lives = self.lives();
        for (connection, life) in &lives {
            assert_eq!(improper(life), None, "connection {connection}");
        }
        self.assert_no_complaint();
        lives
    }

    #[track_caller]
    pub fn assert_no_complaint(&self) {
        let Some(process) = &self.process else { return };
        let complaints = process.complaints.lock();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}

/// The request that opens a WebSocket.
fn request(host: &str, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Our connection, and what the server knows about it.
pub(crate) struct Visit<'a> {
    server: &'a Server,
    number: u64,
    pub(crate) clock: Clock,
    /// A peer that should live may leave at this time. A dead one would be given up by then.
    pub(crate) end: Timestamp,
}

impl Visit<'_> {
    fn said(&self, what: &str) -> bool {
        self.server.lives()[&self.number].iter().any(|change| change.what == what)
    }

    /// True if the server has said its verdict. A server without lines must have given it by `end`.
    pub(crate) fn is_given_up(&self) -> bool {
        if self.server.has_lines() { self.said("offline") } else { self.clock.now() > self.end }
    }

    /// Waits until the server has said that the connection is over. A server without lines must have ended it one
    /// `close_timeout` after `end`.
    pub(crate) fn wait_until_done(&self) {
        if self.server.has_lines() {
            eventually("it is given up", || self.said("offline"));
            eventually("the connection is over", || self.said("disconnect"));
        } else {
            let done = self.end + millis(6000);
            sleep(done.saturating_duration_since(self.clock.now()));
        }
    }

    /// The whole life, when it is over; `None` if the server prints no lines.
    pub(crate) fn life(&self) -> Option<Vec<Change>> {
        self.server.has_lines().then(|| {
            eventually("`disconnect` is said", || self.said("disconnect"));
            self.server.lives().remove(&self.number).unwrap_or_default()
        })
    }
}

/// A line, without its connection.
#[derive(Clone, Debug)]
pub struct Change {
    pub at: f64,
    pub what: String,
    pub reason: Option<String>,
}

impl Change {
    /// Reads `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`. The reason comes with `offline` only.
    pub fn parse(line: &str) -> Option<(u64, Self)> {
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
pub fn reason(life: &[Change]) -> &str {
    life.iter().find_map(|change| change.reason.as_deref()).unwrap_or("none")
}

/// What is wrong with the order of a life that is over.
pub(crate) fn improper(life: &[Change]) -> Option<String> {
    let words: Vec<&str> = life.iter().map(|change| change.what.as_str()).collect();
    let count = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
    let proper = words.first() == Some(&"online")
        && words.ends_with(&["offline", "disconnect"])
        && count("offline") == 1
        && count("disconnect") == 1
        && words.windows(2).all(|pair| pair[0] != pair[1])
        && life.windows(2).all(|pair| pair[0].at <= pair[1].at);
    (!proper).then(|| format!("its lines are in the wrong order: {words:?}"))
}
