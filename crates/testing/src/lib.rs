//! What the tests of more than one package share.

#![allow(
    missing_debug_implementations,
    missing_docs,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "for the tests of this workspace, where to panic is to fail"
)]

pub mod host;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod program;
pub mod raw_peer;
mod recording;
mod running;

use std::time::Duration;

use liveness::Clock;

#[cfg(unix)]
pub use process::Process;
#[cfg(unix)]
pub use program::Program;
use raw_peer::{PATIENCE, millis, sleep};
pub use recording::assert_replays;
pub use running::{Lines, Running};

/// The first word of each [`Reason`](liveness::Reason), as transcripts and programs name it.
pub const REASONS: [&str; 9] = [
    "ping-timeout",
    "write-stalled",
    "silent",
    "idle",
    "ping-flood",
    "protocol-error",
    "peer-closed",
    "transport-closed",
    "local-closed",
];

/// Waits until the condition holds, and returns how long it took.
#[track_caller]
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) -> Duration {
    let clock = Clock::new();
    let start = clock.now();
    while !so() {
        assert!(clock.now() < start + PATIENCE, "never: {what}");
        sleep(millis(10));
    }
    clock.now().saturating_duration_since(start)
}
