//! What a driver's loop may want beyond events and polls.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::{Class, Fleet, FleetError, Key, StaleKey};
use crate::config::Config;
use crate::event::Event;
use crate::liveness::Monitor;
use crate::time::Timestamp;

/// The second machines of those connections that have one.
pub(super) type Watched = BTreeMap<u32, Box<dyn Monitor + Send + Sync>>;

impl Fleet {
    /// A connection whose life is watched by a second machine, such as a `Recorder`, a `Traced` or one of your own.
    ///
    /// `watch` makes it from the settings, the seed and the opening time of the fleet's machine, so the two are the same. It
    /// is told and asked all that the fleet's is, at the same moments; what it answers is dropped. It goes when the
    /// connection goes.
    ///
    /// ```
    /// # #[cfg(feature = "transcript")] {
    /// use liveness::transcript::Recorder;
    /// use liveness::{Class, Config, Fleet, Timestamp};
    ///
    /// let mut fleet = Fleet::new(Config::DEFAULT, 7);
    /// let key = fleet.insert_watched(Class::default(), Timestamp::ZERO, |config, seed, now| {
    ///     Box::new(Recorder::new(config, seed, now, String::new())) // a file, in earnest
    /// })?;
    /// # let _ = key;
    /// # }
    /// # Ok::<(), liveness::FleetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`insert_as`](Self::insert_as).
    pub fn insert_watched(
        &mut self,
        class: Class,
        now: Timestamp,
        watch: impl FnOnce(Config, u64, Timestamp) -> Box<dyn Monitor + Send + Sync>,
    ) -> Result<Key, FleetError> {
        let key = self.insert_as(class, now)?;
        if let Some(config) = self.classes.get(usize::from(class.0)) {
            self.watched.insert(key.slot(), watch(*config, self.seed_of(key), self.now));
        }
        Ok(key)
    }

    /// Does not look at a connection before `until`, though something be due; an event that makes something due ends it.
    ///
    /// For a loop that reads no more than a share of each socket in a turn: what is still unread may hold the answer. So put
    /// off each connection that has more to read, after its turn, until later than its next one; and when all has been read,
    /// until [`Timestamp::ZERO`], which is as if it had never been put off. Bound how often, lest a peer that sends for
    /// ever is never judged. What the machine then sees late counts as its driver's lateness (rule 6).
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn put_off(&mut self, key: Key, until: Timestamp) -> Result<(), StaleKey> {
        let (_, state) = self.peek(key).ok_or(StaleKey)?;
        let at = state.look_at().max(until);
        self.wheel.set(key.slot(), at);
        Ok(())
    }

    /// An event while a wish for all is being granted, or somebody is watched.
    #[cold]
    pub(super) fn handle_and_show(
        &mut self,
        key: Key,
        event: Event<'_>,
        now: Timestamp,
    ) -> Result<(), StaleKey> {
        self.change(key, now, |state, config, now| {
            state.handle(config, event, now);
        })?;
        self.show(key, |machine, now| machine.handle(event, now));
        Ok(())
    }

    /// The second machine of a connection sees what its own just saw.
    #[cold]
    pub(super) fn show(&mut self, key: Key, what: impl FnOnce(&mut dyn Monitor, Timestamp)) {
        if let Some(machine) = self.watched.get_mut(&key.slot()) {
            what(&mut **machine, self.now);
        }
    }
}
