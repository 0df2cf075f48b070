//! The questions of a fleet, which change nothing.

use core::fmt;

use super::configs::config_of;
use super::key::Tag;
use super::observe::{hand_in, machine};
use super::{Fleet, Key, Slot, StaleKey};
use crate::config::Config;
use crate::event::{Reason, Status};
use crate::liveness::{Liveness, Report, Stats};
use crate::payload::Payload;
use crate::rtt::Rtt;
use crate::state::State;
use crate::time::Timestamp;

impl Fleet {
    /// A copy of a connection's machine, for all its questions.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn get(&self, key: Key) -> Result<Liveness, StaleKey> {
        self.ask(key, machine)
    }

    /// Whether a peer is online, suspect or offline.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn status(&self, key: Key) -> Result<Status, StaleKey> {
        self.ask(key, |_, state| state.status())
    }

    /// Why a peer is offline; `None` while it is not.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn verdict(&self, key: Key) -> Result<Option<Reason>, StaleKey> {
        self.ask(key, |_, state| state.verdict())
    }

    /// The oldest unanswered ping of a connection: see [`Liveness::awaited`].
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn awaited(&self, key: Key) -> Result<Option<Payload>, StaleKey> {
        self.ask(key, |_, state| state.awaited())
    }

    /// The reasons for a peer's status, for a log line: see [`Liveness::report`].
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn report(&self, key: Key, now: Timestamp) -> Result<Report, StaleKey> {
        self.get(key).map(|machine| machine.report(now))
    }

    /// The round-trip time of a connection's answered pings; `None` before the first sample.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn rtt(&self, key: Key) -> Result<Option<Rtt>, StaleKey> {
        self.ask(key, |_, state| state.rtt.get())
    }

    /// The counts of a connection, for an operator's graphs.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn stats(&self, key: Key) -> Result<Stats, StaleKey> {
        self.get(key).map(|machine| machine.stats())
    }

    /// Every connection in the order of its place, with a copy of its machine.
    pub fn iter(&self) -> impl Iterator<Item = (Key, Liveness)> + '_ {
        (0..self.states.len()).filter_map(|slot| {
            let tag = self.states.get(slot)?.0.tag();
            let key = Key::new(slot, Tag(tag));
            self.get(key).ok().map(|machine| (key, machine))
        })
    }

    /// The number of connections.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// There is no connection.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Asks a connection. Callers ask often, so it makes a copy only if a broadcast's command is pending.
    fn ask<T>(&self, key: Key, question: impl FnOnce(&Config, &State) -> T) -> Result<T, StaleKey> {
        let (config, state) = self.peek(key).ok_or(StaleKey)?;
        let Some((command, at)) = self.pending_command(key.slot()) else {
            return Ok(question(config, state));
        };
        let mut state = *state;
        hand_in(&mut state, config, None, command, at);
        Ok(question(config, &state))
    }

    pub(super) fn peek(&self, key: Key) -> Option<(&Config, &State)> {
        let Slot(state) = self.states.get(key.slot())?;
        if state.tag() != key.tag().0 {
            return None;
        }
        Some((config_of(&self.configs, &self.reconfigured, key.slot(), state)?, state))
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("len", &self.len)
            .field("now", &self.now)
            .field("poll_timeout", &self.poll_timeout())
            .finish_non_exhaustive()
    }
}
