//! The plain forms that programs invent: `ping` and `pong`, as texts or in JSON.
//!
//! ```text
//! texts   ping                     pong
//! json    {"type":"ping"}          {"type":"pong"}
//! ```
//!
//! A new protocol does better with [`TextHeartbeats`](super::TextHeartbeats), whose answers name their ping.

use super::configs::asks;
use super::{Exact, Json};
use crate::config::Config;

/// The texts `ping` and `pong`. Either end asks.
#[must_use]
pub const fn texts() -> Exact {
    Exact::text("ping", "pong")
}

/// The objects `{"type":"ping"}` and `{"type":"pong"}`. Either end asks. Where the peer has identifiers, name their field:
/// `json().id("id")`.
#[must_use]
pub const fn json() -> Json {
    Json::new("type", "ping", "pong")
}

/// This crate's default numbers, and `Steady`: such peers often count nothing but pings.
pub const CONFIG: Config = asks(Config::DEFAULT.interval(), Config::DEFAULT.timeout());
