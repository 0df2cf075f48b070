//! tungstenite in a loop of one's own: mio, one thread, and a set of moments at which somebody must be looked at.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::time::Duration;

use liveness::driver::tungstenite::Connection;
use liveness::session::Role;
use liveness::{Action, Clock, Config, Timestamp, random_seed};
use liveness_bench::heartbeat::{Heartbeat, Server, TIMEOUT};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tungstenite::protocol::{Role as Side, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, WebSocket};

/// What one connection does when its socket is ready, or its moment has come.
trait Guest {
    fn new(stream: TcpStream, server: Server, now: Timestamp) -> Self;
    fn stream(&mut self) -> &mut TcpStream;
    /// When to look next; `None`: it is gone.
    fn turn(&mut self, readable: bool, now: Timestamp) -> Option<Timestamp>;
}

pub(crate) fn serve(listener: TcpListener, server: Server) {
    match server.heartbeat {
        Heartbeat::Nothing | Heartbeat::ByHand(_) => run::<ByHand>(listener, server),
        Heartbeat::Driver(_) => run::<Driver>(listener, server),
    }
    .expect("a server");
}

fn run<G: Guest>(listener: TcpListener, server: Server) -> io::Result<()> {
    const LISTENER: usize = usize::MAX;
    listener.set_nonblocking(true)?;
    let mut listener = mio::net::TcpListener::from_std(listener);
    let (clock, mut poll, mut events) = (Clock::new(), Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, Token(LISTENER), Interest::READABLE)?;
    let mut guests: Vec<(Option<G>, Timestamp)> = Vec::new();
    let mut alarms = BTreeSet::new();
    let mut turns = Vec::new();
    loop {
        match poll.poll(&mut events, clock.until(alarms.first().map(|(at, _)| *at))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let now = clock.now();
        turns.extend(events.iter().map(|event| (event.token().0, true)));
        while let Some((_, token)) = alarms.first().copied().filter(|(at, _)| *at <= now) {
            alarms.pop_first();
            turns.push((token, false));
        }
        for (token, readable) in turns.drain(..) {
            if token == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    let mut guest = G::new(open(stream)?, server, now);
                    poll.registry().register(guest.stream(), Token(guests.len()), Interest::READABLE)?;
                    // Its first turn comes at once.
                    alarms.insert((now, guests.len()));
                    guests.push((Some(guest), now));
                }
                continue;
            }
            let (guest, alarm) = &mut guests[token];
            match guest.as_mut().and_then(|guest| guest.turn(readable, now)) {
                None => *guest = None,
                // An alarm is only ever moved to an earlier moment: one that rings for nothing costs a turn.
                Some(wake) if wake < *alarm || *alarm <= now => {
                    alarms.remove(&(*alarm, token));
                    alarms.insert((wake, token));
                    *alarm = wake;
                }
                Some(_) => {}
            }
        }
    }
}

/// The handshake waits, because it is not what is measured.
fn open(stream: TcpStream) -> io::Result<TcpStream> {
    let stream = std::net::TcpStream::from(stream);
    stream.set_nonblocking(false)?;
    let stream =
        tungstenite::accept(stream).map_err(|error| io::Error::other(error.to_string()))?.into_inner();
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

fn settings(server: Server) -> Option<WebSocketConfig> {
    server.read_buffer.map(|bytes| WebSocketConfig::default().read_buffer_size(bytes))
}

/// tungstenite's socket, the time of the latest message, and the time of the next ping.
struct ByHand {
    socket: WebSocket<TcpStream>,
    every: Duration,
    seen: Timestamp,
    ping_due: Timestamp,
}

impl Guest for ByHand {
    fn new(stream: TcpStream, server: Server, now: Timestamp) -> Self {
        let every = if let Heartbeat::ByHand(every) = server.heartbeat { every } else { Duration::MAX };
        let socket = WebSocket::from_raw_socket(stream, Side::Server, settings(server));
        Self { socket, every, seen: now, ping_due: now + every }
    }

    fn stream(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    fn turn(&mut self, readable: bool, now: Timestamp) -> Option<Timestamp> {
        if readable {
            self.read_all(now)?;
        }
        if self.ping_due <= now {
            if now.saturating_duration_since(self.seen) > TIMEOUT {
                return None;
            }
            self.socket.send(Message::Ping(Bytes::new())).ok()?;
            // Not from `now`: those who ping in one turn would ping together for ever.
            self.ping_due += self.every;
        }
        Some(self.ping_due)
    }
}

impl ByHand {
    /// `None`: it is gone.
    fn read_all(&mut self, now: Timestamp) -> Option<()> {
        loop {
            match self.socket.read() {
                Ok(message) => {
                    self.seen = now;
                    if message.is_text() {
                        self.socket.send(message).ok()?;
                    }
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Some(()),
                Err(_) => return None,
            }
        }
    }
}

/// A `Connection`, and the turn that its page shows.
struct Driver {
    stream: TcpStream,
    peer: Connection,
}

impl Guest for Driver {
    fn new(stream: TcpStream, server: Server, now: Timestamp) -> Self {
        let config = if let Heartbeat::Driver(config) = server.heartbeat { config } else { Config::DEFAULT };
        Self { stream, peer: Connection::opened(Role::Server, config, settings(server), random_seed(), now) }
    }

    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn turn(&mut self, mut readable: bool, now: Timestamp) -> Option<Timestamp> {
        let Self { stream, peer } = self;
        while readable && peer.wants_read(now) {
            readable = peer.read_from(stream, now).is_ok();
            while let Some(message) = peer.recv(now) {
                let _ = peer.send(message, now);
            }
        }
        while let Some(action) = peer.poll(now) {
            if action == Action::Disconnect {
                return None;
            }
        }
        while peer.wants_write() && peer.write_to(stream, now).is_ok() {}
        Some(peer.poll_timeout(now).unwrap_or(Timestamp::MAX))
    }
}
