//! One command for every connection, carried out for a few at a time.

use alloc::vec::Vec;

use super::configs::config_of;
use super::observe::hand_in;
use super::{Fleet, Slot};
use crate::config::Config;
use crate::observer::Input;
use crate::state::State;
use crate::time::Timestamp;

/// A walk over the slots. Before a connection that it has not reached yet is asked or told anything, the command is carried out
/// for it, so that nobody can tell the walk from a command carried out for all at the moment it was given.
pub(super) struct Broadcast {
    command: Input<'static>,
    at: Timestamp,
    /// The slots that are left.
    next: u32,
    end: u32,
    /// Those among them that are observed and have had the command: nobody is told of one input twice.
    told: Vec<u32>,
}

/// How many slots of a broadcast a poll serves: they lie side by side, and each takes a few nanoseconds.
const SLOTS_A_POLL: u32 = 128;

impl Broadcast {
    /// What is still to come for this slot, and as of when.
    pub(super) fn pending(&self, slot: u32) -> Option<(Input<'static>, Timestamp)> {
        let left = (self.next..self.end).contains(&slot) && !self.told.contains(&slot);
        left.then_some((self.command, self.at))
    }

    /// The observers of this slot have been told of the command.
    pub(super) fn note_told(&mut self, slot: u32) {
        self.told.push(slot);
    }
}

impl Fleet {
    pub(super) fn start_broadcast(&mut self, command: Input<'static>, now: Timestamp) {
        // Two at once are rare enough to be done with the first on the spot.
        while !self.continue_broadcast() {}
        let at = self.advance(now);
        self.broadcast = Some(Broadcast { command, at, next: 0, end: self.states.len(), told: Vec::new() });
    }

    /// A few slots more; true where none is left. Out of line, because a poll without a broadcast must stay short.
    #[cold]
    #[inline(never)]
    pub(super) fn continue_broadcast(&mut self) -> bool {
        let Some(broadcast) = &mut self.broadcast else { return true };
        for _ in 0..SLOTS_A_POLL {
            let slot = broadcast.next;
            if slot >= broadcast.end {
                self.broadcast = None;
                return true;
            }
            if let Some(Slot(state)) = self.states.get_mut(slot) {
                if let Some(config) = config_of(&self.configs, &self.reconfigured, slot, state) {
                    if let Some((command, at)) = broadcast.pending(slot) {
                        hand_in(state, config, self.observers.get_mut(&slot), command, at);
                    }
                    self.wheel.set_due(slot);
                }
            }
            broadcast.next = slot.saturating_add(1);
        }
        false
    }

    /// Carries out for a copy what a broadcast has still to do for this slot.
    pub(super) fn apply_pending_broadcast(&self, slot: u32, config: &Config, state: &mut State) {
        if let Some((command, at)) = self.broadcast.as_ref().and_then(|broadcast| broadcast.pending(slot)) {
            hand_in(state, config, None, command, at);
        }
    }
}
