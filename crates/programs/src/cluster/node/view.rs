//! What a node has read: the cluster as of the latest news.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use liveness::presence::Presence;
use liveness::{Status, Timestamp};

use crate::cluster::store::{Incarnation, LINES, Line, News, Pen, Picture, User};
use crate::cluster::words::{Known, Seen};

pub(crate) struct View {
    upto: u64,
    nodes: BTreeMap<Incarnation, Seen>,
    /// The same by name. It is made again when a node comes or goes.
    shown: Arc<[Seen]>,
    claims: BTreeMap<Incarnation, BTreeSet<User>>,
    /// A connection here is the claim of a node's life. Redis says when somebody has left, so this list has no linger of
    /// its own.
    people: Presence<User, (Incarnation, User)>,
    pub(crate) pen: Pen,
    pub(crate) text: VecDeque<Line>,
}

/// Some news are missing, so a new picture is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap;

impl View {
    pub(crate) fn empty() -> Self {
        Self {
            upto: 0,
            nodes: BTreeMap::new(),
            shown: Arc::default(),
            claims: BTreeMap::new(),
            people: Presence::with_linger(Duration::MAX),
            pen: Pen::default(),
            text: VecDeque::new(),
        }
    }

    pub(crate) fn of(picture: Picture, now: Timestamp) -> Self {
        let mut view = Self { upto: picture.upto, pen: picture.pen, ..Self::empty() };
        view.text = picture.text.into();
        for (inc, name, address) in picture.nodes {
            view.nodes.insert(inc, Seen { name: name.into(), address });
        }
        view.show_nodes();
        for user in picture.away {
            // No node's life has the number 0.
            view.claim(Incarnation(0), user.clone(), Status::Online, now);
            view.poll(now);
            view.claim(Incarnation(0), user, Status::Offline, now);
        }
        for (inc, user, status) in picture.claims {
            view.claim(inc, user, status, now);
        }
        view.poll(now);
        view
    }

    /// Returns the users that may have changed. The news must not be in the picture already: see [`is_after`](Self::is_after).
    pub(crate) fn apply(&mut self, n: u64, news: News, now: Timestamp) -> Result<Vec<User>, Gap> {
        if n != self.upto + 1 {
            return Err(Gap);
        }
        self.upto = n;
        let touched = match news {
            News::Node { inc, name, address } => {
                self.nodes.insert(inc, Seen { name: name.into(), address });
                self.show_nodes();
                Vec::new()
            }
            News::Gone(inc) => {
                self.nodes.remove(&inc);
                self.show_nodes();
                let claimed = self.claims.remove(&inc).unwrap_or_default();
                for user in &claimed {
                    self.people.set_status(&(inc, user.clone()), Status::Offline, now);
                }
                claimed.into_iter().collect()
            }
            News::Claim(inc, user, status) => {
                self.claim(inc, user.clone(), status, now);
                vec![user]
            }
            News::Left(user) => {
                self.people.remove_user(&user, now);
                vec![user]
            }
            News::Pen(pen) => {
                self.pen = pen;
                Vec::new()
            }
            News::Wrote(line) => {
                if self.text.len() == LINES {
                    self.text.pop_front();
                }
                self.text.push_back(line);
                Vec::new()
            }
            News::Said(..) => Vec::new(),
        };
        self.poll(now);
        Ok(touched)
    }

    /// The picture contains the news of this number.
    pub(crate) const fn is_after(&self, n: u64) -> bool {
        n <= self.upto
    }

    fn claim(&mut self, inc: Incarnation, user: User, status: Status, now: Timestamp) {
        let connection = (inc, user.clone());
        let claimed = self.claims.entry(inc).or_default();
        if status == Status::Offline {
            claimed.remove(&user);
        } else if claimed.insert(user.clone()) {
            self.people.connect(connection.clone(), user, now);
        }
        self.people.set_status(&connection, status, now);
    }

    /// Callers ask when they want to know, so the changes are not needed.
    fn poll(&mut self, now: Timestamp) {
        while self.people.poll(now).is_some() {}
    }

    /// `None` if the user is not here.
    pub(crate) fn status(&self, user: &User) -> Option<Known> {
        let status = self.people.status(user);
        let claimed = self.people.connections(user).next().is_some();
        match status {
            Status::Offline => None,
            Status::Online | Status::Suspect if !claimed => Some(Known::Away),
            Status::Online => Some(Known::Online),
            Status::Suspect => Some(Known::Suspect),
        }
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = &User> {
        self.people.iter().map(|(user, _)| user)
    }

    /// The names of the nodes that claim them.
    pub(crate) fn nodes_of(&self, user: &User) -> impl Iterator<Item = &Arc<str>> {
        self.people.connections(user).filter_map(|(inc, _)| Some(&self.nodes.get(inc)?.name))
    }

    pub(crate) fn name(&self, inc: Incarnation) -> Option<&Arc<str>> {
        self.nodes.get(&inc).map(|node| &node.name)
    }

    /// By name.
    pub(crate) const fn nodes(&self) -> &Arc<[Seen]> {
        &self.shown
    }

    fn show_nodes(&mut self) {
        let mut nodes: Vec<_> = self.nodes.values().cloned().collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        self.shown = nodes.into();
    }
}
