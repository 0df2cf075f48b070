//! What a poll decides (rules 5, 6, 7, 13).

use super::{Flags, Noted, Ping, Stage, State, Verdict};
use crate::config::{Config, NEVER};
use crate::event::Action;
use crate::payload::Payload;
use crate::time::Timestamp;

impl State {
    pub(crate) fn poll(&mut self, config: &Config, now: Timestamp) -> Option<Action> {
        self.advance(now);
        if self.stage == Stage::Open {
            if let Some(action) = self.look(config) {
                return Some(action);
            }
        }
        match self.stage {
            Stage::Open | Stage::Finished => None,
            // Every life begins with `MarkOnline`, the shortest too.
            Stage::Judged if self.flags.take(Flags::ANNOUNCE) => Some(Action::MarkOnline),
            Stage::Judged => {
                self.stage = Stage::Closing;
                Some(Action::MarkOffline(self.reason()))
            }
            Stage::Closing if self.verdict == Verdict::TransportClosed => self.finish(),
            Stage::Closing => {
                self.stage = Stage::Lingering;
                self.mark = self.latest;
                Some(Action::Close(self.close_code(config)))
            }
            Stage::Lingering if self.flags.has(Flags::GONE) || self.due(self.close_due(config)) => {
                self.finish()
            }
            Stage::Lingering => None,
        }
    }

    /// The poll of a life without a verdict: rule 13 is the order of these lines.
    fn look(&mut self, config: &Config) -> Option<Action> {
        if self.noted != Noted::Nothing {
            if self.due(self.last_look_due(config)) {
                self.confirm();
            }
            return None;
        }
        if self.flags.take(Flags::ANNOUNCE) {
            return Some(Action::MarkOnline);
        }
        if self.due(self.idle_due(config)) {
            return self.note(config, Noted::Idle);
        }
        if self.due(self.silence_due(config)) {
            // Rule 6: a driver that looks this late may have been deaf too.
            if self.flags.has(Flags::SILENCE_FORGIVEN) || !self.stalled(config, self.silence_due(config)) {
                return self.note(config, Noted::Silence);
            }
            self.flags.set(Flags::SILENCE_FORGIVEN);
            self.stalls = self.stalls.saturating_add(1);
            self.silent_from = self.latest;
        }
        if self.due(self.ping_deadline(config)) {
            if self.flags.has(Flags::PING_FORGIVEN) || !self.stalled(config, self.ping_deadline(config)) {
                return self.note(config, Noted::Ping);
            }
            self.flags.set(Flags::PING_FORGIVEN);
            self.stalls = self.stalls.saturating_add(1);
            return Some(self.send_ping(config));
        }
        if self.due(self.suspect_due(config)) {
            self.flags.set(Flags::SUSPECT);
            return Some(Action::MarkSuspect);
        }
        if self.due(self.ping_due(config)) {
            return Some(self.send_ping(config));
        }
        None
    }

    /// When `poll` has something to do next; [`Timestamp::MAX`] for never.
    pub(crate) fn next_due(&self, config: &Config) -> Timestamp {
        match self.stage {
            Stage::Open if self.noted != Noted::Nothing => self.last_look_due(config),
            Stage::Open if self.flags.has(Flags::ANNOUNCE) => self.latest,
            Stage::Open => self
                .idle_due(config)
                .min(self.silence_due(config))
                .min(self.ping_deadline(config))
                .min(self.suspect_due(config))
                .min(self.ping_due(config)),
            Stage::Judged | Stage::Closing => self.latest,
            Stage::Lingering if self.flags.has(Flags::GONE) => self.latest,
            Stage::Lingering => self.close_due(config),
            Stage::Finished => Timestamp::MAX,
        }
    }

    fn send_ping(&mut self, config: &Config) -> Action {
        self.sent = self.sent.saturating_add(1);
        self.ping = if config.write_timeout == NEVER { Ping::Answering } else { Ping::Writing };
        self.pinged_at = self.latest;
        self.clock_from = self.latest;
        self.wrote_at = self.latest;
        self.flags.take(Flags::PROBE);
        if !self.flags.has(Flags::PAUSED) {
            self.flags.take(Flags::PAUSED_SINCE_PING);
        }
        Action::SendPing(Payload::seal(u64::from(self.sent), self.seed))
    }

    /// Rule 5: no verdict at first sight, unless the last look is switched off.
    fn note(&mut self, config: &Config, noted: Noted) -> Option<Action> {
        self.noted = noted;
        self.mark = self.latest;
        if config.last_look == 0 {
            self.confirm();
        }
        None
    }

    fn confirm(&mut self) {
        match self.noted {
            Noted::Nothing => {}
            Noted::Idle => self.judge(Verdict::Idle),
            Noted::Silence => self.judge(Verdict::Silent),
            Noted::Ping if self.ping == Ping::Writing => self.judge(Verdict::WriteStalled),
            Noted::Ping => self.judge(Verdict::PingTimeout),
        }
    }

    fn finish(&mut self) -> Option<Action> {
        self.stage = Stage::Finished;
        Some(Action::Disconnect)
    }
}
