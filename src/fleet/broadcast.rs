//! One command for every connection, carried out for a few connections at a time.

use alloc::vec::Vec;

use super::configs::config_of;
use super::observe::hand_in;
use super::{Fleet, Slot};
use crate::config::Config;
use crate::observer::Input;
use crate::state::State;
use crate::time::Timestamp;

/// A walk over the slots. If a caller uses a connection that the walk has not reached yet, the command is carried out for it
/// first. So the result is the same as if the command had been carried out for all at the moment it was given.
pub(super) struct Broadcast {
    command: Input<'static>,
    at: Timestamp,
    /// The slots that are left.
    next: u32,
    end: u32,
    /// The observed slots of the rest whose observers already know the command, so that no observer sees it twice.
    told: Vec<u32>,
}

/// How many slots of a broadcast a poll serves. They are adjacent in memory, and each takes a few nanoseconds.
const SLOTS_A_POLL: u32 = 128;

impl Broadcast {
    /// The command that this slot still needs, and its moment.
    pub(super) fn pending(&self, slot: u32) -> Option<(Input<'static>, Timestamp)> {
        let left = (self.next..self.end).contains(&slot) && !self.told.contains(&slot);
        left.then_some((self.command, self.at))
    }

    /// Remembers that the observers of this slot know the command.
    pub(super) fn note_told(&mut self, slot: u32) {
        self.told.push(slot);
    }
}

impl Fleet {
    pub(super) fn start_broadcast(&mut self, command: Input<'static>, now: Timestamp) {
        // Two broadcasts at once are rare: finish the first one now.
        while !self.continue_broadcast() {}
        let at = self.advance(now);
        self.broadcast = Some(Broadcast { command, at, next: 0, end: self.states.len(), told: Vec::new() });
    }

    /// Serves some more slots. True if none is left. Not inlined, because a poll without a broadcast must stay short.
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

    /// Carries out a broadcast's command on a copy of this slot, if the slot still needs it.
    pub(super) fn apply_pending_broadcast(&self, slot: u32, config: &Config, state: &mut State) {
        if let Some((command, at)) = self.broadcast.as_ref().and_then(|broadcast| broadcast.pending(slot)) {
            hand_in(state, config, None, command, at);
        }
    }
}
