//! Settings that are accepted, and are surely a mistake.

use core::fmt;
use core::time::Duration;

use super::{Config, NEVER};
use crate::time::{Seconds, duration, nanos};

/// Two settings, or one, that are surely not what was meant: from [`Config::warnings`].
///
/// Shown, it names the settings, their values, and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigWarning {
    /// `interval` is shorter than a millisecond: more than a thousand pings a second for each connection.
    PingsWithoutEnd {
        /// [`Config::interval`].
        interval: Duration,
    },
    /// `silence_timeout` is not longer than `interval`: a peer that answers every ping, and says nothing else, is silent for as
    /// long, and is closed.
    SilentBetweenPings {
        /// [`Config::silence_timeout`].
        silence_timeout: Duration,
        /// [`Config::interval`].
        interval: Duration,
    },
    /// `last_look` is longer than `timeout`: to confirm a verdict takes longer than an answer may.
    LastLookTooLong {
        /// [`Config::last_look`].
        last_look: Duration,
        /// [`Config::timeout`].
        timeout: Duration,
    },
    /// `suspicion` is shorter neither than `timeout` nor than `write_timeout`: the verdict falls first, and no peer is ever suspect.
    NeverSuspect {
        /// How long [`Config::suspicion`] waits at least.
        after: Duration,
        /// [`Config::timeout`].
        timeout: Duration,
    },
}

impl Config {
    /// What in these settings is surely a mistake, though it is accepted: `interval` below 1 ms, `silence_timeout` not longer than
    /// `interval`, `last_look` longer than `timeout`, `suspicion` not shorter than `timeout`. A program whose users choose the
    /// settings shows these lines when it starts.
    ///
    /// They are no errors: [`ConfigBuilder::build`](super::ConfigBuilder::build) says why.
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
        // Without a clock for the writing there is no suspicion during it.
        let written = self.write_timeout == NEVER || self.suspect_after >= self.write_timeout;
        let warnings = [
            (self.interval < nanos(Duration::from_millis(1)), ConfigWarning::PingsWithoutEnd { interval }),
            (
                // Without pings nothing is said between them.
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
