//! Recordings, replayed.

use liveness::transcript::Transcript;

/// A recording can be read, and its replay agrees with it.
#[track_caller]
pub fn assert_replays(text: &str) {
    let life: Transcript = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let replay = life.replay().unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(replay.agrees(), "{}\n{text}", replay.diff());
}
