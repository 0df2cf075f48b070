//! The moments at which something falls due (rules 1, 2, 4, 8, 9), each computed from the state when it is asked for.

use super::{Flags, Ping, State};
use crate::config::{Config, NEVER, Schedule, Suspicion};
use crate::payload::{mix, share};
use crate::time::Timestamp;

impl State {
    /// The first thing to fall due in a life without a verdict, none noted.
    #[inline(always)]
    pub(super) fn first_due(&self, config: &Config, ping: Ping) -> Timestamp {
        let due = if ping.is_awaited() {
            self.ping_deadline(config, ping).min(self.suspect_due(config))
        } else {
            self.ping_due(config)
        };
        due.min(self.owed_due(config))
    }

    /// What the peer owes us unasked: that it is neither idle nor silent. Most configs want neither.
    #[inline]
    pub(super) fn owed_due(&self, config: &Config) -> Timestamp {
        if config.idle_timeout == NEVER && config.silence_timeout == NEVER {
            return Timestamp::MAX;
        }
        self.idle_due(config).min(self.silence_due(config))
    }

    pub(super) fn idle_due(&self, config: &Config) -> Timestamp {
        self.unless_paused(self.idle_from.after(config.idle_timeout))
    }

    pub(super) fn silence_due(&self, config: &Config) -> Timestamp {
        self.unless_paused(self.silent_from.max(self.heard_at).after(config.silence_timeout))
    }

    #[inline]
    pub(super) fn ping_deadline(&self, config: &Config, ping: Ping) -> Timestamp {
        match ping {
            Ping::Idle | Ping::Unsent => Timestamp::MAX,
            // Each byte of ours renews it; the hand-out counts as one.
            Ping::Writing => self.wrote_at.after(config.write_timeout),
            Ping::Answering => self.unless_paused(self.clock_from.after(config.timeout)),
        }
    }

    /// When the ping that is awaited makes its peer suspect.
    #[inline]
    pub(super) fn suspect_due(&self, config: &Config) -> Timestamp {
        if config.suspect_after == NEVER {
            return Timestamp::MAX;
        }
        let after = match config.suspicion {
            Suspicion::Never => NEVER,
            Suspicion::After(_) => config.suspect_after,
            Suspicion::Adaptive { .. } => {
                self.rtt.usual().map_or(NEVER, |usual| usual.max(config.suspect_after))
            }
        };
        if after >= config.timeout || self.flags.has(Flags::SUSPECT) {
            return Timestamp::MAX;
        }
        self.unless_paused(self.clock_from.after(after))
    }

    /// When the next ping is due, none being awaited.
    #[inline(always)]
    pub(super) fn ping_due(&self, config: &Config) -> Timestamp {
        if self.flags.has(Flags::PROBE) {
            return self.latest;
        }
        match config.schedule {
            Schedule::Quiet => self.heard_at.min(self.wrote_at).after(self.wait(config)),
            Schedule::Steady => self.pinged_at.after(self.wait(config)),
        }
    }

    /// The wait for the next ping: at most `interval`, and never nothing. Drawn anew for each ping, and computed
    /// each time it is asked for, which is seldom.
    #[inline(always)]
    pub(super) fn wait(&self, config: &Config) -> u64 {
        let most = config.interval.wrapping_sub(config.shortest_wait);
        if config.jitter == 0 || config.interval == NEVER {
            return config.interval;
        }
        let draw = mix(self.seed(), u64::from(self.sent));
        let wait = config.interval.wrapping_sub(share(draw, most.wrapping_add(1))).max(1);
        if self.sent == 0 { rest(draw, wait) } else { wait }
    }

    pub(super) fn last_look_due(&self, config: &Config) -> Timestamp {
        self.mark.after(config.last_look)
    }

    pub(super) fn close_due(&self, config: &Config) -> Timestamp {
        self.mark.after(config.close_timeout)
    }

    /// Rule 9: we cannot judge whom we do not listen to.
    fn unless_paused(&self, due: Timestamp) -> Timestamp {
        if self.flags.has(Flags::PAUSED) { Timestamp::MAX } else { due }
    }

    /// The far end of time never comes.
    pub(super) fn due(&self, at: Timestamp) -> bool {
        at <= self.latest && at != Timestamp::MAX
    }

    /// Rule 6: this deadline is seen so late that we were not looking. One that came while another verdict waited for its
    /// last look was not to be looked at before that was over.
    pub(super) fn stalled(&self, config: &Config, deadline: Timestamp) -> bool {
        let hidden = self.mark <= deadline;
        let expected = if hidden { deadline.max(self.last_look_due(config)) } else { deadline };
        self.latest.since(expected) > config.stall_tolerance
    }
}

/// The first wait: the rest of one, as if the connection had been pinged for ever, and we had come at a random moment. So a
/// million clients who reconnect together do not ping together, and the pings are as even from the first interval on as
/// they will ever be: drawn from (0, `interval`] evenly, many first pings would meet the second ones of others at its end.
#[cold]
fn rest(draw: u64, wait: u64) -> u64 {
    // The wait was drawn from the high bits; these are the low ones.
    share(draw.rotate_left(32), wait).wrapping_add(1).min(wait)
}
