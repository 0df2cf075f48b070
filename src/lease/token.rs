//! A holder, and the number that tells it from earlier holders.

use core::fmt;

use crate::time::Timestamp;

/// The number of one holding of a [`Lease`](super::Lease): a fencing token. Each write carries one, and
/// [`check`](super::Lease::check) refuses all but the newest.
///
/// Tokens only grow, and none is handed out twice. So a token also protects a store that knows nothing of the lease: the store
/// remembers the largest token it has seen, and refuses writes with a smaller one.
///
/// It is sent over the wire as a number. JavaScript's numbers are exact below 2^53.
///
/// ```
/// use liveness::lease::Token;
///
/// let token = Token::new(7);
/// assert_eq!(token.get(), 7);
/// assert!(token > Token::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Token(u64);

impl Token {
    /// The number before the first token. It is never handed out.
    pub const ZERO: Self = Self(0);
    /// The last token. A lease that has handed it out grants nothing more.
    pub const MAX: Self = Self(u64::MAX);

    /// The token with this number, such as one that came over the wire.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after it; `None` after the last.
    pub(super) const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }
}

/// Its number: `7`.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who holds a lease: see [`Lease::holder`](super::Lease::holder).
#[derive(Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Holder<'a, U> {
    /// The holder.
    pub user: &'a U,
    /// The holder's token.
    pub token: Token,
    /// Since when they are suspect; `None` while they are not.
    pub frozen_since: Option<Timestamp>,
}

// By hand, because a user's name may be a type that is not `Copy`, such as a `String`.
impl<U> Copy for Holder<'_, U> {}
impl<U> Clone for Holder<'_, U> {
    fn clone(&self) -> Self {
        *self
    }
}
