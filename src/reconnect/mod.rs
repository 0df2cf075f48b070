//! When a client dials again after a connection is lost.
//!
//! A client that has lost its server wants it back soon, and so do all the others that lost it in the same instant. So
//! [`Reconnect`] spreads the first dials, lengthens the waits between dials that fail, and follows what the server said when it
//! closed. At most one dial is in progress.
//!
//! ```text
//!             poll: Dial              connected
//!   Waiting ──────────────► Dialling ──────────► Connected
//!      ▲  ▲                     │                    │
//!      │  └─── failed, Abandon ─┘                    │
//!      └───────────────────── closed ────────────────┘      and from anywhere, once: GiveUp
//! ```
//!
//! Where the server announces its end, [`hand_over`](Reconnect::hand_over) dials beside the connection that still serves, and
//! `Retire` follows when the new one stands.

mod action;
mod backoff;
mod decisions;
mod hand_over;
mod outputs;
mod pace;
mod policy;

use core::fmt;
use core::time::Duration;

pub use self::action::{Attempt, DialStatus, GiveUpReason, ReconnectAction};
pub use self::backoff::Backoff;
use self::hand_over::After;
use self::pace::Pace;
pub use self::policy::{OnClose, Policy};
use crate::payload::mix;
use crate::time::Timestamp;

/// Decides when to dial a server again.
///
/// Methods come in four kinds, as those of [`Liveness`](crate::Liveness):
///
/// - *inputs*, when something happened: [`connected`](Self::connected), [`failed`](Self::failed), [`closed`](Self::closed),
///   [`network_changed`](Self::network_changed), [`network_lost`](Self::network_lost);
/// - *outputs*: [`poll`](Self::poll) until it returns `None`, then not before [`poll_timeout`](Self::poll_timeout);
/// - *commands*: [`dial_now`](Self::dial_now), [`hand_over`](Self::hand_over) and [`stop`](Self::stop);
/// - *questions*: [`status`](Self::status), [`attempts`](Self::attempts), [`is_handing_over`](Self::is_handing_over),
///   [`is_finished`](Self::is_finished).
///
/// How long to wait:
///
/// 1. *At the start*: the client does not wait.
/// 2. *After a dial that failed*: the next wait of the backoff.
/// 3. *After a connection that was lost*, by its close code, as [`OnClose`] says: by default a random part of 5 s, because all
///    the others that lost that server dial then too.
/// 4. *After one that was lost before it was [stable](Policy::stable_after)*: as 3 says, and at least the next wait of the
///    backoff. Otherwise all clients would dial a server that accepts everybody and then crashes at full speed.
/// 5. *If the server asked for a wait*, such as `Retry-After`: hand it to [`failed_with`](Self::failed_with) or
///    [`closed_with`](Self::closed_with). It replaces what 2 and 3 say.
/// 6. *When the network changes*: the client does not wait, except for what the server is owed. It dials at once over five new
///    networks in a row, and then over one each 30 s, so that a network that flaps is not dialled at the rate of its flaps.
/// 7. *While the system says that there is no network*: until it says that there is one.
///
/// **What the server is owed** is the part of a wait that neither a backoff nor a new network shortens. `at_least` is always
/// owed. The draw from the spread is owed too, unless the connection ended without a Close (code 1006, by the policy). In that
/// case nobody asked for the spread, and a new network shows that only this client lost its connection.
///
/// The **backoff** is the crate's own [`Backoff`] ([`with_backoff`](Self::with_backoff)), or any iterator of durations with a
/// closure that makes one, because it starts anew after each connection that was stable. Its end is a limit like the others;
/// `Duration::MAX` in it waits for the network to change. Those of the crate [backon](https://docs.rs/backon) fit, jitter and
/// all: `|| ExponentialBuilder::default().with_jitter().build()`. In a field, the type of a machine with the crate's own
/// backoff is `Reconnect`.
///
/// ```
/// use core::time::Duration;
/// use liveness::reconnect::{Backoff, OnClose, Policy, Reconnect, ReconnectAction};
/// use liveness::Timestamp;
///
/// // 1 s, 2 s, 4 s and so on to 60 s; without jitter, so that this example knows what happens.
/// let backoff = Backoff::DEFAULT.jitter(0);
/// let mut reconnect = Reconnect::with_backoff(Policy::DEFAULT, backoff, 7, Timestamp::ZERO);
///
/// // The first dial fails after 3 s: the next comes 1 s later.
/// let Some(ReconnectAction::Dial(first)) = reconnect.poll(Timestamp::ZERO) else { panic!("no dial") };
/// reconnect.failed(first, Timestamp::from_secs(3));
/// assert_eq!(reconnect.poll(Timestamp::from_secs(3)), None);
/// let at = reconnect.poll_timeout().expect("there is no limit");
/// assert_eq!(at, Timestamp::from_secs(4));
///
/// // It succeeds. An hour later the server is gone and sent no Close: the next dial comes within 5 s.
/// let Some(ReconnectAction::Dial(second)) = reconnect.poll(at) else { panic!("no dial") };
/// assert!(reconnect.connected(second, at));
/// let lost = Timestamp::from_secs(3600);
/// reconnect.closed(second, 1006, lost);
/// let at = reconnect.poll_timeout().expect("there is no limit");
/// assert!((lost..=Timestamp::from_secs(3605)).contains(&at));
///
/// // The answer is 503 with `Retry-After: 120`, and no new network makes it less.
/// let Some(ReconnectAction::Dial(third)) = reconnect.poll(at) else { panic!("no dial") };
/// reconnect.failed_with(third, OnClose::after(Duration::from_secs(120)), at);
/// reconnect.network_changed(at + Duration::from_secs(5));
/// let at = at + Duration::from_secs(120);
/// assert_eq!(reconnect.poll_timeout(), Some(at));
///
/// // The next connection is closed because what we sent was wrong. It would be as wrong the next time.
/// let Some(ReconnectAction::Dial(fourth)) = reconnect.poll(at) else { panic!("no dial") };
/// assert!(reconnect.connected(fourth, at));
/// reconnect.closed(fourth, 1007, at);
/// assert!(matches!(reconnect.poll(at), Some(ReconnectAction::GiveUp(_))));
/// assert!(reconnect.is_finished());
/// ```
///
/// The machine spreads only the first dial after a loss. The backoff spreads the dials after one that failed.
///
/// # Asleep, and on another network
///
/// A program that learns that it slept ([`SleepDetector`](crate::SleepDetector)), or that its network is another, says
/// [`network_changed`](Self::network_changed) and [probes](crate::Liveness::probe) its connection. If that is lost then, the
/// program has lost it alone: [`closed_with`](Self::closed_with) and [`OnClose::AT_ONCE`] dial without the herd's spread.
///
/// # What is promised
///
/// For any caller, backoff and clock:
///
/// - At most one dial is in progress. There are at most two connections, and two only from the success of a hand-over's dial
///   until the next poll.
/// - No dial starts before its wait is over, or before what the server is owed has passed, or while the system says that there
///   is no network. Only a person who asks can shorten these. No dial falls due at or after `max_elapsed`.
/// - Changes of the network bring at most five dials at once, and then one each 30 s.
/// - `Retire` is returned only if the new connection stands.
/// - `GiveUp` is returned once, and is the last action.
/// - After `poll(now)` returned `None`, `poll_timeout()` is later than `now`. A poll before that moment changes nothing.
/// - The same inputs give the same outputs. Nothing panics, unless the backoff does. A timestamp earlier than the latest counts
///   as the latest.
///
/// Hand in what has happened before you poll. If the time of a dial ran out while the process slept, the first poll does not
/// abandon it ([`dial_timeout`](Policy::dial_timeout)), so that a success can be handed in first.
#[derive(Clone)]
pub struct Reconnect<B = Backoff, F = fn() -> B> {
    policy: Policy,
    backoff: Source<B, F>,
    delays: B,
    seed: u64,
    /// The latest moment seen. Time inside never runs backwards.
    latest: Timestamp,
    phase: Phase,
    /// In a hand-over, the connection that serves until another stands and this one is retired.
    old: Option<Connection>,
    /// The system says that there is no network.
    offline: bool,
    pace: Pace,
    /// Dials handed out, ever.
    dials: u64,
    /// Dials handed out, and the moment from which the limits count: since the start, the loss of a stable connection, or
    /// the last time that somebody asked.
    attempts: u32,
    since: Timestamp,
}

/// Where a backoff comes from that starts anew.
#[derive(Clone)]
enum Source<B, F> {
    /// The caller makes it.
    Made(F),
    /// It is made of the one before.
    Again(fn(&B) -> B),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before `owed_until` not even a new network is a reason to dial. If `fresh`, the backoff has not been asked since it
    /// began anew.
    Waiting {
        dial_at: Timestamp,
        owed_until: Timestamp,
        fresh: bool,
    },
    Dialling(Dialling),
    Connected(Connection),
    /// A dial is under way that is wanted no more; `Abandon` is next.
    Stopping,
    /// `GiveUp` is next.
    Ending(GiveUpReason),
    Finished(GiveUpReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dialling {
    abandon_at: Timestamp,
    /// The dial's time ran out while nobody looked, and it was given more.
    put_off: bool,
    /// The network is another than the one that was dialled over.
    changed: bool,
    /// In a hand-over, what the end of the old connection came to while this dial was under way.
    after: After,
}

/// From `stable_at` on, its loss is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connection {
    attempt: u64,
    stable_at: Timestamp,
}

impl Reconnect {
    /// A machine without a connection, that dials at once, with the crate's own backoff.
    ///
    /// `seed` draws the spread and the jitter of the backoff. Give each client another one, from whatever source is at hand
    /// (with `std`, [`random_seed`](crate::random_seed)), or they will not be spread.
    ///
    /// ```
    /// use liveness::reconnect::{Backoff, Policy};
    /// use liveness::{Reconnect, Timestamp};
    ///
    /// struct Client {
    ///     reconnect: Reconnect,
    /// }
    ///
    /// let reconnect = Reconnect::with_backoff(Policy::DEFAULT, Backoff::DEFAULT, 7, Timestamp::ZERO);
    /// let mut client = Client { reconnect };
    /// assert!(client.reconnect.poll(Timestamp::ZERO).is_some());
    /// ```
    #[must_use]
    pub fn with_backoff(policy: Policy, backoff: Backoff, seed: u64, now: Timestamp) -> Self {
        // Not the draws of the spread, which are numbered from 1.
        let backoff = backoff.seeded(mix(seed, 0));
        Self::starting(policy, Source::Again(Backoff::anew), backoff.anew(), seed, now)
    }
}

impl<B, F> Reconnect<B, F>
where
    B: Iterator<Item = Duration>,
    F: FnMut() -> B,
{
    /// A machine without a connection, that dials at once. `backoff` makes the waits between dials that fail.
    ///
    /// `seed` draws the spread. Give each client another one, from whatever source is at hand, or they will not be spread.
    #[must_use]
    pub fn new(policy: Policy, mut backoff: F, seed: u64, now: Timestamp) -> Self {
        let delays = backoff();
        Self::starting(policy, Source::Made(backoff), delays, seed, now)
    }

    /// This dial succeeded. False: it was abandoned, or is otherwise too old, and the connection must be closed.
    #[must_use = "a connection that comes too late must be closed, or there will be two"]
    pub fn connected(&mut self, attempt: Attempt, now: Timestamp) -> bool {
        self.advance(now);
        if self.is_old(attempt) {
            return true;
        }
        if !self.is_newest(attempt) {
            return false;
        }
        match self.phase {
            Phase::Dialling(_) => {
                let stable_at = self.latest.after(self.policy.stable_after);
                self.phase = Phase::Connected(Connection { attempt: attempt.0, stable_at });
                // Whatever the system says: there is a network.
                self.offline = false;
            }
            Phase::Stopping => self.end(GiveUpReason::Stopped),
            Phase::Waiting { .. } | Phase::Connected(_) | Phase::Ending(_) | Phase::Finished(_) => {}
        }
        matches!(self.phase, Phase::Connected(_))
    }

    /// This dial failed. For the connection of a dial that succeeded it is the same as [`closed`](Self::closed) with 1006.
    ///
    /// Where the server's answer says that no dial will ever succeed (401, 404), [`stop`](Self::stop). Where it says when to
    /// come back, [`failed_with`](Self::failed_with).
    pub fn failed(&mut self, attempt: Attempt, now: Timestamp) {
        self.report(attempt, Report::Failed(None), now);
    }

    /// This dial failed, and the caller decides what follows: what the server's answer asks for, such as `Retry-After`.
    ///
    /// The wait is the longer of that and what the backoff says, and later by what is drawn from the spread; all that was asked
    /// for is owed. [`OnClose::Stop`] gives up with [`GiveUpReason::Refused`]. For the connection of a dial that succeeded it
    /// is the same as [`closed_with`](Self::closed_with) and 1006.
    pub fn failed_with(&mut self, attempt: Attempt, then: OnClose, now: Timestamp) {
        self.report(attempt, Report::Failed(Some(then)), now);
    }

    /// The connection of this dial is over, with this close code as RFC 6455 7.1.5 counts it: a browser's `CloseEvent.code`,
    /// [`Reason::connection_close_code`](crate::Reason::connection_close_code).
    ///
    /// For a dial of which nothing was reported yet it is a connection that was lost as soon as it stood. A browser's `close`
    /// event comes for those too that never opened: report these as `failed`.
    pub fn closed(&mut self, attempt: Attempt, code: u16, now: Timestamp) {
        self.report(attempt, Report::Closed(code, None), now);
    }

    /// The connection of this dial is over, and the caller decides what follows, in place of the policy's
    /// [`on_close`](Policy::on_close) and [`max_spread`](Policy::max_spread): by what the server said in its hello or its Close,
    /// or because this client has lost its connection alone ([`OnClose::AT_ONCE`]).
    ///
    /// All that was asked for is owed, what is drawn from the spread too.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::reconnect::{Backoff, OnClose, Policy, Reconnect, ReconnectAction};
    /// use liveness::Timestamp;
    ///
    /// let mut reconnect = Reconnect::with_backoff(Policy::DEFAULT, Backoff::DEFAULT, 7, Timestamp::ZERO);
    /// let Some(ReconnectAction::Dial(first)) = reconnect.poll(Timestamp::ZERO) else { panic!("no dial") };
    /// assert!(reconnect.connected(first, Timestamp::ZERO));
    ///
    /// // Its hello said that a deploy spreads its clients over two minutes.
    /// let window = Duration::from_secs(120);
    /// let lost = Timestamp::from_secs(3600);
    /// reconnect.closed_with(first, 1012, OnClose::by_code(1012).spread_over(window), lost);
    /// let at = reconnect.poll_timeout().expect("it dials again");
    /// assert!(at >= lost + Duration::from_secs(5) && at <= lost + Duration::from_secs(125));
    /// ```
    pub fn closed_with(&mut self, attempt: Attempt, code: u16, then: OnClose, now: Timestamp) {
        self.report(attempt, Report::Closed(code, Some(then)), now);
    }

    /// The network has changed, or is back: a browser's `online`, a new default route, a laptop that woke.
    ///
    /// It ends a wait at once, except for what the server is owed, and the backoff starts anew, because its waits were for the
    /// old network. A dial that is in progress goes on; if it fails, the next one goes out at once. From the sixth new network in
    /// a row on, the client dials when 30 s have passed for each that was dialled over at once, or when the backoff says so,
    /// whichever is first. The limits are not reset. While connected it changes nothing: [`probe`](crate::Liveness::probe) the
    /// connection.
    pub fn network_changed(&mut self, now: Timestamp) {
        self.advance(now);
        self.offline = false;
        match &mut self.phase {
            Phase::Waiting { .. } => self.bring_forward(),
            Phase::Dialling(dialling) => dialling.changed = true,
            Phase::Connected(_) | Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// The system says that there is no network: a browser's `offline`, no default route.
    ///
    /// No dial goes out until [`network_changed`](Self::network_changed), or until a person [asks](Self::dial_now): the system
    /// may be wrong. A dial that is in progress goes on; if it succeeds, there is a network. The limits are not reset. A
    /// connection that stands is not affected, because its heartbeat judges it.
    pub fn network_lost(&mut self, now: Timestamp) {
        self.advance(now);
        self.offline = true;
    }

    /// A person asks, with a button that says "try now". It ends a wait at once, whatever the server asked for, and starts
    /// backoff and limits anew. It changes nothing while a dial is in progress, while a connection stands, or after `GiveUp`.
    pub fn dial_now(&mut self, now: Timestamp) {
        self.advance(now);
        match self.phase {
            Phase::Waiting { .. } => {
                self.start_anew();
                self.offline = false;
                self.phase = Phase::Waiting { dial_at: self.latest, owed_until: self.latest, fresh: true };
            }
            Phase::Dialling(_) | Phase::Connected(_) => {}
            Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// No more dials. A dial that is in progress is abandoned. The caller must close a connection that stands.
    pub fn stop(&mut self, now: Timestamp) {
        self.advance(now);
        self.old = None;
        match self.phase {
            Phase::Waiting { .. } | Phase::Connected(_) => self.end(GiveUpReason::Stopped),
            Phase::Dialling(_) => self.phase = Phase::Stopping,
            Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }
}

/// What is reported of an attempt, and what the caller decided about it.
#[derive(Clone, Copy)]
enum Report {
    Failed(Option<OnClose>),
    Closed(u16, Option<OnClose>),
}

/// The backoff and its maker are the caller's, and may have nothing to show.
impl<B, F> fmt::Debug for Reconnect<B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("policy", &self.policy)
            .field("phase", &self.phase)
            .field("old", &self.old)
            .field("offline", &self.offline)
            .field("dials", &self.dials)
            .field("attempts", &self.attempts)
            .field("since", &self.since)
            .field("latest", &self.latest)
            .finish_non_exhaustive()
    }
}
