//! A second reading of the design: the whole history of one connection, searched anew for every answer.
//!
//! Nothing is kept but what was handed in and out, and when. Every question is answered by its definition: the latest
//! evidence is the last fact that is evidence, a deadline was first seen by the first poll that saw it. It is slow, and so
//! plain that a reader can check it against the rules (their numbers stand beside the lines). Jitter is left out: its
//! draws are the machine's own.

use std::time::Duration;

use liveness::{CloseCode, Config, Reason, Status, Timestamp};

use super::history::{History, Input, Output, Overdue, What, is_answer, is_heard, is_ping};

const SECOND: u64 = 1_000_000_000;

/// The rules, over the history.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) config: Config,
    pub(super) history: History,
}

/// Whole nanoseconds; what does not fit is never.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const fn reason(overdue: Overdue) -> Reason {
    match overdue {
        Overdue::Idle => Reason::Idle,
        Overdue::Silence => Reason::Silent,
        Overdue::Write => Reason::WriteStalled,
        Overdue::Answer => Reason::PingTimeout,
    }
}

/// Rule 12: the far end of time never comes.
fn reached(deadline: u64, now: u64) -> bool {
    deadline != u64::MAX && deadline <= now
}

impl Reference {
    pub(super) fn new(config: Config, now: Timestamp) -> Self {
        Self { config, history: History::new(now.as_nanos()) }
    }

    pub(super) const fn history(&self) -> &History {
        &self.history
    }
}

/// Inputs.
impl Reference {
    pub(super) fn handle(&mut self, input: Input, now: Timestamp) {
        // Rule 12: an earlier timestamp counts as the latest seen.
        let at = now.as_nanos().max(self.history.latest());
        let decided = self.history.verdict_at().is_some();
        // The design leaves open whether a pong after the verdict still answers; to the machine it does not.
        let answered = self.answered(input).filter(|_| !decided).map(|number| self.sample(number, at));
        self.history.push(at, What::In(input));
        if let Some(sample) = answered {
            self.history.push(at, What::Answered(sample));
        }
        // Rule 11: after a verdict no event changes it.
        if let (false, Some(reason)) = (decided, self.decides(input)) {
            self.history.push(at, What::Decided(reason));
        }
    }

    /// Rule 3: the ping that a pong answers, unless that was answered before, by a pong to it or to a later one.
    fn answered(&self, input: Input) -> Option<u32> {
        let Input::Pong(Some(number)) = input else { return None };
        let earlier = |what: &What| matches!(what, What::In(Input::Pong(Some(other))) if *other >= number);
        self.history.last(earlier).is_none().then_some(number)
    }

    /// The round trip, where the answer is a sample: to the newest ping (rule 3), not read across a pause (rule 9).
    fn sample(&self, number: u32, at: u64) -> Option<u64> {
        let ping = self.history.newest_ping().filter(|_| number == self.history.pings())?;
        // The design leaves open when the trip of a ping began that was answered before it was reported as sent; the
        // machine takes the hand-out.
        let start = self.written(ping).unwrap_or(ping);
        // Nor says it whether a pause that ended before the ping was sent counts; to the machine it does.
        let paused = self.history.any_after(ping, |what| *what == What::In(Input::ReadPaused));
        (!paused && !self.history.was_paused(ping)).then(|| at - self.history.at(start))
    }

    /// The verdict of an input that is one.
    fn decides(&self, input: Input) -> Option<Reason> {
        match input {
            Input::Close(code) => Some(Reason::PeerClosed(code)),
            Input::Eof => Some(Reason::TransportClosed),
            Input::LocalClose(_) => Some(Reason::LocalClosed),
            Input::Ping | Input::Pong(_) => self.is_flooded().then_some(Reason::PingFlood),
            Input::Data | Input::Progress | Input::Wrote | Input::PingSent => None,
            Input::ReadPaused | Input::ReadResumed | Input::Probe => None,
        }
    }

    /// Rule 10, by the definition of a token bucket: all that was drawn since the opening. A token is worth the time in
    /// which it accrues. That is rounded down to a nanosecond, as the machine does: never against the peer.
    fn is_flooded(&self) -> bool {
        let Some((burst, per_second)) = self.config.control_budget() else { return false };
        let accrues_in = SECOND.checked_div(u64::from(per_second));
        let token = u128::from(accrues_in.unwrap_or(1).max(1));
        let capacity = u128::from(burst) * token;
        let (mut level, mut then) = (capacity, 0);
        for (index, fact) in self.history.facts().iter().enumerate() {
            let answered = self.history.facts().get(index + 1).is_some_and(|next| is_answer(&next.what));
            if matches!(fact.what, What::In(Input::Ping | Input::Pong(_))) && !answered {
                if accrues_in.is_some() {
                    level = capacity.min(level + u128::from(fact.at - then));
                }
                then = fact.at;
                let Some(left) = level.checked_sub(token) else { return true };
                level = left;
            }
        }
        false
    }
}

/// Outputs.
impl Reference {
    pub(super) fn poll(&mut self, now: Timestamp) -> Option<Output> {
        let now = now.as_nanos().max(self.history.latest());
        let output = self.decide(now);
        self.history.push(now, What::Polled(output));
        output
    }

    fn decide(&mut self, now: u64) -> Option<Output> {
        if !self.history.did(Output::Online) {
            return Some(Output::Online);
        }
        // Rule 13: while a verdict waits for its last look, nothing else is handed out.
        if self.waiting().is_some_and(|(_, _, seen)| !self.falls(seen, now)) {
            return None;
        }
        // The design leaves open where the return from suspicion stands in rule 13. The machine tells it first, even
        // where the verdict is known: an input has decided since, or this poll does.
        if self.history.is_suspect() && self.is_refuted() {
            if let Some((overdue, ..)) = self.waiting() {
                self.history.push(now, What::Fell(reason(overdue)));
            }
            return Some(Output::Online);
        }
        if let Some((since, reason)) = self.history.verdict_at() {
            return self.closing(since, reason, now);
        }
        if let Some((overdue, deadline, seen)) = self.look(now) {
            return self.judge(overdue, deadline, seen, now);
        }
        if !self.history.is_suspect() && reached(self.suspicion_due(), now) {
            return Some(Output::Suspect);
        }
        reached(self.ping_due(now), now).then(|| Output::Ping(self.history.pings() + 1))
    }

    /// The verdict that waits for its last look: what, its deadline and its first sight.
    fn waiting(&self) -> Option<(Overdue, u64, u64)> {
        if self.verdict().is_some() {
            return None;
        }
        self.deadlines().into_iter().find_map(|(overdue, deadline)| {
            self.first_sight(overdue, deadline).map(|seen| (overdue, deadline, seen))
        })
    }

    /// The verdict that waits, or else the first that is due, and so seen now. While one waits no poll looks at another:
    /// the design leaves open whether it does.
    fn look(&mut self, now: u64) -> Option<(Overdue, u64, u64)> {
        if let Some(waiting) = self.waiting() {
            return Some(waiting);
        }
        for (overdue, deadline) in self.deadlines() {
            if reached(deadline, now) {
                self.history.push(now, What::Saw(overdue, deadline));
                let late = overdue == Overdue::Silence && self.is_late(overdue, now, deadline);
                if !late || self.silence_was_forgiven() {
                    return Some((overdue, deadline, now));
                }
                self.history.push(now, What::SilenceForgiven);
            }
        }
        None
    }

    /// Rule 6. A deadline that came while another verdict waited for its last look was not to be looked at before.
    fn is_late(&self, overdue: Overdue, seen: u64, deadline: u64) -> bool {
        let facts = self.history.facts();
        let sight = facts.iter().position(|fact| fact.what == What::Saw(overdue, deadline));
        let before = &facts[..sight.unwrap_or(facts.len())];
        let held = before.iter().rfind(|fact| fact.what == What::Held).filter(|held| held.at <= deadline);
        let free = held.map_or(0, |held| held.at.saturating_add(nanos(self.config.last_look())));
        seen.saturating_sub(deadline.max(free)) > nanos(self.config.stall_tolerance())
    }

    fn silence_was_forgiven(&self) -> bool {
        let heard = self.history.last(is_heard).unwrap_or(0);
        self.history.any_after(heard, |what| *what == What::SilenceForgiven)
    }

    /// Rule 6: a second ping without evidence between was one of forgiveness.
    fn ping_was_forgiven(&self) -> bool {
        let evidence = self.history.last(|what| self.is_evidence(what)).unwrap_or(0);
        let pings = self.history.facts()[evidence..].iter();
        pings.filter(|fact| is_ping(&fact.what)).count() >= 2
    }

    /// A verdict is due and was seen.
    fn judge(&mut self, overdue: Overdue, deadline: u64, seen: u64, now: u64) -> Option<Output> {
        let pings = matches!(overdue, Overdue::Write | Overdue::Answer);
        if pings && self.is_late(overdue, seen, deadline) && !self.ping_was_forgiven() {
            return Some(Output::Ping(self.history.pings() + 1));
        }
        if self.falls(seen, now) {
            return Some(Output::Offline(reason(overdue)));
        }
        if seen == now {
            self.history.push(now, What::Held);
        }
        None
    }

    /// Rule 5: a verdict falls at the first poll `last_look` or more after its first sight; 0 switches that off.
    fn falls(&self, seen: u64, now: u64) -> bool {
        let last_look = nanos(self.config.last_look());
        last_look == 0 || reached(seen.saturating_add(last_look), now)
    }

    /// Rules 7 and 11: what comes after the verdict that fell at `since`.
    fn closing(&self, since: usize, reason: Reason, now: u64) -> Option<Output> {
        if self.is_finished() {
            return None;
        }
        if !self.history.did(Output::Offline(reason)) {
            return Some(Output::Offline(reason));
        }
        if reason == Reason::TransportClosed {
            return Some(Output::Disconnect);
        }
        if !self.history.did(Output::Close(self.close_code(reason))) {
            return Some(Output::Close(self.close_code(reason)));
        }
        // A second Close of a peer that closed is nothing.
        let closes = !matches!(reason, Reason::PeerClosed(_));
        let ended = self.history.any_after(since, |what| {
            *what == What::In(Input::Eof) || closes && matches!(what, What::In(Input::Close(_)))
        });
        (ended || reached(self.close_due(), now)).then_some(Output::Disconnect)
    }

    /// Rule 7: when the closing handshake has taken too long, from our Close on.
    fn close_due(&self) -> u64 {
        let closed = self.history.last(|what| matches!(what, What::Polled(Some(Output::Close(_)))));
        let timeout = nanos(self.config.close_timeout());
        closed.map_or(u64::MAX, |closed| self.history.at(closed).saturating_add(timeout))
    }

    /// Rules 7, 9, 10 and 11.
    fn close_code(&self, reason: Reason) -> Option<CloseCode> {
        match reason {
            Reason::Idle => Some(CloseCode::NORMAL),
            Reason::PingFlood => Some(CloseCode::POLICY_VIOLATION),
            Reason::PeerClosed(code) => {
                code.map(|code| CloseCode::new(code).unwrap_or(CloseCode::PROTOCOL_ERROR))
            }
            Reason::LocalClosed => self.history.local_close(),
            Reason::PingTimeout | Reason::WriteStalled | Reason::Silent => Some(self.config.close_code()),
            Reason::TransportClosed | _ => unreachable!("{reason} closes nothing"),
        }
    }

    /// The earliest moment at which a poll would do something, if nothing happens: found by trying.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let latest = self.history.latest();
        let mut moments = vec![latest, self.suspicion_due(), self.ping_due(latest), self.close_due()];
        for (overdue, deadline) in self.deadlines() {
            moments.push(deadline);
            let seen = self.first_sight(overdue, deadline).unwrap_or(u64::MAX);
            moments.push(seen.saturating_add(nanos(self.config.last_look())));
        }
        moments.retain(|moment| (latest..u64::MAX).contains(moment));
        moments.sort_unstable();
        moments.dedup();
        moments.into_iter().find(|moment| self.would_do_something(*moment))
    }

    fn would_do_something(&self, moment: u64) -> bool {
        let mut copy = self.clone();
        let output = copy.poll(Timestamp::from_nanos(moment));
        // The poll itself is one fact; any other is something seen.
        output.is_some() || copy.history.facts().len() > self.history.facts().len() + 1
    }
}

/// Questions.
impl Reference {
    /// Evidence came since the last mark, and before any verdict.
    fn is_refuted(&self) -> bool {
        let mark = self.history.last_mark().unwrap_or(0);
        let evidence = self.history.first_after(mark, |what| self.is_evidence(what));
        let verdict = self.history.verdict_at().map_or(usize::MAX, |(index, _)| index);
        evidence.is_some_and(|evidence| evidence < verdict && !self.history.decides(evidence))
    }

    pub(super) fn status(&self) -> Status {
        if self.verdict().is_some() {
            Status::Offline
        } else if self.history.is_suspect() && !self.is_refuted() {
            Status::Suspect
        } else {
            Status::Online
        }
    }

    pub(super) fn verdict(&self) -> Option<Reason> {
        self.history.verdict_at().map(|(_, reason)| reason)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.history.did(Output::Disconnect)
    }

    fn samples(&self) -> Vec<u64> {
        self.history.facts().iter().filter_map(|fact| fact.what.sample()).collect()
    }

    /// RFC 6298 2.2 and 2.3 over every sample: SRTT and RTTVAR. No sample counts longer than 78 hours, say `Rtt`'s docs.
    pub(super) fn smoothed(&self) -> Option<(u64, u64)> {
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

    pub(super) fn rtt(&self) -> Option<RoundTrip> {
        let samples = self.samples();
        let (smoothed, variation) = self.smoothed()?;
        // What is only shown stops at 71 minutes, says the machine; the design says nothing.
        let to_the_microsecond =
            |nanos: u64| Duration::from_micros((nanos / 1_000).min(u64::from(u32::MAX) - 1));
        Some(RoundTrip {
            latest: to_the_microsecond(*samples.last()?),
            smoothed: Duration::from_nanos(smoothed),
            variation: Duration::from_nanos(variation),
            min: to_the_microsecond(*samples.iter().min()?),
        })
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let (mut pinged, mut suspected) = (false, false);
        for (index, fact) in self.history.facts().iter().enumerate() {
            match fact.what {
                What::Decided(_) | What::Fell(_) | What::Polled(Some(Output::Offline(_))) => break,
                // Rule 6: a second ping without evidence between.
                What::Polled(Some(Output::Ping(_))) => {
                    counts.pings += 1;
                    counts.stalls_forgiven += u16::from(pinged);
                    pinged = true;
                }
                What::SilenceForgiven => counts.stalls_forgiven += 1,
                What::Polled(Some(Output::Suspect)) => suspected = true,
                What::Answered(_) => counts.answers += 1,
                What::Opened | What::In(_) | What::Saw(..) | What::Held | What::Polled(_) => {}
            }
            if self.is_evidence(&fact.what) && !self.history.decides(index) {
                counts.suspicions_survived += u16::from(suspected);
                (pinged, suspected) = (false, false);
            }
        }
        counts
    }
}

/// [`liveness::Rtt`], which only the crate can make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RoundTrip {
    pub(super) latest: Duration,
    pub(super) smoothed: Duration,
    pub(super) variation: Duration,
    pub(super) min: Duration,
}

/// [`liveness::Stats`], which only the crate can make.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) pings: u32,
    pub(super) answers: u32,
    pub(super) stalls_forgiven: u16,
    pub(super) suspicions_survived: u16,
}
