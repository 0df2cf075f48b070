//! One wish for every connection, granted a few at a time.

use super::key::Tag;
use super::{Fleet, Slot};
use crate::event::CloseCode;
use crate::liveness::Monitor;
use crate::state::State;
use crate::time::Timestamp;

/// A walk over the slots. Whoever it has not reached yet and is asked or told something is reached first, so that nobody can
/// tell it from a wish granted to all at the moment it was made.
pub(super) struct Sweep {
    what: What,
    at: Timestamp,
    /// The slots that are left.
    next: u32,
    end: u32,
}

#[derive(Clone, Copy)]
pub(super) enum What {
    Probe,
    Close(CloseCode),
}

/// How many slots a poll sweeps: they lie side by side, and each takes a few nanoseconds.
const SWEPT: u32 = 128;

impl Sweep {
    /// Grants the wish to the state in this slot, if it is still to come.
    pub(super) fn reach(&self, slot: u32, state: &mut State) {
        if (self.next..self.end).contains(&slot) {
            match self.what {
                What::Probe => state.probe(self.at),
                What::Close(code) => state.close(code, self.at),
            }
        }
    }

    /// Lets a second machine see it.
    pub(super) fn show(&self, slot: u32, machine: &mut dyn Monitor) {
        if (self.next..self.end).contains(&slot) {
            match self.what {
                What::Probe => machine.probe(self.at),
                What::Close(code) => machine.close(code, self.at),
            }
        }
    }
}

impl Fleet {
    pub(super) fn sweep(&mut self, what: What, now: Timestamp) {
        // Two at once are rare enough to be done with the first on the spot.
        while !self.go_on_sweeping() {}
        let at = self.advance(now);
        self.sweep = Some(Sweep { what, at, next: 0, end: self.states.len() });
    }

    /// A few slots more; true where none is left.
    pub(super) fn go_on_sweeping(&mut self) -> bool {
        let Some(sweep) = &mut self.sweep else { return true };
        for _ in 0..SWEPT {
            let slot = sweep.next;
            if slot >= sweep.end {
                self.sweep = None;
                return true;
            }
            if let Some(Slot(state)) = self.states.get_mut(slot) {
                if !Tag(state.tag()).is_nobodys() {
                    sweep.reach(slot, state);
                    if let Some(machine) = self.watched.get_mut(&slot) {
                        sweep.show(slot, &mut **machine);
                    }
                    self.wheel.set_due(slot);
                }
            }
            sweep.next = slot.saturating_add(1);
        }
        false
    }

    /// What a sweep that has not come by yet makes of a copy.
    pub(super) fn catch_up(&self, slot: u32, state: &mut State) {
        if let Some(sweep) = &self.sweep {
            sweep.reach(slot, state);
        }
    }
}
