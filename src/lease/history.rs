//! The former holders, and which of them do not know of their loss yet.

use alloc::collections::VecDeque;

use super::{LeaseChange, Loss, REMEMBERED, Token};
use crate::time::Timestamp;

/// The latest losses, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History<U>(VecDeque<Lost<U>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost<U> {
    pub(super) user: U,
    pub(super) token: Token,
    pub(super) reason: Loss,
    pub(super) at: Timestamp,
    pub(super) notification: Notification,
}

/// Who does not know of a loss yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notification {
    /// Everybody.
    All { away: bool },
    /// The user who lost it, once they are back.
    Away,
    /// The user who lost it, now.
    Back,
    /// Nobody.
    Done,
}

impl<U: Clone + Eq> History<U> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn push(&mut self, lost: Lost<U>) {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(lost);
    }

    pub(super) fn find(&self, token: Token) -> Option<&Lost<U>> {
        self.0.iter().find(|lost| lost.token == token)
    }

    /// Takes that a user, who may have lost the lease, can be reached or not.
    pub(super) fn set_away(&mut self, user: &U, away: bool) {
        for lost in self.0.iter_mut().filter(|lost| lost.user == *user) {
            lost.notification = match lost.notification {
                Notification::All { .. } => Notification::All { away },
                Notification::Away | Notification::Back if away => Notification::Away,
                Notification::Away | Notification::Back => Notification::Back,
                Notification::Done => Notification::Done,
            }
        }
    }

    /// A poll would report something.
    pub(super) fn is_due(&self) -> bool {
        self.0.iter().any(|lost| matches!(lost.notification, Notification::All { .. } | Notification::Back))
    }

    pub(super) fn next_change(&mut self) -> Option<LeaseChange<U>> {
        self.report_loss().or_else(|| self.report_return())
    }

    fn report_loss(&mut self) -> Option<LeaseChange<U>> {
        // A loss is reported before the next grant, so this is the newest loss.
        let lost = self.0.back_mut()?;
        let Notification::All { away } = lost.notification else { return None };
        // A user who released the lease knows already.
        let misses = away && lost.reason != Loss::Released;
        lost.notification = if misses { Notification::Away } else { Notification::Done };
        Some(LeaseChange::Lost { user: lost.user.clone(), token: lost.token, reason: lost.reason })
    }

    fn report_return(&mut self) -> Option<LeaseChange<U>> {
        let lost = self.0.iter_mut().find(|lost| lost.notification == Notification::Back)?;
        lost.notification = Notification::Done;
        Some(LeaseChange::Returned {
            user: lost.user.clone(),
            token: lost.token,
            reason: lost.reason,
            at: lost.at,
        })
    }
}
