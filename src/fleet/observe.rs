//! Observers: a second machine beside a connection's own, such as a recorder.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::{ConfigId, Fleet, FleetError, Key, StaleKey};
use crate::config::Config;
use crate::event::Event;
use crate::liveness::Monitor;
use crate::time::Timestamp;

/// The observers of those connections that have one, by slot.
pub(super) type Observers = BTreeMap<u32, Box<dyn Monitor + Send + Sync>>;

impl Fleet {
    /// A connection whose life is observed by a second machine, such as a `Recorder`, a `Traced` or one of your own.
    ///
    /// `observer` makes it from the settings, the seed and the opening time of the fleet's machine, so the two are the same. It
    /// is told and asked all that the fleet's is, at the same moments; what it answers is dropped. It goes when the
    /// connection goes.
    ///
    /// ```
    /// # #[cfg(feature = "transcript")] {
    /// use liveness::transcript::Recorder;
    /// use liveness::{Config, ConfigId, Fleet, Timestamp};
    ///
    /// let mut fleet = Fleet::new(Config::DEFAULT, 7);
    /// let key = fleet.insert_observed(ConfigId::default(), Timestamp::ZERO, |config, seed, now| {
    ///     Box::new(Recorder::new(config, seed, now, String::new())) // a file, in earnest
    /// })?;
    /// # let _ = key;
    /// # }
    /// # Ok::<(), liveness::FleetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`insert_with`](Self::insert_with).
    pub fn insert_observed(
        &mut self,
        config: ConfigId,
        now: Timestamp,
        observer: impl FnOnce(Config, u64, Timestamp) -> Box<dyn Monitor + Send + Sync>,
    ) -> Result<Key, FleetError> {
        let key = self.insert_with(config, now)?;
        if let Some(config) = self.configs.get(usize::from(config.0)) {
            self.observers.insert(key.slot(), observer(*config, self.seed_of(key), self.now));
        }
        Ok(key)
    }

    /// An event while a broadcast goes on, or a connection is observed.
    #[cold]
    pub(super) fn handle_observed(
        &mut self,
        key: Key,
        event: Event<'_>,
        now: Timestamp,
    ) -> Result<(), StaleKey> {
        self.change(key, now, |state, config, now| {
            state.handle(config, event, now);
        })?;
        self.notify_observer(key, |machine, now| machine.handle(event, now));
        Ok(())
    }

    /// Shows the observer of a connection what its own machine just saw.
    #[cold]
    pub(super) fn notify_observer(&mut self, key: Key, show: impl FnOnce(&mut dyn Monitor, Timestamp)) {
        if let Some(observer) = self.observers.get_mut(&key.slot()) {
            show(&mut **observer, self.now);
        }
    }
}
