//! What a client does after a loss.

use core::time::Duration;

use crate::time::nanos;

/// Whether and how to dial again after a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnClose {
    /// Dial again: `at_least` this long after the loss, and later by an evenly drawn share of `spread`, so that the clients
    /// of one server do not come back at the same moment.
    Redial {
        /// The server's minimum: neither a backoff nor a new network shortens it.
        at_least: Duration,
        /// The width of the draw. Zero: no draw. [`Reconnect`](super::Reconnect) says when the draw is a part of the
        /// server's minimum.
        spread: Duration,
    },
    /// Do not dial again: the next dial would end in the same way.
    Stop,
}

impl OnClose {
    /// Dial at a random time in the first 5 s: RFC 6455 7.2.3 calls this reasonable after an abnormal closure.
    pub const REDIAL: Self = Self::Redial { at_least: Duration::ZERO, spread: Duration::from_secs(5) };

    /// Dial at once: for a loss of this client alone, because its own network went away or because it slept. There are no
    /// other clients to spread from.
    pub const AT_ONCE: Self = Self::Redial { at_least: Duration::ZERO, spread: Duration::ZERO };

    /// Dial not before this time: what the server asked for, such as the `Retry-After` of an HTTP answer, or a field of its
    /// Close.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::reconnect::OnClose;
    ///
    /// // `Retry-After: 120` on a 503, and a spread of half a minute, because all clients got the same answer.
    /// let asked = OnClose::after(Duration::from_secs(120)).spread_over(Duration::from_secs(30));
    /// assert_eq!(asked, OnClose::Redial { at_least: Duration::from_secs(120), spread: Duration::from_secs(30) });
    /// ```
    #[must_use]
    pub const fn after(at_least: Duration) -> Self {
        Self::Redial { at_least, spread: Duration::ZERO }
    }

    /// Sets the width of the draw: what the server said in its hello or its Close about how its clients should spread. Does
    /// not change [`Stop`](Self::Stop).
    #[must_use]
    pub const fn spread_over(self, spread: Duration) -> Self {
        match self {
            Self::Redial { at_least, spread: _ } => Self::Redial { at_least, spread },
            Self::Stop => Self::Stop,
        }
    }

    /// Makes `at_least` at least this long. Does not change [`Stop`](Self::Stop).
    #[must_use]
    pub const fn not_before(self, wait: Duration) -> Self {
        match self {
            Self::Redial { at_least, spread } if at_least.as_nanos() < wait.as_nanos() => {
                Self::Redial { at_least: wait, spread }
            }
            Self::Redial { .. } | Self::Stop => self,
        }
    }

    /// What the codes of RFC 6455 7.4 and of the IANA registry mean for a client that wants to stay connected. Your own
    /// function for [`Policy::on_close`] may call this one for all other codes.
    ///
    /// | code | | |
    /// |---|---|---|
    /// | 1000 | normal closure | stop: the connection fulfilled its purpose; a server that wants its clients back sends 1001 or 1012 |
    /// | 1001 | going away | dial again, 0 to 5 s |
    /// | 1002, 1003, 1007 to 1010 | our data was wrong | stop: it would be wrong again next time |
    /// | 1005 | no code | dial again, 0 to 5 s: most libraries send it for a plain `close()`, and it does not forbid a return |
    /// | 1006 | no Close at all | dial again, 0 to 5 s (RFC 6455 7.2.3) |
    /// | 1011, 1014 | internal error, bad gateway | dial again, 0 to 5 s: the error may be temporary |
    /// | 1012 | service restart | dial again, 5 to 30 s, as its registration asks |
    /// | 1013 | try again later | dial again, 30 to 60 s: the server is overloaded |
    /// | 3000, 3003 | unauthorized, forbidden | stop: the same credentials would be refused again |
    /// | 3008 | timeout | dial again, 0 to 5 s: a heartbeat like this crate's judged us dead |
    /// | any other | mostly 4000 to 4999 | dial again, 0 to 5 s |
    ///
    /// The last row is a choice between two mistakes. A useless dial costs little: if a server closes a connection as soon
    /// as it opens, the connection never becomes stable, so the backoff grows. A client that stops when the server only
    /// meant "not now" costs the user the whole service.
    ///
    /// ```
    /// use liveness::reconnect::OnClose;
    ///
    /// assert_eq!(OnClose::by_code(1006), OnClose::REDIAL);
    /// assert_eq!(OnClose::by_code(1002), OnClose::Stop);
    /// ```
    #[must_use]
    pub const fn by_code(code: u16) -> Self {
        match code {
            1000 | 1002 | 1003 | 1007..=1010 | 3000 | 3003 => Self::Stop,
            1012 => Self::Redial { at_least: Duration::from_secs(5), spread: Duration::from_secs(25) },
            1013 => Self::Redial { at_least: Duration::from_secs(30), spread: Duration::from_secs(30) },
            _ => Self::REDIAL,
        }
    }

    /// What the status of an HTTP answer means if it opened no WebSocket. Pass the result to
    /// [`Reconnect::failed_with`](super::Reconnect::failed_with), which also waits for the backoff.
    ///
    /// | status | | |
    /// |---|---|---|
    /// | 408, 425, 429 | the request came too late, too early, too often | dial again |
    /// | any other 4xx | the request was wrong (RFC 9110 15.5): 401, 403, 404 | stop: it would be wrong again next time |
    /// | 200, 302, 511 | no WebSocket: for example the login page of a hotel's network | dial again: it may be gone |
    /// | any other, mostly 5xx | an error of the server (RFC 9110 15.6) | dial again |
    ///
    /// Add the answer's `Retry-After` with [`not_before`](Self::not_before).
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::reconnect::OnClose;
    ///
    /// assert_eq!(OnClose::by_status(404), OnClose::Stop);
    /// let wait = Duration::from_secs(120);
    /// assert_eq!(OnClose::by_status(503).not_before(wait), OnClose::after(wait));
    /// ```
    #[must_use]
    pub const fn by_status(status: u16) -> Self {
        match status {
            408 | 425 | 429 => Self::AT_ONCE,
            400..=499 => Self::Stop,
            _ => Self::AT_ONCE,
        }
    }
}

/// When a [`Reconnect`](super::Reconnect) dials again and when it gives up. The backoff is separate.
///
/// ```
/// use core::time::Duration;
/// use liveness::reconnect::{OnClose, Policy};
///
/// const POLICY: Policy = Policy::DEFAULT
///     .max_elapsed(Duration::from_secs(600))
///     .on_close(|code| match code {
///         // This service sends it when a token has expired.
///         4401 => OnClose::Stop,
///         // A proxy in front of it closes idle connections with 1000.
///         1000 => OnClose::REDIAL,
///         _ => OnClose::by_code(code),
///     });
/// # let _ = POLICY;
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a policy does nothing until a `Reconnect` is made with it"]
pub struct Policy {
    pub(super) stable_after: u64,
    pub(super) dial_timeout: u64,
    pub(super) max_spread: u64,
    pub(super) max_attempts: u32,
    pub(super) max_elapsed: u64,
    pub(super) on_close: fn(u16) -> OnClose,
}

/// 30 s: longer than the default `interval` of a heartbeat, so the server has answered a ping by then. A path that opens and
/// then carries no data is not stable.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// 20 s: name resolution, TCP, TLS and the upgrade over a bad path, each with one or two retransmissions.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);

impl Policy {
    /// Stable after 30 s, 20 s for a dial, no other limits, [`OnClose::by_code`].
    pub const DEFAULT: Self = Self {
        stable_after: nanos(STABLE_AFTER),
        dial_timeout: nanos(DIAL_TIMEOUT),
        max_spread: u64::MAX,
        max_attempts: u32::MAX,
        max_elapsed: u64::MAX,
        on_close: OnClose::by_code,
    };

    /// Sets how long a connection must be open to be stable. After the loss of a stable connection the backoff and the
    /// limits start anew. An earlier loss counts as one more failure. Default 30 s; zero: every connection is stable;
    /// `Duration::MAX`: no connection is.
    pub const fn stable_after(mut self, stable_after: Duration) -> Self {
        self.stable_after = nanos(stable_after);
        self
    }

    /// Sets how long a dial may take before it is [abandoned](super::ReconnectAction::Abandon), which is a failure like any
    /// other. Default 20 s; `Duration::MAX`: never, for a caller with its own timeout. Zero counts as a nanosecond.
    ///
    /// Operating systems try for minutes, and a dial that began just before the network changed never succeeds.
    ///
    /// A process that slept may not have read a dial's success yet. So if the first call after this timeout is late by more
    /// than a quarter of it (at most a second), the dial gets that much more time, once.
    pub const fn dial_timeout(mut self, dial_timeout: Duration) -> Self {
        let timeout = nanos(dial_timeout);
        self.dial_timeout = if timeout == 0 { 1 } else { timeout };
        self
    }

    /// Limits the [spread](OnClose::Redial), whatever [`on_close`](Self::on_close) says. It shortens neither `at_least` nor
    /// the caller's decision at a loss ([`closed_with`](super::Reconnect::closed_with)). Default `Duration::MAX`: no limit.
    /// Zero: a client that lost the server dials at once, and so do all others.
    ///
    /// The 5 s of RFC 6455 are for a server that many thousands of clients lose at the same moment. For a few hundred
    /// clients a second is enough. A user whose connection broke is then back before a lingering `Presence` reports that the
    /// user left.
    pub const fn max_spread(mut self, max_spread: Duration) -> Self {
        self.max_spread = nanos(max_spread);
        self
    }

    /// Sets how many dials there may be from the start, or from the loss of a stable connection. If the last of them fails,
    /// the client gives up. Default `u32::MAX`: no limit. Zero: no dial.
    pub const fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts;
        self
    }

    /// Sets for how long to dial from the start, or from the loss of a stable connection. Then the client gives up, exactly
    /// at that moment, unless a dial is in progress, which may still succeed. Default `Duration::MAX`: for ever. Zero: no
    /// dial.
    pub const fn max_elapsed(mut self, max_elapsed: Duration) -> Self {
        self.max_elapsed = nanos(max_elapsed);
        self
    }

    /// Sets what a close code means. Default [`OnClose::by_code`]. The function has no state. If the decision depends on
    /// what the server said before, pass it at each loss to [`closed_with`](super::Reconnect::closed_with).
    pub const fn on_close(mut self, on_close: fn(u16) -> OnClose) -> Self {
        self.on_close = on_close;
        self
    }

    /// How late the first call after the end of a dial's time may be, and how much more time the dial then gets: a quarter
    /// of its timeout, and at most a second, because a user waits.
    pub(super) fn late(&self) -> u64 {
        (self.dial_timeout / 4).min(nanos(Duration::from_secs(1)))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
