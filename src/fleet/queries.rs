//! The questions of a fleet, which change nothing.

use core::fmt;

use super::configs::config_of;
use super::key::Tag;
use super::observe::machine;
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
        let (config, state) = self.peek(key).ok_or(StaleKey)?;
        let mut state = *state;
        self.apply_pending_broadcast(key.slot(), config, &mut state);
        Ok(machine(config, &state))
    }

    /// Whether a peer is online, suspect or offline.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn status(&self, key: Key) -> Result<Status, StaleKey> {
        if self.broadcast.is_some() {
            return self.get(key).map(|machine| machine.status());
        }
        // Callers ask this often, so it makes no copy.
        self.peek(key).map(|(_, state)| state.status()).ok_or(StaleKey)
    }

    /// Why a peer is offline; `None` while it is not.
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn verdict(&self, key: Key) -> Result<Option<Reason>, StaleKey> {
        if self.broadcast.is_some() {
            return self.get(key).map(|machine| machine.verdict());
        }
        self.peek(key).map(|(_, state)| state.verdict()).ok_or(StaleKey)
    }

    /// The oldest unanswered ping of a connection: see [`Liveness::awaited`].
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn awaited(&self, key: Key) -> Result<Option<Payload>, StaleKey> {
        self.get(key).map(|machine| machine.awaited())
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
        self.get(key).map(|machine| machine.rtt())
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
