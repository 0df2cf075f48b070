//! A second reading of the rules: the whole history of one connection, searched again for every answer.
//!
//! It keeps only what went in and came out, and when. Every question is answered by its definition: the latest evidence
//! is the last fact that is evidence, and a deadline was first seen by the first poll that saw it. It is slow, and so
//! plain that a reader can check it against the rules, whose numbers are beside the lines. There is no jitter here,
//! because its draws are the machine's own.

use std::time::Duration;

use liveness::{CloseCode, Config, Reason, Status, Timestamp};

use super::clocks::{Deadline, nanos};
use super::history::{Fact, History, Input, Output, Overdue, Past, What, is_heard, is_mercy};

const SECOND: u64 = 1_000_000_000;

/// The rules, over the history.
#[derive(Clone, Debug)]
pub(super) struct Reference(History);

const fn reason(overdue: Overdue) -> Reason {
    match overdue {
        Overdue::Idle => Reason::Idle,
        Overdue::Silence => Reason::Silent,
        Overdue::Answer => Reason::PingTimeout,
        Overdue::Write => Reason::WriteStalled,
    }
}

/// Rule 12: the far end of time never comes.
const fn reached(deadline: u64, now: u64) -> bool {
    deadline != u64::MAX && deadline <= now
}

impl Reference {
    pub(super) fn new(config: Config, now: Timestamp) -> Self {
        Self(History::new(config, now.as_nanos()))
    }

    pub(super) fn history(&self) -> &History {
        &self.0
    }

    pub(super) fn past(&self) -> Past<'_> {
        self.0.past()
    }

    /// Rule 12: an earlier timestamp counts as the latest seen.
    fn moment(&self, now: Timestamp) -> u64 {
        now.as_nanos().max(self.past().latest())
    }
}

/// Inputs.
impl Reference {
    pub(super) fn handle(&mut self, input: Input, now: Timestamp) {
        let at = self.moment(now);
        let decided = self.past().verdict().is_some();
        // The rules leave open whether a pong after the verdict is still an answer. To the machine it is not.
        let answered = self.answered(input).filter(|_| !decided).map(|number| {
            let newest = number == self.past().pings();
            if newest { self.past().sample(at) } else { None }
        });
        self.0.push(at, What::In(input));
        if let Some(sample) = answered {
            self.0.push(at, What::Answered(sample));
        }
        // Rule 11: after a verdict no event changes the verdict.
        if let (false, Some(reason)) = (decided, self.decides(input)) {
            self.0.push(at, What::Decided(reason));
        }
    }

    /// Rule 12.
    pub(super) fn reconfigure(&mut self, config: Config, now: Timestamp) {
        self.0.reconfigure(config, self.moment(now));
    }

    /// Rule 3: the ping that a pong answers, unless a pong to it or to a later ping came before.
    fn answered(&self, input: Input) -> Option<u32> {
        let Input::Pong(Some(number)) = input else { return None };
        let earlier =
            |fact: &Fact| matches!(fact.what, What::In(Input::Pong(Some(other))) if other >= number);
        self.past().last(earlier).is_none().then_some(number)
    }

    /// The verdict of an input that is one.
    fn decides(&self, input: Input) -> Option<Reason> {
        match input {
            Input::Close(code) => Some(Reason::PeerClosed(code)),
            Input::Violation(code) => Some(Reason::ProtocolError(code)),
            Input::Eof => Some(Reason::TransportClosed),
            Input::LocalClose(_) => Some(Reason::LocalClosed),
            Input::Ping | Input::Pong(_) => self.is_flooded().then_some(Reason::PingFlood),
            Input::Data | Input::Progress | Input::Wrote | Input::PingSent => None,
            Input::ReadPaused | Input::ReadResumed | Input::Unread => None,
            Input::Probe | Input::Reconfigure => None,
        }
    }

    /// Rule 10, by the definition of a token bucket: everything that was drawn since the opening. A token is worth the
    /// time in which it accrues. As in the machine, that time is rounded down to a nanosecond, never against the peer.
    fn is_flooded(&self) -> bool {
        let past = self.past();
        let Some((burst, per_second)) = past.config().control_budget() else { return false };
        let accrues_in = SECOND.checked_div(u64::from(per_second));
        let token = u128::from(accrues_in.unwrap_or(1).max(1));
        let capacity = u128::from(burst) * token;
        let (mut level, mut then) = (capacity, 0);
        for (index, fact) in past.facts().iter().enumerate() {
            let next = past.facts().get(index + 1);
            let answered = next.is_some_and(|next| matches!(next.what, What::Answered(_)));
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

/// A verdict that was noted, and waits for its last look (rule 5).
#[derive(Clone, Copy, Debug)]
struct Noted {
    deadline: Deadline,
    /// The fact by which its last look began, or began again.
    look: usize,
}

/// Outputs.
impl Reference {
    pub(super) fn poll(&mut self, now: Timestamp) -> Option<Output> {
        let now = self.moment(now);
        let output = self.decide(now);
        self.0.push(now, What::Polled(output));
        output
    }

    fn decide(&mut self, now: u64) -> Option<Output> {
        let past = self.past();
        if !past.did(Output::Online) {
            return Some(Output::Online);
        }
        let noted = self.noted();
        if let Some(noted) = noted {
            // Rule 13: while a verdict waits for its last look, nothing else is handed out.
            if !reached(past.at(noted.look).saturating_add(nanos(past.config().last_look())), now) {
                return None;
            }
            if self.may_be_refuted(noted, now) {
                self.0.push(now, What::Held);
                return None;
            }
        }
        // The rules leave open where rule 13 puts the return from suspicion. The machine reports it first, even if the
        // verdict is known: an input has decided since, or this poll does.
        if past.is_suspect() && self.is_refuted() {
            if let Some(noted) = noted {
                self.0.push(now, What::Fell(reason(noted.deadline.overdue)));
            }
            return Some(Output::Online);
        }
        if let Some((since, reason)) = past.verdict_at() {
            return self.closing(since, reason, now);
        }
        if let Some(noted) = noted {
            return Some(Output::Offline(reason(noted.deadline.overdue)));
        }
        self.look(now)
    }

    /// A poll without a verdict, and with none noted. The order of these lines is rule 13.
    fn look(&mut self, now: u64) -> Option<Output> {
        for deadline in self.past().deadlines() {
            if reached(deadline.due, now) {
                self.0.push(now, What::Saw(deadline.overdue, deadline.due));
                if self.is_forgiven(deadline, now) {
                    self.0.push(now, What::Forgave(deadline.overdue));
                    if self.past().facts().last().is_some_and(is_mercy) {
                        return Some(Output::Ping(self.past().pings() + 1));
                    }
                } else if self.past().config().last_look() == Duration::ZERO {
                    // Rule 5: 0 switches it off.
                    return Some(Output::Offline(reason(deadline.overdue)));
                } else {
                    self.0.push(now, What::Held);
                    return None;
                }
            }
        }
        if !self.past().is_suspect() && reached(self.past().suspicion_due(), now) {
            return Some(Output::Suspect);
        }
        reached(self.past().ping_due(now), now).then(|| Output::Ping(self.past().pings() + 1))
    }

    /// Rule 5: the verdict that waits. Its deadline still stands, and a poll has seen it. While one waits, no poll looks
    /// at another. The rules leave open whether it does.
    fn noted(&self) -> Option<Noted> {
        let past = self.past();
        if past.verdict().is_some() {
            return None;
        }
        // Rule 12: `reconfigure` forgets a verdict that was only noted.
        let start = past.last_or_opening(|fact| fact.what == What::In(Input::Reconfigure));
        past.deadlines().into_iter().find_map(|deadline| {
            let saw = |fact: &Fact| fact.what == What::Saw(deadline.overdue, deadline.due);
            let seen = past.first_after(start, saw)?;
            let look = past.last(|fact| fact.what == What::Held).filter(|look| *look > seen)?;
            Some(Noted { deadline, look })
        })
    }

    pub(super) fn is_noted(&self) -> bool {
        self.noted().is_some()
    }

    /// Rule 5: unread data may refute the verdict, unless its clock has run out a second time. The rules leave open when
    /// the last look begins again. Here it begins at the poll that would have given the verdict.
    fn may_be_refuted(&self, noted: Noted, now: u64) -> bool {
        let Deadline { overdue, due, length } = noted.deadline;
        let unread = self.past().any_after(noted.look, |fact| fact.what == What::In(Input::Unread));
        unread && overdue != Overdue::Write && now < due.saturating_add(nanos(length))
    }

    /// Rule 6: the first poll that sees it, now, is so late that we were not looking. It holds once between two pieces of
    /// evidence or, for silence, between two events of the peer.
    fn is_forgiven(&self, deadline: Deadline, now: u64) -> bool {
        let past = self.past();
        let before = match deadline.overdue {
            Overdue::Idle => return false,
            Overdue::Silence => {
                let heard = past.last_or_opening(is_heard);
                past.any_after(heard, |fact| fact.what == What::Forgave(Overdue::Silence))
            }
            Overdue::Answer | Overdue::Write => past.any_after(past.latest_evidence(), is_mercy),
        };
        !before && now - self.to_be_seen_at(deadline.due).min(now) > nanos(past.config().stall_tolerance())
    }

    /// When a driver in time would have seen this deadline. The rules do not say so, but a deadline that came while
    /// another verdict waited for its last look could not be seen before that was over. The same holds for every deadline
    /// when the last look began again, because somebody was looking then.
    fn to_be_seen_at(&self, due: u64) -> u64 {
        let past = self.past();
        let Some(look) = past.last(|fact| fact.what == What::Held) else { return due };
        // The poll saw that verdict just before its first look began.
        let noted = past.before(look).last_or_opening(|fact| matches!(fact.what, What::Saw(..)));
        if past.at(noted) <= due || noted + 1 < look {
            due.max(past.at(look).saturating_add(nanos(past.config().last_look())))
        } else {
            due
        }
    }

    /// Rules 7 and 11: what follows the verdict that fell at `since`.
    fn closing(&self, since: usize, reason: Reason, now: u64) -> Option<Output> {
        let past = self.past();
        if self.is_finished() {
            return None;
        }
        if !past.did(Output::Offline(reason)) {
            return Some(Output::Offline(reason));
        }
        if reason == Reason::TransportClosed {
            return Some(Output::Disconnect);
        }
        if past.last(is_close).is_none() {
            return Some(Output::Close(self.close_code(reason)));
        }
        // A second Close from a peer that closed means nothing.
        let closes = !matches!(reason, Reason::PeerClosed(_));
        let ended = past.any_after(since, |fact| {
            fact.what == What::In(Input::Eof) || closes && matches!(fact.what, What::In(Input::Close(_)))
        });
        (ended || reached(self.close_due(), now)).then_some(Output::Disconnect)
    }

    /// Rule 7: when the closing handshake has taken too long, from our Close on.
    fn close_due(&self) -> u64 {
        let past = self.past();
        let timeout = nanos(past.config().close_timeout());
        past.last(is_close).map_or(u64::MAX, |closed| past.at(closed).saturating_add(timeout))
    }

    /// Rules 7, 9, 10 and 11.
    fn close_code(&self, reason: Reason) -> Option<CloseCode> {
        match reason {
            Reason::Idle => Some(CloseCode::NORMAL),
            Reason::PingFlood => Some(CloseCode::POLICY_VIOLATION),
            Reason::PeerClosed(code) => {
                code.map(|code| CloseCode::new(code).unwrap_or(CloseCode::PROTOCOL_ERROR))
            }
            Reason::ProtocolError(code) => Some(code),
            Reason::LocalClosed => self.past().local_close(),
            Reason::PingTimeout | Reason::WriteStalled | Reason::Silent => {
                Some(self.past().config().close_code())
            }
            Reason::TransportClosed | _ => unreachable!("{reason} closes nothing"),
        }
    }

    /// The earliest moment at which a poll would do something, if nothing happens before. Found by trying.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let past = self.past();
        let latest = past.latest();
        let mut moments = vec![latest, past.suspicion_due(), past.ping_due(latest), self.close_due()];
        moments.extend(past.deadlines().iter().map(|deadline| deadline.due));
        let last_look = nanos(past.config().last_look());
        moments.extend(self.noted().map(|noted| past.at(noted.look).saturating_add(last_look)));
        moments.retain(|moment| (latest..u64::MAX).contains(moment));
        moments.sort_unstable();
        moments.dedup();
        moments.into_iter().find(|moment| self.would_do_something(*moment))
    }

    fn would_do_something(&self, moment: u64) -> bool {
        let mut copy = self.clone();
        let output = copy.poll(Timestamp::from_nanos(moment));
        // The poll itself is one fact. Any other fact is something that it saw.
        output.is_some() || copy.past().facts().len() > self.past().facts().len() + 1
    }
}

fn is_close(fact: &Fact) -> bool {
    matches!(fact.what, What::Polled(Some(Output::Close(_))))
}

/// Questions.
impl Reference {
    /// True if evidence came since the last mark, and before any verdict.
    fn is_refuted(&self) -> bool {
        let past = self.past();
        let mark = past.last_mark().unwrap_or(0);
        let evidence = past.first_after(mark, |fact| past.is_evidence(fact));
        let verdict = past.verdict_at().map_or(usize::MAX, |(index, _)| index);
        evidence.is_some_and(|evidence| evidence < verdict && !past.decides(evidence))
    }

    pub(super) fn status(&self) -> Status {
        if self.past().verdict().is_some() {
            Status::Offline
        } else if self.past().is_suspect() && !self.is_refuted() {
            Status::Suspect
        } else {
            Status::Online
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.past().did(Output::Disconnect)
    }

    pub(super) fn rtt(&self) -> Option<RoundTrip> {
        let samples = self.past().samples();
        let (smoothed, variation) = self.past().smoothed()?;
        // The machine caps what is only shown at 71 minutes. The rules say nothing about it.
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
        let past = self.past();
        let mut counts = Counts::default();
        let mut suspected = false;
        for (index, fact) in past.facts().iter().enumerate() {
            match fact.what {
                What::Decided(_) | What::Fell(_) | What::Polled(Some(Output::Offline(_))) => break,
                What::Polled(Some(Output::Ping(_))) => counts.pings += 1,
                What::Polled(Some(Output::Suspect)) => suspected = true,
                What::Forgave(_) => counts.stalls_forgiven += 1,
                What::Answered(_) => counts.answers += 1,
                What::Opened | What::In(_) | What::Saw(..) | What::Held | What::Polled(_) => {}
            }
            if past.is_evidence(fact) && !past.decides(index) {
                counts.suspicions_survived += u16::from(suspected);
                suspected = false;
            }
        }
        counts
    }
}

/// [`liveness::Rtt`] can only be made by the crate, so this is a copy of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RoundTrip {
    pub(super) latest: Duration,
    pub(super) smoothed: Duration,
    pub(super) variation: Duration,
    pub(super) min: Duration,
}

/// [`liveness::Stats`] can only be made by the crate, so this is a copy of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) pings: u32,
    pub(super) answers: u32,
    pub(super) stalls_forgiven: u16,
    pub(super) suspicions_survived: u16,
}
