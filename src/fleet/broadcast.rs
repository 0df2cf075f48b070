//! One command for every connection, carried out for a few at a time.

use super::key::Tag;
use super::{Fleet, Slot};
use crate::event::CloseCode;
use crate::liveness::Monitor;
use crate::state::State;
use crate::time::Timestamp;

/// A walk over the slots. Before a connection that it has not reached yet is asked or told anything, the command is carried out
/// for it, so that nobody can tell the walk from a command carried out for all at the moment it was given.
pub(super) struct Broadcast {
    command: Command,
    at: Timestamp,
    /// The slots that are left.
    next: u32,
    end: u32,
}

#[derive(Clone, Copy)]
pub(super) enum Command {
    Probe,
    Close(CloseCode),
}

/// How many slots of a broadcast a poll serves: they lie side by side, and each takes a few nanoseconds.
const SLOTS_A_POLL: u32 = 128;

impl Broadcast {
    /// Carries out the command for the state in this slot, if that is still to come.
    pub(super) fn apply(&self, slot: u32, state: &mut State) {
        if (self.next..self.end).contains(&slot) {
            match self.command {
                Command::Probe => state.probe(self.at),
                Command::Close(code) => state.close(code, self.at),
            }
        }
    }

    /// The same for the observer of this slot.
    pub(super) fn apply_to_observer(&self, slot: u32, observer: &mut dyn Monitor) {
        if (self.next..self.end).contains(&slot) {
            match self.command {
                Command::Probe => observer.probe(self.at),
                Command::Close(code) => observer.close(code, self.at),
            }
        }
    }
}

impl Fleet {
    pub(super) fn start_broadcast(&mut self, command: Command, now: Timestamp) {
        // Two at once are rare enough to be done with the first on the spot.
        while !self.continue_broadcast() {}
        let at = self.advance(now);
        self.broadcast = Some(Broadcast { command, at, next: 0, end: self.states.len() });
    }

    /// A few slots more; true where none is left.
    pub(super) fn continue_broadcast(&mut self) -> bool {
        let Some(broadcast) = &mut self.broadcast else { return true };
        for _ in 0..SLOTS_A_POLL {
            let slot = broadcast.next;
            if slot >= broadcast.end {
                self.broadcast = None;
                return true;
            }
            if let Some(Slot(state)) = self.states.get_mut(slot) {
                if !Tag(state.tag()).is_free() {
                    broadcast.apply(slot, state);
                    if let Some(observer) = self.observers.get_mut(&slot) {
                        broadcast.apply_to_observer(slot, &mut **observer);
                    }
                    self.wheel.set_due(slot);
                }
            }
            broadcast.next = slot.saturating_add(1);
        }
        false
    }

    /// Carries out for a copy what a broadcast has still to do for this slot.
    pub(super) fn apply_pending_broadcast(&self, slot: u32, state: &mut State) {
        if let Some(broadcast) = &self.broadcast {
            broadcast.apply(slot, state);
        }
    }
}
