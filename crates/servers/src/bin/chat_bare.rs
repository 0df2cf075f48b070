//! A chat on a loop of one's own: one thread, mio, non-blocking tungstenite, a `Fleet`. A client's first line is its name.
//! `cargo run -p liveness-servers --bin chat_bare -- 127.0.0.1:8080 'interval=10s timeout=10s'`

use std::collections::BTreeMap;
use std::io::ErrorKind;

use liveness::driver::tune;
use liveness::presence::{Presence, PresenceChange};
use liveness::{Action, Clock, Event, Fleet, Key, Timestamp, random_seed};
use mio::{Events, Interest, Poll, Registry, Token, net::TcpListener, net::TcpStream};
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::server::{NoCallback, ServerHandshake};
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, HandshakeError, Message, WebSocket};

type Role = ServerHandshake<TcpStream, NoCallback>;
type Shaken = Result<WebSocket<TcpStream>, HandshakeError<Role>>;
const LISTENER: Token = Token(usize::MAX); // no key is so large

struct Chat {
    fleet: Fleet,
    guests: BTreeMap<Key, (WebSocket<TcpStream>, Option<String>)>,
    strangers: BTreeMap<Key, MidHandshake<Role>>,
    people: Presence<String, Key>,
}

impl Chat {
    /// A stranger gets no ping, so who never ends the handshake is found out like who never answers.
    fn welcome(&mut self, mut stream: TcpStream, registry: &Registry, now: Timestamp) {
        tune(&stream);
        let Ok(key) = self.fleet.insert(now) else { return }; // 16 million are here
        let both = Interest::READABLE | Interest::WRITABLE;
        let sizes = WebSocketConfig::default().max_message_size(Some(1 << 16)).max_write_buffer_size(1 << 20);
        let _ = registry.register(&mut stream, Token(key.to_bits() as usize), both); // fails: is never heard
        self.shake(key, tungstenite::accept_with_config(stream, Some(sizes)), now);
    }

    fn shake(&mut self, key: Key, shaken: Shaken, now: Timestamp) {
        match shaken {
            Err(HandshakeError::Interrupted(handshake)) => drop(self.strangers.insert(key, handshake)),
            Err(HandshakeError::Failure(_)) => drop(self.fleet.remove(key)),
            Ok(socket) => {
                let _ = self.fleet.handle(key, Event::Progress, now);
                self.guests.insert(key, (socket, None));
                self.read(key, now);
            }
        }
    }

    /// All there is: `server_mio` reads in shares. Lines are small, so a part of one needs no `Event::Progress`.
    fn read(&mut self, key: Key, now: Timestamp) {
        while let Some((socket, _)) = self.guests.get_mut(&key) {
            let _ = socket.flush();
            let read = socket.read();
            let event = match &read {
                Ok(Message::Ping(_)) => Event::Ping,
                Ok(Message::Pong(payload)) => Event::Pong(payload),
                Ok(Message::Close(frame)) => Event::Close(frame.as_ref().map(|frame| frame.code.into())),
                Ok(_) => Event::Data,
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => Event::Eof, // the end, or something against the protocol
            };
            let _ = self.fleet.handle(key, event, now);
            let Ok(message) = read else { return };
            if let Message::Text(text) = message {
                self.hear(key, text.to_string(), now);
            }
        }
    }

    fn hear(&mut self, key: Key, text: String, now: Timestamp) {
        let Some((socket, name)) = self.guests.get_mut(&key) else { return };
        if let Some(name) = name {
            let line = format!("{name}: {text}");
            return self.tell(&line);
        }
        let here: Vec<&str> = self.people.iter().map(|(name, _)| name.as_str()).collect();
        let _ = socket.send(Message::text(format!("here: {}", here.join(", "))));
        self.people.connect(key, name.insert(text).clone(), now);
    }

    /// Who reads too slowly misses some; who reads nothing is found out, for the pings wait behind the lines.
    fn tell(&mut self, line: &str) {
        for (socket, _) in self.guests.values_mut().filter(|(_, name)| name.is_some()) {
            let _ = socket.send(Message::text(line));
        }
    }

    fn carry_out(&mut self, key: Key, action: Action, now: Timestamp) {
        self.people.handle(&key, action, now);
        match (action, self.guests.get_mut(&key)) {
            (Action::Disconnect, _) => drop((self.strangers.remove(&key), self.guests.remove(&key))),
            (Action::SendPing(payload), Some((socket, _))) => {
                let _ = socket.send(Message::Ping(payload.as_bytes().to_vec().into()));
            }
            (Action::MarkOffline(reason), Some((_, name))) => println!("{name:?}: {reason}"),
            (Action::Close(code), Some((socket, _))) => {
                let code = code.map(|code| CloseFrame { code: code.get().into(), reason: "".into() });
                let _ = socket.close(code);
            }
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut listener = TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:8080").parse()?)?;
    let (clock, mut poll, mut events) = (Clock::new(), Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);
    let mut chat = Chat {
        fleet: Fleet::new(arguments.next().unwrap_or_default().parse()?, random_seed()),
        guests: BTreeMap::new(),
        strangers: BTreeMap::new(),
        people: Presence::new(),
    };
    loop {
        let wake = [chat.fleet.poll_timeout(), chat.people.poll_timeout()].into_iter().flatten().min();
        let wait = clock.until(wake);
        let polled = poll.poll(&mut events, wait);
        if polled.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted) {
            polled?; // an interrupted one: the process was stopped, and goes on
        }
        let now = clock.now();
        for event in &events {
            let key = Key::from_bits(event.token().0 as u64);
            if event.token() == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    chat.welcome(stream, poll.registry(), now);
                }
            } else if let Some(handshake) = chat.strangers.remove(&key) {
                chat.shake(key, handshake.handshake(), now);
            } else {
                chat.read(key, now);
            }
        }
        while let Some((key, action)) = chat.fleet.poll(now) {
            chat.carry_out(key, action, now);
        }
        while let Some(change) = chat.people.poll(now) {
            chat.tell(&match change {
                PresenceChange::Joined(name) => format!("{name} joined"),
                PresenceChange::Suspected(name) => format!("{name} does not answer"),
                PresenceChange::Recovered(name) => format!("{name} is back"),
                PresenceChange::Left(name) => format!("{name} left"),
            });
        }
    }
}
