//! What comes out of the machine.

use core::fmt;

use crate::time::Timestamp;

/// What the caller must do: [`Reconnect::poll`](super::Reconnect::poll) returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a dropped action is a dial never made, or one never abandoned"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller that ignores a new action would be wrong; it must not compile"
)]
pub enum ReconnectAction {
    /// Open a connection, and report [`connected`](super::Reconnect::connected) or [`failed`](super::Reconnect::failed).
    Dial(Attempt),
    /// This dial takes too long, or is no longer wanted: drop it. Nothing need be reported.
    Abandon(Attempt),
    /// A hand-over succeeded: close this connection, which another has replaced. Nothing need be reported of it.
    Retire(Attempt),
    /// No more dials. The last action there is.
    GiveUp(GiveUpReason),
}

/// The number of a dial, and of the connection that came of it: 1, 2, and so on.
///
/// Reports about any but the newest change nothing, such as the end of a connection that is known to be lost, or the success of a
/// dial that was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub(super) u64);

impl Attempt {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why there will be no more dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GiveUpReason {
    /// The connection was closed with this code, after which the policy does not dial.
    Closed(u16),
    /// `max_attempts` dials came to nothing.
    Attempts,
    /// `max_elapsed` is over.
    Elapsed,
    /// The backoff's iterator has ended.
    Backoff,
    /// A dial failed, and the caller decided that no other would succeed: [`Reconnect::failed_with`](super::Reconnect::failed_with).
    Refused,
    /// The caller wanted no more: [`Reconnect::stop`](super::Reconnect::stop).
    Stopped,
}

/// In a few words, for a person.
impl fmt::Display for GiveUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(code) => return write!(f, "closed with code {code}"),
            Self::Attempts => "too many attempts failed",
            Self::Elapsed => "tried for too long",
            Self::Backoff => "the last attempt failed",
            Self::Refused => "refused for good",
            Self::Stopped => "stopped by this side",
        })
    }
}

/// Where a [`Reconnect`](super::Reconnect) stands: what a status line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no fifth state to be in")]
pub enum DialStatus {
    /// Not connected. The next dial is at this moment. `None`: the next dial waits for a change or the return of the network, or
    /// for a person to ask.
    Waiting(Option<Timestamp>),
    /// This dial is under way.
    Dialling(Attempt),
    /// Connected by this dial. While a hand-over is under way, by that of the connection which still serves.
    Connected(Attempt),
    /// For ever without a connection.
    Finished(GiveUpReason),
}
