//! An end that only listens.

use core::time::Duration;

use super::configs::{listens, takes_any_number};
use super::{Dialect, Heard, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// An end that never asks and is never asked. Every message is data, and the peer is offline after too much silence.
///
/// For servers that send often enough by themselves, and expect nothing from their clients: Twitch's EventSub, Coinbase's
/// `heartbeats` channel, y-websocket. Its config is [`Mute::config`].
///
/// ```
/// use core::time::Duration;
/// use liveness::dialect::Mute;
///
/// // Twitch says `keepalive_timeout_seconds` in its welcome.
/// let config = Mute::config(Duration::from_secs(10) * 2);
/// assert_eq!(config.interval(), Duration::MAX);
/// assert_eq!(config.silence_timeout(), Duration::from_secs(20));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing inside, and never will")]
pub struct Mute;

impl Mute {
    /// A config without pings. The peer is offline after `silence` without any event. Zero counts as a millisecond.
    #[must_use]
    pub const fn config(silence: Duration) -> Config {
        takes_any_number(listens(silence))
    }
}

impl Dialect for Mute {
    fn hear(&mut self, _: Message<'_>, _: &mut dyn Out) -> Heard {
        Heard::Data
    }
    fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
        false
    }
    fn asks(&self) -> bool {
        false
    }
}
