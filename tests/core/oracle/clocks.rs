//! What runs, since when and until when: every deadline, worked out anew from the history.

use std::time::Duration;

use liveness::{Evidence, Schedule, Suspicion};

use super::history::{Input, Overdue, What, is_answer, is_heard, is_pause, is_written};
use super::reference::{Reference, nanos};

impl Reference {
    pub(super) fn is_evidence(&self, what: &What) -> bool {
        match self.config.evidence() {
            Evidence::AnyTraffic => is_heard(what),
            Evidence::PongOnly => is_answer(what),
            other => panic!("the reference knows no {other:?}"),
        }
    }

    /// When the last pause ended: the first resumption after it, for more are nothing (rule 9).
    fn resumed_at(&self) -> u64 {
        let paused = self.history.last(|what| *what == What::In(Input::ReadPaused));
        let resumed = paused.and_then(|at| self.history.first_after(at, is_pause));
        resumed.map_or(0, |index| self.history.at(index))
    }

    /// The ping that is awaited: the newest, while no evidence came since.
    fn awaited(&self) -> Option<usize> {
        self.history
            .newest_ping()
            .filter(|ping| !self.history.any_after(*ping, |what| self.is_evidence(what)))
    }

    /// Rule 4: where a ping was written: when it was handed out, or at the first `PingSent` after.
    pub(super) fn written(&self, ping: usize) -> Option<usize> {
        if self.config.write_timeout() == Duration::MAX {
            Some(ping)
        } else {
            self.history.first_after(ping, |what| *what == What::In(Input::PingSent))
        }
    }

    /// Rule 4: the awaited ping's current clock: which, and since when.
    fn ping_clock(&self) -> Option<(Overdue, u64)> {
        let ping = self.awaited()?;
        Some(match self.written(ping) {
            Some(written) => (Overdue::Answer, self.history.at(written).max(self.resumed_at())),
            None => {
                let wrote =
                    self.history.last(|what| *what == What::In(Input::Wrote)).filter(|wrote| *wrote > ping);
                (Overdue::Write, self.history.at(wrote.unwrap_or(ping)))
            }
        })
    }

    /// Every verdict that would fall by time alone, and when it is due, in the order of rule 13.
    pub(super) fn deadlines(&self) -> Vec<(Overdue, u64)> {
        let mut deadlines = Vec::new();
        if !self.history.is_paused() {
            let data = self.history.last_at(|what| *what == What::In(Input::Data)).max(self.resumed_at());
            deadlines.push((Overdue::Idle, data.saturating_add(nanos(self.config.idle_timeout()))));
            let heard = self.history.last_at(|what| is_heard(what) || *what == What::SilenceForgiven);
            let heard = heard.max(self.resumed_at());
            deadlines.push((Overdue::Silence, heard.saturating_add(nanos(self.config.silence_timeout()))));
        }
        match self.ping_clock() {
            Some((Overdue::Answer, since)) if !self.history.is_paused() => {
                deadlines.push((Overdue::Answer, since.saturating_add(nanos(self.config.timeout()))));
            }
            Some((Overdue::Write, since)) => {
                deadlines.push((Overdue::Write, since.saturating_add(nanos(self.config.write_timeout()))));
            }
            _ => {}
        }
        deadlines
    }

    /// Rule 5: when a poll first saw this deadline.
    pub(super) fn first_sight(&self, overdue: Overdue, deadline: u64) -> Option<u64> {
        let saw = self.history.facts().iter().find(|fact| fact.what == What::Saw(overdue, deadline));
        saw.map(|fact| fact.at)
    }

    /// Rule 8.
    pub(super) fn suspicion_due(&self) -> u64 {
        let after = match self.config.suspicion() {
            Suspicion::Never => u64::MAX,
            Suspicion::After(after) => nanos(after),
            Suspicion::Adaptive { at_least } => self.smoothed().map_or(u64::MAX, |(smoothed, variation)| {
                smoothed.saturating_add(variation.saturating_mul(4)).max(nanos(at_least))
            }),
            other => panic!("the reference knows no {other:?}"),
        };
        match self.ping_clock() {
            Some((_, since)) if !self.history.is_paused() && after < nanos(self.config.timeout()) => {
                since.max(self.resumed_at()).saturating_add(after)
            }
            _ => u64::MAX,
        }
    }

    /// Rule 1, to a poll now. What came due during a wait is late when the wait ends; a probe is due now.
    pub(super) fn ping_due(&self, now: u64) -> u64 {
        if self.awaited().is_some() {
            return u64::MAX;
        }
        let ping = self.history.newest_ping().unwrap_or(0);
        if self.history.any_after(ping, |what| *what == What::In(Input::Probe)) {
            return now;
        }
        let since = match self.config.schedule() {
            Schedule::Steady => self.history.at(ping),
            Schedule::Quiet => {
                let evidence = self.history.last_at(|what| self.is_evidence(what));
                evidence.min(self.history.last_at(is_written))
            }
            other => panic!("the reference knows no {other:?}"),
        };
        since.saturating_add(nanos(self.config.interval()))
    }
}
