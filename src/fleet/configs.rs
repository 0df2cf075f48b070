//! The configs of the connections.

use alloc::collections::BTreeMap;

use super::key::Tag;
use super::{ConfigId, Fleet, FleetError, Key, find};
use crate::config::Config;
use crate::observer::Input;
use crate::state::State;
use crate::time::Timestamp;

impl Fleet {
    /// Adds other settings for some of the connections: see [`insert_with`](Self::insert_with). A fleet has at most 255
    /// configs, including the one of [`insert`](Self::insert).
    ///
    /// # Errors
    ///
    /// [`FleetError::TooManyConfigs`] at the 256th.
    pub fn add_config(&mut self, config: Config) -> Result<ConfigId, FleetError> {
        let id = u8::try_from(self.configs.len()).ok().filter(|id| *id < Tag::NO_CONFIG);
        let id = id.ok_or(FleetError::TooManyConfigs)?;
        self.configs.push(config);
        Ok(ConfigId(id))
    }

    /// The id of a config that the fleet already has.
    pub(super) fn config_id(&self, config: &Config) -> Option<ConfigId> {
        let id = self.configs.iter().position(|known| known == config)?;
        u8::try_from(id).ok().map(ConfigId)
    }

    /// Replaces the config of this connection: see [`Liveness::reconfigure`](crate::Liveness::reconfigure). Its key stays.
    ///
    /// # Errors
    ///
    /// [`FleetError::UnknownConfig`]: the config belongs to another fleet. [`FleetError::StaleKey`]: the connection is gone.
    pub fn reconfigure(&mut self, key: Key, config_id: ConfigId, now: Timestamp) -> Result<(), FleetError> {
        let config = *self.configs.get(usize::from(config_id.0)).ok_or(FleetError::UnknownConfig)?;
        self.hand_in(key, Input::Reconfigure(&config), now)?;
        if let Some(state) = find(&mut self.states, key) {
            state.set_reconfigured(true);
        }
        self.reconfigured.insert(key.slot(), config_id);
        Ok(())
    }
}

/// The config of the connection in this slot. `None` for a free slot, because its tag names a config that never exists.
#[inline(always)]
pub(super) fn config_of<'a>(
    configs: &'a [Config],
    reconfigured: &BTreeMap<u32, ConfigId>,
    slot: u32,
    state: &State,
) -> Option<&'a Config> {
    let id =
        if state.is_reconfigured() { reconfigured.get(&slot)?.0.into() } else { Tag(state.tag()).config() };
    configs.get(id)
}
