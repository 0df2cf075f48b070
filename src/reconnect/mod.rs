//! When a client dials again after a connection is lost.
//!
//! When a server is lost, all its clients want to dial again soon, and all at the same moment. So [`Reconnect`] spreads the
//! first dials, lengthens the waits between dials that fail, and follows what the server said when it closed. At most one
//! dial is in progress. For a client that never dials again, or for the accepting end, you do not need it.
//!
//! ```text
//!             poll: Dial              connected
//!   Waiting ──────────────► Dialling ──────────► Connected
//!      ▲  ▲                     │                    │
//!      │  └─── failed, Abandon ─┘                    │
//!      └───────────────────── closed ────────────────┘      and from anywhere, once: GiveUp
//! ```
//!
//! If the server announces its end, [`hand_over`](Reconnect::hand_over) dials while the old connection is still in use.
//! `Retire` comes when the new connection is open.
//!
//! ```
//! use liveness::Timestamp;
//! use liveness::reconnect::{Backoff, Policy, Reconnect, ReconnectAction};
//!
//! let at = Timestamp::from_secs;
//! let mut reconnect = Reconnect::with_backoff(Policy::DEFAULT, Backoff::DEFAULT, 7, at(0));
//! let Some(ReconnectAction::Dial(attempt)) = reconnect.poll(at(0)) else { panic!("it dials at once") };
//! reconnect.failed(attempt, at(3));
//! assert_eq!(reconnect.poll(at(3)), None); // the backoff waits for at most 1 s
//! assert!(matches!(reconnect.poll(at(4)), Some(ReconnectAction::Dial(_))));
//! ```

mod action;
mod backoff;
mod decisions;
mod hand_over;
mod outputs;
mod pace;
mod policy;

use core::time::Duration;

pub use self::action::{Attempt, DialStatus, GiveUpReason, ReconnectAction};
pub use self::backoff::Backoff;
use self::decisions::Report;
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
/// 3. *After a connection that was lost*, by its close code, as [`OnClose`] says: by default a random part of 5 s, because
///    all other clients of that server dial then too.
/// 4. *After one that was lost before it was [stable](Policy::stable_after)*: as 3 says, and at least the next wait of the
///    backoff. Otherwise all clients would dial a server that accepts everybody and then crashes at full speed.
/// 5. *If the server asked for a wait*, such as `Retry-After`: pass it to [`failed_with`](Self::failed_with) or
///    [`closed_with`](Self::closed_with). It replaces 3. The wait of the backoff in 2 and 4 is still the least.
/// 6. *When the network changes*: the client does not wait, except for the server's minimum. It dials at once for five new
///    networks in a row, and then for one every 30 s, so that a network that changes all the time does not cause a dial for
///    each change.
/// 7. *While the system says that there is no network*: until the system says that there is one.
///
/// **The server's minimum** is the part of a wait that neither a backoff nor a new network shortens. `at_least` is always a
/// part of it. The draw from the spread is a part of it too, unless the connection ended without a Close (code 1006, by the
/// policy). In that case no server asked for the spread, and a new network shows that only this client lost its connection.
///
/// The **backoff** is the crate's own [`Backoff`] ([`with_backoff`](Self::with_backoff)), or a closure that makes an
/// iterator of durations. It is a closure because the backoff restarts after each stable connection. The end of the iterator
/// is a limit like the others; `Duration::MAX` in it waits for the network to change. The iterators of the crate
/// [backon](https://docs.rs/backon) fit, with their jitter: `|| ExponentialBuilder::default().with_jitter().build()`. For a
/// field of a struct, the type of a machine with the crate's own backoff is `Reconnect`.
///
/// ```
/// use core::time::Duration;
/// use liveness::reconnect::{Backoff, OnClose, Policy, Reconnect, ReconnectAction};
/// use liveness::Timestamp;
///
/// // 1 s, 2 s, 4 s and so on to 60 s; without jitter, so that this example is exact.
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
/// // It succeeds. An hour later the connection ends without a Close: the next dial comes within 5 s.
/// let Some(ReconnectAction::Dial(second)) = reconnect.poll(at) else { panic!("no dial") };
/// assert!(reconnect.connected(second, at));
/// let lost = Timestamp::from_secs(3600);
/// reconnect.closed(second, 1006, lost);
/// let at = reconnect.poll_timeout().expect("there is no limit");
/// assert!((lost..=Timestamp::from_secs(3605)).contains(&at));
///
/// // The answer is 503 with `Retry-After: 120`, and a new network does not shorten that.
/// let Some(ReconnectAction::Dial(third)) = reconnect.poll(at) else { panic!("no dial") };
/// reconnect.failed_with(third, OnClose::after(Duration::from_secs(120)), at);
/// reconnect.network_changed(at + Duration::from_secs(5));
/// let at = at + Duration::from_secs(120);
/// assert_eq!(reconnect.poll_timeout(), Some(at));
///
/// // The server closes the next connection, because our data was wrong. It would be wrong again next time.
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
/// When a program learns that it slept ([`SleepDetector`](crate::SleepDetector)), or that its network has changed, it calls
/// [`network_changed`](Self::network_changed), and [probes](crate::Liveness::probe) its connection. If the connection is
/// lost then, only this client lost it: [`closed_with`](Self::closed_with) with [`OnClose::AT_ONCE`] dials without the
/// spread.
///
/// # What is promised
///
/// For any caller, backoff and clock:
///
/// - At most one dial is in progress. There are at most two connections, and two only from the success of a hand-over's dial
///   until the next poll.
/// - No dial starts before its wait is over, before the server's minimum has passed, or while the system says that there is
///   no network. Only a user who asks can shorten these. No dial falls due at or after `max_elapsed`.
/// - Changes of the network cause at most five immediate dials, and then one every 30 s.
/// - `Retire` comes only if the new connection is open.
/// - `GiveUp` is returned once, and is the last action.
/// - After `poll(now)` returned `None`, `poll_timeout()` is later than `now`. A poll before that moment changes nothing.
/// - The same inputs give the same outputs. Nothing panics, unless the backoff does. A timestamp earlier than the latest counts
///   as the latest.
///
/// Report what has happened before you poll. If the time of a dial ran out while the process slept, the first poll does not
/// abandon the dial ([`dial_timeout`](Policy::dial_timeout)), so that you can still report its success.
#[derive(Clone)]
pub struct Reconnect<B = Backoff, F = fn() -> B> {
    policy: Policy,
    backoff: Source<B, F>,
    delays: B,
    seed: u64,
    /// The latest moment seen. Time inside never runs backwards.
    latest: Timestamp,
    phase: Phase,
    /// During a hand-over, the old connection, which is in use until the new one is open.
    old: Option<Connection>,
    /// The system says that there is no network.
    offline: bool,
    pace: Pace,
    /// Dials handed out, ever.
    dials: u64,
    /// Dials handed out, and the moment from which the limits count: the start, the loss of a stable connection, or the last
    /// time that a user asked.
    attempts: u32,
    since: Timestamp,
}

/// How to restart the backoff.
#[derive(Clone)]
enum Source<B, F> {
    /// The caller makes it.
    Made(F),
    /// A function makes it from the one before.
    Again(fn(&B) -> B),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before `owed_until` even a new network causes no dial. If `fresh`, the backoff gave no wait since it restarted.
    Waiting {
        dial_at: Timestamp,
        owed_until: Timestamp,
        fresh: bool,
    },
    Dialling(Dialling),
    Connected(Connection),
    /// A dial is in progress that is no longer wanted. `Abandon` is next.
    Stopping,
    /// `GiveUp` is next.
    Ending(GiveUpReason),
    Finished(GiveUpReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dialling {
    abandon_at: Timestamp,
    /// The dial's time ran out while nobody polled, and the dial got more time.
    put_off: bool,
    /// The network has changed since the dial.
    changed: bool,
    /// During a hand-over, what the end of the old connection requires if this dial fails.
    after: After,
}

/// The connection is stable from `stable_at` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connection {
    attempt: u64,
    stable_at: Timestamp,
}

impl Reconnect {
    /// A machine without a connection, with the crate's own backoff. It dials at once.
    ///
    /// `seed` determines the spread and the jitter of the backoff. Give each client a different seed, from any source of
    /// random numbers (with `std`, [`random_seed`](crate::random_seed)). Otherwise clients are not spread.
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
        // The draws of the spread have other numbers, from 1.
        let backoff = backoff.seeded(mix(seed, 0));
        Self::starting(policy, Source::Again(Backoff::anew), backoff.anew(), seed, now)
    }
}

impl<B, F> Reconnect<B, F>
where
    B: Iterator<Item = Duration>,
    F: FnMut() -> B,
{
    /// A machine without a connection. It dials at once. `backoff` makes the waits between dials that fail.
    ///
    /// `seed` determines the spread. Give each client a different seed, from any source of random numbers. Otherwise clients
    /// are not spread.
    #[must_use]
    pub fn new(policy: Policy, mut backoff: F, seed: u64, now: Timestamp) -> Self {
        let delays = backoff();
        Self::starting(policy, Source::Made(backoff), delays, seed, now)
    }

    /// Reports that this dial succeeded. False: the dial was abandoned or is too old, and you must close the connection.
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
                // There is a network, even if the system says otherwise.
                self.offline = false;
            }
            Phase::Stopping => self.end(GiveUpReason::Stopped),
            Phase::Waiting { .. } | Phase::Connected(_) | Phase::Ending(_) | Phase::Finished(_) => {}
        }
        matches!(self.phase, Phase::Connected(_))
    }

    /// Reports that this dial failed. If the dial had already succeeded, this is [`closed`](Self::closed) with 1006.
    ///
    /// If the server's answer says when to come back, or that no dial will ever succeed (401, 404), call
    /// [`failed_with`](Self::failed_with).
    pub fn failed(&mut self, attempt: Attempt, now: Timestamp) {
        self.report(attempt, Report::Failed(None), now);
    }

    /// Reports that this dial failed, with the caller's decision: what the server's answer asks for, such as `Retry-After`.
    ///
    /// The wait is the longer of `at_least` and the backoff's time, plus the draw from the spread. `at_least` and the draw
    /// are the server's minimum. [`OnClose::Stop`] gives up with [`GiveUpReason::Refused`]. If the dial had already
    /// succeeded, this is [`closed_with`](Self::closed_with) and 1006.
    pub fn failed_with(&mut self, attempt: Attempt, then: OnClose, now: Timestamp) {
        self.report(attempt, Report::Failed(Some(then)), now);
    }

    /// Reports that the connection of this dial ended with this close code, by RFC 6455 7.1.5: a browser's
    /// `CloseEvent.code`, [`Reason::connection_close_code`](crate::Reason::connection_close_code).
    ///
    /// If you reported nothing of this dial before, this is a connection that was lost as soon as it opened. A browser sends
    /// a `close` event also for a WebSocket that never opened: report that as `failed`.
    pub fn closed(&mut self, attempt: Attempt, code: u16, now: Timestamp) {
        self.report(attempt, Report::Closed(code, None), now);
    }

    /// Reports that the connection of this dial ended, with the caller's decision in place of the policy's
    /// [`on_close`](Policy::on_close) and [`max_spread`](Policy::max_spread): what the server said in its hello or its
    /// Close, or [`OnClose::AT_ONCE`] if only this client lost its connection.
    ///
    /// `at_least` and the draw from the spread are the server's minimum.
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
    /// // The server's hello said that a deploy spreads its clients over two minutes.
    /// let window = Duration::from_secs(120);
    /// let lost = Timestamp::from_secs(3600);
    /// reconnect.closed_with(first, 1012, OnClose::by_code(1012).spread_over(window), lost);
    /// let at = reconnect.poll_timeout().expect("it dials again");
    /// assert!(at >= lost + Duration::from_secs(5) && at <= lost + Duration::from_secs(125));
    /// ```
    pub fn closed_with(&mut self, attempt: Attempt, code: u16, then: OnClose, now: Timestamp) {
        self.report(attempt, Report::Closed(code, Some(then)), now);
    }

    /// Reports that the network has changed, or is back: a browser's `online`, a new default route, a laptop that woke.
    ///
    /// It ends a wait at once, except for the server's minimum. The backoff restarts, because its waits were for the old
    /// network. A dial in progress goes on; if it fails, the next one follows at once. From the sixth new network in a row
    /// on, a new network causes a dial at most every 30 s; the backoff goes on beside that. The limits are not reset. While
    /// connected it changes nothing: [`probe`](crate::Liveness::probe) the connection.
    pub fn network_changed(&mut self, now: Timestamp) {
        self.advance(now);
        self.offline = false;
        match &mut self.phase {
            Phase::Waiting { .. } => self.bring_forward(),
            Phase::Dialling(dialling) => dialling.changed = true,
            Phase::Connected(_) | Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// Reports that the system has no network: a browser's `offline`, no default route.
    ///
    /// No dial goes out until [`network_changed`](Self::network_changed), or until a user [asks](Self::dial_now), because
    /// the system may be wrong. A dial in progress goes on; if it succeeds, there is a network. The limits are not reset. An
    /// open connection is not affected, because its heartbeat judges it.
    pub fn network_lost(&mut self, now: Timestamp) {
        self.advance(now);
        self.offline = true;
    }

    /// Dials because a user asks, for example by a button "try now". It ends a wait at once, whatever the server asked for,
    /// and restarts the backoff and the limits. It changes nothing during a dial, with an open connection, or after
    /// `GiveUp`.
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

    /// Stops: there are no more dials, and a dial in progress is abandoned. The caller must close an open connection, and
    /// both if the new one of a hand-over is open and [`Retire`](ReconnectAction::Retire) did not come yet.
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
