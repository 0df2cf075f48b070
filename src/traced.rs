//! A machine that tells `tracing` what it does.

use core::time::Duration;

use tracing::Span;

use crate::event::{Action, CloseCode, Event};
use crate::liveness::{Liveness, Monitor, Stats};
use crate::time::Timestamp;

/// Wraps a [`Monitor`] and tells `tracing` of its life, in a span of its own.
///
/// The span is `liveness`, at level `ERROR` so that no filter of events takes their context away, below whatever span is
/// current when it is made: put the peer's address there. The events, all with target `liveness`:
///
/// | message | level | fields |
/// |---|---|---|
/// | `online` | info | `survived`: suspicions refuted so far |
/// | `ping` | debug | `ping`: its number |
/// | `answered` | debug | `answered`: pings answered so far; `rtt_us`, `srtt_us`, `rttvar_us`, `rtt_us_min` once there is a sample |
/// | `suspect` | info | `ping`; `report` |
/// | `stall forgiven` | warn | `stalls_forgiven`: how many so far |
/// | `offline` | info | `reason`, as transcripts write it; `report` |
/// | `close` | debug | `code`, if there is one |
/// | `disconnect` | debug | `pings`, `answered`, `stalls_forgiven`, `survived` |
///
/// ```
/// use liveness::{Config, Liveness, Monitor, Timestamp, Traced};
///
/// let span = tracing::info_span!("websocket", peer = "192.0.2.1:9");
/// let machine = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
/// let mut peer = span.in_scope(|| Traced::new(machine));
/// while peer.poll(Timestamp::ZERO).is_some() {}
/// ```
///
/// A driver takes it where it takes a machine: `with_machine`.
#[derive(Debug)]
pub struct Traced<M> {
    machine: M,
    span: Span,
}

impl<M: Monitor> Traced<M> {
    /// A machine whose life is told from here on.
    pub fn new(machine: M) -> Self {
        Self { machine, span: tracing::error_span!(target: "liveness", "liveness") }
    }

    fn trace_action(&self, action: Action, now: Timestamp) {
        let peer = self.machine.liveness();
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

impl<M: Monitor> Monitor for Traced<M> {
    fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        let answers = self.liveness().stats().answers;
        self.machine.handle(event, now);
        if self.liveness().stats().answers != answers {
            self.span.in_scope(|| trace_answer(self.liveness()));
        }
    }

    fn poll(&mut self, now: Timestamp) -> Option<Action> {
        let stalls = self.liveness().stats().stalls_forgiven;
        let action = self.machine.poll(now);
        let stalls_forgiven = self.liveness().stats().stalls_forgiven;
        self.span.in_scope(|| {
            if stalls_forgiven != stalls {
                tracing::warn!(target: "liveness", stalls_forgiven, "stall forgiven");
            }
            if let Some(action) = action {
                self.trace_action(action, now);
            }
        });
        action
    }

    fn probe(&mut self, now: Timestamp) {
        self.machine.probe(now);
    }

    fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.machine.close(code, now);
    }

    fn liveness(&self) -> &Liveness {
        self.machine.liveness()
    }
}
