//! The changes of a lease, and the refusals of writes.

use core::error::Error;
use core::fmt;

use super::Token;
use crate::time::Timestamp;

/// A change of the lease: the result of [`Lease::poll`](super::Lease::poll).
///
/// A holding begins with [`Granted`](LeaseChange::Granted). [`Frozen`](LeaseChange::Frozen) and [`Thawed`](LeaseChange::Thawed)
/// follow in turn, as often as the holder becomes suspect and online again. [`Lost`](LeaseChange::Lost) ends it, exactly once,
/// before the lease is granted again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use = "a dropped change is a user who does not know whether they may write"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller that ignores a new change would be wrong; it must not compile"
)]
pub enum LeaseChange<U> {
    /// This user now holds the lease: send them the token.
    Granted {
        /// The new holder.
        user: U,
        /// The token that their writes must carry.
        token: Token,
    },
    /// The holder is suspect. Nobody may write. The holder keeps the lease at least for the grace.
    Frozen {
        /// The holder.
        user: U,
        /// The holder's token, which does not change.
        token: Token,
        /// When they became suspect. The grace begins at this moment.
        since: Timestamp,
    },
    /// The holder is online again, and may write.
    Thawed {
        /// The holder.
        user: U,
        /// The holder's token, which does not change.
        token: Token,
    },
    /// This user no longer holds the lease. If they are suspect or offline, they cannot be told now;
    /// [`Returned`](LeaseChange::Returned) follows when they are back.
    Lost {
        /// The former holder.
        user: U,
        /// What their writes showed.
        token: Token,
        /// Why.
        reason: Loss,
    },
    /// A user who lost the lease while suspect or offline is back. Tell them that it is gone, so that they stop writing.
    Returned {
        /// The former holder.
        user: U,
        /// What their writes showed.
        token: Token,
        /// Why they lost it.
        reason: Loss,
        /// When they lost it.
        at: Timestamp,
    },
}

/// Why a holder lost the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The holder released it.
    Released,
    /// The holder went offline.
    Offline,
    /// The holder was suspect for the whole grace, and another user waited.
    GraceExpired,
    /// The caller took it away with [`Lease::revoke`](super::Lease::revoke).
    Revoked,
}

impl Loss {
    /// The reason in a few words.
    ///
    /// ```
    /// assert_eq!(liveness::lease::Loss::Offline.as_str(), "its holder went offline");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "its holder gave it back",
            Self::Offline => "its holder went offline",
            Self::GraceExpired => "its holder was not heard of for too long while others waited",
            Self::Revoked => "it was taken away",
        }
    }
}

/// The reason in a few words: see [`as_str`](Loss::as_str).
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a write is refused: the error of [`Lease::check`](super::Lease::check). [`Frozen`](Refusal::Frozen) is temporary. The
/// other refusals are final for this user and token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal<U> {
    /// The writer holds the lease, and is suspect. Try again after [`LeaseChange::Thawed`].
    Frozen {
        /// Since when.
        since: Timestamp,
    },
    /// The writer held the lease under this token, and no longer does.
    Lost {
        /// Why.
        reason: Loss,
        /// When.
        at: Timestamp,
        /// Who has it now.
        holder: Option<U>,
    },
    /// The token was handed out, but the lease does not remember its user: it is older than the latest
    /// [`REMEMBERED`](super::REMEMBERED) losses, or an earlier server granted it.
    Outdated {
        /// Who has it now.
        holder: Option<U>,
    },
    /// The token was handed out, but not to the writer.
    WrongUser,
    /// The token was never handed out.
    NeverGranted,
}

/// A sentence: `lost at 20s: its holder went offline; bob has it now`.
impl<U: fmt::Display> fmt::Display for Refusal<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holder = match self {
            Self::Frozen { since } => return write!(f, "frozen since {since}: its holder is suspect"),
            Self::WrongUser => return f.write_str("the token is somebody else's"),
            Self::NeverGranted => return f.write_str("the token was never handed out"),
            Self::Lost { reason, at, holder } => {
                write!(f, "lost at {at}: {reason}")?;
                holder
            }
            Self::Outdated { holder } => {
                f.write_str("the token is long out of date")?;
                holder
            }
        };
        match holder {
            Some(holder) => write!(f, "; {holder} has it now"),
            None => f.write_str("; nobody has it now"),
        }
    }
}

impl<U: fmt::Debug + fmt::Display> Error for Refusal<U> {}
