//! What both ends send each other beside pings.

use crate::chance::{MILLI, Nanos, gap, nanos, number};
use crate::pipe::Written;
use crate::proxy::Side;
use crate::rule::{Input, Rule};
use crate::script::{Seen, Witness};
use crate::simulate::{CHUNK, Simulation, What};
use crate::world::{Death, Talk};

impl<R: Rule, M: Fn(u64, Nanos) -> R, W: Witness> Simulation<'_, M, W> {
    pub(super) fn next_word(&self, talk: Talk, what: u64, turn: u64, now: Nanos) -> Nanos {
        let wait = if talk.streaming { talk.every } else { gap(number(self.seed, what, turn), talk.every) };
        now + nanos(wait).max(MILLI)
    }

    pub(super) fn peer_talks(&mut self, now: Nanos, turn: u64, connected: bool) {
        let Some(talk) = self.world.peer_talks else { return };
        // A dead peer sends nothing, unless it is only deaf.
        if now >= self.dies_at && self.script.is_none() && self.world.death != Death::Deaf {
            return;
        }
        // A stalled process sends it afterwards. A frame that has not left yet puts off the next one.
        let stalled = self.peer_stalls.end_at(now);
        if stalled.is_none() && connected && self.pipes[1].busy_seconds(now) < 1.0 {
            self.say(now, talk.bytes, false);
        }
        let from = stalled.unwrap_or(now);
        self.enter(self.next_word(talk, 8, turn + 1, from), What::PeerTalks { turn: turn + 1 });
    }

    pub(super) fn we_talk(&mut self, rule: &mut Option<R>, now: Nanos, turn: u64) {
        let Some(talk) = self.world.we_talk else { return };
        let held = self.driver_stalls.end_at(now).max(self.sleeps.end_at(now));
        if held.is_none() && rule.is_some() && self.pipes[0].busy_seconds(now) < 30.0 {
            self.say(now, talk.bytes, true);
        }
        let from = held.unwrap_or(now);
        self.enter(self.next_word(talk, 9, turn + 1, from), What::WeTalk { turn: turn + 1 });
    }

    pub(super) fn say(&mut self, now: Nanos, bytes: f64, ours: bool) {
        let written = self.pipes[usize::from(!ours)].write(now, bytes, &self.outages);
        self.witness.sees(now, Seen::Message { ours, bytes, arrives: written.arrives });
        if ours {
            self.proxy.pass(Side::Ours, written.left);
        }
        self.large(written, bytes, ours);
        if ours {
            self.arrive(written.taken, Input::Wrote);
        } else {
            self.arrive(written.arrives, Input::Data);
        }
    }

    /// Both ends see a message of many chunks while it moves.
    fn large(&mut self, written: Written, bytes: f64, ours: bool) {
        if bytes > CHUNK {
            self.written.push((written, bytes));
            let index = self.written.len() - 1;
            let connection = self.connection;
            self.enter(written.starts, What::Chunks { connection, written: index, of: 1, ours });
        }
    }

    /// One chunk of a large message has left.
    pub(super) fn chunk(&mut self, now: Nanos, written: usize, number: u32, ours: bool) {
        let (Written { starts, left, .. }, bytes) = self.written[written];
        // A dead peer takes nothing more.
        if now >= self.cuts[usize::from(!ours)] {
            return;
        }
        if ours {
            self.arrive(now, Input::Wrote);
        } else if let Some(arrives) = self.pipes[1].flight(now, &self.outages) {
            self.arrive(arrives, Input::Progress);
        }
        let chunks = bytes / CHUNK;
        let next = starts + ((left - starts) as f64 * f64::from(number) / chunks) as Nanos;
        if f64::from(number) < chunks {
            let connection = self.connection;
            self.enter(next, What::Chunks { connection, written, of: number + 1, ours });
        }
    }
}
