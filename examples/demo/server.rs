//! The server: tungstenite, a thread for each connection, watched by `liveness`. And the listener that gorilla's rule
//! uses too.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use liveness::driver::tungstenite::accept_raw;
use liveness::{Action, Clock, Config, Liveness};
use tungstenite::Message;
use tungstenite::protocol::WebSocketConfig;

use crate::board::{Change, Link, Recorder};
use crate::clients::wait_until;
use crate::stall;

const MIB: usize = 1 << 20;
/// How long the last connections may take to end once their clients have gone: more than `close_timeout`.
const GRACE: Duration = Duration::from_secs(3);

/// A listener, and a thread for each connection that it accepts.
pub(crate) struct Door {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
    /// Each connection holds a clone.
    token: Arc<()>,
    listener: thread::JoinHandle<()>,
}

impl Door {
    /// Opens one on a free port of the loopback.
    pub(crate) fn open(serve: impl Fn(TcpStream, Link) + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (closing, token) = (Arc::new(AtomicBool::new(false)), Arc::new(()));
        let (closed, ticket) = (Arc::clone(&closing), Arc::clone(&token));
        let serve = Arc::new(serve);
        let listener = thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                if closed.load(Ordering::Acquire) {
                    return;
                }
                let Ok(peer) = stream.peer_addr() else { continue };
                let link = Link { server: address.port(), peer: peer.port() };
                let (serve, ticket) = (Arc::clone(&serve), Arc::clone(&ticket));
                thread::spawn(move || {
                    serve(stream, link);
                    drop(ticket);
                });
            }
        })?;
        Ok(Self { address, closing, token, listener })
    }

    /// Where to connect.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Accepts no more connections, waits a little, and says how many are left.
    pub(crate) fn close(self) -> usize {
        self.closing.store(true, Ordering::Release);
        // The listener is blocked in `accept`. This connection wakes it.
        drop(TcpStream::connect(self.address));
        let _ = self.listener.join();
        let clock = Clock::new();
        let deadline = clock.now() + GRACE;
        while Arc::strong_count(&self.token) > 1 && clock.now() < deadline {
            wait_until(clock, clock.now() + GRACE / 300);
        }
        Arc::strong_count(&self.token) - 1
    }
}

/// Room for what the clients send.
pub(crate) fn settings() -> WebSocketConfig {
    WebSocketConfig::default().max_frame_size(Some(64 * MIB)).read_buffer_size(16 * 1024)
}

/// What both servers answer: `flood N` gets N bytes, everything else an echo.
pub(crate) fn answer(message: Message) -> Message {
    stall::sit_out();
    let wanted = message.to_text().ok().and_then(|text| text.strip_prefix("flood "));
    let flood = wanted.and_then(|count| count.parse::<usize>().ok());
    flood.map_or(message, |count| Message::Binary(vec![0; count.min(64 * MIB)].into()))
}

/// Opens a server that is watched by `liveness`.
pub(crate) fn open(config: Config, record: Recorder) -> io::Result<Door> {
    Door::open(move |stream, link| serve(stream, config, link, Arc::clone(&record)))
}

fn serve(stream: TcpStream, config: Config, link: Link, record: Recorder) {
    let Ok(ready) = accept_raw(stream, Some(settings())) else { return };
    let socket = ready.watch(config);
    let clock = socket.clock();
    let watch = move |action, peer: &Liveness| {
        if let Some(change) = change(action, peer, clock) {
            record(link, change);
        }
    };
    let mut socket = socket.on_action(watch);
    while let Ok(message) = socket.read() {
        // If this fails, the next `read` reports the end.
        let _ = socket.send(answer(message));
    }
    // The peer may still be told why, and may close too.
    socket.finish();
}

fn change(action: Action, peer: &Liveness, clock: Clock) -> Option<Change> {
    match action {
        Action::MarkOnline => Some(Change::Online),
        Action::MarkSuspect => Some(Change::Suspect),
        Action::MarkOffline(reason) => {
            let report = peer.report(clock.now()).to_string();
            Some(Change::Offline { reason: reason.to_string(), report })
        }
        Action::Disconnect => Some(Change::Gone),
        Action::SendPing(_) | Action::Close(_) => None,
    }
}
