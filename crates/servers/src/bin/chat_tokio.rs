//! A chat on tokio-tungstenite: everyone hears everyone, who came and who left. A client's first line is its name.
//! `cargo run -p liveness-servers --bin chat_tokio -- 127.0.0.1:8080 'interval=10s timeout=10s'`

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::driver::{tokio::LiveStream, tokio_tungstenite::accept_raw, tune};
use liveness::presence::{Presence, PresenceChange};
use liveness::{Clock, Config, Status};
use liveness_servers::{ANY, Failure, cannot_listen};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Sender, channel, error::TrySendError};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};

#[derive(Default)]
struct Room {
    clock: Clock,
    people: Presence<String, SocketAddr>,
    outboxes: BTreeMap<SocketAddr, Sender<Message>>,
}

impl Room {
    fn enter(&mut self, from: SocketAddr, name: &str, outbox: Sender<Message>) {
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
            !matches!(outbox.try_send(Message::text(line)), Err(TrySendError::Closed(_)))
        });
    }
}

async fn serve(stream: TcpStream, from: SocketAddr, config: Config, room: Arc<Mutex<Room>>) {
    tune(&stream);
    // Of these, 64 may wait for a guest that reads slowly.
    let sizes = WebSocketConfig::default().max_frame_size(Some(1 << 16)).max_message_size(Some(1 << 16));
    let Ok((socket, counters)) = accept_raw(stream, Some(sizes)).await else { return };
    let watching = room.clone();
    let mut socket = LiveStream::new(socket, config)
        .counted(counters)
        .on_action(move |_, peer| watching.lock().unwrap().set_status(from, peer.status()));
    let (outbox, mut lines) = channel(64);
    let mut name = None;
    loop {
        tokio::select! {
            Some(line) = lines.recv() => drop(socket.send(line).await), // if it fails, `next` says why
            said = socket.next() => match said {
                Some(Ok(Message::Text(text))) => match &name {
                    Some(name) => room.lock().unwrap().tell(&format!("{name}: {text}")),
                    None => room.lock().unwrap().enter(from, name.insert(text), outbox.clone()),
                },
                Some(Ok(_)) => {} // not text
                Some(Err(_)) | None => break,
            },
        }
    }
    room.lock().unwrap().set_status(from, Status::Offline); // the name may have come after the verdict
    println!("{from}: {}", socket.liveness().report(socket.now()));
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&place).await.map_err(|error| cannot_listen(&place, ANY, &error))?;
    let config = arguments.next().unwrap_or_default().parse()?;
    println!("listening on {}", listener.local_addr()?);
    let room = Arc::<Mutex<Room>>::default();
    loop {
        match timeout(Duration::from_millis(100), listener.accept()).await {
            Ok(Ok((stream, from))) => drop(tokio::spawn(serve(stream, from, config, room.clone()))),
            Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(10)).await, // no file is left
            Err(_) => {}
        }
        room.lock().unwrap().tell_changes();
    }
}
