//! A WebSocket server that knows who is there: one thread and mio, and a `Connection` for each client.
//!
//! `cargo run -p liveness-servers --bin server_mio -- --interval 5s --timeout 10s`
//!
//! This is the loop to copy for another source of readiness. [`Server::run`] is that loop. [`Client::turn`] does one
//! client's turn, here and in `server_poll`.
//!
//! Echoes data messages; the text message `flood N` makes it send N bytes. Prints a line for each change:
//! `SECONDS online|suspect|offline|disconnect CONNECTION [REASON]`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::time::Duration;

use clap::Parser;
use liveness::driver::tune;
use liveness::{Clock, Config, Timestamp};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use liveness_servers::nonblocking::Client;
use liveness_servers::{Args, Failure, complain};

/// The listener's token. The clients' tokens count from 1.
const LISTENER: usize = 0;

/// One thread's clients, and whose turn is next.
struct Server {
    args: Args,
    config: Config,
    clock: Clock,
    poll: Poll,
    listener: TcpListener,
    /// A spare file. When no file is left, it is given up for a moment, because turning a client away takes one.
    spare: Option<UdpSocket>,
    /// How many clients have come. It is also the number and the token of the latest.
    accepted: usize,
    guests: BTreeMap<usize, Guest>,
    /// When to give a turn to a client for which nothing happens.
    alarms: BTreeSet<(Timestamp, usize)>,
    /// The tokens of the clients that have something to do now.
    turns: VecDeque<usize>,
}

/// A client, and its place in the order of turns.
struct Guest {
    client: Client<TcpStream>,
    /// True if its token is in `turns`.
    queued: bool,
    alarm: Timestamp,
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    args.no_tls()?;
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
        guests: BTreeMap::new(),
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
                if let Some(guest) = self.guests.get_mut(&token) {
                    (guest.client.readable, guest.client.writable) = (true, true);
                }
                self.queue(token);
            }
            let now = self.clock.now();
            while let Some((_, token)) = self.alarms.first().copied().filter(|(at, _)| *at <= now) {
                self.alarms.pop_first();
                self.queue(token);
            }
            // A token that is queued again meanwhile gets its turn after the next look at the sockets.
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
        let queued = self.guests.get_mut(&token).map(|guest| &mut guest.queued);
        // A client that is gone gets no turn.
        if token == LISTENER || queued.is_some_and(|queued| !std::mem::replace(queued, true)) {
            self.turns.push_back(token);
        }
    }

    fn turn(&mut self, token: usize) {
        let Some(guest) = self.guests.get_mut(&token) else { return };
        guest.queued = false;
        let Some(wake) = guest.client.turn(&self.args, self.config, self.clock) else {
            self.alarms.remove(&(guest.alarm, token));
            self.guests.remove(&token);
            return;
        };
        // An alarm is only moved to an earlier moment. An alarm that rings too early costs one needless turn.
        let now = self.clock.now();
        if wake < guest.alarm || guest.alarm <= now {
            self.alarms.remove(&(guest.alarm, token));
            guest.alarm = wake;
            self.alarms.insert((wake, token));
        }
        let (reads, writes) = guest.client.wants(now);
        if (reads && guest.client.readable) || (writes && guest.client.writable) {
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
                    // No file is left. If this client were left alone, it would wait unserved, and no new edge would come
                    // for it.
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
        let client = Client::new(stream, self.accepted, self.clock.now());
        self.guests.insert(token, Guest { client, queued: false, alarm: Timestamp::MAX });
        self.queue(token);
    }
}

fn spare() -> Option<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0").ok()
}
