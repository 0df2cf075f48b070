//! A chat on your own loop: one thread, mio, a `Connection` for each guest. A client's first line is its name.
//! `cargo run -p liveness-servers --bin chat_bare -- 127.0.0.1:8080 'interval=10s timeout=10s'`

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::Shutdown;

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

enum Guest {
    Stranger(Handshake<'static>, Timestamp),
    Open(Box<Connection>, Option<String>),
}

#[derive(Default)]
struct Chat {
    config: Config,
    guests: BTreeMap<usize, (TcpStream, Guest)>,
    people: Presence<String, usize>,
}

impl Chat {
    fn welcome(&mut self, stream: TcpStream, token: usize, now: Timestamp) {
        let sizes = WebSocketConfig::default().max_message_size(Some(1 << 16)).max_write_buffer_size(1 << 20);
        let stranger = Guest::Stranger(Handshake::server(Some(sizes)), now + HANDSHAKE_TIMEOUT);
        self.guests.insert(token, (stream, stranger));
    }

    /// Reads, judges and writes all that there is. Returns false if the guest is gone.
    fn turn(&mut self, token: usize, now: Timestamp) -> bool {
        let Some((stream, guest)) = self.guests.get_mut(&token) else { return true };
        if let Guest::Stranger(handshake, deadline) = guest {
            while handshake.read_from(stream).is_ok_and(|count| count > 0) {}
            match handshake.poll() {
                Ok(None) => return now < *deadline,
                Ok(Some(opened)) => {
                    *guest = Guest::Open(Box::new(opened.watch(self.config, random_seed(), now)), None);
                }
                Err(_) => {
                    let _ = handshake.write_to(stream); // a refusal, if there is one
                    return false;
                }
            }
        }
        let Guest::Open(peer, name) = guest else { return true };
        let mut lines = Vec::new();
        while peer.wants_read(now) && peer.read_from(stream, now).is_ok() {
            while let Some(message) = peer.recv(now) {
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
        }
        let mut gone = false;
        for _ in 0..2 {
            while let Some(action) = peer.poll(now) {
                self.people.handle(&token, action, now);
                match action {
                    Action::MarkOffline(reason) => println!("{name:?}: {reason}"),
                    Action::Disconnect => gone = true,
                    Action::MarkOnline | Action::SendPing(_) | Action::MarkSuspect | Action::Close(_) => {}
                }
            }
            let _ = if gone { peer.write_rest(stream) } else { Ok(()) };
            while !gone && peer.wants_write() && peer.write_to(stream, now).is_ok() {}
            if peer.wants_shutdown() {
                let _ = stream.shutdown(Shutdown::Write);
                peer.shut(now);
            }
        }
        if gone {
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
    let (mut chat, mut come) = (Chat { config, ..Chat::default() }, 0);
    loop {
        let polled = poll.poll(&mut events, clock.until(chat.wake(clock.now())));
        if polled.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted) {
            polled?; // interrupted: the process was stopped, and goes on
        }
        let now = clock.now();
        while let Ok((mut stream, _)) = listener.accept() {
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
