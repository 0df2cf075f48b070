//! An observer that reports to `tracing`.

use core::time::Duration;

use tracing::Span;

use crate::event::{Action, CloseCode};
use crate::liveness::{Liveness, Stats};
use crate::observer::Observer;
use crate::time::Timestamp;

/// An [`Observer`] that reports a connection's life to `tracing`, in its own span.
///
/// The span is `liveness`, at level `ERROR`, so that a filter of events does not remove their context. Its parent is the
/// span that is current when it is made: put the peer's address there. All events have the target `liveness`:
///
/// | message | level | fields |
/// |---|---|---|
/// | `online` | info | `survived`: suspicions refuted so far |
/// | `ping` | debug | `ping`: its number |
/// | `answered` | debug | `answered`: pings answered so far; `rtt_us`, `srtt_us`, `rttvar_us`, `rtt_us_min` once there is a sample |
/// | `suspect` | info | `ping`; `report` |
/// | `stall forgiven` | warn | `stalls_forgiven`: the number so far |
/// | `offline` | info | `reason`, as transcripts write it; `report` |
/// | `close` | debug | `code`, if there is one |
/// | `disconnect` | debug | `pings`, `answered`, `stalls_forgiven`, `survived` |
///
/// The span is entered for an event, not for each call.
///
/// ```
/// use liveness::{Config, Liveness, Observed, Timestamp, Traced};
///
/// let span = tracing::info_span!("websocket", peer = "192.0.2.1:9");
/// let mut peer = Observed::new(Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO));
/// peer.observe(span.in_scope(Traced::new), Timestamp::ZERO);
/// while peer.poll(Timestamp::ZERO).is_some() {}
/// ```
///
/// For a driver's socket: `socket.observe(Traced::new())`. An observer that is attached later reports only what happens
/// after that; the counts are those of the whole life.
#[derive(Debug)]
pub struct Traced {
    span: Span,
    /// The counts at the latest event.
    stats: Stats,
}

impl Traced {
    /// An observer for one connection. The current span is the parent of its span.
    #[must_use]
    pub fn new() -> Self {
        Self { span: tracing::error_span!(target: "liveness", "liveness"), stats: Stats::default() }
    }
}

impl Default for Traced {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Traced {
    fn attached(&mut self, peer: &Liveness, _: Timestamp) {
        self.stats = peer.stats();
    }

    fn changed(&mut self, peer: &Liveness, _: Timestamp) {
        let (old, new) = (self.stats, peer.stats());
        if new.answers != old.answers {
            self.span.in_scope(|| trace_answer(peer));
        }
        if new.stalls_forgiven != old.stalls_forgiven {
            self.span.in_scope(|| {
                tracing::warn!(target: "liveness", stalls_forgiven = new.stalls_forgiven, "stall forgiven");
            });
        }
        self.stats = new;
    }

    fn action(&mut self, action: Action, peer: &Liveness, now: Timestamp) {
        self.span.in_scope(|| trace_action(action, peer, now));
    }
}

fn trace_action(action: Action, peer: &Liveness, now: Timestamp) {
    let stats = peer.stats();
    match action {
        Action::MarkOnline => {
            tracing::info!(target: "liveness", survived = stats.suspicions_survived, "online");
        }
        Action::SendPing(_) => tracing::debug!(target: "liveness", ping = stats.pings, "ping"),
        Action::MarkSuspect => {
            tracing::info!(target: "liveness", ping = stats.pings, report = %peer.report(now), "suspect");
        }
        Action::MarkOffline(reason) => {
            tracing::info!(target: "liveness", %reason, report = %peer.report(now), "offline");
        }
        Action::Close(code) => {
            tracing::debug!(target: "liveness", code = code.map(CloseCode::get), "close");
        }
        Action::Disconnect => trace_disconnect(stats),
    }
}

fn trace_disconnect(stats: Stats) {
    tracing::debug!(
        target: "liveness",
        pings = stats.pings,
        answered = stats.answers,
        stalls_forgiven = stats.stalls_forgiven,
        survived = stats.suspicions_survived,
        "disconnect"
    );
}

fn trace_answer(peer: &Liveness) {
    let rtt = peer.rtt();
    tracing::debug!(
        target: "liveness",
        answered = peer.stats().answers,
        rtt_us = rtt.map(|rtt| micros(rtt.latest)),
        srtt_us = rtt.map(|rtt| micros(rtt.smoothed)),
        rttvar_us = rtt.map(|rtt| micros(rtt.variation)),
        rtt_us_min = rtt.map(|rtt| micros(rtt.min)),
        "answered"
    );
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
