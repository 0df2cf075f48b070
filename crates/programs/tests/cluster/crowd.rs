//! A thousand people at the nodes. Each is a real WebSocket that chats, asks for the pen, and writes while it has it.
//!
//! What they saw is in the `Ledger`: who is connected where, which edits were acknowledged, and when each was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use liveness::sim::Rng;
use liveness::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tungstenite::Message;

use liveness_testing::raw_peer::PATIENCE;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) user: String,
    pub(crate) key: String,
    pub(crate) token: u64,
    /// When it was first sent, and when it was acknowledged.
    pub(crate) sent: Timestamp,
    pub(crate) acknowledged: Timestamp,
}

#[derive(Clone, Default)]
pub(crate) struct Ledger {
    /// The nodes that each user is connected to.
    pub(crate) here: BTreeMap<String, BTreeSet<usize>>,
    pub(crate) written: Vec<Written>,
    /// Edits that were refused, and for which no answer was lost before.
    pub(crate) refused: BTreeMap<String, String>,
    pub(crate) lost: usize,
    pub(crate) lines: usize,
}

pub(crate) struct Crowd {
    pub(crate) clock: Clock,
    ledger: Mutex<Ledger>,
    addresses: Vec<SocketAddr>,
    /// Where users may go, and whether they still act.
    doors: Mutex<Doors>,
    /// How many may dial at once.
    dials: Semaphore,
}

struct Doors {
    open: BTreeSet<usize>,
    /// A user who loses a connection comes back elsewhere. One in so many stays away until they may return.
    stay_away: u64,
    may_return: bool,
    quiet: bool,
}

impl Crowd {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Arc<Self> {
        let open = (0..addresses.len()).collect();
        Arc::new(Self {
            clock: Clock::new(),
            ledger: Mutex::default(),
            addresses,
            doors: Mutex::new(Doors { open, stay_away: 2, may_return: false, quiet: false }),
            dials: Semaphore::new(50),
        })
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this node accepts people.
    pub(crate) fn door(&self, node: usize, open: bool) {
        let mut doors = self.doors();
        if open {
            doors.open.insert(node)
        } else {
            doors.open.remove(&node)
        };
    }

    /// Whether users who stay away come back now.
    pub(crate) fn may_return(&self, may: bool) {
        self.doors().may_return = may;
    }

    /// Nobody says or asks for anything any more.
    pub(crate) fn be_quiet(&self) {
        self.doors().quiet = true;
    }

    /// Starts this many people, each in their own task.
    pub(crate) fn come(self: &Arc<Self>, people: usize, rng: &mut Rng) {
        for number in 0..people {
            let person = Person {
                crowd: Arc::clone(self),
                name: format!("u{number}"),
                rng: Rng::new(rng.next_u64()),
                keys: 0,
            };
            tokio::spawn(person.live());
        }
    }
}

struct Person {
    crowd: Arc<Crowd>,
    name: String,
    rng: Rng,
    keys: u64,
}

/// An edit on its way.
struct Edit {
    key: String,
    token: u64,
    sent: Timestamp,
    /// An answer was lost. So the edit may be written, whatever is said about it later.
    doubtful: bool,
    /// It was refused for now, or the answer was lost. Send the same again.
    again: bool,
}

/// One stay at a node.
struct Stay {
    socket: Socket,
    edit: Option<Edit>,
    /// The pen's token, and how many edits are still to write with it.
    pen: Option<(u64, u64)>,
}

impl Person {
    async fn live(mut self) {
        loop {
            let open: Vec<usize> = self.crowd.doors().open.iter().copied().collect();
            let node = open[usize::try_from(self.rng.below(open.len() as u64)).unwrap()];
            let crowd = Arc::clone(&self.crowd);
            let dialled = {
                let _one = crowd.dials.acquire().await;
                timeout(PATIENCE, self.dial(node)).await
            };
            if let Ok(Some(socket)) = dialled {
                self.stay(node, socket).await;
                let stays_away = self.crowd.doors().stay_away;
                if self.rng.one_in(stays_away) {
                    while !self.crowd.doors().may_return {
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            }
            sleep(self.rng.duration(Duration::from_millis(800))).await;
        }
    }

    /// Waits until the node knows who it is.
    async fn dial(&mut self, node: usize) -> Option<Socket> {
        let address = self.crowd.addresses[node];
        let (mut socket, _) = connect_async(format!("ws://{address}/live")).await.ok()?;
        let hello = json!({ "type": "hello", "user": self.name });
        socket.send(Message::text(hello.to_string())).await.ok()?;
        loop {
            if let Message::Text(text) = socket.next().await?.ok()?
                && text.starts_with(r#"{"type":"welcome""#)
            {
                return Some(socket);
            }
        }
    }

    async fn stay(&mut self, node: usize, socket: Socket) {
        self.crowd.ledger().here.entry(self.name.clone()).or_default().insert(node);
        let mut stay = Stay { socket, edit: None, pen: None };
        let mut due = Instant::now() + self.pause();
        loop {
            // If the time is over first, the part of a message that was read stays in the socket.
            let went_on = match timeout_at(due, stay.socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) if text.starts_with('{') => {
                    self.hear(&mut stay, &serde_json::from_str(&text).unwrap()).await
                }
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(_)) | None) => false,
                Err(_) => self.act(&mut stay).await,
            };
            if !went_on {
                break;
            }
            due = match &stay.pen {
                _ if stay.edit.is_some() => Instant::now() + Duration::from_millis(100),
                // One edit after the other: at most one is on its way.
                Some(_) => Instant::now(),
                None => due.max(Instant::now()) + self.pause(),
            };
        }
        let mut ledger = self.crowd.ledger();
        let here = ledger.here.entry(self.name.clone()).or_default();
        here.remove(&node);
        if here.is_empty() {
            ledger.here.remove(&self.name);
        }
    }

    fn pause(&mut self) -> Duration {
        Duration::from_millis(500) + self.rng.duration(Duration::from_secs(30))
    }

    /// False if the connection is over.
    async fn act(&mut self, stay: &mut Stay) -> bool {
        let quiet = self.crowd.doors().quiet;
        if let Some(edit) = &mut stay.edit {
            if !std::mem::take(&mut edit.again) {
                return true;
            }
            let words = json!({ "type": "write", "token": edit.token, "key": edit.key, "text": edit.key });
            return stay.say(&words).await;
        }
        match stay.pen {
            Some((token, left)) if left == 0 || quiet => {
                stay.pen = None;
                let gave = stay.say(&json!({ "type": "give" })).await;
                // Some go on writing, although the pen is somebody else's by then.
                if gave && !quiet && self.rng.one_in(3) { self.write(stay, token).await } else { gave }
            }
            Some((token, left)) => {
                stay.pen = Some((token, left - 1));
                self.write(stay, token).await
            }
            None if quiet => true,
            None if self.rng.one_in(3) => {
                self.keys += 1;
                self.crowd.ledger().lines += 1;
                let text = format!("hello from {}", self.name);
                stay.say(&json!({ "type": "say", "key": self.keys, "text": text })).await
            }
            None => stay.say(&json!({ "type": "want" })).await,
        }
    }

    async fn write(&mut self, stay: &mut Stay, token: u64) -> bool {
        self.keys += 1;
        let key = format!("{}-{}", self.name, self.keys);
        let words = json!({ "type": "write", "token": token, "key": key, "text": key });
        stay.edit = Some(Edit { key, token, sent: self.crowd.clock.now(), doubtful: false, again: false });
        stay.say(&words).await
    }

    async fn hear(&mut self, stay: &mut Stay, words: &Value) -> bool {
        let crowd = Arc::clone(&self.crowd);
        let now = crowd.clock.now();
        match words["type"].as_str().unwrap() {
            "granted" => {
                let token = words["token"].as_u64().unwrap();
                if stay.pen.is_none_or(|(old, _)| old < token) {
                    stay.pen = Some((token, 10 + self.rng.below(30)));
                }
                true
            }
            "written" => {
                if let Some(edit) = stay.edit.take_if(|edit| edit.key == words["key"]) {
                    let Edit { key, token, sent, .. } = edit;
                    let user = self.name.clone();
                    crowd.ledger().written.push(Written { user, key, token, sent, acknowledged: now });
                }
                true
            }
            "refused" => {
                let Some(edit) = stay.edit.as_mut().filter(|edit| edit.key == words["key"]) else {
                    return true;
                };
                match words["why"].as_str().unwrap() {
                    "lost" => {
                        (edit.doubtful, edit.again) = (true, true);
                        crowd.ledger().lost += 1;
                    }
                    why @ ("stale" | "never") => {
                        if !edit.doubtful {
                            crowd.ledger().refused.insert(edit.key.clone(), why.to_owned());
                        }
                        stay.pen = stay.pen.filter(|(token, _)| *token > edit.token);
                        stay.edit = None;
                    }
                    // Refused for now.
                    "unknown" | "expired" | "busy" | "absent" | "frozen" => edit.again = true,
                    other => panic!("refused: {other}"),
                }
                true
            }
            _ => true,
        }
    }
}

impl Stay {
    async fn say(&mut self, words: &Value) -> bool {
        self.socket.send(Message::text(words.to_string())).await.is_ok()
    }
}
