//! The settings of a transcript's `config` lines.

use std::format;
use std::string::ToString;

use super::parse::{Parsed, number};
use crate::config::{Config, ConfigBuilder, SettingsParser};

/// Parses the settings of [`Config`], and the `seed`.
pub(super) struct ConfigParser {
    settings: SettingsParser,
    seed: Option<u64>,
}

impl Default for ConfigParser {
    fn default() -> Self {
        Self::of(Config::builder())
    }
}

impl ConfigParser {
    pub(super) fn of(builder: ConfigBuilder) -> Self {
        Self { settings: SettingsParser::new(builder), seed: None }
    }

    /// Sets several settings. None of them may be the seed, which belongs to one connection.
    pub(super) fn set_all<T: AsRef<str>>(&mut self, settings: &[T]) -> Parsed<()> {
        settings
            .iter()
            .try_for_each(|setting| self.settings.set(setting.as_ref()).map_err(|error| error.to_string()))
    }

    pub(super) fn set(&mut self, setting: &str) -> Parsed<()> {
        let Some(seed) = setting.strip_prefix("seed=") else {
            return self.settings.set(setting).map_err(|error| {
                let seed = if error.is_unknown_key() { ", and in a transcript `seed`" } else { "" };
                format!("{error}{seed}")
            });
        };
        match self.seed.replace(number(seed, "a seed, a whole number of 64 bits")?) {
            Some(_) => Err("`seed` is given twice; write each setting once".to_string()),
            None => Ok(()),
        }
    }

    pub(super) const fn builder(&self) -> ConfigBuilder {
        self.settings.builder
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }
}
