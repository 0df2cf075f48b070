//! What a client does after a loss, depending on what is known of it.

use core::time::Duration;

use crate::time::nanos;

/// Whether and how to dial again after a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnClose {
    /// Dial again, `at_least` this long after the loss and, so that the clients of one server do not come back in one
    /// instant, later by a share of `spread` that is drawn evenly for each.
    Redial {
        /// What the server is owed: neither a backoff nor a new network shortens it.
        at_least: Duration,
        /// The width of the draw. Zero: no draw. [`Reconnect`](super::Reconnect) says when what was drawn is owed too.
        spread: Duration,
    },
    /// Dial no more: the same dial would come to the same end.
    Stop,
}

impl OnClose {
    /// Some time in the first 5 s: what RFC 6455 7.2.3 calls reasonable after an abnormal closure.
    pub const REDIAL: Self = Self::Redial { at_least: Duration::ZERO, spread: Duration::from_secs(5) };

    /// At once: for a loss that this client had alone, because its own network went away or because it slept. There is no herd
    /// to be spread from.
    pub const AT_ONCE: Self = Self::Redial { at_least: Duration::ZERO, spread: Duration::ZERO };

    /// Not before this long: what the server asked for, such as the `Retry-After` of an HTTP answer, or a field of its Close.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::reconnect::OnClose;
    ///
    /// // `Retry-After: 120` on a 503, and half a minute more to draw from, because everybody was told the same.
    /// let asked = OnClose::after(Duration::from_secs(120)).spread_over(Duration::from_secs(30));
    /// assert_eq!(asked, OnClose::Redial { at_least: Duration::from_secs(120), spread: Duration::from_secs(30) });
    /// ```
    #[must_use]
    pub const fn after(at_least: Duration) -> Self {
        Self::Redial { at_least, spread: Duration::ZERO }
    }

    /// The same with a draw of this width: what the server said about how its clients are to spread, in its hello or its Close.
    /// [`Stop`](Self::Stop) stays.
    #[must_use]
    pub const fn spread_over(self, spread: Duration) -> Self {
        match self {
            Self::Redial { at_least, spread: _ } => Self::Redial { at_least, spread },
            Self::Stop => Self::Stop,
        }
    }

    /// The same, and not before this long; a longer `at_least` stays. [`Stop`](Self::Stop) stays.
    #[must_use]
    pub const fn not_before(self, wait: Duration) -> Self {
        match self {
            Self::Redial { at_least, spread } if at_least.as_nanos() < wait.as_nanos() => {
                Self::Redial { at_least: wait, spread }
            }
            Self::Redial { .. } | Self::Stop => self,
        }
    }

    /// What the codes of RFC 6455 7.4 and their registry mean for a client that wants to stay connected. [`Policy::on_close`]
    /// takes another function, which may call this one for whatever it does not know better.
    ///
    /// | code | | |
    /// |---|---|---|
    /// | 1000 | normal closure | stop: the purpose is fulfilled; a server that wants its clients back says 1001 or 1012 |
    /// | 1001 | going away | dial again, 0 to 5 s |
    /// | 1002, 1003, 1007 to 1010 | what we sent was wrong | stop: it would be as wrong the next time |
    /// | 1005 | no code | dial again, 0 to 5 s: the bare `close()` of most libraries, and no word against coming back |
    /// | 1006 | no Close at all | dial again, 0 to 5 s (RFC 6455 7.2.3) |
    /// | 1011, 1014 | internal error, bad gateway | dial again, 0 to 5 s: what was unexpected may be gone |
    /// | 1012 | service restart | dial again, 5 to 30 s, as its registration asks |
    /// | 1013 | try again later | dial again, 30 to 60 s: overloaded, and those who come soonest hurt it most |
    /// | 3000, 3003 | unauthorized, forbidden | stop: the same credentials would be refused again |
    /// | 3008 | timeout | dial again, 0 to 5 s: a heartbeat like this crate's took us for dead, and we are not |
    /// | any other | 4000 to 4999 above all | dial again, 0 to 5 s |
    ///
    /// The last row is a choice between two mistakes. A useless dial costs little: a connection that is refused as soon as it
    /// stands never becomes stable, so the backoff grows. A client that stops when the server only meant "not now" costs the user
    /// everything.
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

    /// What the status of an HTTP answer that opened no WebSocket means for such a client: for
    /// [`Reconnect::failed_with`](super::Reconnect::failed_with), which waits as long as the backoff says where this asks for no more.
    ///
    /// | status | | |
    /// |---|---|---|
    /// | 408, 425, 429 | it came too late, too early, too often | dial again |
    /// | any other 4xx | what we sent was wrong (RFC 9110 15.5): 401, 403, 404 | stop: it would be as wrong the next time |
    /// | 200, 302, 511 | no WebSocket: the page of a hotel's network, say | dial again: it may be gone |
    /// | any other, 5xx above all | the server's own trouble (RFC 9110 15.6) | dial again |
    ///
    /// What the answer's `Retry-After` asks for is added with [`not_before`](Self::not_before).
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

/// When a [`Reconnect`](super::Reconnect) dials again and when it gives up, the backoff apart.
///
/// ```
/// use core::time::Duration;
/// use liveness::reconnect::{OnClose, Policy};
///
/// const POLICY: Policy = Policy::DEFAULT
///     .max_elapsed(Duration::from_secs(600))
///     .on_close(|code| match code {
///         // This service says so when a token is too old.
///         4401 => OnClose::Stop,
///         // A proxy before it closes with 1000 what was idle.
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

/// 30 s: longer than the default `interval` of a heartbeat, so a ping has been answered by then. A path that opens and then
/// swallows everything is not stable.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// 20 s: names resolved, TCP, TLS and the upgrade over a bad path, each with a retransmission or two.
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

    /// How long a connection must have stood for its loss to be a new one: the backoff starts anew, and so do the limits.
    /// One that is lost sooner counts as one more failure. Default 30 s; zero: every connection is stable; `Duration::MAX`:
    /// none ever is.
    pub const fn stable_after(mut self, stable_after: Duration) -> Self {
        self.stable_after = nanos(stable_after);
        self
    }

    /// How long a dial may take before it is [abandoned](super::ReconnectAction::Abandon), which is a failure like any other. Default
    /// 20 s; `Duration::MAX`: for ever, where the caller has a timeout of its own. Zero counts as a nanosecond.
    ///
    /// Operating systems try for minutes, and a dial that was begun just before the network changed never comes to anything.
    ///
    /// A process that slept may not have read a dial's success yet. So if the first call after this timeout is late by more than
    /// a quarter of it (at most a second), the dial gets that much time again, once.
    pub const fn dial_timeout(mut self, dial_timeout: Duration) -> Self {
        let timeout = nanos(dial_timeout);
        self.dial_timeout = if timeout == 0 { 1 } else { timeout };
        self
    }

    /// How wide a [spread](OnClose::Redial) is at most, whatever [`on_close`](Self::on_close) says; `at_least` is not shortened,
    /// nor what the caller decides at a loss ([`closed_with`](super::Reconnect::closed_with)). Default `Duration::MAX`: no limit.
    /// Zero: a client that lost the server dials at once, as all the others do.
    ///
    /// The 5 s of RFC 6455 are for a server that many thousands lose in one instant. Where they are a few hundred a second is
    /// enough, and a user whose connection broke is back before a `Presence` that lingers has
    /// called them out.
    pub const fn max_spread(mut self, max_spread: Duration) -> Self {
        self.max_spread = nanos(max_spread);
        self
    }

    /// How many dials there may be from the loss of a stable connection on, or from the start: if the last
    /// of them fails, it gives up. Default: without limit, as `u32::MAX` is. Zero: not one.
    pub const fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts;
        self
    }

    /// For how long to try from the loss of a stable connection on, or from the start: then it gives up, exactly at that
    /// moment unless a dial is under way, which may still succeed. Default `Duration::MAX`: for ever. Zero: not one dial.
    pub const fn max_elapsed(mut self, max_elapsed: Duration) -> Self {
        self.max_elapsed = nanos(max_elapsed);
        self
    }

    /// What a connection's close code means. Default [`OnClose::by_code`]. A function without state; where the answer depends on
    /// what the server said before, decide at each loss with [`closed_with`](super::Reconnect::closed_with).
    pub const fn on_close(mut self, on_close: fn(u16) -> OnClose) -> Self {
        self.on_close = on_close;
        self
    }

    /// How late the first call after the end of a dial's time may be, and how long the dial then has again: a quarter of its
    /// timeout, and at most a second, because a person waits.
    pub(super) fn late(&self) -> u64 {
        (self.dial_timeout / 4).min(nanos(Duration::from_secs(1)))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
