//! What a node shows: the cluster as its pages may know it, and the changes since they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use liveness::Status;

use super::{Conn, Node};
use crate::cluster::store::{Pen, User};
use crate::cluster::words::{Known, Person, Seen, State, Tell};

/// What the pages were told last.
#[derive(Default)]
pub(super) struct Told {
    known: bool,
    people: BTreeMap<User, Person>,
    /// The users that may have changed since the pages were told.
    pub(super) touched: BTreeSet<User>,
    pen: Option<Pen>,
    granted: u64,
    nodes: Arc<[Seen]>,
}

impl Node {
    pub fn state(&self) -> State {
        let users: BTreeSet<&User> =
            self.local.iter().map(|(user, _)| user).chain(self.view.users()).collect();
        State {
            node: Arc::clone(&self.name),
            known: self.is_known(),
            incarnation: self.incarnation().map(|inc| inc.0),
            nodes: Arc::clone(self.view.nodes()),
            people: users.into_iter().filter_map(|user| self.person(user)).collect(),
            pen: self.is_known().then(|| self.view.pen.clone()),
            text: self.view.text.iter().cloned().collect(),
        }
    }

    /// One person as this node knows them; `None` if they are not here.
    fn person(&self, user: &User) -> Option<Person> {
        let here = self.local.status(user);
        let read = self.view.status(user);
        let status = match here {
            Status::Online => Known::Online,
            // Another node may know more.
            Status::Suspect if self.is_known() && read == Some(Known::Online) => Known::Online,
            Status::Suspect => Known::Suspect,
            Status::Offline if self.is_known() => read?,
            Status::Offline => read.map(|_| Known::Unknown)?,
        };
        let mut at: BTreeSet<_> =
            self.view.nodes_of(user).filter(|name| **name != self.name).cloned().collect();
        if here != Status::Offline {
            at.insert(Arc::clone(&self.name));
        }
        Some(Person { user: user.clone(), status, at: at.into_iter().collect() })
    }

    pub(super) fn touch_all(&mut self) {
        let view = self.view.users().cloned();
        self.told.touched.extend(view);
        self.told.touched.extend(self.told.people.keys().cloned());
    }

    pub(super) fn tell_what_changed(&mut self) {
        let known = self.is_known();
        if known != self.told.known {
            self.touch_all();
        }
        if known != self.told.known || *self.view.nodes() != self.told.nodes {
            (self.told.known, self.told.nodes) = (known, Arc::clone(self.view.nodes()));
            self.tell_all(Tell::Nodes { nodes: Arc::clone(self.view.nodes()), known });
        }
        if !known {
            // The holder is told again when it is known again, because they may have come to this node meanwhile.
            self.told.granted = 0;
        }
        for user in std::mem::take(&mut self.told.touched) {
            self.tell_person(user);
        }
        if known.then_some(&self.view.pen) != self.told.pen.as_ref() {
            self.told.pen = known.then(|| self.view.pen.clone());
            self.tell_all(Tell::Pen { pen: self.told.pen.clone() });
        }
        if let Some(Pen { holder: Some(holder), token, .. }) = &self.told.pen
            && *token > self.told.granted
        {
            let token = *token;
            let conns: Vec<Conn> = self.local.connections(holder).copied().collect();
            self.told.granted = token;
            for conn in conns {
                self.tell(conn, Tell::Granted { token });
            }
        }
    }

    fn tell_person(&mut self, user: User) {
        let person = self.person(&user);
        if self.told.people.get(&user) == person.as_ref() {
            return;
        }
        match person {
            Some(person) => {
                self.told.people.insert(user, person.clone());
                self.tell_all(Tell::Person(person));
            }
            None => {
                self.told.people.remove(&user);
                self.tell_all(Tell::Left { user });
            }
        }
    }
}
