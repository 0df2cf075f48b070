//! Who held it before, and who of them is still to be told.

use alloc::collections::VecDeque;

use super::{Change, Loss, REMEMBERED, Token};
use crate::time::Timestamp;

/// The latest losses, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Past<U>(VecDeque<Lost<U>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost<U> {
    pub(super) user: U,
    pub(super) token: Token,
    pub(super) reason: Loss,
    pub(super) at: Timestamp,
    pub(super) telling: Telling,
}

/// Who is still to be told of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Everybody.
    All { away: bool },
    /// Who lost it, once they are back.
    Away,
    /// Who lost it, now.
    Back,
    /// Nobody.
    Done,
}

impl<U: Clone + Eq> Past<U> {
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

    /// Somebody who may have lost it can be reached, or cannot.
    pub(super) fn set_away(&mut self, user: &U, away: bool) {
        for lost in self.0.iter_mut().filter(|lost| lost.user == *user) {
            lost.telling = match lost.telling {
                Telling::All { .. } => Telling::All { away },
                Telling::Away | Telling::Back if away => Telling::Away,
                Telling::Away | Telling::Back => Telling::Back,
                Telling::Done => Telling::Done,
            }
        }
    }

    /// A poll would tell something.
    pub(super) fn is_due(&self) -> bool {
        self.0.iter().any(|lost| matches!(lost.telling, Telling::All { .. } | Telling::Back))
    }

    pub(super) fn tell(&mut self) -> Option<Change<U>> {
        self.tell_all().or_else(|| self.tell_one())
    }

    fn tell_all(&mut self) -> Option<Change<U>> {
        // Nothing is granted before it is told, so it is the newest.
        let lost = self.0.back_mut()?;
        let Telling::All { away } = lost.telling else { return None };
        // Who gave it back knows.
        let misses = away && lost.reason != Loss::Released;
        lost.telling = if misses { Telling::Away } else { Telling::Done };
        Some(Change::Lost { user: lost.user.clone(), token: lost.token, reason: lost.reason })
    }

    fn tell_one(&mut self) -> Option<Change<U>> {
        let lost = self.0.iter_mut().find(|lost| lost.telling == Telling::Back)?;
        lost.telling = Telling::Done;
        Some(Change::Returned {
            user: lost.user.clone(),
            token: lost.token,
            reason: lost.reason,
            at: lost.at,
        })
    }
}
