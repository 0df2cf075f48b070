//! Settings as text: `interval=5s timeout=10s`. `parse` reads it.

use core::fmt;

use super::{Config, Evidence, NEVER, Schedule, SuspicionKind};
use crate::time::Seconds;

pub(crate) type Show = fn(&Config, &mut fmt::Formatter<'_>) -> fmt::Result;

/// Every setting: its name, and how its value is shown. `parse` has the same names.
pub(crate) const SETTINGS: [(&str, Show); 15] = [
    ("interval", |config, f| or_never(f, config.interval)),
    ("timeout", |config, f| or_never(f, config.timeout)),
    ("schedule", |config, f| {
        f.write_str(match config.schedule {
            Schedule::Quiet => "quiet",
            Schedule::Steady => "steady",
        })
    }),
    ("probe_timeout", |config, f| or_never(f, config.probe_timeout)),
    ("evidence", |config, f| {
        f.write_str(match config.evidence {
            Evidence::AnyTraffic => "any-traffic",
            Evidence::PongOnly => "pong-only",
        })
    }),
    ("suspicion", |config, f| match config.suspicion {
        SuspicionKind::Never => f.write_str("never"),
        SuspicionKind::After => f.write_str("after:").and_then(|()| or_never(f, config.suspect_after)),
        SuspicionKind::Adaptive => f.write_str("adaptive:").and_then(|()| or_never(f, config.suspect_after)),
    }),
    ("idle_timeout", |config, f| or_never(f, config.idle_timeout)),
    ("silence_timeout", |config, f| or_never(f, config.silence_timeout)),
    ("close_timeout", |config, f| or_never(f, config.close_timeout)),
    ("jitter", |config, f| write!(f, "{}", config.jitter)),
    ("stall_tolerance", |config, f| or_never(f, config.stall_tolerance)),
    ("last_look", |config, f| or_never(f, config.last_look)),
    ("write_timeout", |config, f| or_never(f, config.write_timeout)),
    ("control_budget", |config, f| match config.control_budget {
        Some(budget) => write!(f, "{}/{}", budget.burst, budget.per_second),
        None => f.write_str("never"),
    }),
    ("close_code", |config, f| write!(f, "{}", config.close_code)),
];

fn or_never(f: &mut fmt::Formatter<'_>, nanos: u64) -> fmt::Result {
    if nanos == NEVER { f.write_str("never") } else { write!(f, "{}", Seconds(nanos)) }
}

/// Every setting under its name, as in the `config` line of a transcript. The text can be parsed to the same [`Config`]
/// (with feature `alloc`, because its `FromStr` needs that).
///
/// ```
/// assert!(liveness::Config::DEFAULT.to_string().starts_with("interval=20s timeout=25s schedule=quiet"));
/// ```
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for (name, show) in SETTINGS {
            write!(f, "{space}{name}=")?;
            show(self, f)?;
            space = " ";
        }
        Ok(())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({self})")
    }
}
