//! How long to wait, and when to give up.

use core::time::Duration;

use super::pace::Pace;
use super::{
    After, Attempt, Dialling, GiveUpReason, OnClose, Phase, Policy, Reconnect, ReconnectAction, Source,
};
use crate::payload::{mix, share};
use crate::time::{Timestamp, nanos};

/// How long to wait at least, and how much of that is the server's minimum.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    at_least: u64,
    drawn: u64,
    /// The part of `at_least` and of the draw that a new network does not shorten.
    pub(super) owed: u64,
}

impl Ask {
    const NOTHING: Self = Self { at_least: 0, drawn: 0, owed: 0 };
}

impl<B, F> Reconnect<B, F>
where
    B: Iterator<Item = Duration>,
    F: FnMut() -> B,
{
    pub(super) fn starting(
        policy: Policy,
        backoff: Source<B, F>,
        delays: B,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        let phase = match policy.max_attempts {
            0 => Phase::Ending(GiveUpReason::Attempts),
            _ => Phase::Waiting { dial_at: now, owed_until: now, fresh: true },
        };
        Self {
            policy,
            backoff,
            delays,
            seed,
            latest: now,
            phase,
            old: None,
            offline: false,
            pace: Pace::FULL,
            dials: 0,
            attempts: 0,
            since: now,
        }
    }

    pub(super) fn report(&mut self, attempt: Attempt, report: Report, now: Timestamp) {
        self.advance(now);
        if let Some(old) = self.old.filter(|old| old.attempt == attempt.0) {
            self.old = None;
            return self.lose_old(old, report);
        }
        if !self.is_newest(attempt) {
            return;
        }
        match (self.phase, report) {
            (Phase::Dialling(dialling), _) => {
                match report {
                    Report::Failed(None) => self.retry(None),
                    Report::Failed(Some(then)) => self.follow((then, true), GiveUpReason::Refused),
                    Report::Closed(code, then) => self.lose(code, then),
                }
                self.heed(dialling.after);
            }
            (Phase::Connected(_), _) => {
                let (code, then) = report.of_a_connection();
                self.lose(code, then);
            }
            (Phase::Stopping, _) => self.end(GiveUpReason::Stopped),
            (Phase::Waiting { .. } | Phase::Ending(_) | Phase::Finished(_), _) => {}
        }
    }

    pub(super) fn dial(&mut self) -> ReconnectAction {
        self.dials = self.dials.saturating_add(1);
        self.attempts = self.attempts.saturating_add(1);
        let abandon_at = self.latest.after(self.policy.dial_timeout);
        self.phase =
            Phase::Dialling(Dialling { abandon_at, put_off: false, changed: false, after: After::NOTHING });
        ReconnectAction::Dial(Attempt(self.dials))
    }

    /// A connection is lost.
    pub(super) fn lose(&mut self, code: u16, then: Option<OnClose>) {
        self.follow(self.decide(code, then), GiveUpReason::Closed(code));
    }

    /// What follows from a loss, and whether the draw is a part of the server's minimum. By the policy it is not, if no
    /// Close came.
    pub(super) fn decide(&self, code: u16, then: Option<OnClose>) -> (OnClose, bool) {
        let most = self.policy.max_spread;
        if let Some(then) = then {
            return (then, true);
        }
        match (self.policy.on_close)(code) {
            OnClose::Redial { at_least, spread } => {
                let spread = Duration::from_nanos(nanos(spread).min(most));
                (OnClose::Redial { at_least, spread }, code != 1006)
            }
            OnClose::Stop => (OnClose::Stop, true),
        }
    }

    /// Does this after a loss, a hand-over, or a dial that failed.
    pub(super) fn follow(&mut self, (then, owes_draw): (OnClose, bool), or_else: GiveUpReason) {
        let (at_least, spread) = match then {
            OnClose::Stop => return self.no_more(or_else),
            OnClose::Redial { at_least, spread } => (at_least, spread),
        };
        let ask = self.ask(at_least, spread, owes_draw);
        if self.was_stable() {
            self.start_anew();
            self.wait(None, 0, ask);
        } else {
            self.retry(Some(ask));
        }
    }

    pub(super) fn ask(&self, at_least: Duration, spread: Duration, owes_draw: bool) -> Ask {
        let (at_least, drawn) = (nanos(at_least), self.draw(spread));
        let owed = if owes_draw { at_least.saturating_add(drawn) } else { at_least };
        Ask { at_least, drawn, owed }
    }

    /// A random share of `spread`, with a new draw for each dial.
    fn draw(&self, spread: Duration) -> u64 {
        share(mix(self.seed, self.dials), nanos(spread).saturating_add(1))
    }

    /// A dial failed, or its connection was not stable.
    pub(super) fn retry(&mut self, ask: Option<Ask>) {
        let ask = ask.unwrap_or(Ask::NOTHING);
        if self.attempts >= self.policy.max_attempts && self.policy.max_attempts != u32::MAX {
            return self.no_more(GiveUpReason::Attempts);
        }
        let changed = matches!(self.phase, Phase::Dialling(dialling) if dialling.changed);
        // For a network that changed during the dial, unless it changes too often.
        let token_at = self.pace.next(self.latest);
        let by_network = if changed { token_at.since(self.latest) } else { u64::MAX };
        let by_backoff = match by_network {
            0 => None,
            _ => match self.delays.next() {
                None => return self.no_more(GiveUpReason::Backoff),
                delay => delay.map(nanos).filter(|delay| *delay <= by_network),
            },
        };
        if by_backoff.is_none() {
            self.pace.take(token_at);
            self.restart_backoff();
        }
        self.wait(by_backoff, by_network, ask);
    }

    /// Waits for the backoff's time or, without a backoff, for `otherwise`, and for the server's time.
    fn wait(&mut self, by_backoff: Option<u64>, otherwise: u64, ask: Ask) {
        let least = by_backoff.unwrap_or(otherwise).max(ask.at_least);
        let dial_at = self.latest.after(least.saturating_add(ask.drawn));
        let owed_until = self.latest.after(ask.owed);
        self.phase = Phase::Waiting { dial_at, owed_until, fresh: by_backoff.is_none() };
    }

    /// The network has changed since the wait began.
    pub(super) fn bring_forward(&mut self) {
        let Phase::Waiting { dial_at, owed_until, fresh } = self.phase else { return };
        let token_at = self.pace.next(self.latest);
        let sooner = token_at.max(owed_until).min(dial_at);
        if sooner < dial_at || (!fresh && token_at == self.latest) {
            self.pace.take(token_at);
            self.restart_backoff();
            self.phase = Phase::Waiting { dial_at: sooner, owed_until, fresh: true };
        }
    }

    fn was_stable(&self) -> bool {
        matches!(self.phase, Phase::Connected(connection) if self.is_due(connection.stable_at))
    }

    fn restart_backoff(&mut self) {
        self.delays = match &mut self.backoff {
            Source::Made(make) => make(),
            Source::Again(anew) => anew(&self.delays),
        };
    }

    pub(super) fn start_anew(&mut self) {
        self.restart_backoff();
        self.attempts = 0;
        self.since = self.latest;
    }

    pub(super) const fn end(&mut self, reason: GiveUpReason) {
        self.phase = Phase::Ending(reason);
    }

    pub(super) const fn give_up(&mut self, reason: GiveUpReason) -> ReconnectAction {
        self.phase = Phase::Finished(reason);
        ReconnectAction::GiveUp(reason)
    }

    pub(super) fn advance(&mut self, now: Timestamp) {
        let before = self.latest;
        self.latest = before.max(now);
        let late = self.policy.late();
        if let Phase::Dialling(dialling) = &mut self.phase {
            if !dialling.put_off && dialling.abandon_at.is_seen_late(before, self.latest, late) {
                dialling.put_off = true;
                dialling.abandon_at = self.latest.after(late);
            }
        }
    }

    /// The far end of time never comes.
    pub(super) fn is_due(&self, at: Timestamp) -> bool {
        at <= self.latest && at != Timestamp::MAX
    }

    /// A report about any other attempt changes nothing.
    pub(super) const fn is_newest(&self, attempt: Attempt) -> bool {
        match self.phase {
            // After a hand-over that failed there are later attempts than the connection's own.
            Phase::Connected(connection) => connection.attempt == attempt.0,
            Phase::Waiting { .. } | Phase::Dialling(_) | Phase::Stopping => attempt.0 == self.dials,
            Phase::Ending(_) | Phase::Finished(_) => false,
        }
    }
}

/// A report about an attempt, with the caller's decision.
#[derive(Clone, Copy)]
pub(super) enum Report {
    Failed(Option<OnClose>),
    Closed(u16, Option<OnClose>),
}

impl Report {
    /// The code and the decision, if the dial had already succeeded.
    pub(super) const fn of_a_connection(self) -> (u16, Option<OnClose>) {
        match self {
            Self::Failed(then) => (1006, then),
            Self::Closed(code, then) => (code, then),
        }
    }
}
