//! Recordings: kept, and played again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use liveness::transcript::Transcript;

/// A text that outlives its recorder.
#[derive(Clone, Debug, Default)]
pub struct Page(Arc<Mutex<String>>);

impl Page {
    /// What was written so far.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }
}

/// What was recorded can be read, and happens again.
#[track_caller]
pub fn assert_replays(text: &str) {
    let life: Transcript = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let replay = life.replay().unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(replay.agrees(), "{}\n{text}", replay.diff());
}
