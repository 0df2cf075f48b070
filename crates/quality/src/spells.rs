//! Stretches of time in which something is not as usual: an outage, a stall, a night's sleep.

use crate::chance::{Nanos, gap, nanos, number, unit};

/// How often, and how long.
#[derive(Clone, Copy)]
pub struct Often {
    /// The average time from the end of one to the start of the next, in seconds.
    pub every: f64,
    /// The shortest and the longest, in seconds. Between them the logarithm of the length is uniform.
    pub shortest: f64,
    pub longest: f64,
}

/// The stretches of one life. They do not overlap.
#[derive(Clone, Default)]
pub(crate) struct Spells {
    all: Vec<Spell>,
}

#[derive(Clone, Copy)]
struct Spell {
    start: Nanos,
    end: Nanos,
    /// How long the earlier ones took together.
    before: Nanos,
}

impl Spells {
    /// Draws stretches that start before `until`.
    pub(crate) fn new(often: Option<Often>, seed: u64, until: Nanos) -> Self {
        let mut all = Vec::new();
        let Some(Often { every, shortest, longest }) = often else { return Self { all } };
        let (mut end, mut before) = (0, 0);
        for draw in 0.. {
            let start = end + nanos(gap(number(seed, 1, draw), every));
            if start >= until {
                break;
            }
            let length = nanos(shortest * (longest / shortest).powf(unit(number(seed, 2, draw))));
            end = start + length;
            all.push(Spell { start, end, before });
            before += length;
        }
        Self { all }
    }

    /// Adds others. Those that meet become one.
    pub(crate) fn add(&mut self, others: &[(Nanos, Nanos)]) {
        let mut all: Vec<_> = self.all.iter().map(|spell| (spell.start, spell.end)).collect();
        all.extend(others.iter().filter(|(start, end)| start < end));
        all.sort_unstable();
        self.all.clear();
        for (start, end) in all {
            match self.all.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                last => {
                    let before = last.map_or(0, |last| last.before + last.end - last.start);
                    self.all.push(Spell { start, end, before });
                }
            }
        }
    }

    /// The moments at which one starts or ends.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Nanos> + '_ {
        self.all.iter().flat_map(|spell| [spell.start, spell.end])
    }

    /// The latest that has started.
    fn latest(&self, now: Nanos) -> Option<Spell> {
        let next = self.all.partition_point(|spell| spell.start <= now);
        next.checked_sub(1).map(|index| self.all[index])
    }

    /// When the one that is at `now` ends.
    pub(crate) fn end_at(&self, now: Nanos) -> Option<Nanos> {
        self.latest(now).map(|spell| spell.end).filter(|end| *end > now)
    }

    /// How long they took together until `now`.
    pub(crate) fn spent_until(&self, now: Nanos) -> Nanos {
        self.latest(now).map_or(0, |spell| spell.before + now.min(spell.end) - spell.start)
    }
}
