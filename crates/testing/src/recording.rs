//! Recordings, played again.

use liveness::transcript::Transcript;

/// What was recorded can be read, and happens again.
#[track_caller]
pub fn assert_replays(text: &str) {
    let life: Transcript = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let replay = life.replay().unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(replay.agrees(), "{}\n{text}", replay.diff());
}
