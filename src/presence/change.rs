//! The changes of a presence.

use crate::event::Status;

/// A change of a user: the result of [`Presence::poll`](crate::Presence::poll).
///
/// ```
/// use std::collections::BTreeMap;
/// use liveness::{Presence, Status, Timestamp};
///
/// // A list that follows the changes, as on a user's screen.
/// let mut list = BTreeMap::new();
/// let mut room = Presence::new();
/// room.connect(1, "ann", Timestamp::ZERO);
/// while let Some(change) = room.poll(Timestamp::ZERO) {
///     match change.status() {
///         Status::Offline => list.remove(change.user()),
///         status => list.insert(*change.user(), status),
///     };
/// }
/// assert!(list.iter().map(|(user, status)| (user, *status)).eq(room.iter()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a dropped change makes the list of users wrong"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a list that ignores a new change would be wrong; it must not compile"
)]
pub enum PresenceChange<U> {
    /// The user is here, and online. This is the first change of each user, and again the first after
    /// [`Left`](PresenceChange::Left).
    Joined(U),
    /// Every connection of this user is suspect. Show the user in grey, but keep everything that belongs to the user.
    Suspected(U),
    /// A connection of this user is online again, or they have a new one.
    Recovered(U),
    /// The user is gone: their last connection ended `linger` ago, or they logged out.
    Left(U),
}

impl<U> PresenceChange<U> {
    /// The user.
    #[must_use]
    pub const fn user(&self) -> &U {
        let (Self::Joined(user) | Self::Suspected(user) | Self::Recovered(user) | Self::Left(user)) = self;
        user
    }

    /// The user's status after this change.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Joined(_) | Self::Recovered(_) => Status::Online,
            Self::Suspected(_) => Status::Suspect,
            Self::Left(_) => Status::Offline,
        }
    }
}
