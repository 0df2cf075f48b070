//! Who is here: users from their connections, steady over reloads.
//!
//! [`Presence`] is the machine, [`PresenceChange`] what comes out of it.

mod change;
mod person;

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

pub use self::change::PresenceChange;
use self::person::Person;
use crate::event::{Action, Status};
use crate::time::{Timestamp, duration, nanos};

/// How long a user stays after their last connection, by default: 5 s.
///
/// A reload closes a connection and opens the next when the page has come back: under a second at a desk, two to four on a
/// phone with a slow network. What is longer is no reload, and every second more shows people who have left.
pub const DEFAULT_LINGER: Duration = Duration::from_secs(5);

/// The people in a room, from their connections: who is online, who is suspect, who came and who left.
///
/// Think of a porter with a list. Somebody is here while a door of theirs is open; a second door changes nothing, and who
/// goes out and comes in again at once has not left. Only what the porter calls out, changes the list.
///
/// Methods come in four kinds:
///
/// - *inputs*: [`connect`](Self::connect), once it is known whose a connection is; then [`handle`](Self::handle) with what its
///   [`Liveness`](crate::Liveness) hands out, or [`set_status`](Self::set_status) where something else watches it;
/// - *commands*: [`disconnect`](Self::disconnect) and [`remove_user`](Self::remove_user), where somebody said goodbye;
/// - *outputs*: [`poll`](Self::poll) until it returns `None`, then not before [`poll_timeout`](Self::poll_timeout);
/// - *questions*, which change nothing: [`status`](Self::status), [`iter`](Self::iter), [`len`](Self::len) and others.
///
/// `U` names a user, `C` a connection: a number, or a fleet's [`Key`](crate::Key). The user's name is cloned a few times, so
/// a long one is better an `Arc<str>`. Nothing panics, on any input, and a timestamp earlier than the latest counts as the
/// latest.
///
/// # The rules
///
/// 1. **Online** while any of their connections is; **suspect** while every one of them is.
/// 2. **Linger** runs from the end of the last connection, whatever ended it. Meanwhile the user stays as they were shown
///    last. A new connection before they are called out as gone, and nothing ever happened. The poll decides: a user who is
///    back when it comes has not left, even where it comes late. So hand in what happened first, then poll. Zero calls the
///    user out at once, and every reload with them; `Duration::MAX` never, until they are [removed](Self::remove_user).
/// 3. **Goodbye** does not linger.
/// 4. **A connection belongs to the user who was connected with it last.** For its former user it has ended, as in rule 2; an identity
///    that is used again is a new connection. Connected again for the same user it is the same one, and online.
/// 5. **Late, double or unknown** inputs, of connections that have ended or were never connected, are nothing.
/// 6. **Only the difference is told**: who came and went between two polls was not here, and who was suspect for less than
///    that never was. Those who leave come first, in the order of their moments; the others in the order of `U`.
/// 7. **A late look is no look.** A linger that ran out while nobody looked, neither by a poll nor by an input, for longer than
///    [`stall_tolerance`](Self::stall_tolerance), begins anew with the next look: the process slept, and whoever came back
///    meanwhile waits to be read. Once for each departure, so that a driver that is always late comes to an end too. A
///    goodbye is a goodbye, however late it is seen.
///
/// # Away
///
/// "Away" and "do not disturb" are no liveness: a user says so, or does nothing for a while, and their connections are well. Keep
/// it beside, by user, show it where the user is [`Online`](Status::Online), and forget it with their
/// [`Left`](PresenceChange::Left). `Suspect` is not for it: the next sign of life would take it back.
///
/// ```
/// use std::collections::BTreeSet;
/// use liveness::{Presence, PresenceChange, Status, Timestamp};
///
/// let (mut room, mut away) = (Presence::new(), BTreeSet::new());
/// room.connect(1, "ann", Timestamp::ZERO);
/// away.insert("ann"); // she says so
/// while let Some(change) = room.poll(Timestamp::ZERO) {
///     if let PresenceChange::Left(user) = change {
///         away.remove(user);
///     }
/// }
/// let shown = match room.status(&"ann") {
///     Status::Online if away.contains("ann") => "away",
///     Status::Online => "online",
///     Status::Suspect => "does not answer",
///     Status::Offline => "not here",
/// };
/// assert_eq!(shown, "away");
/// ```
///
/// # What is promised
///
/// For each user a [`Joined`](PresenceChange::Joined) first, then a [`Left`](PresenceChange::Left), alternately, whatever was handed in.
/// The questions answer by what was handed out, so that they and a list kept by the changes agree at every moment. A
/// `Left` comes no earlier than its moment, and the first poll from then on brings it, unless that is late (rule 7). After `poll(now)` returned `None`,
/// `poll_timeout()` is later than `now`. Nothing is kept of those who have left.
///
/// # Many rooms
///
/// Each has a `Presence` of its own. One in which [`is_empty`](Self::is_empty) holds and `poll_timeout` is `None` keeps
/// nothing, and may be dropped.
///
/// ```
/// use core::time::Duration;
/// use liveness::presence::{Presence, PresenceChange};
/// use liveness::{Action, Reason, Status, Timestamp};
///
/// let at = Timestamp::from_secs;
/// let mut room = Presence::with_linger(Duration::from_secs(5));
/// room.connect(1, "ann", at(0)); // her laptop
/// room.connect(2, "ann", at(0)); // her phone
/// assert_eq!(room.poll(at(0)), Some(PresenceChange::Joined("ann")));
/// assert_eq!(room.poll(at(0)), None);
///
/// // The phone falls silent: she is still at her laptop. Then that is suspect, too.
/// room.handle(&2, Action::MarkSuspect, at(20));
/// assert_eq!(room.poll(at(20)), None);
/// room.handle(&1, Action::MarkSuspect, at(21));
/// assert_eq!(room.poll(at(21)), Some(PresenceChange::Suspected("ann")));
/// room.handle(&1, Action::MarkOnline, at(22));
/// assert_eq!(room.poll(at(22)), Some(PresenceChange::Recovered("ann")));
///
/// // The phone is given up, and she reloads the page: nobody sees either.
/// room.handle(&2, Action::MarkOffline(Reason::PingTimeout), at(30));
/// room.handle(&1, Action::MarkOffline(Reason::PeerClosed(Some(1001))), at(40));
/// assert_eq!(room.poll(at(40)), None);
/// assert_eq!(room.poll_timeout(), Some(at(45)));
/// room.connect(3, "ann", at(42));
/// assert_eq!((room.poll(at(60)), room.status(&"ann")), (None, Status::Online));
///
/// // She closes it.
/// room.handle(&3, Action::MarkOffline(Reason::PeerClosed(Some(1001))), at(70));
/// assert_eq!(room.poll(at(70) + Duration::from_millis(4999)), None);
/// assert_eq!(room.poll(at(75)), Some(PresenceChange::Left("ann")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence<U, C = u64> {
    now: Timestamp,
    linger: u64,
    stall_tolerance: u64,
    /// Whose a connection is: of those that were connected and have not ended.
    owners: BTreeMap<C, U>,
    /// Who has a connection, or is shown.
    people: BTreeMap<U, Person<C>>,
    /// Those with a connection who are not shown as they are.
    changed: BTreeSet<U>,
    /// Those without a connection, and when they will have left; but for those who never will.
    leaving: BTreeSet<(Timestamp, U)>,
    shown: usize,
    suspects: usize,
}

impl<U: Ord + Clone, C: Ord + Clone> Presence<U, C> {
    /// Nobody is here yet, and who leaves lingers for [`DEFAULT_LINGER`].
    #[must_use]
    pub const fn new() -> Self {
        Self::with_linger(DEFAULT_LINGER)
    }

    /// Nobody is here yet. Whose last connection ends is here for `linger` more: zero calls them out at once,
    /// `Duration::MAX` never.
    #[must_use]
    pub const fn with_linger(linger: Duration) -> Self {
        Self {
            now: Timestamp::ZERO,
            linger: nanos(linger),
            stall_tolerance: nanos(linger) / 4,
            owners: BTreeMap::new(),
            people: BTreeMap::new(),
            changed: BTreeSet::new(),
            leaving: BTreeSet::new(),
            shown: 0,
            suspects: 0,
        }
    }

    /// By how much nobody may look when a linger has run out, before it begins anew (rule 7). Default: a quarter of the linger;
    /// `Duration::MAX`: it never begins anew, for whoever has no timer and looks only when somebody asks.
    #[must_use]
    pub const fn stall_tolerance(mut self, tolerance: Duration) -> Self {
        self.stall_tolerance = nanos(tolerance);
        self
    }

    /// This connection is this user's, and online. [`poll`](Self::poll) afterwards: they may have joined.
    ///
    /// One that was another's has ended for them. What its machine handed out before this call is not needed. But if the
    /// connection had ended before its user's name came, call [`set_status`](Self::set_status) with `Offline` afterwards:
    /// nothing else will end it here.
    pub fn connect(&mut self, connection: C, user: U, now: Timestamp) {
        self.advance(now);
        let former = self.owners.insert(connection.clone(), user.clone());
        if let Some(former) = former.filter(|former| *former != user) {
            self.update_connection(&former, &connection, Status::Offline, self.linger);
        }
        let person = self.people.entry(user.clone()).or_insert(Person::UNKNOWN);
        person.suspect.remove(&connection);
        person.online.insert(connection);
        self.update_user(&user, self.linger);
    }

    /// What the machine of a connection handed out. What concerns only the connection, such as a ping, is nothing here.
    pub fn handle(&mut self, connection: &C, action: Action, now: Timestamp) {
        match action {
            Action::MarkOnline => self.set_status(connection, Status::Online, now),
            Action::MarkSuspect => self.set_status(connection, Status::Suspect, now),
            Action::MarkOffline(_) => self.set_status(connection, Status::Offline, now),
            Action::SendPing(_) | Action::Close(_) | Action::Disconnect => {}
        }
    }

    /// A connection is as this says: what [`Liveness::status`](crate::Liveness::status) answers, or whatever else watches it.
    ///
    /// Offline is the end of it. If it was its user's last, they linger.
    pub fn set_status(&mut self, connection: &C, status: Status, now: Timestamp) {
        self.set_or_end(connection, status, self.linger, now);
    }

    /// The user of a connection said goodbye on it: it has ended, and if it was their last, they leave without lingering.
    ///
    /// Not for a connection that just ended: that is [`set_status`](Self::set_status) with `Offline`, and lingers. A browser's
    /// Close frame is no goodbye either: it says the same before a reload.
    pub fn disconnect(&mut self, connection: &C, now: Timestamp) {
        self.set_or_end(connection, Status::Offline, 0, now);
    }

    /// A user logged out, or was shown the door: all their connections have ended for this list, and they leave without
    /// lingering.
    ///
    /// Closing the connections is the caller's affair: ask for [`connections`](Self::connections) first.
    pub fn remove_user(&mut self, user: &U, now: Timestamp) {
        self.advance(now);
        let Some(person) = self.people.get_mut(user) else { return };
        for connection in person.online.iter().chain(&person.suspect) {
            self.owners.remove(connection);
        }
        person.online.clear();
        person.suspect.clear();
        self.update_user(user, 0);
    }

    /// The next change, one at a time: call until `None`, then not before [`poll_timeout`](Self::poll_timeout).
    ///
    /// The questions answer by what this has returned.
    #[must_use = "a dropped change is a user shown who is gone, or gone who is not shown"]
    pub fn poll(&mut self, now: Timestamp) -> Option<PresenceChange<U>> {
        self.advance(now);
        if self.leaving.first().is_some_and(|(leaves, _)| *leaves <= self.now) {
            let (_, user) = self.leaving.pop_first()?;
            if self.people.remove(&user)?.shown == Status::Suspect {
                self.suspects = self.suspects.saturating_sub(1);
            }
            self.shown = self.shown.saturating_sub(1);
            return Some(PresenceChange::Left(user));
        }
        let user = self.changed.pop_first()?;
        let person = self.people.get_mut(&user)?;
        let change = match person.shown {
            Status::Offline => {
                self.shown = self.shown.saturating_add(1);
                PresenceChange::Joined(user)
            }
            Status::Online => {
                self.suspects = self.suspects.saturating_add(1);
                PresenceChange::Suspected(user)
            }
            Status::Suspect => {
                self.suspects = self.suspects.saturating_sub(1);
                PresenceChange::Recovered(user)
            }
        };
        person.shown = change.status();
        if person.shown != person.status() {
            // Who joined and is suspect already is told of twice.
            self.changed.insert(change.user().clone());
        }
        Some(change)
    }

    /// When to poll next, if nothing happens before; `None`: not before the next input.
    ///
    /// Not later than the present while there is something to hand out now.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if !self.changed.is_empty() {
            return Some(self.now);
        }
        self.leaving.first().map(|(leaves, _)| *leaves)
    }

    /// What was handed out of a user last: [`Status::Offline`] of those who are not here.
    ///
    /// Who lingers is as they were; [`connections`](Self::connections) tells them from the others.
    #[must_use]
    pub fn status(&self, user: &U) -> Status {
        self.people.get(user).map_or(Status::Offline, |person| person.shown)
    }

    /// Everybody who is here, in the order of `U`, each online or suspect.
    pub fn iter(&self) -> impl Iterator<Item = (&U, Status)> {
        let all = self.people.iter().map(|(user, person)| (user, person.shown));
        all.filter(|(_, shown)| *shown != Status::Offline)
    }

    /// How many are here, suspects included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.shown
    }

    /// Nobody is here.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.shown == 0
    }

    /// How many of those who are here are suspect.
    #[must_use]
    pub const fn suspects(&self) -> usize {
        self.suspects
    }

    /// A user's connections, those that are online first: as handed in, whether told of or not. None of one who lingers.
    pub fn connections<'a>(&'a self, user: &U) -> impl Iterator<Item = &'a C> + use<'a, U, C> {
        self.people.get(user).into_iter().flat_map(|person| person.online.iter().chain(&person.suspect))
    }

    /// Whose a connection is; `None` where it has ended or was never connected.
    #[must_use]
    pub fn user(&self, connection: &C) -> Option<&U> {
        self.owners.get(connection)
    }

    /// How long a user stays after their last connection.
    #[must_use]
    pub const fn linger(&self) -> Duration {
        duration(self.linger)
    }
}

impl<U: Ord + Clone, C: Ord + Clone> Default for Presence<U, C> {
    fn default() -> Self {
        Self::new()
    }
}
