//! A WebSocket server that knows who is there: one thread and mio, and a [`Connection`] for each client.
//!
//! `cargo run -p liveness-servers --bin server_mio -- --interval 5s --timeout 10s`
//!
//! This is the loop to copy for any other source of readiness. [`Server::run`] is that loop; [`Client::turn`] is what one
//! client's turn does.
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, UdpSocket};
use std::time::Duration;

use clap::Parser;
use liveness::driver::tungstenite::{Connection, Handshake};
use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness::transcript::Recorder;
use liveness::{Action, Clock, Config, Timestamp, random_seed};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tungstenite::Message;

use liveness_servers::{Args, complain};

/// What one turn may read: then it is the next client's turn, however much there is still to do.
const READ_SHARE: usize = 64 * 1024;
/// With more than this unsent, a client's messages wait: what it does not take back, it may not pile up here.
const OUTBOX: usize = 256 * 1024;
/// The size of a `flood`'s messages. A ping waits behind one or two of them.
const FLOOD_PART: usize = 64 * 1024;
/// The listener's token; those of clients count from 1.
const LISTENER: usize = 0;

/// One thread's clients, and whose turn is next.
struct Server {
    args: Args,
    config: Config,
    clock: Clock,
    poll: Poll,
    listener: TcpListener,
    /// A file to do without when there are no more: it takes one to turn a client away.
    spare: Option<UdpSocket>,
    /// How many clients have come: the number and the token of the latest.
    accepted: usize,
    clients: BTreeMap<usize, Client>,
    /// When to give a turn to a client for which nothing happens.
    alarms: BTreeSet<(Timestamp, usize)>,
    /// The tokens of those that have something to do now.
    turns: VecDeque<usize>,
}

struct Client {
    number: usize,
    stream: TcpStream,
    stage: Stage,
    /// From an edge until the socket says `WouldBlock`.
    readable: bool,
    writable: bool,
    /// It is in `turns`.
    queued: bool,
    alarm: Timestamp,
    /// Bytes of a `flood` still to be made.
    flood: u64,
}

enum Stage {
    Opening(Handshake<'static>, Timestamp),
    Open(Box<Connection>),
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let args = Args::parse();
    let (config, listener) = (args.config()?, args.listen()?);
    listener.set_nonblocking(true)?;
    let (poll, mut listener) = (Poll::new()?, TcpListener::from_std(listener));
    poll.registry().register(&mut listener, Token(LISTENER), Interest::READABLE)?;
    let mut server = Server {
        args,
        config,
        clock: Clock::new(),
        poll,
        listener,
        spare: spare(),
        accepted: 0,
        clients: BTreeMap::new(),
        alarms: BTreeSet::new(),
        turns: VecDeque::new(),
    };
    Ok(server.run()?)
}

impl Server {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.wait(&mut events)?;
            for event in &events {
                let token = event.token().0;
                if let Some(client) = self.clients.get_mut(&token) {
                    (client.readable, client.writable) = (true, true);
                }
                self.queue(token);
            }
            let now = self.clock.now();
            while let Some((_, token)) = self.alarms.first().copied().filter(|(at, _)| *at <= now) {
                self.alarms.pop_first();
                self.queue(token);
            }
            // What is queued again meanwhile comes after the next look at the sockets.
            for token in std::mem::take(&mut self.turns) {
                if token == LISTENER { self.accept() } else { self.turn(token) }
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let left = self.clock.until(self.alarms.first().map(|(at, _)| *at));
        let left = if self.turns.is_empty() { left } else { Some(Duration::ZERO) };
        match self.poll.poll(events, left) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn queue(&mut self, token: usize) {
        let queued = self.clients.get_mut(&token).map(|client| &mut client.queued);
        // A client that is gone gets no turn.
        if token == LISTENER || queued.is_some_and(|queued| !std::mem::replace(queued, true)) {
            self.turns.push_back(token);
        }
    }

    fn turn(&mut self, token: usize) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        client.queued = false;
        let Some(wake) = client.turn(&self.args, self.config, self.clock) else {
            self.alarms.remove(&(client.alarm, token));
            self.clients.remove(&token);
            return;
        };
        // An alarm is only ever moved to an earlier moment: one that rings for nothing costs a turn.
        let now = self.clock.now();
        if wake < client.alarm || client.alarm <= now {
            self.alarms.remove(&(client.alarm, token));
            client.alarm = wake;
            self.alarms.insert((wake, token));
        }
        if client.has_more(now) {
            self.queue(token);
        }
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.greet(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    // Out of files. Left alone, the client would wait unserved, and its edge would not come again.
                    self.spare = None;
                    let turned_away = self.listener.accept().is_ok();
                    self.spare = spare();
                    if !turned_away {
                        let soon = self.clock.now() + Duration::from_millis(5);
                        self.alarms.insert((soon, LISTENER));
                        return;
                    }
                    complain(format_args!("a client was turned away: {error}"));
                }
            }
        }
    }

    fn greet(&mut self, mut stream: TcpStream) {
        self.accepted += 1;
        let (token, both) = (self.accepted, Interest::READABLE | Interest::WRITABLE);
        if self.poll.registry().register(&mut stream, Token(token), both).is_err() {
            return;
        }
        tune(&stream);
        // A small buffer, for many idle clients.
        let handshake = Handshake::server(Some(liveness_servers::limits().read_buffer_size(4096)));
        let stage = Stage::Opening(handshake, self.clock.now() + HANDSHAKE_TIMEOUT);
        let client = Client {
            number: self.accepted,
            stream,
            stage,
            readable: true,
            writable: true,
            queued: false,
            alarm: Timestamp::MAX,
            flood: 0,
        };
        self.clients.insert(token, client);
        self.queue(token);
    }
}

impl Client {
    /// Moves bytes, then judges. When to come back; `None`: it is gone.
    fn turn(&mut self, args: &Args, config: Config, clock: Clock) -> Option<Timestamp> {
        if let Stage::Opening(handshake, deadline) = &mut self.stage {
            let now = clock.now();
            let opened = loop {
                match (handshake.read_from(&mut self.stream), handshake.poll()) {
                    (_, Ok(Some(opened))) => break opened,
                    (Ok(1..), Ok(None)) => {}
                    (Err(error), Ok(None)) if error.kind() == ErrorKind::WouldBlock && now < *deadline => {
                        return Some(*deadline);
                    }
                    _ => {
                        // A refusal, where there is one.
                        let _ = handshake.write_to(&mut self.stream);
                        return None;
                    }
                }
            };
            let mut peer = opened.watch(config, random_seed(), now);
            match args.record(self.number) {
                Ok(None) => {}
                Ok(Some(sink)) => peer.observe(Recorder::new(sink), now),
                Err(error) => {
                    complain(format_args!("a client was turned away: {error}"));
                    return None;
                }
            }
            self.stage = Stage::Open(Box::new(peer));
        }
        // From before the reading: by later, more has come.
        let now = clock.now();
        self.write(clock);
        self.read(now);
        let gone = self.judge(now, clock);
        self.write(clock);
        let Stage::Open(peer) = &mut self.stage else { return None };
        if peer.wants_shutdown() {
            let _ = self.stream.shutdown(Shutdown::Write);
            peer.shut(now);
            return if self.judge(now, clock) { None } else { self.wake(now) };
        }
        if gone { None } else { self.wake(now) }
    }

    fn read(&mut self, now: Timestamp) {
        let Stage::Open(peer) = &mut self.stage else { return };
        let mut share = READ_SHARE;
        loop {
            answer(peer, &mut self.flood, now);
            if !self.readable || share == 0 || !peer.wants_read(now) {
                return;
            }
            match peer.read_from(&mut self.stream, now) {
                Ok(count) => share = if count == 0 { 0 } else { share.saturating_sub(count) },
                Err(_) => self.readable = false,
            }
        }
    }

    fn write(&mut self, clock: Clock) {
        let Stage::Open(peer) = &mut self.stage else { return };
        while self.writable && peer.wants_write() {
            match peer.write_to(&mut self.stream, clock.now()) {
                // It failed. What the peer said before it left may lie unread.
                Ok(0) => self.readable = true,
                Ok(_) => answer(peer, &mut self.flood, clock.now()),
                Err(_) => self.writable = false,
            }
        }
    }

    /// Whether the client is gone.
    fn judge(&mut self, now: Timestamp, clock: Clock) -> bool {
        let Stage::Open(peer) = &mut self.stage else { return false };
        let mut gone = false;
        while let Some(action) = peer.poll(now) {
            liveness_servers::print(action, self.number, clock);
            if action == Action::Disconnect {
                let _ = peer.write_rest(&mut self.stream);
                gone = true;
            }
        }
        gone
    }

    fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.stage {
            Stage::Opening(_, deadline) => Some(*deadline),
            Stage::Open(peer) => Some(peer.poll_timeout(now).unwrap_or(Timestamp::MAX)),
        }
    }

    fn has_more(&self, now: Timestamp) -> bool {
        let Stage::Open(peer) = &self.stage else { return false };
        (self.readable && peer.wants_read(now)) || (self.writable && peer.wants_write())
    }
}

/// Echoes what has come, and makes what was asked for, as long as the client takes it.
fn answer(peer: &mut Connection, flood: &mut u64, now: Timestamp) {
    loop {
        while *flood > 0 && peer.unsent() < FLOOD_PART {
            let part = FLOOD_PART.min(usize::try_from(*flood).unwrap_or(FLOOD_PART));
            *flood -= part as u64;
            if peer.send(Message::Binary(vec![0; part].into()), now).is_err() {
                *flood = 0;
            }
        }
        if *flood > 0 || peer.unsent() > OUTBOX {
            return;
        }
        let Some(message) = peer.recv(now) else { return };
        match message.to_text().ok().and_then(liveness_servers::flood) {
            Some(bytes) => *flood = bytes,
            // Refused once the end has begun.
            None => drop(peer.send(message, now)),
        }
    }
}

fn spare() -> Option<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0").ok()
}
