//! The settings of a transcript's `config` lines.

use std::format;
use std::string::ToString;

use super::parse::{Parsed, number};
use crate::config::{self, Config, ConfigBuilder};

/// What [`Config`] reads, and the `seed`.
pub(super) struct Settings {
    config: config::Settings,
    seed: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { config: config::Settings::new(Config::builder()), seed: None }
    }
}

impl Settings {
    pub(super) fn set(&mut self, setting: &str) -> Parsed<()> {
        let Some(seed) = setting.strip_prefix("seed=") else {
            return self.config.set(setting).map_err(|error| {
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
        self.config.builder
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }
}
