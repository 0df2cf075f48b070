//! One user: their connections, the reported status, and when the user leaves.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::Presence;
use crate::event::Status;
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person<C> {
    pub(super) online: BTreeSet<C>,
    pub(super) suspect: BTreeSet<C>,
    /// The status that was reported last.
    pub(super) shown: Status,
    /// When the user leaves; the far end of time while they have a connection.
    pub(super) leaves: Timestamp,
    /// The linger may begin again, if it runs out while nobody calls.
    pub(super) may_begin_anew: bool,
}

impl<C: Ord> Person<C> {
    pub(super) const UNKNOWN: Self = Self {
        online: BTreeSet::new(),
        suspect: BTreeSet::new(),
        shown: Status::Offline,
        leaves: Timestamp::MAX,
        may_begin_anew: false,
    };

    /// The status by their connections (rule 1).
    pub(super) fn status(&self) -> Status {
        match (self.online.is_empty(), self.suspect.is_empty()) {
            (false, _) => Status::Online,
            (true, false) => Status::Suspect,
            (true, true) => Status::Offline,
        }
    }

    /// `false` if the connection is not theirs.
    pub(super) fn set_status(&mut self, connection: &C, status: Status) -> bool {
        let Some(connection) = self.online.take(connection).or_else(|| self.suspect.take(connection)) else {
            return false;
        };
        match status {
            Status::Online => self.online.insert(connection),
            Status::Suspect => self.suspect.insert(connection),
            Status::Offline => true,
        }
    }
}

impl<U: Ord + Clone, C: Ord + Clone> Presence<U, C> {
    pub(super) fn advance(&mut self, now: Timestamp) {
        let before = self.now;
        self.now = before.max(now);
        // No linger can have run out without a call, because the call before this one was so recent.
        if self.now.since(before) > self.stall_tolerance {
            self.begin_anew(before);
        }
    }

    /// Users whose linger ran out while nobody called linger once more. They may be back already, on a connection that was not
    /// read yet.
    fn begin_anew(&mut self, before: Timestamp) {
        let leaves = self.now.after(self.linger);
        let late = |at: &Timestamp| at.is_seen_late(before, self.now, self.stall_tolerance);
        let late: Vec<_> = self.leaving.iter().take_while(|(at, _)| late(at)).cloned().collect();
        for (at, user) in late {
            let Some(person) = self.people.get_mut(&user).filter(|person| person.may_begin_anew) else {
                continue;
            };
            person.may_begin_anew = false;
            person.leaves = leaves;
            self.leaving.remove(&(at, user.clone()));
            if leaves != Timestamp::MAX {
                self.leaving.insert((leaves, user));
            }
        }
    }

    pub(super) fn set_or_end(&mut self, connection: &C, status: Status, linger: u64, now: Timestamp) {
        self.advance(now);
        let Some(user) = self.owners.get(connection).cloned() else { return };
        if status == Status::Offline {
            self.owners.remove(connection);
        }
        self.update_connection(&user, connection, status, linger);
    }

    pub(super) fn update_connection(&mut self, user: &U, connection: &C, status: Status, linger: u64) {
        if self.people.get_mut(user).is_some_and(|person| person.set_status(connection, status)) {
            self.update_user(user, linger);
        }
    }

    /// Updates a user after a change of their connections. `linger` applies if they now have none.
    pub(super) fn update_user(&mut self, user: &U, linger: u64) {
        let Some(person) = self.people.get_mut(user) else { return };
        if person.leaves != Timestamp::MAX {
            self.leaving.remove(&(person.leaves, user.clone()));
            person.leaves = Timestamp::MAX;
            person.may_begin_anew = false;
        }
        let status = person.status();
        if status == person.shown || status == Status::Offline {
            self.changed.remove(user);
        } else {
            self.changed.insert(user.clone());
        }
        match (status, person.shown) {
            // They came and went between two polls: nothing was reported, so nothing lingers.
            (Status::Offline, Status::Offline) => {
                self.people.remove(user);
            }
            (Status::Offline, Status::Online | Status::Suspect) => {
                person.leaves = self.now.after(linger);
                person.may_begin_anew = linger > 0;
                if person.leaves != Timestamp::MAX {
                    self.leaving.insert((person.leaves, user.clone()));
                }
            }
            (Status::Online | Status::Suspect, _) => {}
        }
    }
}
