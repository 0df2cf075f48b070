//! A room: who is in it, their names, and what was said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use liveness::presence::{Presence, PresenceChange};
use liveness::{Status, Timestamp, random_seed};
use liveness_programs::web::letters::alike;

use crate::words::{Key, Line, Person, User};

/// How many lines are kept for visitors who come later.
const HISTORY: usize = 100;

pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) epoch: u64,
    pub(crate) presence: Presence<User, Key>,
    /// The connections that get this room's messages.
    pub(crate) members: BTreeSet<Key>,
    pub(crate) names: BTreeMap<User, String>,
    pub(crate) lines: VecDeque<Line>,
    pub(crate) rtts: BTreeMap<User, u64>,
    next: u64,
}

impl Room {
    pub(crate) fn new(name: String, linger: Duration) -> Self {
        Self {
            name,
            // The part of it that fits into a script's number.
            epoch: random_seed() >> 11,
            presence: Presence::with_linger(linger),
            members: BTreeSet::new(),
            names: BTreeMap::new(),
            lines: VecDeque::new(),
            rtts: BTreeMap::new(),
            next: 1,
        }
    }

    /// Nobody is here, or about to come.
    pub(crate) fn is_idle(&self) -> bool {
        self.presence.is_empty() && self.presence.poll_timeout().is_none()
    }

    /// A name belongs to the first user who takes it, while they are in the room.
    pub(crate) fn is_taken(&self, name: &str, user: User) -> bool {
        self.names.iter().any(|(other, theirs)| *other != user && alike(theirs, name))
    }

    /// A similar name that is free.
    pub(crate) fn free(&self, name: &str, user: User) -> String {
        let short: String = name.chars().take(20).collect();
        let numbered = |number| format!("{short} {number}");
        (2..).map(numbered).find(|name| !self.is_taken(name, user)).unwrap_or(short)
    }

    pub(crate) fn person(&self, user: User, status: Status) -> Person<'_> {
        let name = self.names.get(&user).map_or("?", String::as_str);
        Person { user, name, status, rtt: self.rtts.get(&user).copied() }
    }

    pub(crate) fn people(&self) -> Vec<Person<'_>> {
        self.presence.iter().map(|(user, status)| self.person(*user, status)).collect()
    }

    pub(crate) fn has_said(&self, user: User, key: &str) -> bool {
        self.lines.iter().any(|line| line.user == user && line.key == key)
    }

    pub(crate) fn say(&mut self, user: User, key: String, text: String, at_ms: u64) -> &Line {
        if self.lines.len() == HISTORY {
            self.lines.pop_front();
        }
        let name = self.names.get(&user).cloned().unwrap_or_default();
        self.lines.push_back(Line { seq: self.next, user, name, text, at_ms, key });
        self.next += 1;
        &self.lines[self.lines.len() - 1]
    }

    pub(crate) fn poll(&mut self, now: Timestamp) -> Option<PresenceChange<User>> {
        let change = self.presence.poll(now);
        if change.is_none() {
            // Names of users who came and went between two polls.
            let presence = &self.presence;
            self.names.retain(|user, _| presence.status(user) != Status::Offline);
        }
        change
    }
}
