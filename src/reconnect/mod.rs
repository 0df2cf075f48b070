//! When a client dials again: the other end of a verdict.
//!
//! A client that has lost its server wants it back soon, and so do all the others that lost it in the same instant. So
//! [`Reconnect`] spreads the first dials, lengthens the waits between those that fail, heeds what the server said when it
//! closed, and never has two dials under way.
//!
//! ```text
//!             poll: Dial              connected
//!   Waiting ──────────────► Dialling ──────────► Connected
//!      ▲  ▲                     │                    │
//!      │  └─── failed, Abandon ─┘                    │
//!      └───────────────────── closed ────────────────┘      and from anywhere, once: GiveUp
//! ```

mod action;
mod policy;

use core::fmt;
use core::time::Duration;

pub use self::action::{Attempt, DialStatus, GiveUpReason, ReconnectAction};
pub use self::policy::{OnClose, Policy};
use crate::payload::{mix, share};
use crate::time::{Timestamp, nanos};

/// Decides when to dial a server again.
///
/// Methods come in four kinds, as those of [`Liveness`](crate::Liveness):
///
/// - *inputs*, when something happened: [`connected`](Self::connected), [`failed`](Self::failed), [`closed`](Self::closed),
///   [`network_changed`](Self::network_changed);
/// - *outputs*: [`poll`](Self::poll) until it returns `None`, then not before [`poll_timeout`](Self::poll_timeout);
/// - *commands*: [`dial_now`](Self::dial_now) and [`stop`](Self::stop);
/// - *questions*: [`status`](Self::status), [`attempts`](Self::attempts), [`is_finished`](Self::is_finished).
///
/// How long to wait:
///
/// 1. *At the start*: not at all.
/// 2. *After a dial that failed*: what the backoff says next.
/// 3. *After a connection that was lost*, by its close code, as [`OnClose`] says: by default a random part of 5 s, for whoever
///    else lost that server dials then too.
/// 4. *After one that was lost before it was [stable](Policy::stable_after)*: what 3 says, with what the backoff says
///    next for its least time where that is longer. Else a server that accepts everybody and then falls over would be dialled
///    at full speed by all.
/// 5. *When the network changes*, not at all, but for what the server asked for.
///
/// The **backoff** is any iterator of durations, and a closure that makes one, for it starts anew after each connection that
/// was stable. Its end is a limit like the others; `Duration::MAX` in it waits for the network to change. Those of the crate
/// [backon](https://docs.rs/backon) fit, jitter and all: `|| ExponentialBuilder::default().with_jitter().build()`. Here is one
/// by hand, with as many attempts as it takes:
///
/// ```
/// use core::{iter::successors, time::Duration};
/// use liveness::reconnect::{Policy, Reconnect, ReconnectAction};
/// use liveness::Timestamp;
///
/// // 1 s, 2 s, 4 s and so on to 60 s.
/// let backoff = || successors(Some(Duration::from_secs(1)), |wait| Some((*wait * 2).min(Duration::from_secs(60))));
/// let mut reconnect = Reconnect::new(Policy::DEFAULT, backoff, 7, Timestamp::ZERO);
///
/// // The first dial fails after 3 s: the next comes 1 s later.
/// let Some(ReconnectAction::Dial(first)) = reconnect.poll(Timestamp::ZERO) else { panic!("no dial") };
/// reconnect.failed(first, Timestamp::from_secs(3));
/// assert_eq!(reconnect.poll(Timestamp::from_secs(3)), None);
/// let at = reconnect.poll_timeout().expect("there is no limit");
/// assert_eq!(at, Timestamp::from_secs(4));
///
/// // It succeeds. An hour later the server is gone, without a word: the next dial comes within 5 s.
/// let Some(ReconnectAction::Dial(second)) = reconnect.poll(at) else { panic!("no dial") };
/// assert!(reconnect.connected(second, at));
/// let lost = Timestamp::from_secs(3600);
/// reconnect.closed(second, 1006, lost);
/// let at = reconnect.poll_timeout().expect("there is no limit");
/// assert!((lost..=Timestamp::from_secs(3605)).contains(&at));
///
/// // That one is closed because what we sent was wrong. It would be as wrong the next time.
/// let Some(ReconnectAction::Dial(third)) = reconnect.poll(at) else { panic!("no dial") };
/// assert!(reconnect.connected(third, at));
/// reconnect.closed(third, 1007, at);
/// assert!(matches!(reconnect.poll(at), Some(ReconnectAction::GiveUp(_))));
/// assert!(reconnect.is_finished());
/// ```
///
/// Only the losses are spread by the machine; to spread the dials that fail is the backoff's affair.
///
/// # What is promised
///
/// For any caller, backoff and clock: from a `Dial` until `connected`, `failed`, `closed` or `Abandon` no other; no `Dial` before
/// its wait is over, and none that falls due at or after `max_elapsed`; one `GiveUp`, last; after `poll(now)` returned
/// `None`, `poll_timeout()` is later than `now`; a poll before it changes nothing, so extra polls change nothing; the same
/// inputs give the same outputs. Nothing panics, unless the backoff does. A timestamp earlier than the latest counts as
/// the latest.
///
/// Hand in what has happened before you poll: a dial that succeeded while the process slept is else abandoned.
#[derive(Clone)]
pub struct Reconnect<B, F = fn() -> B> {
    policy: Policy,
    backoff: F,
    delays: B,
    seed: u64,
    /// The latest moment seen. Time inside never runs backwards.
    latest: Timestamp,
    phase: Phase,
    /// Dials handed out, ever.
    dials: u64,
    /// Dials handed out, and the moment from which the limits count: since the start, the loss of a stable connection, or
    /// the last time that somebody asked.
    attempts: u32,
    since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before `owed_until` not even a new network is a reason to dial.
    Waiting {
        dial_at: Timestamp,
        owed_until: Timestamp,
    },
    /// If `changed`, the network is another than the one that was dialled over.
    Dialling {
        abandon_at: Timestamp,
        changed: bool,
    },
    /// From `stable_at` on, its loss is a new one.
    Connected {
        stable_at: Timestamp,
    },
    /// A dial is under way that is wanted no more; `Abandon` is next.
    Stopping,
    /// `GiveUp` is next.
    Ending(GiveUpReason),
    Finished(GiveUpReason),
}

impl<B, F> Reconnect<B, F>
where
    B: Iterator<Item = Duration>,
    F: FnMut() -> B,
{
    /// A machine without a connection, that dials at once.
    ///
    /// `seed` draws the spread. Give each client another one, from whatever source is at hand, or they will not be spread.
    #[must_use]
    pub fn new(policy: Policy, mut backoff: F, seed: u64, now: Timestamp) -> Self {
        let delays = backoff();
        let phase = match policy.max_attempts {
            0 => Phase::Ending(GiveUpReason::Attempts),
            _ => Phase::Waiting { dial_at: now, owed_until: now },
        };
        Self { policy, backoff, delays, seed, latest: now, phase, dials: 0, attempts: 0, since: now }
    }

    /// This dial succeeded. False: it was abandoned, or is otherwise too old, and the connection must be closed.
    #[must_use = "a connection that comes too late must be closed, or there will be two"]
    pub fn connected(&mut self, attempt: Attempt, now: Timestamp) -> bool {
        self.advance(now);
        if !self.is_newest(attempt) {
            return false;
        }
        match self.phase {
            Phase::Dialling { .. } => {
                self.phase = Phase::Connected { stable_at: self.latest.after(self.policy.stable_after) };
            }
            Phase::Stopping => self.end(GiveUpReason::Stopped),
            Phase::Waiting { .. } | Phase::Connected { .. } | Phase::Ending(_) | Phase::Finished(_) => {}
        }
        matches!(self.phase, Phase::Connected { .. })
    }

    /// This dial failed. For the connection of a dial that succeeded it is the same as [`closed`](Self::closed) with 1006.
    ///
    /// Where the server's answer says that no dial will ever succeed (401, 404), [`stop`](Self::stop).
    pub fn failed(&mut self, attempt: Attempt, now: Timestamp) {
        self.advance(now);
        if !self.is_newest(attempt) {
            return;
        }
        match self.phase {
            Phase::Dialling { .. } => self.retry(0, 0),
            Phase::Connected { .. } => self.lose(1006),
            Phase::Stopping => self.end(GiveUpReason::Stopped),
            Phase::Waiting { .. } | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// The connection of this dial is over, with this close code as RFC 6455 7.1.5 counts it: a browser's `CloseEvent.code`,
    /// [`Reason::connection_close_code`](crate::Reason::connection_close_code).
    ///
    /// For a dial of which nothing was reported yet it is a connection that was lost as soon as it stood. A browser's `close`
    /// event comes for those too that never opened: report these as `failed`.
    pub fn closed(&mut self, attempt: Attempt, code: u16, now: Timestamp) {
        self.advance(now);
        if !self.is_newest(attempt) {
            return;
        }
        match self.phase {
            Phase::Dialling { .. } | Phase::Connected { .. } => self.lose(code),
            Phase::Stopping => self.end(GiveUpReason::Stopped),
            Phase::Waiting { .. } | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// The network is another, or back: a browser's `online`, a new default route, a laptop that woke.
    ///
    /// What the backoff had learned was of the old one, so it starts anew, and a wait ends at once, but for the
    /// `at_least` that the server asked for. While a dial is under way, that is waited for; should it fail, the next goes out
    /// at once. The limits run on. While connected, nothing: [`probe`](crate::Liveness::probe) the connection.
    pub fn network_changed(&mut self, now: Timestamp) {
        self.advance(now);
        match &mut self.phase {
            Phase::Waiting { dial_at, owed_until } => {
                *dial_at = self.latest.max(*owed_until).min(*dial_at);
                self.delays = (self.backoff)();
            }
            Phase::Dialling { changed, .. } => *changed = true,
            Phase::Connected { .. } | Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// A person asks, with a button that says "try now": ends a wait at once, whatever the server asked for, and
    /// starts backoff and limits anew. While a dial is under way or a connection stands, nothing; nor after the end.
    pub fn dial_now(&mut self, now: Timestamp) {
        self.advance(now);
        match self.phase {
            Phase::Waiting { .. } => {
                self.start_anew();
                self.phase = Phase::Waiting { dial_at: self.latest, owed_until: self.latest };
            }
            Phase::Dialling { .. } | Phase::Connected { .. } => {}
            Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// No more dials. One that is under way is abandoned; a connection that stands is the caller's to close.
    pub fn stop(&mut self, now: Timestamp) {
        self.advance(now);
        match self.phase {
            Phase::Waiting { .. } | Phase::Connected { .. } => self.end(GiveUpReason::Stopped),
            Phase::Dialling { .. } => self.phase = Phase::Stopping,
            Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// The next thing to do, one at a time: call until `None`. At most two come at one moment.
    pub fn poll(&mut self, now: Timestamp) -> Option<ReconnectAction> {
        self.advance(now);
        let over = self.elapsed_at();
        match self.phase {
            Phase::Waiting { dial_at, .. } if dial_at < over => self.is_due(dial_at).then(|| self.dial()),
            Phase::Waiting { .. } => self.is_due(over).then(|| self.give_up(GiveUpReason::Elapsed)),
            Phase::Dialling { abandon_at, .. } => self.is_due(abandon_at).then(|| {
                self.retry(0, 0);
                ReconnectAction::Abandon(Attempt(self.dials))
            }),
            Phase::Stopping => {
                self.end(GiveUpReason::Stopped);
                Some(ReconnectAction::Abandon(Attempt(self.dials)))
            }
            Phase::Ending(reason) => Some(self.give_up(reason)),
            Phase::Connected { .. } | Phase::Finished(_) => None,
        }
    }

    /// When to poll next, if nothing happens before; `None`: not before something does.
    ///
    /// Later than `now` whenever `poll(now)` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { dial_at, .. } => dial_at.min(self.elapsed_at()).or_never(),
            Phase::Dialling { abandon_at, .. } => abandon_at.or_never(),
            Phase::Stopping | Phase::Ending(_) => Some(self.latest),
            Phase::Connected { .. } | Phase::Finished(_) => None,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> DialStatus {
        match self.phase {
            Phase::Waiting { dial_at, .. } if dial_at < self.elapsed_at() => {
                DialStatus::Waiting(Some(dial_at))
            }
            Phase::Waiting { .. } => DialStatus::Waiting(None),
            Phase::Dialling { .. } => DialStatus::Dialling(Attempt(self.dials)),
            Phase::Connected { .. } => DialStatus::Connected(Attempt(self.dials)),
            Phase::Stopping => DialStatus::Finished(GiveUpReason::Stopped),
            Phase::Ending(reason) | Phase::Finished(reason) => DialStatus::Finished(reason),
        }
    }

    /// How many dials there have been since the start, the loss of a stable connection, or the last
    /// [`dial_now`](Self::dial_now): the number to show to a person who waits.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// [`ReconnectAction::GiveUp`] has been given out; nothing more will come.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished(_))
    }

    fn dial(&mut self) -> ReconnectAction {
        self.dials = self.dials.saturating_add(1);
        self.attempts = self.attempts.saturating_add(1);
        let abandon_at = self.latest.after(self.policy.dial_timeout);
        self.phase = Phase::Dialling { abandon_at, changed: false };
        ReconnectAction::Dial(Attempt(self.dials))
    }

    /// A connection is lost.
    fn lose(&mut self, code: u16) {
        let (at_least, spread) = match (self.policy.on_close)(code) {
            OnClose::Stop => return self.end(GiveUpReason::Closed(code)),
            OnClose::Redial { at_least, spread } => (nanos(at_least), nanos(spread)),
        };
        let spread = spread.min(self.policy.max_spread);
        if self.was_stable() {
            self.start_anew();
            self.wait(0, at_least, spread);
        } else {
            self.retry(at_least, spread);
        }
    }

    /// A dial came to nothing, or to a connection that was lost before it was stable.
    fn retry(&mut self, at_least: u64, spread: u64) {
        if self.attempts >= self.policy.max_attempts && self.policy.max_attempts != u32::MAX {
            return self.end(GiveUpReason::Attempts);
        }
        if matches!(self.phase, Phase::Dialling { changed: true, .. }) {
            self.delays = (self.backoff)();
            return self.wait(0, at_least, spread);
        }
        match self.delays.next() {
            Some(delay) => self.wait(nanos(delay), at_least, spread),
            None => self.end(GiveUpReason::Backoff),
        }
    }

    fn wait(&mut self, delay: u64, at_least: u64, spread: u64) {
        let drawn = share(mix(self.seed, self.dials), spread.saturating_add(1));
        let dial_at = self.latest.after(delay.max(at_least).saturating_add(drawn));
        self.phase = Phase::Waiting { dial_at, owed_until: self.latest.after(at_least) };
    }

    fn was_stable(&self) -> bool {
        matches!(self.phase, Phase::Connected { stable_at } if self.is_due(stable_at))
    }

    fn start_anew(&mut self) {
        self.delays = (self.backoff)();
        self.attempts = 0;
        self.since = self.latest;
    }

    const fn end(&mut self, reason: GiveUpReason) {
        self.phase = Phase::Ending(reason);
    }

    const fn give_up(&mut self, reason: GiveUpReason) -> ReconnectAction {
        self.phase = Phase::Finished(reason);
        ReconnectAction::GiveUp(reason)
    }

    fn advance(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }

    /// The moment at which it has been tried for long enough.
    const fn elapsed_at(&self) -> Timestamp {
        self.since.after(self.policy.max_elapsed)
    }

    /// The far end of time never comes.
    fn is_due(&self, at: Timestamp) -> bool {
        at <= self.latest && at != Timestamp::MAX
    }

    const fn is_newest(&self, attempt: Attempt) -> bool {
        attempt.0 == self.dials
    }
}

/// The backoff and its maker are the caller's, and may have nothing to show.
impl<B, F> fmt::Debug for Reconnect<B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("policy", &self.policy)
            .field("phase", &self.phase)
            .field("dials", &self.dials)
            .field("attempts", &self.attempts)
            .field("since", &self.since)
            .field("latest", &self.latest)
            .finish_non_exhaustive()
    }
}
