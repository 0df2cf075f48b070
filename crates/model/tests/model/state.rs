//! Which states of the world are the same state to the checker.

use std::hash::{DefaultHasher, Hash, Hasher};

use liveness::Liveness;

use super::end::{Frame, Promise, Stage};
use super::key::FAR_BACK;
use super::world::World;

impl PartialEq for World<Liveness> {
    fn eq(&self, other: &Self) -> bool {
        self.halves() == other.halves() && self.news == other.news
    }
}

impl Hash for World<Liveness> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.halves().hash(state);
        // The news belong to the latest step only. If they were left out, a witness could hide behind a state that was
        // seen before.
        self.news.hash(state);
    }
}

impl World<Liveness> {
    pub(super) fn keeps(&self, promise: Promise) -> bool {
        self.broken() != Some(promise)
    }

    pub(super) fn both(&self, is_so: impl Fn(&Liveness) -> bool) -> bool {
        (0..2).all(|who| is_so(self.machine(who)))
    }

    /// A life that has not ended, and in which nothing will ever happen again.
    pub(super) fn is_stuck(&self) -> bool {
        let waits_for_nothing =
            |who: usize| self.ends[who].stage != Stage::Gone && self.machine(who).poll_timeout().is_none();
        let mut steps = Vec::new();
        self.steps(&mut steps);
        let ended = self.ends.iter().all(|end| end.stage == Stage::Gone);
        self.broken().is_none() && !ended && (steps.is_empty() || (0..2).any(waits_for_nothing))
    }

    /// Hashes of the two ends, sorted, so that their order does not matter. Each hash has everything that tells an end
    /// from the other.
    fn halves(&self) -> [u64; 2] {
        let mut halves = [self.half(0), self.half(1)];
        halves.sort_unstable();
        halves
    }

    /// An end, and what it has under way.
    fn half(&self, who: usize) -> u64 {
        let mut hash = DefaultHasher::new();
        let (end, wire) = (&self.ends[who], &self.wires[who]);
        let plan = &self.plan;
        (plan.timers_first[who], plan.longest_stall[who], plan.longest_pause[who]).hash(&mut hash);
        (plan.probes[who], plan.write_timeout[who]).hash(&mut hash);
        (end.key, end.stage, end.broken).hash(&mut hash);
        if end.stage != Stage::Gone {
            (end.lateness, end.stalled, end.paused, self.now - end.since).hash(&mut hash);
        }
        if matches!(end.stage, Stage::Online | Stage::Suspect) {
            let wait = end.wait.map(|wait| {
                let ages = wait.clock.ages(self.now, plan);
                (ages, wait.answered_in_time, wait.over || ages.0 > wait.clock.length)
            });
            let unwritten = end
                .unwritten
                .map(|unwritten| (unwritten.clock.ages(self.now, plan), unwritten.refuted, unwritten.probe));
            let pinged = end.pinged.map(|pinged| (self.now - pinged).min(plan.interval));
            (wait, unwritten, pinged, self.now - end.fed).hash(&mut hash);
            (end.forgiven, end.probing, end.may_pause).hash(&mut hash);
        }
        (end.inbox.len(), wire.frames.len(), wire.cut).hash(&mut hash);
        for frame in &end.inbox {
            self.hash_frame(*frame, 1 - who, &mut hash);
        }
        for frame in &wire.frames {
            self.hash_frame(*frame, who, &mut hash);
        }
        hash.finish()
    }

    /// A ping counts back from the newest of its end, because the numbers themselves only grow. Pings that are far back
    /// are alike, because on an honest stream each is answered once, and in order.
    fn hash_frame(&self, frame: Frame, from: usize, hash: &mut DefaultHasher) {
        let before_newest =
            |asker: usize, number: u32| (self.machine(asker).stats().pings - number).min(FAR_BACK);
        match frame {
            Frame::Ping(question) => (0, before_newest(from, question.number)).hash(hash),
            Frame::Pong(question) => (1, before_newest(1 - from, question.number)).hash(hash),
            Frame::Close(code) => (2, code).hash(hash),
            Frame::Data => 3.hash(hash),
            Frame::Fin => 4.hash(hash),
        }
    }
}
