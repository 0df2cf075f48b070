//! The four ways in which protocols use time.

use core::time::Duration;

use crate::config::{Config, ConfigBuilder, Schedule};
use crate::event::CloseCode;

/// Asks every `interval`, whatever else is sent: for peers that count only pings.
pub(super) const fn asks(interval: Duration, timeout: Duration) -> Config {
    built(asking(interval, timeout).schedule(Schedule::Steady))
}

/// Asks when one direction has been quiet: for peers that count everything.
pub(super) const fn asks_where_quiet(interval: Duration, timeout: Duration) -> Config {
    built(asking(interval, timeout).schedule(Schedule::Quiet))
}

/// Sends a beat every `interval`, without an answer. The peer is offline after `silence` without any event.
pub(super) const fn beats(interval: Duration, silence: Duration) -> Config {
    let builder = Config::builder().schedule(Schedule::Steady).timeout(Duration::MAX);
    built(builder.interval(at_least_a_moment(interval)).silence_timeout(at_least_a_moment(silence)))
}

/// Never asks. The peer is offline after `silence` without any event.
pub(super) const fn listens(silence: Duration) -> Config {
    beats(Duration::MAX, silence)
}

/// Accepts any number of beats. A beat without an answer costs no more than data, which has no budget. After a stall of this
/// process the beats of several minutes are read at once: that is not a flood.
pub(super) const fn takes_any_number(config: Config) -> Config {
    built(config.to_builder().unlimited_control_frames())
}

/// Sets the close code.
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
        // Not reached: only a duration of zero could fail above.
        Err(_) => Config::DEFAULT,
    }
}

/// A zero in a peer's hello must not panic: it counts as a millisecond.
const fn at_least_a_moment(duration: Duration) -> Duration {
    if duration.is_zero() { Duration::from_millis(1) } else { duration }
}
