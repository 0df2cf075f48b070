//! A server's side in a thread of its own, and clients that live.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use liveness::driver::tungstenite::{
    BlockingSocket, CountingSocket, Error as SendError, LiveSocket, Offline, Transport, accept_raw,
};
use liveness::{Action, Clock, Config, ConfigBuilder, Reason, Rtt, Stats};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use crate::raw_peer::{PATIENCE, Peer, millis};

/// For peers that should live: short intervals, and a timeout that is longer than any delay of a busy machine.
pub const fn brisk() -> ConfigBuilder {
    Config::builder().interval(millis(100)).timeout(millis(20_000)).close_timeout(millis(300))
}

/// For peers that should live through `LONGER`: the timeout is no longer than a busy machine needs.
pub const fn outlasted() -> ConfigBuilder {
    brisk().timeout(millis(3000))
}

/// Longer than a peer may be silent with the settings of `outlasted`: more than interval and timeout together.
pub const LONGER: Duration = millis(3500);

/// For peers that must be given up. Nobody has to be quick.
pub const fn strict() -> ConfigBuilder {
    Config::builder().interval(millis(100)).timeout(millis(200)).close_timeout(millis(200))
}

/// The server's side of one connection, and what it returns.
pub struct Host<T> {
    address: SocketAddr,
    outcome: Receiver<T>,
}

impl<T: Send + 'static> Host<T> {
    /// Serves one connection.
    pub fn open(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (report, outcome) = channel();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            // If nobody receives this, the test has failed already.
            let _ = report.send(serve(stream));
        });
        Self { address, outcome }
    }

    /// The port where it listens.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// A connected stream. It waits no longer than `PATIENCE` for anything.
    pub fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        bound(stream)
    }

    /// A raw WebSocket.
    pub fn peer(&self) -> Peer<TcpStream> {
        Peer::shake_hands(self.dial())
    }

    /// A WebSocket of tungstenite.
    pub fn client(&self) -> WebSocket<TcpStream> {
        tungstenite::client("ws://localhost/", self.dial()).unwrap().0
    }

    /// What `serve` returned.
    #[track_caller]
    pub fn join(self) -> T {
        self.outcome.recv_timeout(PATIENCE).expect("the server's side hangs, or has panicked")
    }
}

pub fn bound(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A server that reads until the end.
pub fn reader(config: Config) -> Host<Life> {
    served(config, None, |life| life.read_to_the_end())
}

/// A server that sends every message back.
pub fn echo(config: Config) -> Host<Life> {
    served(config, None, |life| {
        life.read_each(|socket, message| {
            // `read_each` goes on to read, and reports the end.
            let _ = socket.send(message.clone());
        });
    })
}

/// A server that calls `act`, then reads until the end.
pub fn served(
    config: Config,
    settings: Option<WebSocketConfig>,
    act: impl FnOnce(&mut Watched<CountingSocket<TcpStream>>) + Send + 'static,
) -> Host<Life> {
    Host::open(move |stream| {
        let socket = accept_raw(stream, settings).unwrap();
        let mut watched = Watched::new(socket.watch(config));
        act(&mut watched);
        watched.life()
    })
}

/// A socket, and a record of what happens to it.
pub struct Watched<S: Transport> {
    pub socket: LiveSocket<S>,
    pub messages: Vec<Message>,
    opened: Clock,
    actions: Arc<Mutex<Vec<Action>>>,
    offline: Option<Offline>,
}

impl<S: Transport> Watched<S> {
    pub fn new(socket: LiveSocket<S>) -> Self {
        let actions = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&actions);
        let socket = socket.on_action(move |action, _| log.lock().unwrap().push(action));
        Self { socket, messages: Vec::new(), opened: Clock::new(), actions, offline: None }
    }

    pub fn read_to_the_end(&mut self) {
        self.read_each(|_, _| ());
    }

    pub fn read_each(&mut self, mut then: impl FnMut(&mut LiveSocket<S>, &Message)) {
        while self.offline.is_none() {
            self.read_one(&mut then);
        }
    }

    /// Reads one message, or the end.
    pub fn read_one(&mut self, then: impl FnOnce(&mut LiveSocket<S>, &Message)) {
        match self.socket.read() {
            Ok(message) => {
                then(&mut self.socket, &message);
                self.messages.push(message);
            }
            Err(offline) => self.offline = Some(offline),
        }
    }

    /// Reads to the end. The laws of every life are checked here.
    pub fn life(mut self) -> Life {
        self.read_to_the_end();
        self.socket.finish();
        let lasted = self.opened.now().saturating_duration_since(liveness::Timestamp::ZERO);
        let actions = self.actions.lock().unwrap().clone();
        let offline = self.offline.unwrap();
        assert_eq!(actions.first(), Some(&Action::MarkOnline), "{actions:?}");
        assert_eq!(actions.last(), Some(&Action::Disconnect), "{actions:?}");
        let verdicts: Vec<_> =
            actions.iter().filter(|action| matches!(action, Action::MarkOffline(_))).collect();
        assert_eq!(verdicts, [&Action::MarkOffline(offline.reason())], "{actions:?}");
        assert_eq!(actions.iter().filter(|action| **action == Action::Disconnect).count(), 1);
        assert!(self.socket.liveness().is_finished());
        // The end stays the same, however often it is asked for.
        assert_eq!(self.socket.read().unwrap_err().reason(), offline.reason());
        let Err(SendError::Offline(refused)) = self.socket.send(Message::text("?")) else { panic!("sent") };
        assert_eq!(refused.reason(), offline.reason());
        let machine = self.socket.liveness();
        Life { messages: self.messages, offline, actions, stats: machine.stats(), rtt: machine.rtt(), lasted }
    }
}

/// A socket whose first writes take next to nothing.
pub struct Stingy {
    pub stream: TcpStream,
    /// The writes are limited while this is true.
    pub armed: Arc<AtomicBool>,
    /// How many writes are limited, and how many bytes each may take. 0 bytes means: it would block.
    pub writes: usize,
    pub takes: usize,
}

impl Stingy {
    pub fn never(stream: TcpStream) -> Self {
        Self { stream, armed: Arc::default(), writes: 0, takes: 0 }
    }

    fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed) && self.writes > 0
    }
}

impl Write for Stingy {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if !self.is_armed() {
            return self.stream.write(buffer);
        }
        self.writes -= 1;
        match self.takes {
            0 => Err(ErrorKind::WouldBlock.into()),
            most => self.stream.write(&buffer[..buffer.len().min(most)]),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Read for Stingy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl BlockingSocket for Stingy {
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }
    fn wait(&self, read: bool, write: bool, timeout: Option<Duration>) -> io::Result<bool> {
        // The socket says that it can take nothing, and a moment later says so again.
        let timeout = if self.is_armed() { Some(millis(5)) } else { timeout };
        let writable = BlockingSocket::wait(&self.stream, read, write && !self.is_armed(), timeout)?;
        Ok(writable || self.is_armed())
    }
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }
}

/// A life that is over.
#[derive(Debug)]
pub struct Life {
    pub messages: Vec<Message>,
    pub offline: Offline,
    pub actions: Vec<Action>,
    pub stats: Stats,
    pub rtt: Option<Rtt>,
    pub lasted: Duration,
}

impl Life {
    /// The peer stayed to the end, and closed properly.
    #[track_caller]
    pub fn assert_closed_by_peer(&self) {
        assert_eq!(self.offline.reason(), Reason::PeerClosed(Some(1000)), "{self:?}");
        assert!(self.offline.cause().is_none(), "{self:?}");
    }
}

/// Reads and answers pings for a while, as tungstenite does. Returns the data messages.
pub fn live_for(client: &mut WebSocket<TcpStream>, time: Duration) -> Vec<Message> {
    let clock = Clock::new();
    let end = clock.now() + time;
    let mut messages = Vec::new();
    client.get_ref().set_read_timeout(Some(millis(20))).unwrap();
    while clock.now() < end {
        match client.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => messages.push(message),
            Ok(_) => {}
            Err(Error::Io(error)) if is_timeout(&error) => {}
            Err(error) => panic!("the client was lost: {error}"),
        }
    }
    client.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    messages
}

/// Reads until this number of pings has been answered. Returns the data messages.
pub fn answer_pings(client: &mut WebSocket<TcpStream>, pings: usize) -> Vec<Message> {
    let (mut messages, mut answered) = (Vec::new(), 0);
    while answered < pings {
        match client.read().expect("the client was lost") {
            Message::Ping(_) => answered += 1,
            message @ (Message::Text(_) | Message::Binary(_)) => messages.push(message),
            Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }
    // tungstenite would send the last answer only with the next read.
    client.flush().unwrap();
    messages
}

pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Closes with 1000 and reads until the server has hung up.
pub fn leave(mut client: WebSocket<TcpStream>) {
    use tungstenite::protocol::CloseFrame;
    use tungstenite::protocol::frame::coding::CloseCode;
    client.close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() })).unwrap();
    loop {
        match client.read() {
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return,
            Err(error) => panic!("no proper end: {error}"),
        }
    }
}
