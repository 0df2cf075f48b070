//! The number that tells a holder from the holders before.

use core::fmt;

/// Tells one holding of a [`Lease`](super::Lease) from all others: a fencing token. Whoever writes shows theirs, and
/// [`check`](super::Lease::check) refuses any but the newest.
///
/// It only grows and is never handed out twice, so it may also travel with a write to where nobody knows the lease: a store
/// that remembers the largest it has seen, and refuses smaller ones, takes nothing from an old holder either.
///
/// As a number it goes over the wire. In JavaScript numbers are exact below 2^53.
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
    /// Before the first: never handed out.
    pub const ZERO: Self = Self(0);
    /// The last there is: a lease that has handed it out grants nothing any more.
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
