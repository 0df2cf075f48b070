//! Pusher Channels 7, and the servers that implement it: Reverb, soketi, sockudo.
//!
//! ```text
//! either: {"event":"pusher:ping","data":{}}
//! other:  {"event":"pusher:pong","data":{}}
//! ```
//!
//! Source: "Pusher Channels Protocol" (pusher.com/docs), "pusher:ping / pusher:pong" and its close codes; pusher-js 8.6.0.

use core::time::Duration;

use super::configs::{asks, asks_where_quiet, closes_with};
use super::{Json, JsonValue};
use crate::config::Config;

/// Either end. An answer names no ping.
#[must_use]
pub const fn dialect() -> Json {
    Json::new("event", "pusher:ping", "pusher:pong").with("data", "{}")
}

/// `activity_timeout` 120 s and `pongTimeout` 30 s, the official client's numbers. Read other numbers from the server's
/// hello: [`established`], [`client_config`].
pub const CLIENT_CONFIG: Config = client_config(Duration::from_secs(120));

/// Asks a client that has been quiet for 120 s. Closes it with 4201 ("pong reply not received") 30 s later.
pub const SERVER_CONFIG: Config = closes_with(4201, asks_where_quiet(Duration::from_secs(120), PONG_TIMEOUT));

const PONG_TIMEOUT: Duration = Duration::from_secs(30);

/// For a client whose server announced this `activity_timeout`. `Steady`, although the official client asks only after so
/// long without *receiving*, because some servers close a client that only receives (laravel-websockets 869, soketi 35).
#[must_use]
pub const fn client_config(activity_timeout: Duration) -> Config {
    asks(activity_timeout, PONG_TIMEOUT)
}

/// Reads `activity_timeout` from `pusher:connection_established`, whose `data` is JSON in a string. `None`: it is another
/// message.
///
/// ```
/// use liveness::dialect::pusher;
///
/// let hello = r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.1\",\"activity_timeout\":30}"}"#;
/// assert_eq!(pusher::established(hello), Some(core::time::Duration::from_secs(30)));
/// ```
#[must_use]
pub fn established(message: &str) -> Option<Duration> {
    let hello = JsonValue::read(message)?;
    if !hello.field("event")?.is("pusher:connection_established") {
        return None;
    }
    let data = hello.field("data")?;
    // A string that holds JSON or, from some servers, the object itself.
    let seconds = match data.field("activity_timeout") {
        Some(seconds) => seconds.number()?,
        None => data.with_text(|text| JsonValue::read(text)?.field("activity_timeout")?.number())??,
    };
    Some(Duration::from_secs(seconds))
}
