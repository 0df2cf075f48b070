//! The hub: one task owns every room, so there are no locks. It gets the heartbeat's status of each connection, and never
//! waits for a connection. If a connection's queue is full, it skips messages for it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use liveness::driver::tokio::clock;
use liveness::presence::PresenceChange;
use liveness::{Clock, CloseCode, Config, Status, Timestamp};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::connection::{Connection, Health, Order};
use crate::room::Room;
use crate::words::{self, Key, Said, Tell, User};
use liveness_programs::web;

/// What the connections send.
pub(crate) enum Input {
    /// A connection is open. The answer is its key, unless there are too many.
    Open(mpsc::Sender<Order>, oneshot::Sender<Key>),
    Said(Key, Utf8Bytes),
    /// What its heartbeat knows about it.
    Health(Key, Health),
    /// It had fallen behind, and is ready for the current state.
    Again(Key, mpsc::Sender<Order>),
    Ended(Key),
}

const CONNECTIONS: usize = 2_000;
const ROOMS: usize = 500;
/// How often pages get round trips.
const BEAT: Duration = Duration::from_secs(1);

pub(crate) struct Hub {
    clock: Clock,
    /// What pages learn about their heartbeat.
    timing: Value,
    linger: Duration,
    connections: BTreeMap<Key, Connection>,
    newest: Key,
    rooms: BTreeMap<String, Room>,
    /// Makes users from tokens, so that nobody learns another's token.
    secret: RandomState,
}

impl Hub {
    pub(crate) fn new(config: Config, linger: Duration) -> Self {
        Self {
            clock: clock(),
            timing: web::timing(&config),
            linger,
            connections: BTreeMap::new(),
            newest: 0,
            rooms: BTreeMap::new(),
            secret: RandomState::new(),
        }
    }

    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let due = self.clock.instant(self.due().unwrap_or(Timestamp::MAX));
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(input) => self.handle(input),
                    None => return,
                },
                () = sleep_until(Instant::from_std(due)) => {}
                _ = beat.tick() => self.tell_rtts(),
            }
            // Everything else that has arrived is handled before anybody is judged.
            for input in (0..inputs.max_capacity()).map_while(|_| inputs.try_recv().ok()) {
                self.handle(input);
            }
            self.poll();
        }
    }

    fn due(&self) -> Option<Timestamp> {
        self.rooms.values().filter_map(|room| room.presence.poll_timeout()).min()
    }

    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        match input {
            Input::Open(outbox, tell) => {
                if self.connections.len() >= CONNECTIONS {
                    return;
                }
                self.newest += 1;
                let key = self.newest;
                self.connections.insert(key, Connection::new(outbox, now));
                // A connection that ended meanwhile reports that too.
                if tell.send(key).is_err() {
                    self.end(key, now);
                }
            }
            Input::Said(key, words) => self.said(key, &words, now),
            Input::Health(key, health) => self.mark(key, health, now),
            Input::Again(key, outbox) => match self.connections.get_mut(&key) {
                Some(connection) => {
                    connection.outbox = Some(outbox);
                    self.welcome(key, true);
                }
                None => drop(outbox.try_send(Order::Close(CloseCode::GOING_AWAY, "it is over"))),
            },
            Input::Ended(key) => self.end(key, now),
        }
    }

    fn end(&mut self, key: Key, now: Timestamp) {
        self.mark(key, Health { status: Status::Offline, rtt: None }, now);
        self.connections.remove(&key);
    }

    /// The room makes users of what the connections' heartbeats report.
    fn mark(&mut self, key: Key, health: Health, now: Timestamp) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.health = health;
        let Some(room) = connection.at.as_ref().and_then(|(place, _)| self.rooms.get_mut(place)) else {
            return;
        };
        room.presence.set_status(&key, health.status, now);
        if health.status == Status::Offline {
            // If its end was not handled yet, that is on its way. It gets no messages any more.
            room.members.remove(&key);
            connection.at = None;
        }
    }

    fn said(&mut self, key: Key, words: &str, now: Timestamp) {
        match serde_json::from_str(words) {
            Ok(Said::Hello { token, name, room }) => self.hello(key, &token, &name, &room, now),
            Ok(Said::Say { key: line, text }) => self.say(key, line, &text, now),
            Ok(Said::Bye) => self.bye(key, now),
            // It is not our page.
            Err(_) => {
                if let Some(connection) = self.connections.get_mut(&key) {
                    connection
                        .send(|| Order::Close(CloseCode::INVALID_PAYLOAD, "this is no message of the chat"));
                }
                self.end(key, now);
            }
        }
    }

    fn hello(&mut self, key: Key, token: &str, name: &str, room: &str, now: Timestamp) {
        let Some(name) = words::name(name) else {
            return self.refuse(key, None, "a name has at least one letter");
        };
        let place = words::room(room);
        let user = self.secret.hash_one(token) >> 11;
        // A connection that is over may still speak. Its hello would bring in a user that nothing removes.
        let here = self.connections.get_mut(&key).filter(|here| here.health.status != Status::Offline);
        let Some(here) = here else { return };
        if let Err(why) = here.pays(now) {
            return self.refuse(key, None, why);
        }
        if here.at.as_ref().is_some_and(|(at, who)| (at, *who) != (&place, user)) {
            return self.refuse(key, None, "one page is in one room");
        }
        if !self.rooms.contains_key(&place) && self.rooms.len() >= ROOMS {
            let Some(idle) = self.rooms.values().find(|room| room.is_idle()) else {
                return self.refuse(key, None, "there are too many rooms");
            };
            let idle = idle.name.clone();
            self.rooms.remove(&idle);
        }
        let room = match self.rooms.entry(place.clone()) {
            Entry::Occupied(room) => room.into_mut(),
            Entry::Vacant(free) => free.insert(Room::new(place.clone(), self.linger)),
        };
        if room.is_taken(&name, user) {
            let free = room.free(&name, user);
            return self.tell(key, &Tell::Taken { name: &name, free });
        }
        let was = room.names.insert(user, name.clone()).filter(|was| *was != name);
        if room.members.insert(key) {
            room.presence.connect(key, user, now);
            if let Some(connection) = self.connections.get_mut(&key) {
                connection.at = Some((place.clone(), user));
            }
            self.welcome(key, false);
        }
        if let Some(was) = was {
            self.send_all(&place, &json(&Tell::Named { user, name: &name, was: &was }));
        }
    }

    fn say(&mut self, key: Key, line: String, text: &str, now: Timestamp) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let Some((place, user)) = connection.at.clone() else { return };
        let Some(room) = self.rooms.get_mut(&place) else { return };
        if line.len() > 64 || room.has_said(user, &line) {
            return;
        }
        let text = match words::text(text).and_then(|text| connection.pays(now).map(|()| text)) {
            Ok(text) => text,
            Err(why) => return self.refuse(key, Some(&line), why),
        };
        let words = json(&Tell::Line(room.say(user, line, text, web::unix_millis())));
        self.send_all(&place, &words);
    }

    /// Their user leaves with every page that they have here.
    fn bye(&mut self, key: Key, now: Timestamp) {
        let Some((place, user)) = self.connections.get(&key).and_then(|connection| connection.at.clone())
        else {
            return;
        };
        let Some(room) = self.rooms.get_mut(&place) else { return };
        let pages: Vec<_> = room.presence.connections(&user).copied().collect();
        room.presence.remove_user(&user, now);
        for page in pages {
            room.members.remove(&page);
            if let Some(connection) = self.connections.get_mut(&page) {
                connection.at = None;
                connection.send(|| Order::Tell(json(&Tell::Left)));
            }
        }
    }

    /// Hands out everything that is due.
    fn poll(&mut self) {
        let now = self.clock.now();
        let places: Vec<_> = self.rooms.keys().cloned().collect();
        for place in places {
            while let Some(change) = self.rooms.get_mut(&place).and_then(|room| room.poll(now)) {
                self.tell_change(&place, change, now);
            }
        }
    }

    fn tell_change(&mut self, place: &str, change: PresenceChange<User>, now: Timestamp) {
        let Some(room) = self.rooms.get_mut(place) else { return };
        let words = json(&Tell::Change(room.person(*change.user(), change.status())));
        let what = match change {
            PresenceChange::Joined(_) => "joined",
            PresenceChange::Suspected(_) => "suspect",
            PresenceChange::Recovered(_) => "recovered",
            PresenceChange::Left(_) => "left",
        };
        let name = room.names.get(change.user()).map_or("", String::as_str);
        // If nobody reads stdout, the chat goes on.
        let _ = writeln!(io::stdout(), "{now} {what} {place}: {name}");
        if change.status() == Status::Offline {
            room.names.remove(change.user());
            room.rtts.remove(change.user());
        }
        self.send_all(place, &words);
    }

    fn tell_rtts(&mut self) {
        let places: Vec<_> = self.rooms.keys().cloned().collect();
        for place in places {
            let Some(room) = self.rooms.get_mut(&place) else { continue };
            let connections = &self.connections;
            let mut of = Vec::new();
            for (user, _) in room.presence.iter() {
                // A user is as near as the best of their pages.
                let pages =
                    room.presence.connections(user).filter_map(|key| connections.get(key)?.health.rtt);
                let Some(rtt) = pages.map(|rtt| rtt.as_millis()).min() else { continue };
                let rtt = u64::try_from(rtt).unwrap_or(u64::MAX);
                if room.rtts.insert(*user, rtt) != Some(rtt) {
                    of.push((*user, rtt));
                }
            }
            if !of.is_empty() {
                self.send_all(&place, &json(&Tell::Rtts { of }));
            }
        }
    }

    fn welcome(&mut self, key: Key, behind: bool) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let Some((place, you)) = &connection.at else {
            // It left, and the word of that was lost while it was behind.
            return connection.send(|| Order::Tell(json(&Tell::Left)));
        };
        let Some(room) = self.rooms.get(place) else { return };
        let words = json(&Tell::Welcome {
            you: *you,
            room: &room.name,
            epoch: room.epoch,
            people: room.people(),
            lines: room.lines.iter().collect(),
            timing: &self.timing,
            behind,
        });
        connection.send(|| Order::Tell(words));
    }

    fn refuse(&mut self, key: Key, line: Option<&str>, why: &str) {
        self.tell(key, &Tell::Refused { key: line, why });
    }

    fn tell(&mut self, key: Key, what: &Tell<'_>) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.send(|| Order::Tell(json(what)));
        }
    }

    fn send_all(&mut self, place: &str, words: &Utf8Bytes) {
        let Some(room) = self.rooms.get(place) else { return };
        for key in &room.members {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.send(|| Order::Tell(words.clone()));
            }
        }
    }
}

fn json(what: &Tell<'_>) -> Utf8Bytes {
    serde_json::to_string(what).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_turned_out_does_not_come_in_again() {
        let mut hub = Hub::new(Config::DEFAULT, Duration::ZERO);
        let (key, _orders) = open(&mut hub, 8);
        hub.handle(Input::Said(key, "no message of a page".into()));
        // It comes right behind.
        hello(&mut hub, key, "eve");
        hub.handle(Input::Ended(key));
        hub.poll();
        assert!(hub.rooms.values().all(Room::is_idle));
    }

    /// A connection, and what it is told.
    fn open(hub: &mut Hub, room: usize) -> (Key, mpsc::Receiver<Order>) {
        let (outbox, orders) = mpsc::channel(room);
        let (tell, mut told) = oneshot::channel();
        hub.handle(Input::Open(outbox, tell));
        (told.try_recv().unwrap(), orders)
    }

    fn hello(hub: &mut Hub, key: Key, name: &str) {
        let words = format!(r#"{{"type":"hello","token":"t","name":"{name}","room":"r"}}"#);
        hub.handle(Input::Said(key, words.into()));
        hub.poll();
    }

    fn types(orders: &mut mpsc::Receiver<Order>) -> Vec<String> {
        let words = std::iter::from_fn(|| orders.try_recv().ok()).filter_map(|order| match order {
            Order::Tell(words) => serde_json::from_str::<Value>(&words).ok(),
            Order::Close(..) => None,
        });
        words.map(|word| word["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn who_changes_names_or_comes_and_goes_is_slowed_like_who_talks() {
        let mut hub = Hub::new(Config::DEFAULT, Duration::ZERO);
        let (key, mut orders) = open(&mut hub, 1024);
        for number in 0..100 {
            hello(&mut hub, key, &format!("eve {number}"));
        }
        let told = types(&mut orders);
        assert!(told.iter().filter(|told| *told == "named").count() < 50, "{told:?}");
        assert_eq!(told.last().map(String::as_str), Some("refused"));
        let (key, mut orders) = open(&mut hub, 1024);
        for _ in 0..100 {
            hello(&mut hub, key, "mallory");
            hub.handle(Input::Said(key, r#"{"type":"bye"}"#.into()));
            hub.poll();
        }
        assert!(types(&mut orders).iter().filter(|told| *told == "welcome").count() < 50);
    }

    #[test]
    fn who_has_left_and_was_behind_is_told_so_when_it_is_ready() {
        let mut hub = Hub::new(Config::DEFAULT, Duration::ZERO);
        let (slow, mut orders) = open(&mut hub, 1);
        hello(&mut hub, slow, "eve");
        let (key, _other) = open(&mut hub, 8);
        hello(&mut hub, key, "eve");
        hub.handle(Input::Said(key, r#"{"type":"bye"}"#.into()));
        hub.poll();
        // There was no room for more.
        assert_eq!(types(&mut orders), ["welcome"]);
        assert!(orders.is_closed());
        let (outbox, mut orders) = mpsc::channel(8);
        hub.handle(Input::Again(slow, outbox));
        assert_eq!(types(&mut orders), ["left"]);
    }
}
