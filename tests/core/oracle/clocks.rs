//! What runs, since when and until when: every moment at which something falls due, computed again from the whole past.
//!
//! Three clocks are independent: the schedule, the writing of the newest ping, and the wait for an answer.

use std::time::Duration;

use liveness::{Config, Schedule, Suspicion};

use super::history::{Fact, Input, Output, Overdue, Past, What, is_heard, is_mercy, is_ping, is_write};

/// Rule 1: a probe brings the next ping this long after the latest ping, at the earliest.
pub(super) const PROBE_SPACING: Duration = Duration::from_secs(1);

/// Whole nanoseconds. What does not fit means never.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn later(at: u64, by: Duration) -> u64 {
    at.saturating_add(nanos(by))
}

/// The wait for an answer (rule 4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wait {
    /// The index of the fact that it counts from.
    pub(super) since: usize,
    /// True if a ping that `probe` brought has shortened it.
    pub(super) shortened: bool,
}

impl Wait {
    /// How long it runs. `reconfigure` changes the lengths. A probe can still only shorten it.
    pub(super) fn length(self, config: &Config) -> Duration {
        if self.shortened { config.probe_timeout().min(config.timeout()) } else { config.timeout() }
    }
}

/// A verdict that would come from time alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Deadline {
    pub(super) overdue: Overdue,
    pub(super) due: u64,
    /// How long its clock has run when it is due.
    pub(super) length: Duration,
}

/// The clocks of a ping.
impl Past<'_> {
    /// Rule 4: the fact by which a ping was written. That is its hand-out if `write_timeout` is never, and otherwise the
    /// first `PingSent` after it. A ping that a fresh one replaced was never written. The rules leave open what happens
    /// to a ping that is being written when `write_timeout` becomes never: nobody will report it, so it counts as written
    /// then.
    pub(super) fn written(self, ping: usize) -> Option<usize> {
        let never = |fact: &Fact| self.config_of(fact).write_timeout() == Duration::MAX;
        if never(&self.facts()[ping]) {
            return Some(ping);
        }
        let next = self.first_after(ping, |fact| {
            is_ping(fact)
                || fact.what == What::In(Input::PingSent)
                || fact.what == What::In(Input::Reconfigure) && never(fact)
        });
        next.filter(|next| !is_ping(&self.facts()[*next]))
    }

    /// The ping that is being written now.
    pub(super) fn unwritten(self) -> Option<usize> {
        self.newest_ping().filter(|ping| self.written(*ping).is_none())
    }

    /// Rule 4: the fact from which the writing of the newest ping counts: its hand-out, or the latest `Wrote` after it.
    /// Evidence and pauses do not change it.
    pub(super) fn writing(self) -> Option<usize> {
        let ping = self.unwritten()?;
        let wrote = self.last(|fact| fact.what == What::In(Input::Wrote));
        Some(wrote.filter(|wrote| *wrote > ping).unwrap_or(ping))
    }

    /// Rule 4: the wait for an answer, followed through the history from its beginning. It begins when the first ping
    /// after the latest evidence is written. The fresh ping of rule 6 begins it again, so then it begins when that ping
    /// is written.
    pub(super) fn wait(self) -> Option<Wait> {
        let evidence = self.latest_evidence();
        let mercy = self.last(is_mercy).filter(|mercy| *mercy > evidence);
        let first = self.first_after(mercy.unwrap_or(evidence), is_ping)?;
        let written = self.written(first)?;
        let mut wait = Wait { since: written, shortened: false };
        for (index, fact) in self.facts().iter().enumerate().skip(written) {
            let paused = || self.before(index).is_paused();
            if fact.what == What::In(Input::ReadResumed) && paused() {
                // Rule 9: it begins again.
                wait.since = index;
            } else if self.is_writing_of_a_probe(index) {
                let config = self.config_of(fact);
                // In a pause it does not run, and will begin again. So its whole length is left.
                let since = if paused() { fact.at } else { self.at(wait.since) };
                if later(since, wait.length(config)) > later(fact.at, config.probe_timeout()) {
                    wait = Wait { since: index, shortened: true };
                }
            }
        }
        Some(wait)
    }

    /// True if a ping that `probe` brought was written by this fact.
    pub(super) fn is_writing_of_a_probe(self, index: usize) -> bool {
        let fact = &self.facts()[index];
        let writing = is_ping(fact) || matches!(fact.what, What::In(Input::PingSent | Input::Reconfigure));
        let ping = writing.then(|| self.before(index + 1).newest_ping()).flatten();
        ping.is_some_and(|ping| self.written(ping) == Some(index) && self.is_of_a_probe(ping))
    }

    /// True if `probe` brought this ping: `probe` was called since the ping before. The rules leave open what counts if
    /// the schedule makes a ping due in the second that a probe must wait. Here it counts as the probe's, because the
    /// probe asks for it.
    pub(super) fn is_of_a_probe(self, ping: usize) -> bool {
        let then = self.when_sent(ping);
        let fresh = then.facts().len() < ping;
        then.probe().is_some() || fresh && then.passes_the_probe_on()
    }

    /// Rule 6: the fresh ping in a shortened wait is a probe's too. The rules leave open whether a fresh ping is, if it
    /// replaces a probe's ping that was never written. Here it is.
    fn passes_the_probe_on(self) -> bool {
        let replaced = self.unwritten().filter(|unwritten| *unwritten > self.latest_evidence());
        self.wait().is_some_and(|wait| wait.shortened)
            || replaced.is_some_and(|replaced| self.is_of_a_probe(replaced))
    }

    /// What was known when this ping went out, without the forgiveness that brought it.
    pub(super) fn when_sent(self, ping: usize) -> Self {
        let then = self.before(ping);
        if then.facts().last().is_some_and(is_mercy) { then.before(ping - 1) } else { then }
    }

    /// The first `probe` since the latest ping. Its ping is still to come.
    fn probe(self) -> Option<usize> {
        self.first_after(self.newest_ping().unwrap_or(0), |fact| fact.what == What::In(Input::Probe))
    }

    /// The number of the oldest ping that is not answered yet.
    pub(super) fn awaited(self) -> Option<u32> {
        if self.verdict().is_some() {
            return None;
        }
        let pong = |fact: &Fact| if let What::In(Input::Pong(number)) = fact.what { number } else { None };
        // An answer settles earlier pings too.
        let oldest = self.facts().iter().filter_map(pong).max().unwrap_or(0) + 1;
        (oldest <= self.pings()).then_some(oldest)
    }
}

/// What falls due.
impl Past<'_> {
    /// Every verdict that would come from time alone, in the order of rule 13.
    pub(super) fn deadlines(self) -> Vec<Deadline> {
        let config = self.config();
        let mut deadlines = Vec::new();
        let mut add = |overdue, since, length| {
            deadlines.push(Deadline { overdue, due: later(since, length), length });
        };
        // Rule 9: in a pause no wait for the peer runs. Each begins again at the resumption.
        if !self.is_paused() {
            let resumed = self.resumption().unwrap_or(0);
            let data =
                self.last_or_opening(|fact| matches!(fact.what, What::In(Input::Data | Input::Progress)));
            add(Overdue::Idle, self.at(data.max(resumed)), config.idle_timeout());
            let heard =
                self.last_or_opening(|fact| is_heard(fact) || fact.what == What::Forgave(Overdue::Silence));
            add(Overdue::Silence, self.at(heard.max(resumed)), config.silence_timeout());
            if let Some(wait) = self.wait() {
                add(Overdue::Answer, self.at(wait.since), wait.length(config));
            }
        }
        if let Some(writing) = self.writing() {
            add(Overdue::Write, self.at(writing), config.write_timeout());
        }
        deadlines
    }

    /// Rule 8.
    pub(super) fn suspicion_due(self) -> u64 {
        let config = self.config();
        let (since, timeout) = match (self.wait(), self.writing()) {
            (Some(wait), _) => (wait.since, wait.length(config)),
            (None, Some(writing)) => (writing.max(self.resumption().unwrap_or(0)), config.write_timeout()),
            (None, None) => return u64::MAX,
        };
        let after = match config.suspicion() {
            Suspicion::Never => Duration::MAX,
            Suspicion::After(after) => after,
            Suspicion::Adaptive { at_least } => {
                self.smoothed().map_or(Duration::MAX, |(smoothed, variation)| {
                    Duration::from_nanos(smoothed.saturating_add(variation.saturating_mul(4))).max(at_least)
                })
            }
            other => panic!("the reference does not know {other:?}"),
        };
        // Only once for each wait: evidence ends a suspicion but not the writing, so the same wait could give another
        // one.
        let suspected = self.any_after(since, |fact| fact.what == What::Polled(Some(Output::Suspect)));
        if self.is_paused() || suspected || after >= timeout {
            u64::MAX
        } else {
            later(self.at(since), after)
        }
    }

    /// Rule 1, for a poll at `now`.
    pub(super) fn ping_due(self, now: u64) -> u64 {
        if self.unwritten().is_some() {
            return u64::MAX;
        }
        let latest_ping = self.newest_ping();
        let pinged_at = self.at(latest_ping.unwrap_or(0));
        let probe_due = self.probe().map_or(u64::MAX, |probe| {
            let spaced = latest_ping.map_or(0, |ping| later(self.at(ping), PROBE_SPACING));
            // The end of time is never, so a probe that must wait until then asks no more.
            if now == u64::MAX { u64::MAX } else { self.at(probe).max(spaced) }
        });
        let since = match self.config().schedule() {
            Schedule::Steady => pinged_at,
            Schedule::Quiet => {
                let wrote = self.at(self.last_or_opening(is_write));
                pinged_at.max(wrote.min(self.at(self.latest_evidence())))
            }
            other => panic!("the reference does not know {other:?}"),
        };
        probe_due.min(later(since, self.config().interval()))
    }
}

/// Round trips.
impl Past<'_> {
    pub(super) fn samples(self) -> Vec<u64> {
        self.facts().iter().filter_map(|fact| fact.what.sample()).collect()
    }

    /// RFC 6298 2.2 and 2.3 over all samples: SRTT and RTTVAR. By the docs of `Rtt`, no sample counts as longer than 78
    /// hours.
    pub(super) fn smoothed(self) -> Option<(u64, u64)> {
        let samples: Vec<u64> = self.samples().into_iter().map(|sample| sample.min((1 << 48) - 1)).collect();
        let (first, others) = samples.split_first()?;
        let first = (u128::from(*first), u128::from(*first) / 2);
        let (smoothed, variation) = others.iter().fold(first, |(smoothed, variation), sample| {
            let sample = u128::from(*sample);
            // RTTVAR first: it reads the old SRTT.
            let variation = (3 * variation + smoothed.abs_diff(sample)) / 4;
            ((7 * smoothed + sample) / 8, variation)
        });
        Some((u64::try_from(smoothed).unwrap(), u64::try_from(variation).unwrap()))
    }

    /// Rule 3: the round trip of the newest ping, which is answered now, if it is a sample.
    pub(super) fn sample(self, now: u64) -> Option<u64> {
        let ping = self.newest_ping()?;
        // The ping began the wait: when it went out, no earlier ping was awaited or waiting to be written.
        let then = self.when_sent(ping);
        let began = then.wait().is_none() && then.unwritten().is_none();
        let listening = !then.is_paused()
            && !self.any_after(ping, |fact| matches!(fact.what, What::In(Input::ReadPaused | Input::Unread)));
        // A ping may be answered before it is reported as sent. The rules leave open when such a round trip began. Here
        // it began at the hand-out.
        let start = self.written(ping).unwrap_or(ping);
        (began && listening).then(|| now - self.at(start))
    }
}
