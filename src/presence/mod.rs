//! The users who are online, computed from their connections and stable over reloads.
//!
//! Use it for a list of users. If your program shows connections, the actions of each machine are enough.
//! [`Presence`] is the machine. [`PresenceChange`] is what it reports.
//!
//! ```
//! use liveness::presence::{Presence, PresenceChange};
//! use liveness::{Status, Timestamp};
//!
//! let at = Timestamp::from_secs;
//! let mut room = Presence::new();
//! room.connect(1, "ann", at(0));
//! assert_eq!(room.poll(at(0)), Some(PresenceChange::Joined("ann")));
//!
//! room.set_status(&1, Status::Offline, at(60));
//! assert_eq!(room.poll(at(60)), None); // she lingers, because it may be a reload
//! assert_eq!(room.poll(at(65)), Some(PresenceChange::Left("ann")));
//! ```

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
/// A reload closes a connection, and opens the next one when the page has loaded again. That takes less than a second on a
/// desktop, and two to four seconds on a phone with a slow network. A longer gap is not a reload, and each second more shows
/// people who have left.
pub const DEFAULT_LINGER: Duration = Duration::from_secs(5);

/// The people in a room, from their connections: who is online, who is suspect, who came and who left.
///
/// A user is *here* while at least one of their connections is open. A second connection changes nothing. After the last
/// connection has ended the user *lingers*, which means that they stay here for a while, so that a reload is not reported. Only
/// the changes that `poll` returns alter the list.
///
/// Methods come in four kinds:
///
/// - *inputs*: [`connect`](Self::connect), as soon as the user of a connection is known; then [`handle`](Self::handle) with each
///   action of its [`Liveness`](crate::Liveness), or [`set_status`](Self::set_status) if something else watches the connection;
/// - *commands*: [`disconnect`](Self::disconnect) and [`remove_user`](Self::remove_user), when a user said goodbye;
/// - *outputs*: [`poll`](Self::poll) until it returns `None`, then not before [`poll_timeout`](Self::poll_timeout);
/// - *questions*, which change nothing: [`status`](Self::status), [`iter`](Self::iter), [`len`](Self::len) and others.
///
/// `U` names a user. `C` names a connection: a number, or a fleet's [`Key`](crate::Key). The user's name is cloned a few times,
/// so use an `Arc<str>` for a long one. No input causes a panic. A timestamp earlier than the latest counts as the latest.
///
/// # The rules
///
/// 1. A user is **online** while any of their connections is online, and **suspect** while all of them are suspect.
/// 2. **Linger** begins at the end of the last connection, whatever ended it. Meanwhile the user keeps the status that was
///    reported last. If a new connection comes before `Left` is returned, nothing is reported. The poll decides: a user who is
///    back when `poll` is called has not left, even if the call is late. So first report what happened, then poll. With a
///    linger of zero the user leaves at once, and every reload is reported. With `Duration::MAX` the user stays until they
///    are [removed](Self::remove_user).
/// 3. A user who said **goodbye** does not linger.
/// 4. **A connection belongs to the user who was connected with it last.** For its former user it has ended, as in rule 2. A name
///    `C` that is used again after its end is a new connection. If it is connected again for the same user, it is the same
///    connection, and online.
/// 5. **Late, double or unknown** inputs change nothing: those of connections that have ended or were never connected.
/// 6. **Only net changes are reported.** If a user came and went between two polls, or a suspicion began and ended between
///    two polls, nothing is reported. Users who leave are reported first, in the order of time. The others follow in the
///    order of `U`.
/// 7. **A late call does not end a linger.** The next call may be a poll or an input. If it comes more than
///    [`stall_tolerance`](Self::stall_tolerance) after the end of a linger, the linger begins again at that call. The process was
///    probably suspended then, and a connection of a user who came back may wait to be read. This happens once for each
///    departure, so that the linger also ends under a driver that is always late. It does not apply to a goodbye.
///
/// # Away
///
/// "Away" and "do not disturb" are not liveness: a user chooses them, or does nothing for a while, and their connections are
/// fine. Store them separately, for each user. Show them while the user is [`Online`](Status::Online), and forget them when
/// the user has [`Left`](PresenceChange::Left). Do not use `Suspect` for them, because the next sign of life would clear it.
///
/// ```
/// use std::collections::BTreeSet;
/// use liveness::{Presence, PresenceChange, Status, Timestamp};
///
/// let (mut room, mut away) = (Presence::new(), BTreeSet::new());
/// room.connect(1, "ann", Timestamp::ZERO);
/// away.insert("ann"); // she chose it
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
/// [`Joined`](PresenceChange::Joined) and [`Left`](PresenceChange::Left) alternate for each user, and `Joined` comes first,
/// for any input. The questions follow the changes that `poll` has returned, so they always agree with a list that the
/// caller keeps from the changes. A `Left` is never returned before the linger is over. The first poll after that returns
/// it, unless that poll is late (rule 7). After `poll(now)` returned `None`, `poll_timeout()` is later than `now`. Nothing
/// is stored about users who have left.
///
/// # Many rooms
///
/// Each room has its own `Presence`. If [`is_empty`](Self::is_empty) is true and `poll_timeout` is `None`, it stores nothing and
/// may be dropped.
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
/// // The phone falls silent: she is still at her laptop. Then the laptop is suspect, too.
/// room.handle(&2, Action::MarkSuspect, at(20));
/// assert_eq!(room.poll(at(20)), None);
/// room.handle(&1, Action::MarkSuspect, at(21));
/// assert_eq!(room.poll(at(21)), Some(PresenceChange::Suspected("ann")));
/// room.handle(&1, Action::MarkOnline, at(22));
/// assert_eq!(room.poll(at(22)), Some(PresenceChange::Recovered("ann")));
///
/// // The phone is offline, and she reloads the page: nobody sees either.
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
    /// The user of each connection that was connected and has not ended.
    owners: BTreeMap<C, U>,
    /// Users who have a connection, or were reported as here.
    people: BTreeMap<U, Person<C>>,
    /// Users with a connection whose status was not reported yet.
    changed: BTreeSet<U>,
    /// Users without a connection, and when they will have left. Users who never will are not in it.
    leaving: BTreeSet<(Timestamp, U)>,
    shown: usize,
    suspects: usize,
}

impl<U: Ord + Clone, C: Ord + Clone> Presence<U, C> {
    /// A room with nobody in it. A user lingers for [`DEFAULT_LINGER`].
    #[must_use]
    pub const fn new() -> Self {
        Self::with_linger(DEFAULT_LINGER)
    }

    /// A room with nobody in it. A user stays for `linger` after the end of their last connection. Zero: they leave at once.
    /// `Duration::MAX`: they stay until they are removed.
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

    /// How late the first call after the end of a linger may be. If it is later, the linger begins again (rule 7). Default: a
    /// quarter of the linger. `Duration::MAX`: the linger never begins again. This is for a caller without a timer, which polls
    /// only when a request comes.
    #[must_use]
    pub const fn stall_tolerance(mut self, tolerance: Duration) -> Self {
        self.stall_tolerance = nanos(tolerance);
        self
    }

    /// Connects this connection with this user, as online. Call [`poll`](Self::poll) afterwards, because they may have
    /// joined.
    ///
    /// If the connection belonged to another user, it has ended for that user. The actions that its machine returned before this
    /// call are not needed. If the connection had already ended when the user's name arrived, call
    /// [`set_status`](Self::set_status) with `Offline` afterwards, because nothing else will end it here.
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

    /// Takes an action of a connection's machine. Actions that concern only the connection, such as a ping, change nothing
    /// here.
    pub fn handle(&mut self, connection: &C, action: Action, now: Timestamp) {
        match action {
            Action::MarkOnline => self.set_status(connection, Status::Online, now),
            Action::MarkSuspect => self.set_status(connection, Status::Suspect, now),
            Action::MarkOffline(_) => self.set_status(connection, Status::Offline, now),
            Action::SendPing(_) | Action::Close(_) | Action::Disconnect => {}
        }
    }

    /// Sets the status of a connection: what [`Liveness::status`](crate::Liveness::status) returns, or another source.
    ///
    /// `Offline` ends the connection. If it was the user's last, the user lingers.
    pub fn set_status(&mut self, connection: &C, status: Status, now: Timestamp) {
        self.set_or_end(connection, status, self.linger, now);
    }

    /// Ends this connection, because its user said goodbye, for example by logging out. If it was their last, they leave
    /// without lingering.
    ///
    /// Do not use this for a connection that only ended: call [`set_status`](Self::set_status) with `Offline`, and the user
    /// lingers. A browser's Close frame is not a goodbye, because the browser sends the same one before a reload.
    pub fn disconnect(&mut self, connection: &C, now: Timestamp) {
        self.set_or_end(connection, Status::Offline, 0, now);
    }

    /// Removes a user, who logged out everywhere or was expelled. All their connections end for this list, and they leave
    /// without lingering.
    ///
    /// The caller must close the connections: ask for [`connections`](Self::connections) before this call.
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

    /// The next change. Call until `None`, then not before [`poll_timeout`](Self::poll_timeout).
    ///
    /// The questions follow the changes that this has returned.
    #[must_use = "a dropped change makes the list of users wrong"]
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
            // A user who joined and is already suspect is reported twice.
            self.changed.insert(change.user().clone());
        }
        Some(change)
    }

    /// When to poll next, unless an input comes first. `None`: not before the next input.
    ///
    /// Never later than the latest moment seen while there is something to report now.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if !self.changed.is_empty() {
            return Some(self.now);
        }
        self.leaving.first().map(|(leaves, _)| *leaves)
    }

    /// The status of a user that was reported last. [`Status::Offline`]: they are not here.
    ///
    /// A user who lingers keeps their status, and has no [`connections`](Self::connections).
    #[must_use]
    pub fn status(&self, user: &U) -> Status {
        self.people.get(user).map_or(Status::Offline, |person| person.shown)
    }

    /// Everybody who is here, in the order of `U`, each online or suspect.
    pub fn iter(&self) -> impl Iterator<Item = (&U, Status)> {
        let all = self.people.iter().map(|(user, person)| (user, person.shown));
        all.filter(|(_, shown)| *shown != Status::Offline)
    }

    /// How many users are here, including suspect users.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.shown
    }

    /// Nobody is here.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.shown == 0
    }

    /// How many of the users who are here are suspect.
    #[must_use]
    pub const fn suspects(&self) -> usize {
        self.suspects
    }

    /// A user's connections, online ones first, with the latest input, even if `poll` has not reported it yet. A user who
    /// lingers has none.
    pub fn connections<'a>(&'a self, user: &U) -> impl Iterator<Item = &'a C> + use<'a, U, C> {
        self.people.get(user).into_iter().flat_map(|person| person.online.iter().chain(&person.suspect))
    }

    /// The user of a connection. `None`: it has ended or was never connected.
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
