//! The right to write: one user at a time has it, and the next user gets it when that user is gone.
//!
//! Use it for a document, a microphone or a role that only one user may have. It works in one process, the arbiter, and does
//! not elect one. [`Lease`] is the machine. [`LeaseChange`] is what it reports. [`Refusal`] says why a write is refused.
//! [`Tenure`] is for a holder at the other end of a network.
//!
//! ```
//! use core::time::Duration;
//! use liveness::lease::{Lease, LeaseChange, Token};
//! use liveness::{Status, Timestamp};
//!
//! let at = Timestamp::from_secs;
//! let mut pen = Lease::new(Duration::from_secs(10));
//! pen.request("ann", at(0));
//! let token = Token::new(1);
//! assert_eq!(pen.poll(at(0)), Some(LeaseChange::Granted { user: "ann", token }));
//! assert!(pen.check(&"ann", token).is_ok());
//!
//! pen.set_status(&"ann", Status::Suspect, at(5)); // frozen
//! assert!(pen.check(&"ann", token).is_err());
//! ```

mod change;
mod decisions;
mod history;
mod tenure;
mod token;

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

pub use self::change::{LeaseChange, Loss, Refusal};
use self::history::History;
pub use self::tenure::Tenure;
pub use self::token::{Holder, Token};
use crate::event::Status;
use crate::presence::PresenceChange;
use crate::time::{Timestamp, duration, nanos};

/// How many of the latest losses a lease remembers. A late write under one of them is told why and when the lease was lost, and a
/// user who was away is told on their return. The limit bounds memory, however many users come, write and go.
pub const REMEMBERED: usize = 64;

/// The right to write, held by one user at a time: a collaborative editor's pen, a chat's microphone, the leader's seat.
///
/// A user *requests* the lease and waits in a queue. The first in the queue is *granted* it and becomes its *holder*. While the
/// holder is *suspect*, the lease is *frozen*: nobody may write, and the holder keeps it for the *grace*. When the holder goes
/// offline, the next in the queue gets it at once. Each holding has a number, its *token*, and a late write is refused by it.
///
/// Methods come in four kinds:
///
/// - *inputs*, what [`Presence`](crate::Presence) reports about a user: [`apply`](Self::apply); or the same from another
///   source: [`set_status`](Self::set_status);
/// - *commands*: [`request`](Self::request), [`release`](Self::release), [`revoke`](Self::revoke);
/// - *outputs*: [`poll`](Self::poll) until it returns `None`, then not before [`poll_timeout`](Self::poll_timeout);
/// - *questions*, which change nothing: [`check`](Self::check) before each write, [`holder`](Self::holder),
///   [`waiting`](Self::waiting), [`position`](Self::position).
///
/// In a loop: read the clock, report everything that happened, poll until `None`, tell the users, and wait for input or
/// until `poll_timeout`. A user counts as online until an input says otherwise.
///
/// The inputs are about *users*, not connections. The machine of one connection cannot speak for its user, because the user may
/// be back on another connection: the lease must stay when the old connection ends. So put a `Presence` between the two:
///
/// ```
/// # use core::time::Duration;
/// # use liveness::{Action, Lease, LeaseChange, Presence, Reason, Timestamp};
/// # let at = Timestamp::from_secs;
/// # let (mut room, mut pen) = (Presence::new(), Lease::new(Duration::from_secs(5)));
/// fn settle(room: &mut Presence<&'static str>, pen: &mut Lease<&'static str>, now: Timestamp) {
///     while let Some(change) = room.poll(now) {
///         pen.apply(&change, now);
///     }
/// }
///
/// room.connect(1, "ann", at(0));
/// pen.request("ann", at(0));
/// pen.request("bob", at(1));
/// settle(&mut room, &mut pen, at(1));
/// assert!(matches!(pen.poll(at(1)), Some(LeaseChange::Granted { user: "ann", .. })));
///
/// // Ann's phone is on another network; 40 s later the verdict about her old connection comes.
/// room.connect(2, "ann", at(50));
/// room.handle(&1, Action::MarkSuspect, at(62));
/// room.handle(&1, Action::MarkOffline(Reason::PingTimeout), at(90));
/// settle(&mut room, &mut pen, at(90));
/// assert_eq!(pen.poll(at(90)), None); // nothing happened
/// ```
///
/// # The rules
///
/// 1. **One holder**, or none. The lease is granted to the user who has waited longest and is not suspect. A suspect user keeps
///    their place in the queue, and is passed over. While all who wait are suspect, nobody gets it.
/// 2. **Frozen** exactly while the holder is suspect: [`check`](Self::check) refuses their writes. The writes are refused and not
///    queued, so that no memory grows here. The writer keeps what was not acknowledged. They send it again when the lease thaws,
///    and still have it when the lease is lost. While the lease is frozen, the document cannot change, so it is safe to copy it.
///    (A message from a suspect is evidence of life. Under [`AnyTraffic`](crate::Evidence::AnyTraffic) the user is therefore
///    online again before their write is checked.)
/// 3. **Grace** begins with the suspicion. When it is over and a user waits who is not suspect, the next poll passes the lease
///    on. If nobody waits, the lease stays frozen until somebody does. Input before that poll counts: a holder who was late,
///    but is back, keeps the lease. A grace of zero passes the lease on at the first poll that sees the suspicion.
///    `Duration::MAX` keeps it until the holder is offline.
/// 4. **At once**: a holder who goes offline, or releases the lease, has lost it from that call on. The next poll grants it to
///    the next user. A user who goes offline also leaves the queue.
/// 5. **Tokens** only grow. A write is accepted under the newest token, from its holder, while the holder is not suspect.
/// 6. **A late call does not end a grace.** The next call may be a poll or an input. If it comes more than
///    [`stall_tolerance`](Self::stall_tolerance) after the end of a grace, the grace begins again at that call. The process was
///    probably suspended then, and a sign of life from the holder may wait to be read. This happens once for each suspicion, so
///    that the grace also ends under a driver that is always late.
/// 7. **Every loss is reported** by [`LeaseChange::Lost`]. If the user was suspect or offline then, [`LeaseChange::Returned`]
///    reports it again when they are back.
///
/// A page that is reloaded closes its connection and opens another. `Presence` reports nothing while the user lingers, so the
/// holder keeps the lease, and it is frozen only if they were suspect before. The delays do not add up without need. A holder
/// whose connection ends loses the lease after the linger. A holder whose connection falls silent loses it after the grace, or
/// after the verdict and the linger, whichever is first. To freeze the lease during a reload as well, report `Suspect` when
/// the connection ends and `Online` when the next one opens. Grace and linger then run at the same time.
///
/// # What it costs
///
/// Memory for the holder, for each user who waits, for each user who is suspect, and for the latest [`REMEMBERED`] losses; none
/// for other users. A request checks all users who wait. A grant checks the users who are passed over.
///
/// ```
/// use core::time::Duration;
/// use liveness::lease::{Lease, LeaseChange, Loss, Refusal};
/// use liveness::{Status, Timestamp};
///
/// let at = Timestamp::from_secs;
/// let mut pen = Lease::new(Duration::from_secs(5));
/// pen.request("ann", at(0));
/// pen.request("bob", at(1));
/// let Some(LeaseChange::Granted { user: "ann", token }) = pen.poll(at(1)) else { panic!("it was free") };
/// assert_eq!(pen.check(&"ann", token), Ok(()));
/// assert_eq!(pen.position(&"bob"), Some(0));
///
/// // Ann's tab froze. She keeps the pen for five seconds, but cannot write meanwhile.
/// pen.set_status(&"ann", Status::Suspect, at(10));
/// assert_eq!(pen.poll(at(10)), Some(LeaseChange::Frozen { user: "ann", token, since: at(10) }));
/// assert_eq!(pen.check(&"ann", token), Err(Refusal::Frozen { since: at(10) }));
/// assert_eq!(pen.poll_timeout(), Some(at(15)));
/// assert_eq!(pen.poll(at(14)), None);
///
/// // Bob has it now. When Ann is back, she is told, and her late write is refused.
/// assert_eq!(pen.poll(at(15)), Some(LeaseChange::Lost { user: "ann", token, reason: Loss::GraceExpired }));
/// assert!(matches!(pen.poll(at(15)), Some(LeaseChange::Granted { user: "bob", token: newer }) if newer > token));
/// pen.set_status(&"ann", Status::Online, at(20));
/// assert!(matches!(pen.poll(at(20)), Some(LeaseChange::Returned { user: "ann", .. })));
/// assert_eq!(
///     pen.check(&"ann", token).unwrap_err().to_string(),
///     "lost at 15s: its holder was not heard of for too long while others waited; bob has it now",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease<U> {
    now: Timestamp,
    grace: u64,
    stall_tolerance: u64,
    /// The latest token that was handed out, here or by an earlier server.
    last: Token,
    held: Option<Held<U>>,
    queue: VecDeque<U>,
    /// The suspect users, and since when. Users who neither hold the lease nor wait are here too, because they may request
    /// it later.
    suspects: BTreeMap<U, Timestamp>,
    history: History<U>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held<U> {
    user: U,
    token: Token,
    /// Since when it is frozen, as reported.
    reported: Option<Timestamp>,
    /// The grace of the suspicion that began at the first of these moments began again at the second.
    begun_anew: Option<(Timestamp, Timestamp)>,
}

impl<U: Clone + Ord> Lease<U> {
    /// A lease that nobody holds, whose first token is 1.
    ///
    /// `grace` is how long a suspect holder keeps the lease while others wait. Zero: not at all. `Duration::MAX`: until the
    /// holder is offline.
    #[must_use]
    pub const fn new(grace: Duration) -> Self {
        Self::resuming_after(grace, Token::ZERO)
    }

    /// A lease that nobody holds, whose first token is the one after `last`. It is for a server that was restarted and must
    /// refuse the tokens that it granted before. After [`Token::MAX`] it grants nothing.
    ///
    /// Store [`last_token`](Self::last_token) together with the document. If nothing is stored, the microseconds since 1970 can
    /// serve as `last`, provided that this clock never goes back: no server grants a million tokens a second.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::lease::{Lease, LeaseChange, Refusal, Token};
    /// use liveness::Timestamp;
    ///
    /// let mut pen = Lease::resuming_after(Duration::MAX, Token::new(41));
    /// pen.request("ann", Timestamp::ZERO);
    /// assert_eq!(pen.poll(Timestamp::ZERO), Some(LeaseChange::Granted { user: "ann", token: Token::new(42) }));
    /// assert_eq!(pen.check(&"ann", Token::new(41)), Err(Refusal::Outdated { holder: Some("ann") }));
    /// ```
    #[must_use]
    pub const fn resuming_after(grace: Duration, last: Token) -> Self {
        Self {
            now: Timestamp::ZERO,
            grace: nanos(grace),
            stall_tolerance: nanos(grace) / 4,
            last,
            held: None,
            queue: VecDeque::new(),
            suspects: BTreeMap::new(),
            history: History::new(),
        }
    }

    /// How late the first call after the end of a grace may be. If it is later, the grace begins again (rule 6). Default: a
    /// quarter of the grace. `Duration::MAX`: the grace never begins again. This is for a caller without a timer, which polls
    /// only when a request comes.
    #[must_use]
    pub const fn stall_tolerance(mut self, tolerance: Duration) -> Self {
        self.stall_tolerance = nanos(tolerance);
        self
    }

    /// Takes a change of a user. Pass every change that a [`Presence`](crate::Presence) reports.
    ///
    /// `Joined` and `Recovered` are [`Online`](Status::Online), `Suspected` is [`Suspect`](Status::Suspect), `Left` is
    /// [`Offline`](Status::Offline). For a user with several connections, use this and not `set_status`.
    pub fn apply(&mut self, change: &PresenceChange<U>, now: Timestamp) {
        self.set_status(change.user(), change.status(), now);
    }

    /// Sets the status of a user, for a caller without a `Presence`. The status of one connection is that of its user only if the
    /// user has no other connection.
    ///
    /// - [`Online`](Status::Online): they are online, or online again.
    /// - [`Suspect`](Status::Suspect): they are late with an answer. A second `Suspect` changes nothing: the grace counts
    ///   from the first.
    /// - [`Offline`](Status::Offline): they are gone. They leave the queue and lose the lease. Pass no later requests of the
    ///   ended connection, because a user who requests the lease counts as online.
    pub fn set_status(&mut self, user: &U, status: Status, now: Timestamp) {
        self.advance(now);
        match status {
            Status::Online => {
                self.suspects.remove(user);
            }
            Status::Suspect => {
                if !self.suspects.contains_key(user) {
                    self.suspects.insert(user.clone(), self.now);
                }
            }
            Status::Offline => {
                self.suspects.remove(user);
                self.withdraw(user, Loss::Offline);
            }
        }
        self.history.set_away(user, status != Status::Online);
    }

    /// Puts this user at the end of the queue. If they hold the lease or wait already, nothing changes.
    pub fn request(&mut self, user: U, now: Timestamp) {
        self.advance(now);
        if !self.suspects.contains_key(&user) {
            self.history.set_away(&user, false);
        }
        if !self.is_holder(&user) && self.position(&user).is_none() {
            self.queue.push_back(user);
        }
    }

    /// Releases the lease, if this user holds it. A user who waits leaves the queue. For any other user nothing changes.
    pub fn release(&mut self, user: &U, now: Timestamp) {
        self.advance(now);
        self.withdraw(user, Loss::Released);
    }

    /// Takes the lease from its holder, for example for a moderator. The queue stays. The former holder may request it
    /// again.
    pub fn revoke(&mut self, now: Timestamp) {
        self.advance(now);
        self.lose(Loss::Revoked);
    }

    /// The next change. Call until `None`.
    ///
    /// A poll before [`poll_timeout`](Self::poll_timeout) returns `None` and changes nothing. At one moment it returns at most
    /// two changes, and one more for each user who is back.
    #[must_use = "a dropped change is a user who does not know whether they may write"]
    pub fn poll(&mut self, now: Timestamp) -> Option<LeaseChange<U>> {
        self.advance(now);
        if self.grace_ends_at().is_some_and(|at| at <= self.now) {
            self.lose(Loss::GraceExpired);
        }
        self.history.next_change().or_else(|| self.report_holder()).or_else(|| self.grant())
    }

    /// When to poll next, unless an input comes first. `None`: not before the next input.
    /// Never earlier than the latest moment seen, and equal to it while there is something to report now. It is later than
    /// `now` after `poll(now)` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let news = self
            .held
            .as_ref()
            .map_or(self.next_holder().is_some(), |held| held.reported != self.frozen_since());
        if news || self.history.is_due() { Some(self.now) } else { Some(self.grace_ends_at()?.max(self.now)) }
    }

    /// Checks whether this user may write under this token now. Call it before you carry out a write.
    ///
    /// # Errors
    ///
    /// [`Refusal::Frozen`]: they hold it, but are suspect. [`Refusal::Lost`]: they held it and no longer do.
    /// [`Refusal::WrongUser`]: another user holds or held it under this token. [`Refusal::Outdated`]: the token is older than the
    /// losses that are remembered. [`Refusal::NeverGranted`]: the token was never handed out.
    pub fn check(&self, user: &U, token: Token) -> Result<(), Refusal<U>> {
        if token == Token::ZERO || token > self.last {
            return Err(Refusal::NeverGranted);
        }
        let holder = || self.held.as_ref().map(|held| held.user.clone());
        if let Some(held) = self.held.as_ref().filter(|held| held.token == token) {
            return match self.frozen_since() {
                _ if held.user != *user => Err(Refusal::WrongUser),
                Some(since) => Err(Refusal::Frozen { since }),
                None => Ok(()),
            };
        }
        Err(match self.history.find(token) {
            Some(lost) if lost.user == *user => {
                Refusal::Lost { reason: lost.reason, at: lost.at, holder: holder() }
            }
            Some(_) => Refusal::WrongUser,
            None => Refusal::Outdated { holder: holder() },
        })
    }

    /// The holder; `None` if nobody holds the lease.
    #[must_use]
    pub fn holder(&self) -> Option<Holder<'_, U>> {
        let held = self.held.as_ref()?;
        Some(Holder { user: &held.user, token: held.token, frozen_since: self.frozen_since() })
    }

    /// The users who wait, first to last, including suspect users.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &U> {
        self.queue.iter()
    }

    /// How many users wait before this user; `None` if they do not wait.
    #[must_use]
    pub fn position(&self, user: &U) -> Option<usize> {
        self.queue.iter().position(|waiting| waiting == user)
    }

    /// The latest token handed out. A server stores it, so that it continues above it after a restart: see
    /// [`resuming_after`](Self::resuming_after).
    #[must_use]
    pub const fn last_token(&self) -> Token {
        self.last
    }

    /// The *tenure*: how long a holder may act after it sent a question that was answered with "you hold the lease". It is
    /// shorter than the time after which the lease can have been passed on. Send it with the token. [`Tenure`] is the holder's
    /// half.
    ///
    /// It is the shorter of the grace and of the presence's `linger`, less a hundredth because two clocks may run at
    /// different rates. A holder can become suspect, or lose the last connection, just after its last sign of life, and
    /// loses the lease when the grace or the linger has run out. Without a presence, `linger` is zero and so is the tenure,
    /// because the end of a connection passes the lease on at once.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::Lease;
    ///
    /// const PEN: Lease<u32> = Lease::new(Duration::from_secs(10));
    /// assert_eq!(PEN.tenure(Duration::from_secs(5)), Duration::from_millis(4_950));
    /// assert_eq!(PEN.tenure(Duration::MAX), Duration::from_millis(9_900));
    /// assert_eq!(PEN.tenure(Duration::ZERO), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn tenure(&self, linger: Duration) -> Duration {
        let linger = nanos(linger);
        match if linger < self.grace { linger } else { self.grace } {
            u64::MAX => Duration::MAX,
            shorter => Duration::from_nanos(shorter.saturating_sub(shorter.div_ceil(100))),
        }
    }

    /// How long a suspect holder keeps the lease while others wait.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        duration(self.grace)
    }
}
