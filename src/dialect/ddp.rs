//! DDP, Meteor's protocol.
//!
//! ```text
//! either: {"msg":"ping","id":"0123456789abcdef"}
//! other:  {"msg":"pong","id":"0123456789abcdef"}      with the same id, if there was one
//! ```
//!
//! Neither end may ask before `connected`.
//!
//! Source: `packages/ddp/DDP.md` of meteor/meteor, "Heartbeats"; `livedata_connection.js` for the numbers.

use core::time::Duration;

use super::Json;
use super::configs::asks_where_quiet;
use crate::config::Config;

/// Either end.
#[must_use]
pub const fn dialect() -> Json {
    Json::new("msg", "ping", "pong").id("id")
}

/// `heartbeatInterval` 17.5 s and `heartbeatTimeout` 15 s, as in Meteor's client. Either end asks when the other has been
/// quiet.
pub const CONFIG: Config = asks_where_quiet(Duration::from_millis(17_500), Duration::from_secs(15));
