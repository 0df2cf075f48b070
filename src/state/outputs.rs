//! What a poll decides (rules 5, 6, 7, 13).

use super::{Case, Flags, Look, Ping, Stage, State};
use crate::config::{Config, NEVER};
use crate::event::Action;
use crate::payload::Payload;
use crate::time::Timestamp;

/// What a poll comes to. Decided first, so that the action is made once, and where the caller wants it: copied on the way,
/// it would wait for all that was written before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Rest,
    Online,
    Ping,
    Suspect,
    Offline,
    Close,
    Disconnect,
}

impl State {
    #[inline]
    pub(crate) fn poll(&mut self, config: &Config, now: Timestamp) -> Option<Action> {
        let step = self.step(config, now);
        self.action(config, step)
    }

    /// A poll, but for its words: [`State::action`] has them, before anything else happens.
    #[inline]
    pub(crate) fn step(&mut self, config: &Config, now: Timestamp) -> Step {
        if now >= self.latest && now < self.look_at.0 {
            self.latest = now;
            debug_assert!(self.next_due(config) > now, "{self:?} has something to do at {now}");
            return Step::Rest;
        }
        self.step_fully(config, now)
    }

    #[inline(always)]
    pub(crate) fn action(&self, config: &Config, step: Step) -> Option<Action> {
        match step {
            Step::Rest => None,
            Step::Online => Some(Action::MarkOnline),
            Step::Ping => Some(Action::SendPing(Payload::seal(u64::from(self.sent), self.seed()))),
            Step::Suspect => Some(Action::MarkSuspect),
            Step::Offline => self.verdict().map(Action::MarkOffline),
            Step::Close => Some(Action::Close(self.close_code(config))),
            Step::Disconnect => Some(Action::Disconnect),
        }
    }

    fn step_fully(&mut self, config: &Config, now: Timestamp) -> Step {
        self.advance(now);
        if let Stage::Open(ping) = self.stage {
            let step = self.look(config, ping);
            // Still: the look may have brought the verdict.
            if let Stage::Open(ping) = self.stage {
                self.look_at = Look(self.next_look(config, ping));
                return step;
            }
        }
        let step = self.part(config);
        self.look_at = Look(self.next_due(config));
        step
    }

    /// What is left to do after a verdict (rules 7, 11).
    #[cold]
    fn part(&mut self, config: &Config) -> Step {
        match self.stage {
            Stage::Open(_) | Stage::Finished => Step::Rest,
            // Every life begins with `MarkOnline`, the shortest too.
            Stage::Judged if self.flags.take(Flags::ANNOUNCE) => Step::Online,
            Stage::Judged => {
                self.stage = Stage::Closing;
                Step::Offline
            }
            Stage::Closing if self.case == Case::TransportClosed => self.finish(),
            Stage::Closing => {
                self.stage = Stage::Lingering;
                self.mark = self.latest;
                Step::Close
            }
            Stage::Lingering if self.flags.has(Flags::GONE) || self.due(self.close_due(config)) => {
                self.finish()
            }
            Stage::Lingering => Step::Rest,
        }
    }

    /// The poll of a life without a verdict: rule 13 is the order of these lines.
    fn look(&mut self, config: &Config, ping: Ping) -> Step {
        if self.case != Case::Nothing {
            if self.due(self.last_look_due(config)) {
                self.confirm(ping);
            }
            return Step::Rest;
        }
        if self.flags.take(Flags::ANNOUNCE) {
            return Step::Online;
        }
        if self.due(self.owed_due(config)) {
            if let Some(noted) = self.miss(config) {
                return self.note(config, ping, noted);
            }
        }
        if ping.is_awaited() {
            return self.look_at_ping(config, ping);
        }
        if self.due(self.ping_due(config)) { self.send_ping(config) } else { Step::Rest }
    }

    #[inline(never)]
    fn look_at_ping(&mut self, config: &Config, ping: Ping) -> Step {
        if self.due(self.ping_deadline(config, ping)) {
            if self.flags.has(Flags::PING_FORGIVEN) || !self.stalled(config, self.ping_deadline(config, ping))
            {
                return self.note(config, ping, Case::NotedPing);
            }
            self.flags.set(Flags::PING_FORGIVEN);
            self.stalls = self.stalls.saturating_add(1);
            return self.send_ping(config);
        }
        if self.due(self.suspect_due(config)) {
            self.flags.set(Flags::SUSPECT);
            return Step::Suspect;
        }
        Step::Rest
    }

    /// Idle, or silent: what is noted of it.
    #[cold]
    fn miss(&mut self, config: &Config) -> Option<Case> {
        if self.due(self.idle_due(config)) {
            return Some(Case::NotedIdle);
        }
        // Rule 6: a driver that looks this late may have been deaf too.
        if self.flags.has(Flags::SILENCE_FORGIVEN) || !self.stalled(config, self.silence_due(config)) {
            return Some(Case::NotedSilence);
        }
        self.flags.set(Flags::SILENCE_FORGIVEN);
        self.stalls = self.stalls.saturating_add(1);
        self.silent_from = self.latest;
        None
    }

    /// When `poll` has something to do next; [`Timestamp::MAX`] for never.
    #[inline]
    pub(crate) fn next_due(&self, config: &Config) -> Timestamp {
        match self.stage {
            Stage::Open(_) if self.case != Case::Nothing => self.last_look_due(config),
            Stage::Open(_) if self.flags.has(Flags::ANNOUNCE) => self.latest,
            Stage::Open(ping) => self.first_due(config, ping),
            Stage::Judged | Stage::Closing => self.latest,
            Stage::Lingering if self.flags.has(Flags::GONE) => self.latest,
            Stage::Lingering => self.close_due(config),
            Stage::Finished => Timestamp::MAX,
        }
    }

    /// Before this moment nothing falls due, whatever traffic comes: see [`Look`].
    #[inline]
    fn next_look(&self, config: &Config, ping: Ping) -> Timestamp {
        if self.case != Case::Nothing {
            return self.last_look_due(config);
        }
        let next = self.first_due(config, ping);
        if !ping.is_awaited() {
            return next;
        }
        // Evidence makes the next ping due: a wait after this one, or, where that is over, at once. Then it wakes us.
        let early = self.pinged_at.after(self.wait(config));
        if early > self.latest { next.min(early) } else { next }
    }

    #[inline]
    fn send_ping(&mut self, config: &Config) -> Step {
        self.sent = self.sent.saturating_add(1);
        self.stage = Stage::Open(if config.write_timeout == NEVER { Ping::Answering } else { Ping::Writing });
        self.pinged_at = self.latest;
        self.clock_from = self.latest;
        self.wrote_at = self.latest;
        if self.flags.has(Flags::PROBE | Flags::PAUSED_SINCE_PING) {
            self.flags.take(Flags::PROBE);
            if !self.flags.has(Flags::PAUSED) {
                self.flags.take(Flags::PAUSED_SINCE_PING);
            }
        }
        Step::Ping
    }

    /// Rule 5: no verdict at first sight, unless the last look is switched off.
    #[cold]
    fn note(&mut self, config: &Config, ping: Ping, noted: Case) -> Step {
        self.case = noted;
        self.mark = self.latest;
        if config.last_look == 0 {
            self.confirm(ping);
        }
        Step::Rest
    }

    #[cold]
    fn confirm(&mut self, ping: Ping) {
        match self.case {
            Case::NotedIdle => self.judge(Case::Idle),
            Case::NotedSilence => self.judge(Case::Silent),
            Case::NotedPing if ping == Ping::Writing => self.judge(Case::WriteStalled),
            Case::NotedPing => self.judge(Case::PingTimeout),
            Case::Nothing
            | Case::PingTimeout
            | Case::WriteStalled
            | Case::Silent
            | Case::Idle
            | Case::PingFlood
            | Case::PeerClosed
            | Case::PeerClosedWithCode
            | Case::TransportClosed
            | Case::LocalClosed => {}
        }
    }

    const fn finish(&mut self) -> Step {
        self.stage = Stage::Finished;
        Step::Disconnect
    }
}
