//! The four ways in which protocols use time.

use core::time::Duration;

use crate::config::{Config, ConfigBuilder, Schedule};
use crate::event::CloseCode;

/// Asks each `interval`, whatever flows; for peers that count nothing but what they are asked.
pub(super) const fn asks(interval: Duration, timeout: Duration) -> Config {
    built(asking(interval, timeout).schedule(Schedule::Steady))
}

/// Asks where one direction has been quiet; for peers that count everything.
pub(super) const fn asks_where_quiet(interval: Duration, timeout: Duration) -> Config {
    built(asking(interval, timeout).schedule(Schedule::Quiet))
}

/// Beats each `interval`, and nobody answers; the peer is given up when nothing has come for `silence`.
pub(super) const fn beats(interval: Duration, silence: Duration) -> Config {
    let builder = Config::builder().schedule(Schedule::Steady).timeout(Duration::MAX);
    built(builder.interval(at_least_a_moment(interval)).silence_timeout(at_least_a_moment(silence)))
}

/// Never asks; the peer is given up when nothing has come for `silence`.
pub(super) const fn listens(silence: Duration) -> Config {
    beats(Duration::MAX, silence)
}

/// Beats that owe no answer cost no more than data, which has no budget. And after a stall of ours the beats of minutes are read at
/// once: that is no flood.
pub(super) const fn takes_any_number(config: Config) -> Config {
    built(config.to_builder().unlimited_control_frames())
}

/// With this close code.
pub(super) const fn closes_with(code: u16, config: Config) -> Config {
    match CloseCode::new(code) {
        Some(code) => built(config.to_builder().close_code(code)),
        None => config,
    }
}

const fn asking(interval: Duration, timeout: Duration) -> ConfigBuilder {
    Config::builder().interval(at_least_a_moment(interval)).timeout(at_least_a_moment(timeout))
}

const fn built(builder: ConfigBuilder) -> Config {
    match builder.build() {
        Ok(config) => config,
        // Not reached: a duration of zero is the only mistake that could be made above.
        Err(_) => Config::DEFAULT,
    }
}

/// Zero comes from a peer's hello, and is no reason to panic: it counts as a millisecond.
const fn at_least_a_moment(duration: Duration) -> Duration {
    if duration.is_zero() { Duration::from_millis(1) } else { duration }
}

/// Twice a duration; the far end is never.
pub(super) const fn twice(duration: Duration) -> Duration {
    duration.saturating_mul(2)
}
