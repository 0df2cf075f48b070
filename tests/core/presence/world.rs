//! A machine and the reference get the same inputs. After each step, everything that can be asked is compared.

use std::time::Duration;

use liveness::presence::{Presence, PresenceChange};
use liveness::{Status, Timestamp};

use super::reference::{Connection, Input, Reference, User};

/// The number of users, and of connections.
pub(crate) const USERS: User = 4;
pub(crate) const CONNECTIONS: Connection = 6;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Input(Input),
    /// An input with an earlier timestamp.
    Late(Input, u64),
    /// One poll, even if there is more to report.
    Poll,
    /// This many nanoseconds, with polls whenever one is due.
    Wait(u64),
    /// This many nanoseconds without a poll.
    Sleep(u64),
}

/// What a world has seen. Otherwise a property could hold because nothing happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    pub(crate) joined: usize,
    pub(crate) suspected: usize,
    pub(crate) recovered: usize,
    pub(crate) left: usize,
    /// Connected again while lingering.
    pub(crate) reloads: usize,
    /// Connected again when the linger was over, but before a poll.
    pub(crate) late_reloads: usize,
    /// A linger that ran out while nobody looked began again.
    pub(crate) begun_anew: usize,
    /// Claimed a connection of another user.
    pub(crate) claims: usize,
    /// Inputs about an unknown connection.
    pub(crate) strays: usize,
}

#[derive(Debug)]
pub(crate) struct World {
    presence: Presence<User, Connection>,
    reference: Reference,
    linger: Duration,
    now: u64,
    /// The latest moment of an input.
    seen: u64,
    pub(crate) changes: Vec<(u64, PresenceChange<User>)>,
    pub(crate) reached: Reached,
}

impl World {
    pub(crate) fn new(linger: Duration, start: u64) -> Self {
        let nanos = u64::try_from(linger.as_nanos()).unwrap_or(u64::MAX);
        let mut presence = Presence::with_linger(linger);
        assert_eq!(presence.linger(), linger);
        // Not the origin, so that an earlier timestamp exists.
        assert_eq!(presence.poll(Timestamp::from_nanos(start)), None);
        let mut reference = Reference::new(nanos);
        reference.look(start);
        Self {
            presence,
            reference,
            linger,
            now: start,
            seen: start,
            changes: Vec::new(),
            reached: Reached::default(),
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Input(input) => self.input(input, self.now),
            Step::Late(input, by) => self.input(input, self.now.saturating_sub(by)),
            Step::Poll => drop(self.poll()),
            Step::Sleep(nanos) => self.now = self.now.saturating_add(nanos),
            Step::Wait(nanos) => self.wait(nanos),
        }
        self.compare();
    }

    /// Everybody leaves, and nothing is left of them.
    pub(crate) fn finish(mut self) {
        for user in 0..USERS {
            self.step(Step::Input(Input::RemoveUser(user)));
        }
        self.step(Step::Wait(0));
        let mut fresh = Presence::with_linger(self.linger);
        assert_eq!(fresh.poll(Timestamp::from_nanos(self.now)), None);
        // At the far end of time nobody leaves.
        if self.now != u64::MAX {
            assert_eq!(self.presence, fresh, "something is kept of users who have left");
        }
    }

    fn input(&mut self, input: Input, at: u64) {
        self.count(input);
        // Time inside never runs backwards.
        self.seen = self.seen.max(at);
        self.look();
        self.reference.input(self.seen, input);
        let at = Timestamp::from_nanos(at);
        match input {
            Input::Connect(connection, user) => self.presence.connect(connection, user, at),
            Input::SetStatus(connection, status) => self.presence.set_status(&connection, status, at),
            Input::Disconnect(connection) => self.presence.disconnect(&connection, at),
            Input::RemoveUser(user) => self.presence.remove_user(&user, at),
        }
    }

    fn look(&mut self) {
        let due = self.reference.next_at(self.seen);
        self.reference.look(self.seen);
        self.reached.begun_anew += usize::from(due != self.reference.next_at(self.seen));
    }

    fn count(&mut self, input: Input) {
        let connections = self.reference.connections();
        match input {
            Input::Connect(connection, user) => {
                let shown = self.presence.status(&user) != Status::Offline;
                if shown && self.presence.connections(&user).next().is_none() {
                    self.reached.reloads += 1;
                    let overdue = self.reference.next(self.now) == Some(PresenceChange::Left(user));
                    self.reached.late_reloads += usize::from(overdue);
                }
                let former = connections.get(&connection).map(|(owner, _)| *owner);
                self.reached.claims += usize::from(former.is_some_and(|former| former != user));
            }
            Input::SetStatus(connection, _) | Input::Disconnect(connection) => {
                self.reached.strays += usize::from(!connections.contains_key(&connection));
            }
            Input::RemoveUser(_) => {}
        }
    }

    /// One poll. Returns whether it reported something.
    fn poll(&mut self) -> bool {
        self.seen = self.seen.max(self.now);
        self.look();
        let expected = self.reference.next(self.now);
        let change = self.presence.poll(Timestamp::from_nanos(self.now));
        assert_eq!(change, expected, "at {}", Timestamp::from_nanos(self.now));
        let Some(change) = change else { return false };
        match change {
            PresenceChange::Joined(_) => self.reached.joined += 1,
            PresenceChange::Suspected(_) => self.reached.suspected += 1,
            PresenceChange::Recovered(_) => self.reached.recovered += 1,
            PresenceChange::Left(_) => self.reached.left += 1,
        }
        self.changes.push((self.now, change));
        self.reference.tell(change);
        self.compare();
        true
    }

    fn drain(&mut self) {
        // No user can be reported more than twice.
        for _ in 0..=2 * USERS {
            if !self.poll() {
                let next = self.presence.poll_timeout();
                let now = Timestamp::from_nanos(self.now);
                assert!(next.is_none_or(|next| next > now), "at {now} it wants to be polled at {next:?}");
                return;
            }
        }
        panic!("it has something to say for ever");
    }

    fn wait(&mut self, nanos: u64) {
        let until = self.now.saturating_add(nanos);
        self.drain();
        while let Some(next) =
            self.presence.poll_timeout().map(Timestamp::as_nanos).filter(|next| *next <= until)
        {
            // Just before that there is nothing.
            self.now = self.now.max(next - 1);
            assert!(!self.poll());
            self.now = next;
            self.drain();
        }
        self.now = until;
    }

    fn compare(&self) {
        let list = self.reference.list();
        let shown: Vec<_> = self.presence.iter().map(|(user, status)| (*user, status)).collect();
        assert_eq!(shown, list.clone().into_iter().collect::<Vec<_>>());
        assert_eq!((self.presence.len(), self.presence.is_empty()), (list.len(), list.is_empty()));
        let suspects = list.values().filter(|status| **status == Status::Suspect).count();
        assert_eq!(self.presence.suspects(), suspects);

        let connections = self.reference.connections();
        for user in 0..USERS {
            assert_eq!(self.presence.status(&user), list.get(&user).copied().unwrap_or(Status::Offline));
            let of = |wanted| {
                let theirs = connections
                    .iter()
                    .filter(move |(_, (owner, status))| (*owner, *status) == (user, wanted));
                theirs.map(|(connection, _)| *connection)
            };
            let theirs: Vec<_> = of(Status::Online).chain(of(Status::Suspect)).collect();
            assert_eq!(self.presence.connections(&user).copied().collect::<Vec<_>>(), theirs);
        }
        for connection in 0..CONNECTIONS {
            let owner = connections.get(&connection).map(|(owner, _)| owner);
            assert_eq!(self.presence.user(&connection), owner);
        }

        let next = self.presence.poll_timeout().map(Timestamp::as_nanos);
        match self.reference.next_at(self.seen) {
            Some(due) if due <= self.seen => {
                assert!(next.is_some_and(|next| next <= due), "due, but it says {next:?}")
            }
            due => assert_eq!(next, due),
        }
    }
}
