//! One connection of a fleet, as the machine behind a session.

use core::fmt;

use super::{Fleet, Key, StaleKey};
use crate::config::Config;
use crate::event::{CloseCode, Event, Reason};
use crate::payload::Payload;
use crate::session::Peer;
use crate::session::sealed::Sealed;
use crate::time::Timestamp;

/// One connection of a [`Fleet`], for the inputs of a [`Session`](crate::session::Session): [`Fleet::entry`].
pub struct Entry<'a> {
    fleet: &'a mut Fleet,
    key: Key,
}

impl Fleet {
    /// One connection, as the [`Peer`] of its session. Its actions still come from [`poll`](Self::poll).
    ///
    /// ```
    /// use liveness::session::{Inbound, Role, Session};
    /// use liveness::{Config, Fleet, Timestamp};
    ///
    /// let now = Timestamp::ZERO;
    /// let mut fleet = Fleet::new(Config::DEFAULT, 7);
    /// let key = fleet.insert(now)?;
    /// let mut session: Session<String> = Session::new(Role::Server);
    ///
    /// let is_callers = session.received(Inbound::Data, &mut fleet.entry(key)?, now);
    /// assert!(is_callers);
    /// while let Some((key, action)) = fleet.poll(now) {
    ///     session.act(action, fleet.verdict(key)?);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`StaleKey`].
    pub fn entry(&mut self, key: Key) -> Result<Entry<'_>, StaleKey> {
        self.peek(key).ok_or(StaleKey)?;
        Ok(Entry { fleet: self, key })
    }
}

impl Sealed for Entry<'_> {}

/// The key was valid when the entry was made, and the entry borrows the fleet, so it still is.
impl Peer for Entry<'_> {
    fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        let _ = self.fleet.handle(self.key, event, now);
    }
    fn close(&mut self, code: CloseCode, now: Timestamp) {
        let _ = self.fleet.close(self.key, code, now);
    }
    fn probe(&mut self, now: Timestamp) {
        let _ = self.fleet.probe(self.key, now);
    }
    fn reconfigure(&mut self, config: Config, now: Timestamp) {
        let known = self.fleet.config_id(&config);
        // In a fleet with 255 configs the connection keeps its config.
        if let Ok(id) = known.map_or_else(|| self.fleet.add_config(config), Ok) {
            let _ = self.fleet.reconfigure(self.key, id, now);
        }
    }
    fn verdict(&self) -> Option<Reason> {
        self.fleet.verdict(self.key).ok().flatten()
    }
    fn awaited(&self) -> Option<Payload> {
        self.fleet.awaited(self.key).ok().flatten()
    }
    fn config(&self) -> &Config {
        self.fleet.peek(self.key).map_or(&Config::DEFAULT, |(config, _)| config)
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).finish_non_exhaustive()
    }
}
