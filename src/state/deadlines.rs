//! The deadlines (rules 1, 2, 4, 5, 8, 9), each computed from the state when a caller asks for it.

use super::{Flags, Ping, State, Verdict};
use crate::config::{Config, NEVER, Schedule, SuspicionKind};
use crate::payload::{mix, share};
use crate::time::Timestamp;

/// Rule 1: a ping that `probe` causes comes at least this long after the ping before it.
const PROBE_INTERVAL: u64 = 1_000_000_000;

impl State {
    /// The earliest deadline of an open connection without a noted verdict.
    #[inline(always)]
    pub(super) fn first_due(&self, config: &Config, ping: Ping) -> Timestamp {
        let due = if ping == Ping::Idle {
            self.ping_due(config, ping)
        } else {
            let clocks = self.answer_due(config, ping).min(self.write_due(config, ping));
            clocks.min(self.suspect_due(config, ping)).min(self.ping_due(config, ping))
        };
        due.min(self.silence_or_idle_due(config))
    }

    /// The deadline of silence or of idleness. Most configs use neither.
    #[inline]
    pub(super) fn silence_or_idle_due(&self, config: &Config) -> Timestamp {
        if config.idle_timeout == NEVER && config.silence_timeout == NEVER {
            return Timestamp::MAX;
        }
        self.idle_due(config).min(self.silence_due(config))
    }

    pub(super) fn idle_due(&self, config: &Config) -> Timestamp {
        self.unless_paused(self.idle_from.after(config.idle_timeout))
    }

    pub(super) fn silence_due(&self, config: &Config) -> Timestamp {
        self.unless_paused(self.silence_from().after(config.silence_timeout))
    }

    fn silence_from(&self) -> Timestamp {
        self.silent_from.max(self.heard_at)
    }

    /// When the wait for an answer ends.
    #[inline]
    pub(super) fn answer_due(&self, config: &Config, ping: Ping) -> Timestamp {
        if !ping.is_answering() {
            return Timestamp::MAX;
        }
        self.unless_paused(self.wait_from.after(self.wait_length(config)))
    }

    /// How long the wait for an answer is. A probe's wait is never longer than another.
    pub(super) fn wait_length(&self, config: &Config) -> u64 {
        if self.flags.has(Flags::PROBE_WAIT) {
            config.timeout.min(config.probe_timeout)
        } else {
            config.timeout
        }
    }

    /// When the newest ping must have been written. Each byte that we write renews it, and so does the hand-out.
    #[inline]
    pub(super) fn write_due(&self, config: &Config, ping: Ping) -> Timestamp {
        if ping.is_writing() { self.wrote_at.after(config.write_timeout) } else { Timestamp::MAX }
    }

    /// When the peer becomes suspect: by the wait for an answer or, while there is none, by the writing of a ping.
    #[inline]
    pub(super) fn suspect_due(&self, config: &Config, ping: Ping) -> Timestamp {
        if config.suspect_after == NEVER
            || ping == Ping::Idle
            || self.flags.has(Flags::SUSPECT | Flags::SUSPECTED)
        {
            return Timestamp::MAX;
        }
        let after = match config.suspicion {
            SuspicionKind::Never => NEVER,
            SuspicionKind::After => config.suspect_after,
            SuspicionKind::Adaptive => self.rtt.rto().map_or(NEVER, |rto| rto.max(config.suspect_after)),
        };
        let clock = if ping.is_answering() { self.wait_length(config) } else { config.write_timeout };
        if after >= clock {
            return Timestamp::MAX;
        }
        self.unless_paused(self.wait_from.after(after))
    }

    /// Rule 1: when the next ping is due. A ping that is not written yet delays it.
    #[inline(always)]
    pub(super) fn ping_due(&self, config: &Config, ping: Ping) -> Timestamp {
        if ping.is_writing() {
            return Timestamp::MAX;
        }
        let from = match config.schedule {
            Schedule::Quiet => self.pinged_at.max(self.heard_at.min(self.wrote_at)),
            Schedule::Steady => self.pinged_at,
        };
        let scheduled = from.after(self.wait_for_ping(config));
        if self.flags.has(Flags::PROBE) { scheduled.min(self.probe_due()) } else { scheduled }
    }

    #[cold]
    fn probe_due(&self) -> Timestamp {
        if self.sent == 0 { self.latest } else { self.pinged_at.after(PROBE_INTERVAL).max(self.latest) }
    }

    /// The wait for the next ping: at most `interval`, and never zero. Each ping has its own draw. It is computed each time
    /// that a caller asks, which is seldom.
    #[inline(always)]
    fn wait_for_ping(&self, config: &Config) -> u64 {
        let most = config.interval.wrapping_sub(config.shortest_wait);
        if config.jitter == 0 || config.interval == NEVER {
            return config.interval;
        }
        let draw = mix(self.seed(), u64::from(self.sent));
        let wait = config.interval.wrapping_sub(share(draw, most.wrapping_add(1))).max(1);
        if self.sent == 0 { first_wait(draw, wait) } else { wait }
    }

    pub(super) fn last_look_due(&self, config: &Config) -> Timestamp {
        self.noted_at.after(config.last_look)
    }

    /// Rule 5: unread data may refute a noted verdict, so the verdict waits, but only until its clock has run out a second
    /// time. Unread data cannot refute a verdict about the writing of a ping.
    pub(super) fn spared_until(&self, config: &Config) -> Timestamp {
        let twice = |from: Timestamp, length: u64| from.after(length).after(length);
        match self.verdict {
            Verdict::NotedIdle => twice(self.idle_from, config.idle_timeout),
            Verdict::NotedSilence => twice(self.silence_from(), config.silence_timeout),
            Verdict::NotedAnswer => twice(self.wait_from, self.wait_length(config)),
            Verdict::None
            | Verdict::NotedWriting
            | Verdict::PingTimeout
            | Verdict::WriteStalled
            | Verdict::Silent
            | Verdict::Idle
            | Verdict::PingFlood
            | Verdict::ProtocolError
            | Verdict::PeerClosed
            | Verdict::PeerClosedWithCode
            | Verdict::TransportClosed
            | Verdict::LocalClosed => Timestamp::ZERO,
        }
    }

    pub(super) fn close_due(&self, config: &Config) -> Timestamp {
        self.noted_at.after(config.close_timeout)
    }

    /// Rule 9: we cannot judge a peer that we do not listen to.
    fn unless_paused(&self, due: Timestamp) -> Timestamp {
        if self.flags.has(Flags::PAUSED) { Timestamp::MAX } else { due }
    }

    /// The far end of time never comes.
    pub(super) fn due(&self, at: Timestamp) -> bool {
        at <= self.latest && at != Timestamp::MAX
    }

    /// Rule 6: we saw this deadline so late that we were not looking. We could not see a deadline that passed during the
    /// last look of another verdict until that last look was over.
    pub(super) fn stalled(&self, config: &Config, deadline: Timestamp) -> bool {
        let hidden = self.noted_at <= deadline || self.flags.has(Flags::LOOKED_AGAIN);
        let expected = if hidden { deadline.max(self.last_look_due(config)) } else { deadline };
        self.latest.since(expected) > config.stall_tolerance
    }
}

/// The first wait: a random rest of a wait, as if the connection had been pinged for ever and we arrived at a random moment.
/// So a million clients that reconnect together do not ping together, and the pings are even from the first interval on. An
/// even draw from (0, `interval`] would not do: many first pings would coincide with second pings of other clients.
#[cold]
fn first_wait(draw: u64, wait: u64) -> u64 {
    // The wait came from the high bits; these are the low ones.
    share(draw.rotate_left(32), wait).wrapping_add(1)
}
