//! Who may write: one at a time, and passed on when they are gone.
//!
//! [`Lease`] is the machine; [`LeaseChange`] what comes out of it; [`Refusal`] why a write is refused; [`Tenure`] the half of a
//! holder at the other end of a network.

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
pub use self::token::Token;
use crate::event::Status;
use crate::presence::PresenceChange;
use crate::time::{Timestamp, duration, nanos};

/// So many of the latest losses are remembered: for each of them, a late write learns why and when, and who was away is told
/// on their return. It bounds memory where a million come, write and go.
pub const REMEMBERED: usize = 64;

/// The right to write, held by one user at a time: a collaborative editor's pen, a chat's microphone, the leader's seat.
///
/// Think of one pen on a desk and a queue before it. Whoever is first takes the pen. When they stare into the air
/// (*suspect*), nobody tears it out of their hand: all wait, for a *grace*. When they leave, the next in the queue takes it at
/// once. And each sheet bears the number of the holding it was written in, so that a sheet which comes in late is known.
///
/// Methods come in four kinds:
///
/// - *inputs*, what [`Presence`](crate::Presence) found out about a user: [`apply`](Self::apply); or whatever else knows:
///   [`set_status`](Self::set_status);
/// - *commands*: [`request`](Self::request), [`release`](Self::release), [`revoke`](Self::revoke);
/// - *outputs*: [`poll`](Self::poll) until it returns `None`, then not before [`poll_timeout`](Self::poll_timeout);
/// - *questions*, which change nothing: [`check`](Self::check) before each write, [`holder`](Self::holder),
///   [`waiting`](Self::waiting), [`position`](Self::position).
///
/// In a loop: take the time from the clock, hand in everything that happened, poll until `None`, tell people, and wait for
/// input or for `poll_timeout`. A user of whom nothing was heard yet counts as online.
///
/// It is fed with *users*. What the machine of one connection says is not about its user, who may be back on another
/// connection: when the old one is given up at last, the pen must stay. So between them stands a `Presence`, and
/// [`apply`](Self::apply) is the whole glue:
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
/// // Ann's phone is on another network; 40 s later her old connection is given up.
/// room.connect(2, "ann", at(50));
/// room.handle(&1, Action::MarkSuspect, at(62));
/// room.handle(&1, Action::MarkOffline(Reason::PingTimeout), at(90));
/// settle(&mut room, &mut pen, at(90));
/// assert_eq!(pen.poll(at(90)), None); // nothing happened
/// ```
///
/// # The rules
///
/// 1. **One holder**, or none. It is granted to whoever has waited longest of those who are not suspect: a suspect keeps the
///    place, and is passed over. While all who wait are suspect, nobody gets it.
/// 2. **Frozen** exactly while the holder is suspect: [`check`](Self::check) refuses their writes. Not held back, refused:
///    the writer keeps what was not acknowledged and sends it again when thawed, or has it still when the lease is lost, and
///    no memory grows here. A freeze so means that what is written stands still, and may be copied before it moves on.
///    (A message of a suspect is evidence of life, so that under [`AnyTraffic`](crate::Evidence::AnyTraffic) their `Online`
///    precedes their write.)
/// 3. **Grace** runs from the suspicion. When it is over, and somebody waits who is not suspect, the lease passes on at the
///    next poll; where nobody does, it stays frozen until somebody comes. Input handed in before that poll is heard
///    first: a holder who was late, but is there, keeps it. A grace of zero passes it on at first sight;
///    `Duration::MAX` waits for the verdict.
/// 4. **At once**: who goes offline, or releases it, has lost it from that call on; the next poll grants it to the next. Who
///    goes offline is out of the queue, too.
/// 5. **Tokens** only grow. A write is good under the newest, by its holder, while not suspect.
/// 6. **A late look is no look.** A grace that ran out while nobody looked, neither by a poll nor by an input, for longer than
///    [`stall_tolerance`](Self::stall_tolerance), begins anew with the next look: the arbiter slept, and the holder's sign of
///    life waits to be read. Once for each suspicion, so that a driver that is always late comes to an end too.
/// 7. **Every loss is told**: by [`LeaseChange::Lost`], and, to whom it did not reach because they were suspect or offline, by
///    [`LeaseChange::Returned`] on their return.
///
/// A page that is reloaded closes its connection and opens another. Whether that is *offline* is the caller's affair: what
/// lingers in `Presence` is not handed in here, and its holder keeps the lease, frozen only if they were suspect before. The
/// two delays never add up without need: a connection that ends is lost after the linger; one that falls silent after the
/// grace or after the verdict and the linger, whichever is first. To freeze the lease over a reload as well, hand in
/// `Suspect` when the connection ends and `Online` when the next opens: then both run at once.
///
/// # What it costs
///
/// The holder, each who waits, each who is suspect, and the latest [`REMEMBERED`] losses; no other user. A request looks at
/// all who wait, a hand-over at those who are passed over.
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
/// // Ann's tab froze. She keeps the pen for five seconds, but writes nothing meanwhile.
/// pen.set_status(&"ann", Status::Suspect, at(10));
/// assert_eq!(pen.poll(at(10)), Some(LeaseChange::Frozen { user: "ann", token, since: at(10) }));
/// assert_eq!(pen.check(&"ann", token), Err(Refusal::Frozen { since: at(10) }));
/// assert_eq!(pen.poll_timeout(), Some(at(15)));
/// assert_eq!(pen.poll(at(14)), None);
///
/// // Bob has it now. Ann, back again, is told, and what she sends late is refused.
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
    /// The latest handed out, here or by whoever kept the lease before.
    last: Token,
    held: Option<Held<U>>,
    queue: VecDeque<U>,
    /// Who is suspect, and since when; those too who neither hold it nor wait, for they may ask yet.
    suspects: BTreeMap<U, Timestamp>,
    history: History<U>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held<U> {
    user: U,
    token: Token,
    /// Since when it is frozen, as far as was reported.
    reported: Option<Timestamp>,
    /// The grace of the suspicion since the first of these moments began anew at the second.
    begun_anew: Option<(Timestamp, Timestamp)>,
}

/// Who holds a lease: see [`Lease::holder`].
#[derive(Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Holder<'a, U> {
    /// Who.
    pub user: &'a U,
    /// Under which token.
    pub token: Token,
    /// Since when they are suspect; `None` while they are not.
    pub frozen_since: Option<Timestamp>,
}

// By hand, for whoever names users by what cannot be copied, such as a `String`.
impl<U> Copy for Holder<'_, U> {}
impl<U> Clone for Holder<'_, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U: Clone + Ord> Lease<U> {
    /// A lease that nobody holds, whose first token is 1.
    ///
    /// `grace` is how long a suspect holder keeps it while others wait: zero, not at all; `Duration::MAX`, until offline.
    #[must_use]
    pub const fn new(grace: Duration) -> Self {
        Self::resuming_after(grace, Token::ZERO)
    }

    /// A lease that nobody holds, whose first token is the one after `last`: for a server that starts again, and must
    /// refuse what its former self granted. Under [`Token::MAX`] it grants nothing.
    ///
    /// Keep [`last_token`](Self::last_token) where the text is kept. Where nothing is kept, microseconds since
    /// 1970 will do, if that clock never goes back: nobody hands out a million tokens a second.
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

    /// By how much nobody may look when a grace has run out, before it begins anew (rule 6). Default: a quarter of the grace;
    /// `Duration::MAX`: it never begins anew, for whoever has no timer and looks only when somebody asks.
    #[must_use]
    pub const fn stall_tolerance(mut self, tolerance: Duration) -> Self {
        self.stall_tolerance = nanos(tolerance);
        self
    }

    /// What became of a user: every change that a [`Presence`](crate::Presence) hands out.
    ///
    /// `Joined` and `Recovered` are [`Online`](Status::Online), `Suspected` is [`Suspect`](Status::Suspect), `Left` is
    /// [`Offline`](Status::Offline). For a user of several connections this is the one that is right.
    pub fn apply(&mut self, change: &PresenceChange<U>, now: Timestamp) {
        self.set_status(change.user(), change.status(), now);
    }

    /// This user is as this says: for whoever has no `Presence`. The machine of one connection knows it only where a user has
    /// no other.
    ///
    /// - [`Online`](Status::Online): they are there, or there again.
    /// - [`Suspect`](Status::Suspect): they are late with an answer. Said twice, it counts from the first.
    /// - [`Offline`](Status::Offline): they are gone: out of the queue, and no holder any more. Hand in nothing else that their
    ///   connection had to say after this: who asks is taken to be there.
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

    /// This user wants it: to the end of the queue. Whoever holds it, or waits, stays where they are.
    pub fn request(&mut self, user: U, now: Timestamp) {
        self.advance(now);
        if !self.suspects.contains_key(&user) {
            self.history.set_away(&user, false);
        }
        if !self.is_holder(&user) && self.position(&user).is_none() {
            self.queue.push_back(user);
        }
    }

    /// This user wants it no more: gives it back, or leaves the queue. Who does neither is nobody here.
    pub fn release(&mut self, user: &U, now: Timestamp) {
        self.advance(now);
        self.withdraw(user, Loss::Released);
    }

    /// Takes it from whoever holds it, for a reason of the caller's: a moderator, a longest term. Who waits stays; the former
    /// holder may ask again.
    pub fn revoke(&mut self, now: Timestamp) {
        self.advance(now);
        self.lose(Loss::Revoked);
    }

    /// What became of it, one change at a time: call until `None`.
    ///
    /// A poll before [`poll_timeout`](Self::poll_timeout) returns `None` and changes nothing. At one moment come at most
    /// two, and one for each who is back.
    pub fn poll(&mut self, now: Timestamp) -> Option<LeaseChange<U>> {
        self.advance(now);
        if self.grace_ends_at().is_some_and(|at| at <= self.now) {
            self.lose(Loss::GraceExpired);
        }
        self.history.next_change().or_else(|| self.report_holder()).or_else(|| self.grant())
    }

    /// When to poll next, if nothing happens before; `None`: not before the next input.
    ///
    /// Not earlier than the latest moment seen; equal to it while there is something to tell now. Later than `now`
    /// whenever `poll(now)` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let news = self
            .held
            .as_ref()
            .map_or(self.next_holder().is_some(), |held| held.reported != self.frozen_since());
        if news || self.history.is_due() { Some(self.now) } else { Some(self.grace_ends_at()?.max(self.now)) }
    }

    /// Says whether this user may write under this token now. Ask before each write is carried out.
    ///
    /// # Errors
    ///
    /// [`Refusal::Frozen`]: they hold it, but are suspect. [`Refusal::Lost`]: they held it. [`Refusal::WrongUser`]: somebody
    /// else holds or held it under this token. [`Refusal::Outdated`]: the token is older than what is remembered.
    /// [`Refusal::NeverGranted`]: there was no such token yet.
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

    /// Who holds it; `None` while nobody does.
    #[must_use]
    pub fn holder(&self) -> Option<Holder<'_, U>> {
        let held = self.held.as_ref()?;
        Some(Holder { user: &held.user, token: held.token, frozen_since: self.frozen_since() })
    }

    /// Who waits, first to last, the suspects among them.
    pub fn waiting(&self) -> impl ExactSizeIterator<Item = &U> {
        self.queue.iter()
    }

    /// How many wait before this user; `None` where they do not wait.
    #[must_use]
    pub fn position(&self, user: &U) -> Option<usize> {
        self.queue.iter().position(|waiting| waiting == user)
    }

    /// The latest token handed out: what a server keeps to go on above it, see [`resuming_after`](Self::resuming_after).
    #[must_use]
    pub const fn last_token(&self) -> Token {
        self.last
    }

    /// For how long a holder may act after it asked whether it still holds the lease, and was told yes: shorter than the time
    /// after which the lease can have passed on. Send it with the token; [`Tenure`] is the holder's half.
    ///
    /// It is the shorter of the grace and of the presence's `linger`, less a hundredth for clocks that part: whoever was heard
    /// of just now can be suspect, or without any connection, a moment later, and loses the lease when the one or the other
    /// has run out. Without a presence `linger` is zero, and so is the tenure: the end of a connection passes it on at once.
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

    /// How long a suspect holder keeps it while others wait.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        duration(self.grace)
    }
}
