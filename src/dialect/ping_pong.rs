//! The simple forms that many programs use: `ping` and `pong`, as texts or in JSON.
//!
//! ```text
//! texts   ping                     pong
//! json    {"type":"ping"}          {"type":"pong"}
//! ```
//!
//! For a new protocol use [`TextHeartbeats`](super::TextHeartbeats) instead, because its answers name their ping.

use super::configs::asks;
use super::{Exact, Json};
use crate::config::Config;

/// The texts `ping` and `pong`. Either end asks.
#[must_use]
pub const fn texts() -> Exact {
    Exact::text("ping", "pong")
}

/// The objects `{"type":"ping"}` and `{"type":"pong"}`. Either end asks. If the peer uses identifiers, name their field:
/// `json().id("id")`.
#[must_use]
pub const fn json() -> Json {
    Json::new("type", "ping", "pong")
}

/// This crate's default numbers, and `Steady`, because such peers often count only pings.
pub const CONFIG: Config = asks(Config::DEFAULT.interval(), Config::DEFAULT.timeout());
