//! One command for every connection, carried out for a few connections at a time.

use alloc::collections::BTreeSet;

use super::configs::config_of;
use super::observe::hand_in;
use super::{Fleet, Slot};
use crate::observer::Input;
use crate::time::Timestamp;

/// A walk over the slots. If a caller uses a connection that the walk has not reached yet, the command is carried out for it
/// first. So the result is the same as if the command had been carried out for all at the moment it was given.
pub(super) struct Broadcast {
    command: Input<'static>,
    at: Timestamp,
    /// The slots that are left.
    next: u32,
    end: u32,
    /// Those of them that a caller used, so they need nothing more. An observer must not see the command twice.
    served: BTreeSet<u32>,
}

/// How many slots of a broadcast a poll serves. They are adjacent in memory, and each takes a few nanoseconds.
const SLOTS_A_POLL: u32 = 128;

impl Fleet {
    pub(super) fn start_broadcast(&mut self, command: Input<'static>, now: Timestamp) {
        // Two broadcasts at once are rare: finish the first one now.
        while !self.continue_broadcast() {}
        let at = self.advance(now);
        let (end, served) = (self.states.len(), BTreeSet::new());
        self.broadcast = Some(Broadcast { command, at, next: 0, end, served });
    }

    /// Serves some more slots. True if none is left. Not inlined, because a poll without a broadcast must stay short.
    #[cold]
    #[inline(never)]
    pub(super) fn continue_broadcast(&mut self) -> bool {
        for _ in 0..SLOTS_A_POLL {
            let Some(broadcast) = &self.broadcast else { return true };
            let slot = broadcast.next;
            if slot >= broadcast.end {
                self.broadcast = None;
                return true;
            }
            self.serve(slot);
            if let Some(broadcast) = &mut self.broadcast {
                broadcast.served.remove(&slot);
                broadcast.next = slot.saturating_add(1);
            }
        }
        false
    }

    /// Carries out the command for a slot that a caller uses, before its turn.
    pub(super) fn serve_early(&mut self, slot: u32) {
        let is_early = self.serve(slot);
        if let Some(broadcast) = self.broadcast.as_mut().filter(|_| is_early) {
            broadcast.served.insert(slot);
        }
    }

    /// Carries out the command for this slot. False: the slot does not need it.
    fn serve(&mut self, slot: u32) -> bool {
        let Some((command, at)) = self.pending_command(slot) else { return false };
        let Some(Slot(state)) = self.states.get_mut(slot) else { return false };
        let Some(config) = config_of(&self.configs, &self.reconfigured, slot, state) else { return false };
        hand_in(state, config, self.observers.get_mut(&slot), command, at);
        self.wheel.set_due(slot);
        true
    }

    /// The command that this slot still needs, and its moment.
    pub(super) fn pending_command(&self, slot: u32) -> Option<(Input<'static>, Timestamp)> {
        let broadcast = self.broadcast.as_ref()?;
        let is_left = (broadcast.next..broadcast.end).contains(&slot) && !broadcast.served.contains(&slot);
        is_left.then_some((broadcast.command, broadcast.at))
    }
}
