//! Drivers: what joins a [`Machine`](crate::Machine) to the sockets of one ecosystem.
//!
//! A driver is thin. It sees bytes move, reads before it polls, takes the time from the clock, and carries out the
//! actions. All decisions are the machine's.

#[cfg(feature = "axum")]
pub mod axum;
mod fault;
#[cfg(feature = "tungstenite")]
mod meter;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "tokio-tungstenite")]
pub mod tokio_tungstenite;
#[cfg(feature = "tungstenite")]
pub mod tungstenite;

use std::collections::hash_map::RandomState;
use std::string::String;

use core::fmt;
use core::hash::BuildHasher as _;
use core::time::Duration;

pub use self::fault::Fault;
#[cfg(feature = "tungstenite")]
pub use self::meter::{Meter, Socket, Transport};
use crate::config::Config;

/// How many messages are kept while the caller writes instead of reading.
pub const INBOX_MESSAGES: usize = 64;
/// How many bytes of messages are kept while the caller writes instead of reading.
pub const INBOX_BYTES: usize = 1 << 20;
/// How long the opening handshake may take, from the first byte to the last.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// More than a full inbox takes, and a bound where a peer sends faster than we read.
const READS_BEFORE_VERDICT: usize = 16 * 1024;

/// The settings that a driver runs with: `write_timeout`, where it is never, is as long as `timeout`.
///
/// A driver sees writes. Without a limit for them, a ping behind a large download would count as written long before it
/// is.
#[must_use]
pub fn driven(config: Config) -> Config {
    if config.write_timeout() < Duration::MAX {
        return config;
    }
    // Every timeout of a valid config is a valid write timeout.
    config.to_builder().write_timeout(config.timeout()).build().unwrap_or(config)
}

/// A seed that differs from connection to connection.
#[must_use]
pub fn random_seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// RFC 6455 5.5: a control frame holds 125 bytes, of which the code takes two.
fn at_most_123_bytes(text: &str) -> &str {
    let end = (0..=text.len().min(123)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

/// What is wrong, in the words of a Close frame.
fn close_text(error: &dyn fmt::Display) -> String {
    at_most_123_bytes(&std::format!("{error}")).into()
}
