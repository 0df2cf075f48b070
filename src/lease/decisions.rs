//! Who gets the lease, who loses it, and when a grace is over.

use super::history::{Lost, Notification};
use super::{Held, Lease, LeaseChange, Loss, Token};
use crate::time::Timestamp;

impl<U: Clone + Ord> Lease<U> {
    /// Takes the caller's time. A moment before the latest counts as the latest.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let before = self.now;
        self.now = before.max(now);
        let (Some(over), Some(since)) = (self.grace_ends_at(), self.frozen_since()) else { return };
        if over.is_seen_late(before, self.now, self.stall_tolerance) && self.begun_anew(since).is_none() {
            let begun_anew = Some((since, self.now));
            self.held.iter_mut().for_each(|held| held.begun_anew = begun_anew);
        }
    }

    /// When the grace of this suspicion began again, if it did.
    pub(super) fn begun_anew(&self, since: Timestamp) -> Option<Timestamp> {
        let (of, at) = self.held.as_ref()?.begun_anew?;
        (of == since).then_some(at)
    }

    pub(super) fn is_holder(&self, user: &U) -> bool {
        self.held.as_ref().is_some_and(|held| held.user == *user)
    }

    pub(super) fn frozen_since(&self) -> Option<Timestamp> {
        self.suspects.get(&self.held.as_ref()?.user).copied()
    }

    /// The next holder's place in the queue, and the token they get.
    pub(super) fn next_holder(&self) -> Option<(usize, Token)> {
        let token = self.last.next()?;
        let place = self.queue.iter().position(|waiting| !self.suspects.contains_key(waiting))?;
        Some((place, token))
    }

    /// When the holder's grace is over, if a user waits who can get the lease.
    pub(super) fn grace_ends_at(&self) -> Option<Timestamp> {
        let since = self.frozen_since()?;
        let over = self.begun_anew(since).unwrap_or(since).after(self.grace).or_never()?;
        self.next_holder().map(|_| over)
    }

    pub(super) fn withdraw(&mut self, user: &U, reason: Loss) {
        if self.is_holder(user) {
            self.lose(reason);
        } else if let Some(place) = self.position(user) {
            self.queue.remove(place);
        }
    }

    pub(super) fn lose(&mut self, reason: Loss) {
        if let Some(Held { user, token, reported: _, begun_anew: _ }) = self.held.take() {
            let away = self.suspects.contains_key(&user);
            self.history.push(Lost {
                user,
                token,
                reason,
                at: self.now,
                notification: Notification::All { away },
            });
        }
    }

    pub(super) fn report_holder(&mut self) -> Option<LeaseChange<U>> {
        let frozen = self.frozen_since();
        let held = self.held.as_mut().filter(|held| held.reported != frozen)?;
        let (user, token) = (held.user.clone(), held.token);
        // Two suspicions with a sign of life between them are both reported.
        let reported = core::mem::take(&mut held.reported);
        if reported.is_none() {
            held.reported = frozen;
        }
        Some(match held.reported {
            Some(since) => LeaseChange::Frozen { user, token, since },
            None => LeaseChange::Thawed { user, token },
        })
    }

    pub(super) fn grant(&mut self) -> Option<LeaseChange<U>> {
        if self.held.is_some() {
            return None;
        }
        let (place, token) = self.next_holder()?;
        let user = self.queue.remove(place)?;
        self.last = token;
        self.held = Some(Held { user: user.clone(), token, reported: None, begun_anew: None });
        Some(LeaseChange::Granted { user, token })
    }
}
