//! Settings that are valid, but surely a mistake.

use core::fmt;
use core::time::Duration;

use super::{Config, NEVER};
use crate::time::{Seconds, duration, nanos};

/// A setting that is surely a mistake, or two that are together: from [`Config::warnings`].
///
/// `Display` names the settings, their values, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigWarning {
    /// `interval` is shorter than a millisecond: more than a thousand pings a second for each connection.
    PingsWithoutEnd {
        /// [`Config::interval`].
        interval: Duration,
    },
    /// `silence_timeout` is not longer than `interval`: a peer that only answers pings is silent for that long, and is
    /// closed.
    SilentBetweenPings {
        /// [`Config::silence_timeout`].
        silence_timeout: Duration,
        /// [`Config::interval`].
        interval: Duration,
    },
    /// `last_look` is longer than `timeout`: confirming a verdict takes longer than an answer may.
    LastLookTooLong {
        /// [`Config::last_look`].
        last_look: Duration,
        /// [`Config::timeout`].
        timeout: Duration,
    },
    /// `suspicion` is not shorter than `timeout` or `write_timeout`: the verdict comes first, and no peer ever becomes
    /// suspect.
    NeverSuspect {
        /// How long [`Config::suspicion`] waits at least.
        after: Duration,
        /// [`Config::timeout`].
        timeout: Duration,
    },
}

impl Config {
    /// The settings that are valid, but surely a mistake: `interval` below 1 ms, `silence_timeout` not longer than
    /// `interval`, `last_look` longer than `timeout`, `suspicion` not shorter than `timeout`. A program whose users choose
    /// the settings should show these lines when it starts.
    ///
    /// [`ConfigBuilder::build`](super::ConfigBuilder::build) says why these are not errors.
    ///
    /// ```
    /// use liveness::Config;
    ///
    /// let config: Config = "silence_timeout=5s".parse()?;
    /// let warnings: Vec<String> = config.warnings().map(|warning| warning.to_string()).collect();
    /// assert_eq!(
    ///     warnings,
    ///     ["`silence_timeout` is 5s, but `interval` is 20s: a peer that only answers pings is silent for as long, and is closed; \
    ///       make `silence_timeout` longer than `interval` and a round trip"],
    /// );
    /// assert_eq!(Config::DEFAULT.warnings().next(), None);
    /// # Ok::<(), liveness::ParseConfigError>(())
    /// ```
    pub fn warnings(&self) -> impl Iterator<Item = ConfigWarning> + use<> {
        let [interval, timeout] = [self.interval, self.timeout].map(duration);
        let [silence_timeout, last_look, after] =
            [self.silence_timeout, self.last_look, self.suspect_after].map(duration);
        // Without a `write_timeout` there is no suspicion during the writing.
        let written = self.write_timeout == NEVER || self.suspect_after >= self.write_timeout;
        let warnings = [
            (self.interval < nanos(Duration::from_millis(1)), ConfigWarning::PingsWithoutEnd { interval }),
            (
                // Without pings there are no answers.
                self.interval != NEVER && silence_timeout <= interval,
                ConfigWarning::SilentBetweenPings { silence_timeout, interval },
            ),
            (last_look > timeout, ConfigWarning::LastLookTooLong { last_look, timeout }),
            (
                self.suspect_after != NEVER && after >= timeout && written,
                ConfigWarning::NeverSuspect { after, timeout },
            ),
        ];
        warnings.into_iter().filter_map(|(is_so, warning)| is_so.then_some(warning))
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |duration| Seconds(nanos(duration));
        match *self {
            Self::PingsWithoutEnd { interval } => write!(
                f,
                "`interval` is {}: more than a thousand pings a second for each connection; write seconds",
                shown(interval)
            ),
            Self::SilentBetweenPings { silence_timeout, interval } => write!(
                f,
                "`silence_timeout` is {}, but `interval` is {}: a peer that only answers pings is silent for as long, and is closed; \
                 make `silence_timeout` longer than `interval` and a round trip",
                shown(silence_timeout),
                shown(interval)
            ),
            Self::LastLookTooLong { last_look, timeout } => write!(
                f,
                "`last_look` is {}, but `timeout` is {}: a verdict takes longer to confirm than an answer may take; \
                 make `last_look` a small part of `timeout`, such as 0.01s of some seconds",
                shown(last_look),
                shown(timeout)
            ),
            Self::NeverSuspect { after, timeout } => write!(
                f,
                "`suspicion` is after {}, but `timeout` is {}: no peer is ever suspect; make `suspicion` shorter than `timeout`, or never",
                shown(after),
                shown(timeout)
            ),
        }
    }
}
