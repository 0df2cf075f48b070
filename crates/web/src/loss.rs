//! What follows from a loss, an end, and a dial that hangs.

use core::time::Duration;

use liveness::reconnect::{
    Attempt, Backoff, DialStatus, GiveUpReason, OnClose, Policy, Reconnect, ReconnectAction,
};
use liveness::{Config, Timestamp};

use crate::link::{Action, Hanging, LAST_LOOK, LATE, Link, Settings};

impl<F: FnMut() -> Backoff + Clone> Link<F> {
    /// During a hand-over this is not reported, because the old connection is still in use.
    pub(crate) fn dial(&mut self, attempt: Attempt) -> Action {
        self.dial = Some(Hanging { attempt, due: Timestamp::MAX, put_off: false });
        if self.serving.is_some() {
            return Action::Dial;
        }
        self.next = Some(Action::Dial);
        Action::Dialling
    }

    /// The page woke during this dial, and the dial has not ended since.
    pub(crate) fn hangs(&mut self, now: Timestamp) -> bool {
        let Some(dial) = self.dial.as_mut().filter(|dial| dial.due <= now && dial.due < Timestamp::MAX)
        else {
            return false;
        };
        if now > dial.due + LATE && !dial.put_off {
            (dial.due, dial.put_off) = (now + LATE, true);
            return false;
        }
        true
    }

    /// The connection is over.
    pub(crate) fn lose(&mut self, now: Timestamp) {
        let wish = self.wish.take();
        let Some((attempt, heart)) = self.serving.take() else { return };
        if now.saturating_duration_since(heart.since) >= self.settings.stable_after {
            self.must_wait = false;
        }
        let code = heart.reason.connection_close_code();
        if let Some(then) = wish {
            self.reconnect.closed_with(attempt, code, then, now);
        } else if is_about_one_client(code) && self.is_alone(now) {
            self.reconnect.closed_with(attempt, code, OnClose::AT_ONCE, now);
            if !self.offline {
                self.reconnect.network_changed(now);
            }
        } else {
            self.reconnect.closed(attempt, code, now);
        }
        // After `close` a dial is only abandoned, so it is not reported.
        if let DialStatus::Dialling(_) = self.reconnect.status() {
            self.next = Some(Action::Dialling);
        }
    }

    /// What follows from a close code, unless the application says otherwise.
    pub(crate) fn usual(&self, code: u16) -> OnClose {
        match OnClose::by_code(code) {
            OnClose::Redial { at_least, spread } => {
                OnClose::Redial { at_least, spread: spread.min(self.settings.max_spread) }
            }
            stop @ (OnClose::Stop | _) => stop,
        }
    }

    /// Reports each wait once.
    pub(crate) fn wait(&mut self) -> Option<Action> {
        let until = match self.reconnect.status() {
            DialStatus::Waiting(until) => Some(until),
            DialStatus::Dialling(_) | DialStatus::Connected(_) | DialStatus::Finished(_) => None,
        };
        let news = until.filter(|_| self.waiting != until);
        self.waiting = until;
        news.map(Action::Wait)
    }

    pub(crate) fn begin_again(&mut self, now: Timestamp) {
        let by_this_side = self.reconnect.status() == DialStatus::Finished(GiveUpReason::Stopped);
        let seed = self.rng.draw();
        self.reconnect = Reconnect::new(policy(&self.settings), self.backoff.clone(), seed, now);
        self.offline = false;
        if by_this_side {
            return;
        }
        if !core::mem::replace(&mut self.must_wait, true) {
            self.again = (self.backoff)();
        } else if let Some(ReconnectAction::Dial(attempt)) = self.reconnect.poll(now) {
            // Handle it as if this dial had failed, because it would end in the same way.
            let wait = self.again.next().unwrap_or(Duration::MAX);
            self.reconnect.failed_with(attempt, OnClose::after(wait), now);
        }
    }
}

/// A server uses these codes to end one connection, because it heard nothing from that client. A broken path causes them too.
/// Other codes go to all of the server's clients.
const fn is_about_one_client(code: u16) -> bool {
    // 1005 is the bare close of most libraries. python-websockets sends 1011 when a pong is late. 3008 is IANA's timeout.
    matches!(code, 1005 | 1006 | 1011 | 3008)
}

pub(crate) fn policy(settings: &Settings) -> Policy {
    Policy::DEFAULT
        .stable_after(settings.stable_after)
        .dial_timeout(settings.dial_timeout)
        .max_spread(settings.max_spread)
}

/// Whatever the application wants, its page stays a client.
pub(crate) fn of_a_page(heartbeat: Config) -> Config {
    let page =
        heartbeat.for_drivers().to_builder().last_look(LAST_LOOK).close_timeout(Duration::ZERO).build();
    // Both are within the valid range.
    page.unwrap_or(heartbeat)
}
