//! The playground's arithmetic for a browser: everything that its page shows is computed here, by the machine, the recorder and the
//! replay of `liveness` and the rules and lives of `liveness-quality`. The page draws it and passes words.
//!
//! A call takes a text and gives JSON. Settings are written as in the page's address: `interval=20s&rule=gRPC`,
//! with the keys of `liveness::Config` and those of [`settings`].

#![allow(missing_debug_implementations, reason = "for the page and the tests of this package")]

pub mod advice;
#[cfg(target_family = "wasm")]
mod exports;
pub mod life;
pub mod recording;
pub mod settings;
