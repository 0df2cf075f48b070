//! The page's end of a heartbeat: [`Liveness`](liveness::Liveness) and [`Reconnect`](liveness::Reconnect) joined into one
//! machine, and compiled for browsers.
//!
//! A page's script can neither send nor see a WebSocket ping, and its socket does not say that the server is gone. So the
//! page asks in text messages. Either end may ask:
//!
//! ```text
//! ping 0123456789abcdef     16 hexadecimal digits, drawn by the end that asks
//! pong 0123456789abcdef     the answer, with the same digits, at once
//! ```
//!
//! [`Link`] makes every decision about them. `liveness.js` owns the sockets and the timer, and turns text into numbers and
//! back. `exports.rs` has what passes between the two, which is only numbers.

#![cfg_attr(target_family = "wasm", no_std)]

mod backoff;
#[cfg(target_family = "wasm")]
mod exports;
mod heart;
mod link;
mod loss;
#[cfg(target_family = "wasm")]
mod words;

pub use backoff::{Rng, page_backoff};
pub use link::{Action, Link, Settings};
