//! The life as a picture.

use std::string::String;

use super::replay::Replay;

impl Replay<'_> {
    /// The life as a picture.
    #[must_use]
    pub fn picture(&self) -> String {
        String::new()
    }
}
