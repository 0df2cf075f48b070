//! What interrupts a life: a proxy's patience, and the events of a script.

use crate::chance::{Nanos, nanos, number, unit};
use crate::proxy::{Proxy, Side};
use crate::rule::Rule;
use crate::script::{Seen, Witness};
use crate::simulate::{Simulation, What};

impl<R: Rule, M: Fn(u64, Nanos) -> R, W: Witness> Simulation<'_, M, W> {
    /// The proxy cuts, unless something came through since its last check. After the death only the rule decides.
    pub(super) fn look_for_silence(&mut self, rule: &mut Option<R>, now: Nanos) {
        if now >= self.dies_at {
            return;
        }
        let (at, side) = self.proxy.cut();
        if at > now {
            return self.enter(at, What::Silence { connection: self.connection });
        }
        match side {
            Side::Ours => self.outcome.cut_for_ours += 1,
            Side::Theirs => self.outcome.cut_for_theirs += 1,
        }
        self.witness.sees(now, Seen::CutByProxy(side));
        self.over = self.script.is_some();
        *rule = None;
        self.lose(now);
    }

    /// Enters the script's events from now on.
    pub(super) fn put_proxy(&mut self, now: Nanos) {
        let Some((_, limits)) = self.script.and_then(|script| script.proxy) else { return };
        self.proxy = Proxy::new(limits, now);
        self.enter(self.proxy.cut().0, What::Silence { connection: self.connection });
    }

    pub(super) fn peer_hears(&mut self, now: Nanos, connection: u32, ping: u32) {
        let is_lost = unit(number(self.seed, 14, now)) < self.world.lost_pings;
        if is_lost || self.lost_pings.end_at(now).is_some() {
            return self.witness.sees(now, Seen::Dropped { number: ping });
        }
        let slow = self.world.slow_pongs * unit(number(self.seed, 10, now));
        let stalled = self.peer_stalls.end_at(now).unwrap_or(now);
        self.enter(stalled.max(now + nanos(slow)), What::PeerAnswers { connection, ping });
    }

    /// A frame of the script's is written.
    pub(super) fn frame(&mut self, now: Nanos, index: usize) {
        let frame = self.script.and_then(|script| script.frames.get(index));
        if let Some((_, bytes, ours)) = frame.copied() {
            self.say(now, bytes, ours);
        }
    }
}
