//! The rules by definition: the whole history is kept, and each question is answered by reading it from the start.

use std::collections::BTreeMap;

use liveness::Status;
use liveness::presence::PresenceChange;

/// A user and one of their connections.
pub(crate) type User = u8;
pub(crate) type Connection = u8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Connect(Connection, User),
    SetStatus(Connection, Status),
    Disconnect(Connection),
    RemoveUser(User),
}

#[derive(Debug)]
pub(crate) struct Reference {
    /// In nanoseconds, like all moments here. `u64::MAX` is never.
    linger: u64,
    tolerance: u64,
    inputs: Vec<(u64, Input)>,
    /// Every moment at which somebody looked, by an input or by a poll.
    looks: Vec<u64>,
    told: Vec<PresenceChange<User>>,
}

impl Reference {
    pub(crate) const fn new(linger: u64) -> Self {
        Self { linger, tolerance: linger / 4, inputs: Vec::new(), looks: Vec::new(), told: Vec::new() }
    }

    pub(crate) fn input(&mut self, at: u64, input: Input) {
        self.look(at);
        self.inputs.push((at, input));
    }

    pub(crate) fn look(&mut self, at: u64) {
        self.looks.push(at);
    }

    pub(crate) fn tell(&mut self, change: PresenceChange<User>) {
        self.told.push(change);
    }

    /// Who is shown, according to the reports so far.
    pub(crate) fn list(&self) -> BTreeMap<User, Status> {
        let mut list = BTreeMap::new();
        for change in &self.told {
            match change {
                PresenceChange::Joined(user) | PresenceChange::Recovered(user) => {
                    list.insert(*user, Status::Online)
                }
                PresenceChange::Suspected(user) => list.insert(*user, Status::Suspect),
                PresenceChange::Left(user) => list.remove(user),
            };
        }
        list
    }

    /// The user and the status of each connection.
    pub(crate) fn connections(&self) -> BTreeMap<Connection, (User, Status)> {
        let mut connections = BTreeMap::new();
        self.inputs.iter().for_each(|(_, input)| apply(&mut connections, *input));
        connections
    }

    fn wanted(&self) -> BTreeMap<User, Status> {
        let mut wanted = BTreeMap::new();
        for (user, status) in self.connections().into_values() {
            let best = wanted.entry(user).or_insert(status);
            if status == Status::Online {
                *best = Status::Online;
            }
        }
        wanted
    }

    /// When a user without a connection leaves.
    fn leaves(&self, user: User) -> u64 {
        let (mut connections, mut had, mut leaves) = (BTreeMap::new(), false, None);
        for (at, input) in &self.inputs {
            apply(&mut connections, *input);
            let has = connections.values().any(|(owner, _)| *owner == user);
            if *input == Input::RemoveUser(user) || (had && !has && matches!(input, Input::Disconnect(_))) {
                leaves = Some(*at);
            } else if had && !has {
                leaves = Some(self.with_mercy(at.saturating_add(self.linger)));
            }
            had = has;
        }
        leaves.expect("it once had one")
    }

    /// The linger begins again, once, at the first look that came too long after the one before.
    fn with_mercy(&self, leaves: u64) -> u64 {
        let before = std::iter::once(0).chain(self.looks.iter().copied());
        let mut late = self.looks.iter().zip(before).filter(|(look, before)| {
            let seen_last = leaves.max(*before);
            **look > seen_last && **look - seen_last > self.tolerance
        });
        late.next().filter(|_| self.linger > 0).map_or(leaves, |(look, _)| look.saturating_add(self.linger))
    }

    /// The users who will leave, the next one first.
    fn leaving(&self) -> Vec<(u64, User)> {
        let connected = self.wanted();
        let gone = self.list().into_keys().filter(|user| !connected.contains_key(user));
        let mut leaving: Vec<_> = gone.map(|user| (self.leaves(user), user)).collect();
        leaving.retain(|(at, _)| *at != u64::MAX);
        leaving.sort_unstable();
        leaving
    }

    /// What a poll must report now.
    pub(crate) fn next(&self, now: u64) -> Option<PresenceChange<User>> {
        if let Some((at, user)) = self.leaving().first()
            && *at <= now
        {
            return Some(PresenceChange::Left(*user));
        }
        let list = self.list();
        self.wanted().into_iter().find_map(|(user, wanted)| match (list.get(&user), wanted) {
            (None, _) => Some(PresenceChange::Joined(user)),
            (Some(Status::Suspect), Status::Online) => Some(PresenceChange::Recovered(user)),
            (Some(Status::Online), Status::Suspect) => Some(PresenceChange::Suspected(user)),
            (Some(_), _) => None,
        })
    }

    /// When something will be reported, if nothing happens before.
    pub(crate) fn next_at(&self, now: u64) -> Option<u64> {
        if self.next(now).is_some() { Some(now) } else { self.leaving().first().map(|(at, _)| *at) }
    }
}

fn apply(connections: &mut BTreeMap<Connection, (User, Status)>, input: Input) {
    match input {
        Input::Connect(connection, user) => {
            connections.insert(connection, (user, Status::Online));
        }
        Input::SetStatus(connection, Status::Offline) | Input::Disconnect(connection) => {
            connections.remove(&connection);
        }
        Input::SetStatus(connection, status) => {
            connections.entry(connection).and_modify(|(_, marked)| *marked = status);
        }
        Input::RemoveUser(user) => connections.retain(|_, (owner, _)| *owner != user),
    }
}
