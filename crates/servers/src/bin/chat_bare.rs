//! A chat on your own loop: one thread, mio, a `Connection` for each guest. A client's first line is its name.
//! `cargo run -p liveness-servers --bin chat_bare -- 127.0.0.1:8080 'interval=10s timeout=10s'`

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::Duration;

use liveness::driver::tungstenite::{Connection, Handshake};
use liveness::driver::{HANDSHAKE_TIMEOUT, tune};
use liveness::presence::{Presence, PresenceChange};
use liveness::{Action, Clock, Config, Status, Timestamp, random_seed};
use liveness_servers::{ANY, Failure, cannot_listen};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tungstenite::Message;
use tungstenite::protocol::WebSocketConfig;

const LISTENER: Token = Token(0);

/// How often one turn reads.
const ROUNDS: usize = 16;

enum Guest {
    Stranger(Handshake<'static>, Timestamp),
    Open(Box<Connection>, Option<String>),
}

#[derive(Default)]
struct Chat {
    config: Config,
    guests: BTreeMap<usize, (TcpStream, Guest)>,
    people: Presence<String, usize>,
    /// A guest has more to do than one turn allows.
    busy: bool,
}

impl Chat {
    fn welcome(&mut self, stream: TcpStream, token: usize, now: Timestamp) {
        // A guest that reads slowly must not make us keep much.
        let sizes = WebSocketConfig::default().max_frame_size(Some(1 << 16)).max_message_size(Some(1 << 16));
        let sizes = sizes.max_write_buffer_size(1 << 20);
        let stranger = Guest::Stranger(Handshake::server(Some(sizes)), now + HANDSHAKE_TIMEOUT);
        self.guests.insert(token, (stream, stranger));
    }

    /// Writes, reads and judges, until nothing is left to do or the others should have a turn. Returns false if the guest
    /// is gone.
    fn turn(&mut self, token: usize, now: Timestamp) -> bool {
        let Some((stream, guest)) = self.guests.get_mut(&token) else { return true };
        if let Guest::Stranger(handshake, deadline) = guest {
            let opened = loop {
                match (handshake.read_from(stream), handshake.poll()) {
                    (_, Ok(Some(opened))) => break opened,
                    (Ok(1..), Ok(None)) => {}
                    (Err(error), Ok(None)) if error.kind() == ErrorKind::WouldBlock && now < *deadline => {
                        return true;
                    }
                    _ => {
                        let _ = handshake.write_to(stream); // a refusal, if there is one
                        return false;
                    }
                }
            };
            *guest = Guest::Open(Box::new(opened.watch(self.config, random_seed(), now)), None);
        }
        let Guest::Open(peer, name) = guest else { return true };
        let (mut lines, mut gone, mut moved) = (Vec::new(), false, true);
        let mut rounds = 0..ROUNDS;
        while moved && !gone && rounds.next().is_some() {
            moved = false;
            while peer.wants_write() && peer.write_to(stream, now).is_ok() {
                moved = true;
            }
            moved |= peer.wants_read(now) && peer.read_from(stream, now).is_ok();
            while let Some(message) = peer.recv(now) {
                moved = true;
                let Message::Text(text) = message else { continue };
                match name {
                    Some(name) => lines.push(format!("{name}: {text}")),
                    None => {
                        let here: Vec<&str> = self.people.iter().map(|(name, _)| name.as_str()).collect();
                        let _ = peer.send(Message::text(format!("here: {}", here.join(", "))), now);
                        self.people.connect(token, name.insert(text.to_string()).clone(), now);
                    }
                }
            }
            while let Some(action) = peer.poll(now) {
                moved = true;
                self.people.handle(&token, action, now);
                match action {
                    Action::MarkOffline(reason) => println!("{name:?}: {reason}"),
                    Action::Disconnect => gone = true,
                    Action::MarkOnline | Action::SendPing(_) | Action::MarkSuspect | Action::Close(_) => {}
                }
            }
            if peer.wants_shutdown() {
                moved = true;
                let _ = stream.shutdown(Shutdown::Write);
                peer.shut(now);
            }
        }
        self.busy |= moved && !gone;
        if gone {
            let _ = peer.write_rest(stream);
            self.people.set_status(&token, Status::Offline, now); // the name may have come after the verdict
        }
        lines.iter().for_each(|line| self.tell(line, now));
        !gone
    }

    /// A guest that reads too slowly misses some lines. A guest that reads nothing is found out, because the pings wait
    /// behind the lines.
    fn tell(&mut self, line: &str, now: Timestamp) {
        for (stream, guest) in self.guests.values_mut() {
            if let Guest::Open(peer, Some(_)) = guest {
                let _ = peer.send(Message::text(line), now);
                while peer.wants_write() && peer.write_to(stream, now).is_ok() {}
            }
        }
    }

    fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let guests = self.guests.values().filter_map(|(_, guest)| match guest {
            Guest::Stranger(_, deadline) => Some(*deadline),
            Guest::Open(peer, _) => peer.poll_timeout(now),
        });
        guests.chain(self.people.poll_timeout()).min()
    }
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let address = place.parse().map_err(|error| io::Error::new(ErrorKind::InvalidInput, error));
    let listener = address.and_then(TcpListener::bind).map_err(|error| cannot_listen(&place, ANY, &error));
    let mut listener = listener?;
    let (clock, mut poll, mut events) = (Clock::new(), Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);
    let config = arguments.next().unwrap_or_default().parse()?;
    let (mut chat, mut come, mut again) = (Chat { config, ..Chat::default() }, 0, None);
    loop {
        let due = chat.wake(clock.now()).into_iter().chain(again.take()).min();
        let polled = poll.poll(&mut events, clock.until(due));
        if polled.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted) {
            polled?; // interrupted: the process was stopped, and goes on
        }
        let now = clock.now();
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    again = Some(now + Duration::from_millis(10)); // no file is left, and no event will come
                    break;
                }
            };
            come += 1;
            tune(&stream);
            let both = Interest::READABLE | Interest::WRITABLE;
            if poll.registry().register(&mut stream, Token(come), both).is_ok() {
                chat.welcome(stream, come, now);
            }
        }
        // Every guest gets a turn, which is enough for some hundred. `server_mio` gives turns only to those that have
        // something to do.
        let tokens: Vec<usize> = chat.guests.keys().copied().collect();
        for token in tokens {
            if !chat.turn(token, now) {
                chat.guests.remove(&token);
            }
        }
        if std::mem::take(&mut chat.busy) {
            again = Some(now);
        }
        while let Some(change) = chat.people.poll(now) {
            let line = match change {
                PresenceChange::Joined(name) => format!("{name} joined"),
                PresenceChange::Suspected(name) => format!("{name} does not answer"),
                PresenceChange::Recovered(name) => format!("{name} is back"),
                PresenceChange::Left(name) => format!("{name} left"),
            };
            chat.tell(&line, now);
        }
    }
}
