//! The caller's commands (rules 1, 11, 12).

use super::{Flags, Stage, State, Verdict};
use crate::config::{Config, NEVER};
use crate::event::CloseCode;
use crate::payload::Payload;
use crate::time::Timestamp;

impl State {
    pub(crate) fn probe(&mut self, now: Timestamp) {
        self.advance(now);
        self.flags.set(Flags::PROBE);
        self.wake();
    }

    pub(crate) fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.advance(now);
        if matches!(self.stage, Stage::Open(_)) {
            self.answered_up_to = u32::from(code.get());
            self.judge(Verdict::LocalClosed);
        }
    }

    /// Rule 12: replaces the settings. The moments that the waits count from stay. A verdict that is only noted is
    /// forgotten.
    pub(crate) fn reconfigure(&mut self, old: &Config, config: &Config, now: Timestamp) {
        self.advance(now);
        self.wake();
        let Stage::Open(ping) = self.stage else { return };
        self.verdict = Verdict::None;
        if config.write_timeout == NEVER && ping.is_writing() {
            // Rule 4: nobody reports its writing any more, so it counts as written.
            self.written(config, ping, self.latest);
        }
        self.limiter = self.limiter.converted(old.control_budget, config.control_budget, self.latest);
    }

    /// The oldest unanswered ping.
    pub(crate) fn awaited(&self) -> Option<Payload> {
        let open = matches!(self.stage, Stage::Open(_)) && self.answered_up_to < self.sent;
        open.then(|| Payload::seal(u64::from(self.answered_up_to.saturating_add(1)), self.seed()))
    }
}
