//! The actions and states of a `Reconnect`.

use core::fmt;

use crate::time::Timestamp;

/// What the caller must do: the result of [`Reconnect::poll`](super::Reconnect::poll).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a dropped action is a dial never made, or one never abandoned"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller that ignores a new action would be wrong; it must not compile"
)]
pub enum ReconnectAction {
    /// Open a connection, and report [`connected`](super::Reconnect::connected) or [`failed`](super::Reconnect::failed).
    Dial(Attempt),
    /// This dial takes too long, or is no longer wanted: drop it, and report nothing.
    Abandon(Attempt),
    /// A hand-over succeeded: close this old connection, and report nothing.
    Retire(Attempt),
    /// There are no more dials. This is the last action.
    GiveUp(GiveUpReason),
}

/// The number of a dial and of its connection: 1, 2, and so on.
///
/// A report about an older attempt changes nothing, such as the end of a connection that is already lost, or the success of
/// an abandoned dial.
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
    /// The connection was closed with this code, and the policy does not dial after it.
    Closed(u16),
    /// `max_attempts` dials failed.
    Attempts,
    /// `max_elapsed` has passed.
    Elapsed,
    /// The backoff's iterator has ended.
    Backoff,
    /// A dial failed, and the caller decided that no other would succeed: [`Reconnect::failed_with`](super::Reconnect::failed_with).
    Refused,
    /// The caller called [`Reconnect::stop`](super::Reconnect::stop).
    Stopped,
}

/// The reason in a few words, for people.
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

/// The state of a [`Reconnect`](super::Reconnect), for a status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no fifth state")]
pub enum DialStatus {
    /// Not connected. The next dial is at this moment. `None`: the next dial waits until the network changes or returns, or
    /// until a user asks.
    Waiting(Option<Timestamp>),
    /// This dial is in progress.
    Dialling(Attempt),
    /// Connected by this dial. During a hand-over, the dial of the connection that is still in use.
    Connected(Attempt),
    /// There will be no more connections.
    Finished(GiveUpReason),
}
