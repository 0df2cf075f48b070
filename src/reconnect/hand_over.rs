//! Replacing a connection that is still in use.

use core::time::Duration;

use super::decisions::Report;
use super::{Attempt, Connection, GiveUpReason, OnClose, Phase, Reconnect};
use crate::time::Timestamp;

/// What to do if the dial fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct After {
    pub(super) owed_until: Timestamp,
    pub(super) stop: Option<GiveUpReason>,
}

impl After {
    pub(super) const NOTHING: Self = Self { owed_until: Timestamp::ZERO, stop: None };
}

impl<B, F> Reconnect<B, F>
where
    B: Iterator<Item = Duration>,
    F: FnMut() -> B,
{
    /// Starts a hand-over, because the server has announced that this connection will end, or that its clients should go
    /// elsewhere. The client dials while the connection is still in use. When the new connection is open,
    /// [`Retire`](super::ReconnectAction::Retire) says to close the old one.
    ///
    /// `over` is the time over which the server's clients should spread; the delay of the dial is drawn from it. Zero: at
    /// once. After a dial that fails, the next one waits for the backoff. If a limit, the end of the backoff or an
    /// [`OnClose::Stop`] forbids more dials, the hand-over ends, and the old connection stays in use. `max_elapsed` does not
    /// count, because nothing is lost. If the old connection is lost first, that is a loss like any other. A dial in
    /// progress then goes on, and the rules of the loss apply if it fails.
    ///
    /// If the connection is not stable yet, the dial also waits for the backoff. Otherwise clients would dial a server at
    /// full speed if it announces its end to every new client.
    ///
    /// Without a connection this changes nothing, because a dial comes anyway. During a hand-over it changes nothing either.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::reconnect::{Backoff, Policy, Reconnect, ReconnectAction};
    /// use liveness::Timestamp;
    ///
    /// let at = Timestamp::from_secs;
    /// let mut reconnect = Reconnect::with_backoff(Policy::DEFAULT, Backoff::DEFAULT, 7, at(0));
    /// let Some(ReconnectAction::Dial(old)) = reconnect.poll(at(0)) else { panic!("no dial") };
    /// assert!(reconnect.connected(old, at(0)));
    ///
    /// // The server announces that it ends in a minute.
    /// reconnect.hand_over(Duration::ZERO, at(100));
    /// let Some(ReconnectAction::Dial(new)) = reconnect.poll(at(100)) else { panic!("no dial") };
    /// // The old connection stays in use until the new one is open.
    /// assert!(reconnect.connected(new, at(101)));
    /// assert_eq!(reconnect.poll(at(101)), Some(ReconnectAction::Retire(old)));
    /// ```
    pub fn hand_over(&mut self, over: Duration, now: Timestamp) {
        self.advance(now);
        match self.phase {
            Phase::Connected(connection) if self.old.is_none() => {
                self.old = Some(connection);
                self.follow((OnClose::AT_ONCE.spread_over(over), false), GiveUpReason::Stopped);
            }
            Phase::Connected(_) | Phase::Waiting { .. } | Phase::Dialling(_) => {}
            Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    /// During a hand-over, the old connection is lost before a new one has replaced it.
    pub(super) fn lose_old(&mut self, old: Connection, report: Report) {
        let (code, then) = report.of_a_connection();
        match &mut self.phase {
            Phase::Waiting { owed_until, .. } => {
                let after = After { owed_until: *owed_until, stop: None };
                self.phase = Phase::Connected(old);
                self.lose(code, then);
                self.heed(after);
            }
            Phase::Dialling(_) => self.lose_old_in_a_dial(old, code, then),
            // Its replacement is open, or the caller wants no connection any more.
            Phase::Connected(_) | Phase::Stopping | Phase::Ending(_) | Phase::Finished(_) => {}
        }
    }

    fn lose_old_in_a_dial(&mut self, old: Connection, code: u16, then: Option<OnClose>) {
        if self.is_due(old.stable_at) {
            // The limits count from here, and the dial in progress counts too.
            self.start_anew();
            self.attempts = 1;
        }
        let after = match self.decide(code, then) {
            (OnClose::Stop, _) => After { owed_until: self.latest, stop: Some(GiveUpReason::Closed(code)) },
            (OnClose::Redial { at_least, spread }, owes_draw) => {
                let owed = self.ask(at_least, spread, owes_draw).owed;
                After { owed_until: self.latest.after(owed), stop: None }
            }
        };
        if let Phase::Dialling(dialling) = &mut self.phase {
            dialling.after = after;
        }
    }

    /// Makes the wait that has just begun at least this long.
    pub(super) fn heed(&mut self, after: After) {
        if let Phase::Waiting { dial_at, owed_until, .. } = &mut self.phase {
            *dial_at = after.owed_until.max(*dial_at);
            *owed_until = after.owed_until.max(*owed_until);
            if let Some(reason) = after.stop {
                self.end(reason);
            }
        }
    }

    /// Forbids more dials. During a hand-over the old connection stays in use.
    pub(super) fn no_more(&mut self, reason: GiveUpReason) {
        match self.old.take() {
            Some(old) => self.phase = Phase::Connected(old),
            None => self.end(reason),
        }
    }

    pub(super) fn is_old(&self, attempt: Attempt) -> bool {
        self.old.is_some_and(|old| old.attempt == attempt.0)
    }
}
