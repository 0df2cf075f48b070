//! The timing wheel: when to check which node.

use core::time::Duration;

use super::bitset::BitSet;
use super::buckets::Buckets;
use crate::time::Timestamp;

/// A hashed timing wheel (Varghese and Lauck 1987, scheme 6), with one level and lazy re-arming.
///
/// Time consists of ticks. Each tick has a slot, and there are enough slots for the usual wait. A slot is a bucket of the
/// nodes to check when its tick is over. The caller then takes them one by one, in any order, because all nodes of a tick
/// are due at once. Other nodes that become due meanwhile wait in another bucket, so that a node that comes later is not
/// served earlier.
///
/// Invariants:
///
/// - every node is in at most one bucket: of a slot, of due nodes, of `later`, of free nodes. A node in no bucket is never
///   due;
/// - a node in a slot belongs to a tick after `done` and less than one turn of the wheel later, so a slot never mixes ticks;
/// - a slot's bit is set exactly while its bucket holds a node and is not the current one;
/// - a node becomes due before its moment or less than a tick after it.
///
/// A node whose moment is more than a turn away goes to the end of the turn. It becomes due too early there, and is put
/// back. A deadline that traffic has moved works in the same way, because traffic never updates the wheel.
///
/// When the clock leaps, the wheel finds the occupied slots by their bits and empties them in order, one after the other. It
/// does not visit empty slots. Meanwhile `done` is behind the clock, and a node that is put back may belong beyond the turn
/// after `done`. The bucket `later` keeps such nodes until `done` has caught up. So a leap of any length costs a node two
/// checks.
pub(super) struct Wheel {
    buckets: Buckets,
    occupied: BitSet,
    /// A power of two.
    slots: u32,
    /// Nanoseconds.
    tick: u64,
    /// The current bucket, whose nodes are due: a slot whose tick is over, a bucket of other due nodes, or `later`.
    current: u32,
    /// The bucket of other due nodes: one of two, while the other is the current one.
    due: u32,
    /// The last tick whose slot is empty or current.
    done: u64,
    /// The last tick that is over, and the moment at which the next one will be over.
    over: u64,
    next_end: Timestamp,
}

/// The largest number of slots: 65,536, in 260 KB.
const SLOTS_MAX: u32 = 1 << 16;

impl Wheel {
    /// A wheel with a turn of `turn` nanoseconds, if that needs no more than [`SLOTS_MAX`] slots.
    pub(super) fn new(tick: u64, turn: u64) -> Self {
        let tick = tick.max(1);
        let wanted = turn.checked_div(tick).unwrap_or(0).saturating_add(3).min(u64::from(SLOTS_MAX));
        let slots = u32::try_from(wanted).unwrap_or(SLOTS_MAX).max(64).next_power_of_two();
        Self {
            // One for each slot, two for other due nodes, `later`, and the free nodes.
            buckets: Buckets::new(slots.saturating_add(4)),
            occupied: BitSet::new(slots),
            slots,
            tick,
            current: slots,
            due: slots ^ 1,
            done: 0,
            over: 0,
            next_end: Timestamp::from_nanos(tick),
        }
    }

    pub(super) const fn tick(&self) -> Duration {
        Duration::from_nanos(self.tick)
    }

    /// The largest number of nodes.
    pub(super) const fn capacity() -> u32 {
        Buckets::LIMIT
    }

    /// Adds a node, in no bucket. Their numbers begin at zero.
    pub(super) fn add_node(&mut self) {
        self.buckets.add_node();
    }

    /// Makes a node due at `at`. The far end of time: never.
    pub(super) fn set(&mut self, node: u32, at: Timestamp) {
        if at == Timestamp::MAX {
            return self.unset(node);
        }
        // The first tick that ends at or after the moment.
        let tick = at.as_nanos().div_ceil(self.tick);
        // The last tick whose slot is not the current one.
        let turn = self.done.saturating_add(u64::from(self.slots)).saturating_sub(1);
        if tick <= self.done {
            self.move_to(node, self.due);
        } else if tick > turn && self.done < self.over && self.current != self.later() {
            self.move_to(node, self.later());
        } else {
            let slot = self.slot(tick.min(turn));
            self.move_to(node, slot);
            self.occupied.insert(slot);
        }
    }

    /// Makes a node due now.
    pub(super) fn set_due(&mut self, node: u32) {
        if self.buckets.bucket_of(node) != Some(self.current) {
            self.move_to(node, self.due);
        }
    }

    /// Makes a node never due.
    pub(super) fn unset(&mut self, node: u32) {
        if let Some(slot) = self.buckets.take(node).filter(|bucket| *bucket < self.slots) {
            self.occupied.remove(slot);
        }
    }

    /// Frees a node, for [`Wheel::take_free`].
    pub(super) fn set_free(&mut self, node: u32) {
        self.move_to(node, self.free());
    }

    fn move_to(&mut self, node: u32, bucket: u32) {
        self.unset(node);
        self.buckets.put(node, bucket);
    }

    /// Takes the node that was freed last, and puts it in no bucket.
    pub(super) fn take_free(&mut self) -> Option<u32> {
        let node = self.buckets.top(self.free())?;
        self.unset(node);
        Some(node)
    }

    /// A node that is due. It stays due until it is set again.
    pub(super) fn first_due(&mut self, now: Timestamp) -> Option<u32> {
        if now >= self.next_end {
            let ticks = now.as_nanos().checked_div(self.tick).unwrap_or(0);
            // At the far end of time the last tick is over too, although it is not complete.
            self.over = if now == Timestamp::MAX { ticks.saturating_add(1) } else { ticks };
            self.next_end = Timestamp::from_nanos(self.over.saturating_add(1).saturating_mul(self.tick));
        }
        loop {
            if let Some(node) = self.buckets.top(self.current) {
                return Some(node);
            }
            if !self.buckets.is_empty(self.due) {
                self.current = self.due;
                self.due ^= 1;
            } else if self.done == self.over {
                return None;
            } else {
                self.next_slot();
            }
        }
    }

    /// Goes to the next slot whose tick is over or, if there is none, to `later`.
    fn next_slot(&mut self) {
        match self.first_tick() {
            Some(tick) if tick <= self.over => {
                self.current = self.slot(tick);
                self.occupied.remove(self.current);
                self.done = tick;
            }
            Some(_) | None => {
                self.current = self.later();
                self.done = self.over;
            }
        }
    }

    /// When a node becomes due next. No node is due now.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.first_tick().map(|tick| Timestamp::from_nanos(tick.saturating_mul(self.tick)))
    }

    /// Some of the nodes that are due next: up to 16, and at least one if any is due.
    pub(super) fn next_due(&self) -> impl Iterator<Item = u32> + '_ {
        self.buckets.next(self.current)
    }

    /// Reads a part of the memory that the next `set` of the node needs.
    pub(super) fn touch(&self, node: u32) -> u32 {
        self.buckets.touch(node)
    }

    /// A node is due, or may be, because a tick is over whose slot was not emptied yet.
    pub(super) fn is_due(&self) -> bool {
        self.done < self.over || !self.buckets.is_empty(self.current) || !self.buckets.is_empty(self.due)
    }

    /// The first tick whose slot holds a node.
    fn first_tick(&self) -> Option<u64> {
        let from = self.slot(self.done.saturating_add(1));
        let slot = self.occupied.next(from).or_else(|| self.occupied.next(0))?;
        // Its distance around the wheel.
        let ahead = slot.wrapping_sub(from) & self.slots.wrapping_sub(1);
        Some(self.done.saturating_add(1).saturating_add(u64::from(ahead)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "below the number of slots")]
    const fn slot(&self, tick: u64) -> u32 {
        (tick & (self.slots as u64).wrapping_sub(1)) as u32
    }

    const fn later(&self) -> u32 {
        self.slots.saturating_add(2)
    }

    const fn free(&self) -> u32 {
        self.slots.saturating_add(3)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use super::*;
    use crate::payload::mix;

    /// Checks the invariants.
    fn check(wheel: &Wheel) {
        for slot in 0..wheel.slots {
            let holds = !wheel.buckets.is_empty(slot) && slot != wheel.current;
            assert_eq!(wheel.occupied.next(slot) == Some(slot), holds, "the bit of slot {slot}");
        }
        let mut held = 0;
        for bucket in 0..wheel.slots + 4 {
            for node in wheel.buckets.iter(bucket) {
                assert_eq!(wheel.buckets.bucket_of(node), Some(bucket), "node {node}");
                held += 1;
            }
        }
        let nodes = 0..wheel.buckets.nodes();
        assert_eq!(nodes.filter(|node| wheel.buckets.bucket_of(*node).is_some()).count(), held);
    }

    /// Compares random operations on a few nodes with a map of their moments. A node is early by no more than the wheel's
    /// turn allows, and late by less than a tick.
    #[test]
    fn every_node_is_due_within_a_tick_of_its_moment_whatever_happens() {
        const TICK: u64 = 7;
        // Miri is a thousand times slower.
        let (seeds, steps) = if cfg!(miri) { (2, 40) } else { (200, 300) };
        for seed in 0..seeds {
            let mut draws = 0;
            let mut draw = |below: u64| {
                draws += 1;
                mix(seed, draws) % below
            };
            let mut wheel = Wheel::new(TICK, 20 * TICK);
            let mut moments: BTreeMap<u32, u64> = BTreeMap::new();
            (0..8).for_each(|_| wheel.add_node());
            let mut now = 0;
            for _ in 0..steps {
                let node = u32::try_from(draw(8)).unwrap();
                match draw(5) {
                    // Up to five turns ahead, and sometimes never.
                    0 | 1 => {
                        let below = if draw(2) == 0 { 20 } else { 5 * 64 * TICK };
                        let at = now + draw(below);
                        wheel.set(node, Timestamp::from_nanos(at));
                        moments.insert(node, at);
                    }
                    2 => {
                        wheel.unset(node);
                        moments.remove(&node);
                    }
                    3 => {
                        let below = if draw(3) == 0 { 50_000 } else { 2 * TICK };
                        now += draw(below);
                    }
                    _ => {}
                }
                let mut looks = 0;
                while let Some(node) = wheel.first_due(Timestamp::from_nanos(now)) {
                    let at = moments[&node];
                    if at <= now {
                        moments.remove(&node);
                        wheel.unset(node);
                    } else {
                        wheel.set(node, Timestamp::from_nanos(at));
                    }
                    looks += 1;
                    assert!(looks <= 3 * 8, "seed {seed}: the wheel goes round and round");
                }
                check(&wheel);
                for (node, at) in &moments {
                    assert!(at + TICK > now, "seed {seed}: node {node}, wanted at {at}, is late at {now}");
                }
                if let Some(next) = wheel.next_at() {
                    assert!(next.as_nanos() > now, "seed {seed}: the wheel would spin");
                }
            }
        }
    }

    #[test]
    fn a_leap_of_hours_costs_two_looks_and_keeps_the_order_of_ticks() {
        let mut wheel = Wheel::new(1_000, 64_000);
        let mut order = Vec::new();
        for node in 0..64 {
            wheel.add_node();
            wheel.set(node, Timestamp::from_nanos(64_000 - u64::from(node) * 1_000));
        }
        let now = Timestamp::from_secs(3 * 3_600);
        while let Some(node) = wheel.first_due(now) {
            order.push(node);
            // Put back, for a later moment.
            wheel.set(node, now.after(30_000));
        }
        let ticks: Vec<u32> = (0..64).rev().collect();
        assert_eq!(order[..64], ticks);
        // Nodes that belong beyond the turn have no order.
        order[64..].sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(order[64..], ticks);
        assert_eq!(wheel.next_at(), Some(now.after(30_000)));
    }

    #[test]
    fn who_is_due_at_once_waits_for_those_who_are_due_already() {
        let mut wheel = Wheel::new(1_000, 64_000);
        (0..6).for_each(|_| wheel.add_node());
        (0..3).for_each(|node| wheel.set_due(node));
        let mut order = Vec::new();
        while let Some(node) = wheel.first_due(Timestamp::ZERO) {
            // With each of the first three comes a new node. A node that is made due twice is due once.
            if node < 3 {
                wheel.set_due(node + 3);
                wheel.set_due(node);
            }
            order.push(node);
            wheel.unset(node);
        }
        assert_eq!(order.len(), 6);
        assert!(order[..3].iter().all(|node| *node < 3), "{order:?}");
    }

    #[test]
    fn far_and_never_are_two_things() {
        let mut wheel = Wheel::new(1_000, 64_000);
        wheel.add_node();
        wheel.set(0, Timestamp::MAX);
        assert_eq!(wheel.next_at(), None);
        wheel.set(0, Timestamp::from_nanos(u64::MAX - 1));
        assert!(wheel.next_at().is_some());
    }

    #[test]
    fn nodes_put_aside_come_back_the_last_one_first() {
        let mut wheel = Wheel::new(1_000, 64_000);
        (0..3).for_each(|_| wheel.add_node());
        assert_eq!(wheel.take_free(), None);
        wheel.set_free(2);
        wheel.set_free(0);
        assert_eq!((wheel.take_free(), wheel.take_free(), wheel.take_free()), (Some(0), Some(2), None));
    }
}
