//! The lives of a trial. Each has its own official end, so all can be lived at once.

mod live_stream;

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use liveness::{Clock, Config, Reason};
use liveness_testing::host::bound;
use liveness_testing::raw_peer::PATIENCE;
use liveness_testing::{Process, eventually};
use rustix::process::Signal;
use tungstenite::WebSocket;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::client;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tungstenite::protocol::Message as Frame;

pub(crate) use self::live_stream::talking;
use super::bare_loop::{BareLoop, Told};
use super::ends::Ours;
use super::{INTERVAL, Trial, WHILE, process};

/// What the test saw of an official end that lived, was frozen, and was woken.
pub(crate) struct Seen {
    /// The kinds of heartbeat that it sent.
    pub(crate) heard: BTreeSet<&'static str>,
    /// The reason for which it was given up when it was frozen. `None`: our end only sends, and cannot find out.
    pub(crate) verdict: Option<Reason>,
    /// What it reported about the connection's end after it was woken.
    pub(crate) woken: Option<String>,
}

/// An official end, and how our end reaches it.
enum Met {
    /// A client. It has dialled us.
    Client(TcpStream),
    /// A server. It listens on this port.
    Server(String),
}

/// Starts the official end.
#[track_caller]
fn meet(trial: &Trial, talks: bool) -> (Process, Met) {
    let start = |url: &str| Process::start(process::command(trial, url, talks).unwrap());
    if trial.is_server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let official = start(&format!("ws://{}/", listener.local_addr().unwrap()));
        let mut stream = None;
        eventually("it dials", || {
            stream = listener.accept().ok().map(|(stream, _)| stream);
            stream.is_some()
        });
        let stream = stream.unwrap();
        stream.set_nonblocking(false).unwrap();
        return (official, Met::Client(stream));
    }
    let official = start("");
    let port = official.expect("listening on");
    (official, Met::Server(port))
}

/// Returns the subprotocol that a client asks for first.
#[expect(clippy::result_large_err, reason = "tungstenite's signature")]
fn subprotocol(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if let Some(asked) = request.headers().get(SEC_WEBSOCKET_PROTOCOL) {
        let first = asked.to_str().unwrap().split(',').next().unwrap().trim().parse().unwrap();
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, first);
    }
    Ok(response)
}

/// The request of our client.
fn request(port: &str, ours: &Ours) -> client::Request {
    let mut request = format!("ws://127.0.0.1:{port}{}", ours.path).into_client_request().unwrap();
    if let Some(subprotocol) = ours.subprotocol {
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol.parse().unwrap());
    }
    request
}

/// Our end of the connection with its own loop, after the protocol's handshake.
struct Served {
    told: Receiver<Told>,
    mute: Arc<AtomicBool>,
}

impl Served {
    fn meet(trial: &Trial, ours: &Ours, config: Config) -> (Process, Self) {
        let (official, met) = meet(trial, false);
        let mut socket = match met {
            Met::Client(stream) => tungstenite::accept_hdr(bound(stream), subprotocol).unwrap(),
            Met::Server(port) => {
                let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
                tungstenite::client(request(&port, ours), bound(stream)).unwrap().0
            }
        };
        if let Some(hello) = &ours.hello {
            socket.send(hello.clone()).unwrap();
        }
        if let Some((has, answer)) = ours.handshake {
            while !socket.read().unwrap().to_text().unwrap().contains(has) {}
            socket.send(Frame::text(answer)).unwrap();
        }
        let served = Self::by(socket, ours, config);
        official.expect("connected");
        (official, served)
    }

    fn by(socket: WebSocket<TcpStream>, ours: &Ours, config: Config) -> Self {
        let (tell, told) = channel();
        let mute = Arc::new(AtomicBool::new(false));
        let (dialect, codec) = ((ours.dialect)(), ours.codec());
        let bare = BareLoop { socket, config, mute: mute.clone(), tell, dialect, codec };
        thread::spawn(move || bare.run());
        Self { told, mute }
    }

    /// Lives for a while with heartbeats only. Returns each heartbeat that came.
    #[track_caller]
    fn expect_to_live(&self, lasts: Duration) -> Vec<&'static str> {
        let clock = Clock::new();
        let (until, mut all) = (clock.now() + lasts, Vec::new());
        while let Ok(told) = self.told.recv_timeout(until.saturating_duration_since(clock.now())) {
            let Told::Heard(heard) = told else { panic!("{told:?}") };
            all.push(heard);
        }
        all
    }

    /// The verdict; `None` if the peer lived on for this time.
    fn offline_within(&self, longest: Duration) -> Option<Reason> {
        let clock = Clock::new();
        let until = clock.now() + longest;
        loop {
            match self.told.recv_timeout(until.saturating_duration_since(clock.now())) {
                Ok(Told::Heard(_)) => {}
                Ok(Told::Offline(reason)) => return Some(reason),
                Err(_) => return None,
            }
        }
    }
}

/// Whether our end can find out that the other one is gone.
fn can_know(ours: &Ours) -> bool {
    ours.config.detection_bound(Duration::ZERO) < Duration::MAX
}

/// The reason for which a frozen peer is given up.
fn right(config: Config) -> Reason {
    if config.timeout() == Duration::MAX { Reason::Silent } else { Reason::PingTimeout }
}

/// Only heartbeats go, in both directions. Then the official end is frozen, found, and woken.
#[track_caller]
pub(crate) fn silent(trial: &Trial) -> Seen {
    let ours = (trial.ours)();
    let (official, served) = Served::meet(trial, &ours, ours.config);
    let all = served.expect_to_live(WHILE);
    let heard = all.iter().copied().collect();
    if !can_know(&ours) {
        return Seen { heard, verdict: None, woken: None };
    }
    assert!(all.len() >= 2, "only {all:?}");
    official.signal(Signal::STOP);
    let verdict = served.offline_within(PATIENCE).expect("it is not found");
    assert_eq!(verdict, right(ours.config));
    official.signal(Signal::CONT);
    Seen { heard, verdict: Some(verdict), woken: Some(official.expect("closed")) }
}

/// Our end falls silent and gives no verdict. Returns what the official end does then.
#[track_caller]
pub(crate) fn mute(trial: &Trial) -> String {
    let ours = (trial.ours)();
    let forgiving = ours.config.to_builder().timeout(Duration::MAX).silence_timeout(Duration::MAX).build();
    let (official, served) = Served::meet(trial, &ours, forgiving.unwrap());
    // Some official ends count from the first beat that they have heard.
    served.expect_to_live(2 * INTERVAL);
    served.mute.store(true, Ordering::Relaxed);
    let longest = if trial.judges { PATIENCE } else { WHILE };
    let Some(reason) = served.offline_within(longest) else {
        assert!(!trial.judges, "it stays");
        return "stays".to_owned();
    };
    official.expect("closed");
    if reason == Reason::TransportClosed {
        return "cuts the connection".to_owned();
    }
    let Reason::PeerClosed(code) = reason else { panic!("{reason}") };
    code.map_or("closes, no code".to_owned(), |code| format!("closes, {code}"))
}
