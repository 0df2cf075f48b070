//! The rules in memory: the crate's `Presence` and `Lease` over what the nodes claim.
//!
//! A user's connections are here the claims of the nodes. `rules.lua` does it with hashes and sorted sets, and must get
//! the same results as these two machines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use liveness::lease::{Lease, LeaseChange, Refusal, Token};
use liveness::presence::{Presence, PresenceChange};
use liveness::{Status, Timestamp};

use liveness_programs::cluster::settings::Settings;
use liveness_programs::cluster::store::{
    Claims, Edit, Incarnation, LINES, Line, News, Op, Pen, Picture, Refused, Reply, User,
};

/// How many users of the queue are named.
const NAMED: usize = 10;

struct Node {
    name: String,
    address: String,
    expires: Timestamp,
    claims: BTreeMap<User, Status>,
}

pub(crate) struct Model {
    ttl: Duration,
    now: Timestamp,
    incs: u64,
    nodes: BTreeMap<Incarnation, Node>,
    people: Presence<User, (Incarnation, User)>,
    pen: Lease<User>,
    /// The edits with the newest token.
    keys: BTreeSet<String>,
    shown: Option<Pen>,
    touched: BTreeSet<User>,
    pub(crate) log: Vec<News>,
    pub(crate) text: Vec<Line>,
}

impl Model {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            ttl: settings.ttl,
            now: Timestamp::ZERO,
            incs: 0,
            nodes: BTreeMap::new(),
            // The script has no timer and looks only when it is asked. `linger_anew` is its own way to forgive that.
            people: Presence::with_linger(settings.linger).stall_tolerance(Duration::MAX),
            pen: Lease::new(settings.grace).stall_tolerance(Duration::MAX),
            keys: BTreeSet::new(),
            shown: None,
            touched: BTreeSet::new(),
            log: Vec::new(),
            text: Vec::new(),
        }
    }

    pub(crate) fn apply(&mut self, op: &Op, now: Timestamp) -> Reply {
        let before = self.now;
        self.now = self.now.max(now);
        if self.now >= before + self.ttl {
            self.linger_anew();
        }
        for inc in self.expired() {
            self.drop(inc);
        }
        if matches!(op, Op::Write(..) | Op::Look) {
            self.settle();
            return self.carry_out(op);
        }
        let reply = self.carry_out(op);
        self.settle();
        reply
    }

    /// The entries after this number, with their numbers.
    pub(crate) fn news(&self, after: u64) -> impl Iterator<Item = (u64, &News)> {
        (1..).zip(&self.log).skip(usize::try_from(after).unwrap_or(usize::MAX))
    }

    pub(crate) fn lives(&self) -> impl Iterator<Item = Incarnation> {
        self.nodes.keys().copied()
    }

    /// This life has not expired.
    pub(crate) fn believes(&self, inc: Incarnation, now: Timestamp) -> bool {
        self.nodes.get(&inc).is_some_and(|node| node.expires > now)
    }

    /// The latest token.
    pub(crate) fn token(&self) -> u64 {
        self.pen.last_token().get()
    }

    pub(crate) fn holder(&self) -> Option<User> {
        self.pen.holder().map(|holder| holder.user.clone())
    }

    /// Redis was away, and a user who lingered may have come back.
    fn linger_anew(&mut self) {
        let shown: Vec<User> = self.people.iter().map(|(user, _)| user.clone()).collect();
        for user in shown {
            if self.people.connections(&user).next().is_none() {
                // No life has the number 0. So the user comes and goes at once.
                let connection = (Incarnation(0), user.clone());
                self.people.connect(connection.clone(), user, self.now);
                self.people.set_status(&connection, Status::Offline, self.now);
            }
        }
    }

    fn expired(&self) -> Vec<Incarnation> {
        let all = self.nodes.iter().filter(|(_, node)| node.expires <= self.now);
        // In the order of Redis's sorted sets: by moment, then by name.
        let mut expired: Vec<_> = all.map(|(inc, node)| (node.expires, inc.to_string(), *inc)).collect();
        expired.sort();
        expired.into_iter().map(|(_, _, inc)| inc).collect()
    }

    fn drop(&mut self, inc: Incarnation) {
        let Some(node) = self.nodes.remove(&inc) else { return };
        for user in node.claims.into_keys() {
            self.people.set_status(&(inc, user.clone()), Status::Offline, self.now);
            self.touched.insert(user);
        }
        self.log.push(News::Gone(inc));
    }

    /// What follows from the claims. First for the pen: a user that no node claims counts as suspect. Then who has left.
    /// Then what becomes of the pen.
    fn settle(&mut self) {
        for user in std::mem::take(&mut self.touched) {
            let claims = || self.nodes.values().filter_map(|node| node.claims.get(&user));
            if claims().any(|status| *status == Status::Online) {
                self.pen.set_status(&user, Status::Online, self.now);
            } else {
                self.pen.set_status(&user, Status::Suspect, self.now);
            }
        }
        while let Some(change) = self.people.poll(self.now) {
            if let PresenceChange::Left(user) = change {
                self.pen.set_status(&user, Status::Offline, self.now);
                self.log.push(News::Left(user));
            }
        }
        while let Some(change) = self.pen.poll(self.now) {
            if let LeaseChange::Granted { .. } = change {
                self.keys.clear();
            }
        }
        let pen = self.shown_pen();
        if self.shown.as_ref() != Some(&pen) {
            self.shown = Some(pen.clone());
            self.log.push(News::Pen(pen));
        }
    }

    fn shown_pen(&self) -> Pen {
        let holder = self.pen.holder();
        Pen {
            holder: holder.map(|holder| holder.user.clone()),
            token: self.pen.last_token().get(),
            frozen: holder.is_some_and(|holder| holder.frozen_since.is_some()),
            waiting: self.pen.waiting().len() as u64,
            first: self.pen.waiting().take(NAMED).cloned().collect(),
        }
    }

    fn carry_out(&mut self, op: &Op) -> Reply {
        match op {
            Op::Open { name, address, claims } => self.open(name, address, claims),
            Op::Look => Reply::Seen(Box::new(self.picture())),
            Op::Beat(inc) => self.alive(*inc, |model| {
                let expires = model.now + model.ttl;
                model.nodes.entry(*inc).and_modify(|node| node.expires = expires);
                Reply::Done
            }),
            Op::Claim(inc, claims) => self.alive(*inc, |model| model.claim(*inc, claims)),
            Op::Say(inc, user, text) => self.claimed(*inc, user, |model| {
                model.log.push(News::Said(*inc, user.clone(), text.clone()));
                Reply::Done
            }),
            Op::Want(inc, user) => self.claimed(*inc, user, |model| {
                model.pen.request(user.clone(), model.now);
                Reply::Done
            }),
            Op::Give(inc, user) => self.claimed(*inc, user, |model| {
                model.pen.release(user, model.now);
                Reply::Done
            }),
            Op::Write(inc, edit) => self.claimed(*inc, &edit.user, |model| model.write(*inc, edit)),
            Op::Close(inc) => self.alive(*inc, |model| {
                model.drop(*inc);
                Reply::Done
            }),
        }
    }

    fn alive(&mut self, inc: Incarnation, act: impl FnOnce(&mut Self) -> Reply) -> Reply {
        if self.nodes.contains_key(&inc) { act(self) } else { Reply::Expired }
    }

    fn claimed(&mut self, inc: Incarnation, user: &User, act: impl FnOnce(&mut Self) -> Reply) -> Reply {
        match self.nodes.get(&inc) {
            None => Reply::Expired,
            Some(node) if !node.claims.contains_key(user) => Reply::Refused(Refused::Absent),
            Some(_) => act(self),
        }
    }

    fn open(&mut self, name: &str, address: &str, claims: &Claims) -> Reply {
        if let Some(former) = self.nodes.iter().find(|(_, node)| node.name == name).map(|(inc, _)| *inc) {
            self.drop(former);
        }
        self.incs += 1;
        let inc = Incarnation(self.incs);
        let (name, address) = (name.to_owned(), address.to_owned());
        self.log.push(News::Node { inc, name: name.clone(), address: address.clone() });
        let expires = self.now + self.ttl;
        self.nodes.insert(inc, Node { name, address, expires, claims: BTreeMap::new() });
        self.claim(inc, claims);
        Reply::Opened(inc)
    }

    fn claim(&mut self, inc: Incarnation, claims: &Claims) -> Reply {
        let Some(node) = self.nodes.get_mut(&inc) else { return Reply::Expired };
        for (user, status) in claims {
            let was = match status {
                Status::Offline => node.claims.remove(user),
                Status::Online | Status::Suspect => node.claims.insert(user.clone(), *status),
            };
            if was.unwrap_or(Status::Offline) == *status {
                continue;
            }
            let connection = (inc, user.clone());
            if was.is_none() {
                self.people.connect(connection.clone(), user.clone(), self.now);
            }
            self.people.set_status(&connection, *status, self.now);
            self.touched.insert(user.clone());
            self.log.push(News::Claim(inc, user.clone(), *status));
        }
        Reply::Done
    }

    fn write(&mut self, inc: Incarnation, edit: &Edit) -> Reply {
        let Edit { user, token, key, text } = edit;
        let status = self.nodes.get(&inc).and_then(|node| node.claims.get(user));
        if status != Some(&Status::Online) {
            return Reply::Refused(Refused::Frozen);
        }
        match self.pen.check(user, Token::new(*token)) {
            Ok(()) => {}
            Err(Refusal::NeverGranted) => return Reply::Refused(Refused::Never),
            Err(Refusal::Frozen { .. }) => return Reply::Refused(Refused::Frozen),
            Err(_) => return Reply::Refused(Refused::Stale),
        }
        if self.keys.insert(key.clone()) {
            let line = Line { token: *token, user: user.clone(), text: text.clone() };
            self.text.push(line.clone());
            self.log.push(News::Wrote(line));
        }
        Reply::Done
    }

    fn picture(&self) -> Picture {
        let nodes = || self.nodes.iter();
        let claims = nodes()
            .flat_map(|(inc, node)| node.claims.iter().map(|(user, status)| (*inc, user.clone(), *status)));
        let away = self.people.iter().map(|(user, _)| user);
        Picture {
            upto: self.log.len() as u64,
            nodes: nodes().map(|(inc, node)| (*inc, node.name.clone(), node.address.clone())).collect(),
            claims: claims.collect(),
            away: away.filter(|user| self.people.connections(user).next().is_none()).cloned().collect(),
            pen: self.shown_pen(),
            text: self.text[self.text.len().saturating_sub(LINES)..].to_vec(),
        }
    }
}
