//! The outputs and questions of a `Reconnect`.

use core::fmt;
use core::time::Duration;

use super::{Attempt, DialStatus, GiveUpReason, Phase, Reconnect, ReconnectAction};
use crate::time::Timestamp;

impl<B, F> Reconnect<B, F>
where
    B: Iterator<Item = Duration>,
    F: FnMut() -> B,
{
    /// The next action. Call until `None`. At most two actions come at one moment.
    #[must_use = "a dropped action is a dial never made, or one never abandoned"]
    pub fn poll(&mut self, now: Timestamp) -> Option<ReconnectAction> {
        self.advance(now);
        let (dial_at, over) = (self.dial_at(), self.elapsed_at());
        match self.phase {
            Phase::Waiting { .. } if dial_at < over => self.is_due(dial_at).then(|| self.dial()),
            Phase::Waiting { .. } => self.is_due(over).then(|| self.give_up(GiveUpReason::Elapsed)),
            Phase::Dialling(dialling) => self.is_due(dialling.abandon_at).then(|| {
                self.retry(None);
                self.heed(dialling.after);
                ReconnectAction::Abandon(Attempt(self.dials))
            }),
            Phase::Connected(_) => self.old.take().map(|old| ReconnectAction::Retire(Attempt(old.attempt))),
            Phase::Stopping => {
                self.end(GiveUpReason::Stopped);
                Some(ReconnectAction::Abandon(Attempt(self.dials)))
            }
            Phase::Ending(reason) => Some(self.give_up(reason)),
            Phase::Finished(_) => None,
        }
    }

    /// When to poll next, if no input comes before; `None`: not before the next input.
    ///
    /// It is later than `now` after `poll(now)` has returned `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { .. } => self.dial_at().min(self.elapsed_at()).or_never(),
            Phase::Dialling(dialling) => dialling.abandon_at.or_never(),
            Phase::Stopping | Phase::Ending(_) => Some(self.latest),
            Phase::Connected(_) => self.old.map(|_| self.latest),
            Phase::Finished(_) => None,
        }
    }

    /// The state, for a status line.
    #[must_use]
    pub fn status(&self) -> DialStatus {
        match (self.phase, self.old) {
            (Phase::Connected(in_use), _) | (Phase::Waiting { .. } | Phase::Dialling(_), Some(in_use)) => {
                DialStatus::Connected(Attempt(in_use.attempt))
            }
            (Phase::Waiting { .. }, None) => {
                DialStatus::Waiting(Some(self.dial_at()).filter(|at| *at < self.elapsed_at()))
            }
            (Phase::Dialling(_), None) => DialStatus::Dialling(Attempt(self.dials)),
            (Phase::Stopping, _) => DialStatus::Finished(GiveUpReason::Stopped),
            (Phase::Ending(reason) | Phase::Finished(reason), _) => DialStatus::Finished(reason),
        }
    }
}

impl<B, F> Reconnect<B, F> {
    /// A hand-over is in progress: since [`hand_over`](Self::hand_over), until the new connection is open, the old one is
    /// lost, or no more dials are allowed.
    #[must_use]
    pub const fn is_handing_over(&self) -> bool {
        self.old.is_some() && !matches!(self.phase, Phase::Connected(_))
    }

    /// How many dials there were since the start, the loss or the [hand-over](Self::hand_over) of a stable connection, or
    /// the last [`dial_now`](Self::dial_now). Show this number to a user who waits.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// [`ReconnectAction::GiveUp`] was returned. No more actions will come.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished(_))
    }

    /// When the next dial is due; never without a network, or if no dial is planned.
    pub(super) const fn dial_at(&self) -> Timestamp {
        match self.phase {
            Phase::Waiting { dial_at, .. } if !self.offline => dial_at,
            Phase::Waiting { .. } | Phase::Dialling(_) | Phase::Connected(_) => Timestamp::MAX,
            Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => Timestamp::MAX,
        }
    }

    /// The moment at which `max_elapsed` has passed; never while a connection is open.
    pub(super) const fn elapsed_at(&self) -> Timestamp {
        if self.old.is_some() { Timestamp::MAX } else { self.since.after(self.policy.max_elapsed) }
    }
}

/// Written by hand, because the caller's backoff and closure may not implement `Debug`.
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
