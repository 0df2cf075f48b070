//! A chat on blocking tungstenite: everyone hears everyone, who came and who left. A client's first line is its name.
//! `cargo run --example chat_blocking -- 127.0.0.1:8080 'interval=10s timeout=10s'`

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use liveness::driver::tungstenite::{CountingSocket, Error, LiveSocket, accept_raw};
use liveness::presence::{Presence, PresenceChange};
use liveness::{Clock, Status};
use tungstenite::{Message, protocol::WebSocketConfig};

#[derive(Default)]
struct Room {
    clock: Clock,
    people: Presence<String, SocketAddr>,
    outboxes: BTreeMap<SocketAddr, SyncSender<Message>>,
}

impl Room {
    fn enter(&mut self, from: SocketAddr, name: &str, outbox: SyncSender<Message>) {
        let here: Vec<&str> = self.people.iter().map(|(name, _)| name.as_str()).collect();
        let _ = outbox.try_send(Message::text(format!("here: {}", here.join(", "))));
        self.outboxes.insert(from, outbox);
        self.people.connect(from, name.to_owned(), self.clock.now());
    }

    fn set_status(&mut self, from: SocketAddr, status: Status) {
        self.people.set_status(&from, status, self.clock.now());
    }

    fn tell_changes(&mut self) {
        while let Some(change) = self.people.poll(self.clock.now()) {
            self.tell(&match change {
                PresenceChange::Joined(name) => format!("{name} joined"),
                PresenceChange::Suspected(name) => format!("{name} does not answer"),
                PresenceChange::Recovered(name) => format!("{name} is back"),
                PresenceChange::Left(name) => format!("{name} left"),
            });
        }
    }

    /// A guest that is so slow that 64 lines wait misses some lines. A guest that takes no line for long is found out,
    /// and is gone.
    fn tell(&mut self, line: &str) {
        self.outboxes.retain(|_, outbox| {
            !matches!(outbox.try_send(Message::text(line)), Err(TrySendError::Disconnected(_)))
        });
    }
}

fn serve(socket: LiveSocket<CountingSocket<TcpStream>>, from: SocketAddr, room: Arc<Mutex<Room>>) {
    let watching = room.clone();
    let mut socket =
        socket.on_action(move |_, peer| watching.lock().unwrap().set_status(from, peer.status()));
    let offline = talk(&mut socket, from, &room).unwrap_err();
    room.lock().unwrap().set_status(from, Status::Offline); // the name may have come after the verdict
    println!("{from}: {offline}");
}

fn talk(
    socket: &mut LiveSocket<CountingSocket<TcpStream>>,
    from: SocketAddr,
    room: &Mutex<Room>,
) -> Result<Infallible, Error> {
    let (outbox, lines) = sync_channel(64);
    let mut name = None;
    loop {
        for line in lines.try_iter() {
            socket.send(line)?;
        }
        if let Some(Message::Text(text)) = socket.read_within(Duration::from_millis(50))? {
            match &name {
                Some(name) => room.lock().unwrap().tell(&format!("{name}: {text}")),
                None => room.lock().unwrap().enter(from, name.insert(text), outbox.clone()),
            }
        }
        room.lock().unwrap().tell_changes(); // the timers need somebody who polls in time
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listener = TcpListener::bind(arguments.next().as_deref().unwrap_or("127.0.0.1:8080"))?;
    let config = arguments.next().unwrap_or_default().parse()?;
    println!("listening on {}", listener.local_addr()?);
    // Of these, 64 may wait for a guest that reads slowly.
    let sizes = WebSocketConfig::default().max_frame_size(Some(1 << 16)).max_message_size(Some(1 << 16));
    let room = Arc::<Mutex<Room>>::default();
    loop {
        let room = room.clone();
        let spawned = listener.accept().and_then(|(stream, from)| {
            thread::Builder::new().spawn(move || {
                if let Ok(ready) = accept_raw(stream, Some(sizes)) {
                    serve(ready.watch(config), from, room);
                }
            })
        });
        if spawned.is_err() {
            thread::park_timeout(Duration::from_millis(10)); // no file or no thread is left
        }
    }
}
