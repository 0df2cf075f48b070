//! What a poll decides (rules 5, 6, 7, 13).

use super::{Flags, NextCheck, Ping, Stage, State, Verdict};
use crate::config::{Config, NEVER};
use crate::event::Action;
use crate::payload::Payload;
use crate::time::Timestamp;

/// The result of a poll, without data. `action` adds the data, so that the action is written once, where the caller wants
/// it. A copy of a finished action would have to wait for all writes before it.
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

    /// A poll at `now` would find nothing to do. False: it may find something.
    #[inline]
    pub(crate) fn rests_at(&self, now: Timestamp) -> bool {
        now >= self.latest && now < self.next_check.0
    }

    /// A poll without the data of its action: [`State::action`] adds it, before anything else happens.
    #[inline]
    pub(crate) fn step(&mut self, config: &Config, now: Timestamp) -> Step {
        if self.rests_at(now) {
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
        let step = match self.stage {
            Stage::Open(ping) => self.poll_open(config, ping),
            Stage::Judged | Stage::Closing | Stage::Lingering | Stage::Finished => Step::Rest,
        };
        // If there is a verdict now, it is handed out at once.
        let step = if let Stage::Open(_) = self.stage { step } else { self.poll_closing(config) };
        self.next_check = NextCheck(self.next_due(config));
        step
    }

    /// What is left to do after a verdict (rules 7, 11).
    #[cold]
    fn poll_closing(&mut self, config: &Config) -> Step {
        match self.stage {
            Stage::Open(_) | Stage::Finished => Step::Rest,
            // Every life begins with `MarkOnline`, even the shortest.
            Stage::Judged if self.flags.take(Flags::ANNOUNCE) => Step::Online,
            Stage::Judged => {
                self.stage = Stage::Closing;
                Step::Offline
            }
            Stage::Closing if self.verdict == Verdict::TransportClosed => self.finish(),
            Stage::Closing => {
                self.stage = Stage::Lingering;
                self.noted_at = self.latest;
                Step::Close
            }
            Stage::Lingering if self.flags.has(Flags::GONE) || self.due(self.close_due(config)) => {
                self.finish()
            }
            Stage::Lingering => Step::Rest,
        }
    }

    /// The poll of a connection without a verdict: rule 13 is the order of these lines.
    fn poll_open(&mut self, config: &Config, ping: Ping) -> Step {
        if self.verdict != Verdict::None {
            if self.due(self.last_look_due(config)) {
                self.end_last_look(config);
            }
            return Step::Rest;
        }
        if self.flags.take(Flags::ANNOUNCE) {
            return Step::Online;
        }
        if self.due(self.silence_or_idle_due(config)) {
            if let Some(noted) = self.miss(config) {
                return self.note(config, noted);
            }
        }
        if ping != Ping::Idle {
            if self.due(self.answer_due(config, ping)) {
                return self.miss_ping(config, Verdict::NotedAnswer, self.answer_due(config, ping));
            }
            if self.due(self.write_due(config, ping)) {
                return self.miss_ping(config, Verdict::NotedWriting, self.write_due(config, ping));
            }
            if self.due(self.suspect_due(config, ping)) {
                self.flags.set(Flags::SUSPECT | Flags::SUSPECTED);
                return Step::Suspect;
            }
        }
        if self.due(self.ping_due(config, ping)) { self.send_ping(config, ping) } else { Step::Rest }
    }

    /// Rule 6: a ping's deadline that we see too late is forgiven once, with a fresh ping. The wait starts anew with that
    /// ping.
    #[cold]
    fn miss_ping(&mut self, config: &Config, noted: Verdict, deadline: Timestamp) -> Step {
        if self.flags.has(Flags::PING_FORGIVEN) || !self.stalled(config, deadline) {
            return self.note(config, noted);
        }
        self.flags.set(Flags::PING_FORGIVEN);
        self.stalls = self.stalls.saturating_add(1);
        // The person who asked is still waiting.
        if self.flags.has(Flags::PROBE_WAIT | Flags::PROBE_UNWRITTEN) {
            self.flags.clear(Flags::PROBE_WAIT);
            self.flags.set(Flags::PROBE);
        }
        // The ping goes out as if there were no wait. But its answer is not a sample, because earlier pings may still be
        // answered.
        let step = self.send_ping(config, Ping::Idle);
        self.flags.set(Flags::NO_SAMPLE);
        step
    }

    /// The peer is idle or silent: which verdict is noted, if any.
    #[cold]
    fn miss(&mut self, config: &Config) -> Option<Verdict> {
        if self.due(self.idle_due(config)) {
            return Some(Verdict::NotedIdle);
        }
        // Rule 6: a driver that looks this late may have been deaf too.
        if self.flags.has(Flags::SILENCE_FORGIVEN) || !self.stalled(config, self.silence_due(config)) {
            return Some(Verdict::NotedSilence);
        }
        self.flags.set(Flags::SILENCE_FORGIVEN);
        self.stalls = self.stalls.saturating_add(1);
        self.silent_from = self.latest;
        None
    }

    /// When `poll` has something to do next; [`Timestamp::MAX`] for never. Nothing falls due before it, whatever traffic
    /// comes: evidence and our writes only delay deadlines, and every other input wakes the machine.
    #[inline]
    pub(crate) fn next_due(&self, config: &Config) -> Timestamp {
        match self.stage {
            Stage::Open(_) if self.verdict != Verdict::None => self.last_look_due(config),
            Stage::Open(_) if self.flags.has(Flags::ANNOUNCE) => self.latest,
            Stage::Open(ping) => self.first_due(config, ping),
            Stage::Judged | Stage::Closing => self.latest,
            Stage::Lingering if self.flags.has(Flags::GONE) => self.latest,
            Stage::Lingering => self.close_due(config),
            Stage::Finished => Timestamp::MAX,
        }
    }

    /// Whether a poll at `now` would note or give a verdict that unread input could refute.
    #[cold]
    pub(crate) fn would_judge(&self, config: &Config, now: Timestamp) -> bool {
        // Rule 12: an earlier time counts as the latest seen.
        let now = now.max(self.latest);
        let due = match (self.stage, self.verdict) {
            (Stage::Open(_), Verdict::NotedIdle | Verdict::NotedSilence | Verdict::NotedAnswer) => {
                self.last_look_due(config)
            }
            (Stage::Open(ping), Verdict::None) => {
                self.answer_due(config, ping).min(self.silence_or_idle_due(config))
            }
            (Stage::Open(_), _)
            | (Stage::Judged | Stage::Closing | Stage::Lingering | Stage::Finished, _) => Timestamp::MAX,
        };
        due <= now && due != Timestamp::MAX
    }

    /// [`State::next_due`] on the grid: only a ping of the schedule waits for the next grid line.
    pub(crate) fn next_wake(&self, config: &Config) -> Timestamp {
        let due = self.next_due(config);
        let Stage::Open(ping) = self.stage else { return due };
        let is_ping = due == self.ping_due(config, ping) && due != Timestamp::MAX;
        if !is_ping || self.verdict != Verdict::None || self.flags.has(Flags::ANNOUNCE | Flags::PROBE) {
            return due;
        }
        let clocks = self.answer_due(config, ping).min(self.suspect_due(config, ping));
        due.on_grid(config.grid()).min(clocks).min(self.silence_or_idle_due(config))
    }

    /// Rule 1. With a `write_timeout` the machine waits for its writing. Otherwise the ping counts as written (rule 4).
    #[inline]
    fn send_ping(&mut self, config: &Config, ping: Ping) -> Step {
        self.sent = self.sent.saturating_add(1);
        self.pinged_at = self.latest;
        self.wrote_at = self.latest;
        self.flags.take(Flags::SUSPECTED);
        // Rule 3: a sample is the answer to a ping that began the wait, while we were reading.
        self.flags.put(Flags::NO_SAMPLE, ping != Ping::Idle || self.flags.has(Flags::PAUSED));
        let probe = self.flags.take(Flags::PROBE);
        if !ping.is_answering() {
            self.wait_from = self.latest;
        }
        if config.write_timeout == NEVER {
            self.stage = Stage::Open(Ping::Answering);
            if probe {
                self.shorten_wait(config, self.latest);
            }
        } else {
            let awaited = ping.is_answering();
            self.stage = Stage::Open(if awaited { Ping::AnsweringAndWriting } else { Ping::Writing });
            self.flags.put(Flags::PROBE_UNWRITTEN, probe);
        }
        Step::Ping
    }

    /// Rule 5: no verdict at first sight, unless the last look is switched off.
    #[cold]
    fn note(&mut self, config: &Config, noted: Verdict) -> Step {
        self.verdict = noted;
        self.noted_at = self.latest;
        self.flags.clear(Flags::UNREAD | Flags::LOOKED_AGAIN);
        if config.last_look == 0 {
            self.confirm();
        }
        Step::Rest
    }

    /// Rule 5: the verdict is given, unless unread data may refute it.
    #[cold]
    fn end_last_look(&mut self, config: &Config) {
        if self.flags.take(Flags::UNREAD) && self.latest < self.spared_until(config) {
            self.noted_at = self.latest;
            self.flags.set(Flags::LOOKED_AGAIN);
        } else {
            self.confirm();
        }
    }

    #[cold]
    fn confirm(&mut self) {
        match self.verdict {
            Verdict::NotedIdle => self.judge(Verdict::Idle),
            Verdict::NotedSilence => self.judge(Verdict::Silent),
            Verdict::NotedAnswer => self.judge(Verdict::PingTimeout),
            Verdict::NotedWriting => self.judge(Verdict::WriteStalled),
            Verdict::None
            | Verdict::PingTimeout
            | Verdict::WriteStalled
            | Verdict::Silent
            | Verdict::Idle
            | Verdict::PingFlood
            | Verdict::ProtocolError
            | Verdict::PeerClosed
            | Verdict::PeerClosedWithCode
            | Verdict::TransportClosed
            | Verdict::LocalClosed => {}
        }
    }

    const fn finish(&mut self) -> Step {
        self.stage = Stage::Finished;
        Step::Disconnect
    }
}
