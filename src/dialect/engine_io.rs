//! engine.io 4, the transport of socket.io 4.
//!
//! ```text
//! server: 2        text, every pingInterval
//! client: 3        at once
//! ```
//!
//! Only the server asks, and it closes a client that sends `2`. Every packet of socket.io is inside a `4…`, which is data.
//! `2probe` and `3probe` belong to a change of transport, and are data too.
//!
//! Source: engine.io-protocol, "Heartbeat"; engine.io 6.6.13 and engine.io-client 6.6.8, whose client counts only `2`.
//! This is not the dialect of EIO=3, where the client asks.

use core::time::Duration;

use super::configs::{asks, listens};
use super::{Exact, JsonValue};
use crate::config::Config;

/// The server's end: it asks.
#[must_use]
pub const fn server() -> Exact {
    Exact::text("2", "3").only_asks()
}

/// The client's end: it answers, and never asks.
#[must_use]
pub const fn client() -> Exact {
    Exact::text("2", "3").only_answers()
}

/// `pingInterval` 25 s, `pingTimeout` 20 s, the defaults of engine.io, which the server's open packet must announce.
pub const SERVER_CONFIG: Config = server_config(Duration::from_secs(25), Duration::from_secs(20));

/// For a server with the same numbers. Read other numbers from its open packet: [`open`], [`client_config`].
pub const CLIENT_CONFIG: Config = client_config(Duration::from_secs(25), Duration::from_secs(20));

/// For a server that announces these numbers. `Steady`, because the client counts only `2`: traffic must not replace it.
#[must_use]
pub const fn server_config(ping_interval: Duration, ping_timeout: Duration) -> Config {
    asks(ping_interval, ping_timeout)
}

/// For a client whose server announced these numbers. The server is offline after their sum without any event.
///
/// The official client needs a `2` in that time. Here everything that arrives counts, because a server that sends data is
/// alive.
#[must_use]
pub const fn client_config(ping_interval: Duration, ping_timeout: Duration) -> Config {
    listens(ping_interval.saturating_add(ping_timeout))
}

/// Reads `pingInterval` and `pingTimeout` from a server's open packet. `None`: the message is not an open packet.
///
/// ```
/// use liveness::dialect::engine_io;
///
/// let open = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":5000,"pingTimeout":4000,"maxPayload":1000000}"#;
/// let (interval, timeout) = engine_io::open(open).ok_or("no open packet")?;
/// let config = engine_io::client_config(interval, timeout);
/// assert_eq!(config.silence_timeout(), core::time::Duration::from_secs(9));
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn open(message: &str) -> Option<(Duration, Duration)> {
    let handshake = JsonValue::read(message.strip_prefix('0')?)?;
    let millis = |name| handshake.field(name)?.number().map(Duration::from_millis);
    Some((millis("pingInterval")?, millis("pingTimeout")?))
}
