//! The text. It does not decide who may change it.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;

use liveness::lease::REMEMBERED;
use serde::{Deserialize, Serialize};

/// The longest text, in characters.
pub(crate) const LIMIT: usize = 20_000;

/// A change that a page wants: after `at` characters, replace `remove` of them by `insert`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Edit {
    pub(crate) token: u64,
    /// The revision that this edit makes. It must be one more than the text has, otherwise the edit was written for
    /// another text.
    pub(crate) seq: u64,
    /// A random number. It tells the page's own edit from another with the same revision.
    pub(crate) id: u64,
    pub(crate) at: usize,
    pub(crate) remove: usize,
    pub(crate) insert: String,
}

/// Why an edit cannot be carried out, even by the holder of the pen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It was written for another revision, or for a part of the text that does not exist.
    Elsewhere,
    TooLong,
}

#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Text {
    pub(crate) content: String,
    pub(crate) revision: u64,
    /// The latest token that was handed out.
    pub(crate) token: u64,
    /// For each of the latest tokens, the last edit that was carried out: its revision and its id. A page sends its next
    /// edit only when it knows about the one before. So an edit that is sent again is the last one.
    last: VecDeque<(u64, u64, u64)>,
}

impl Text {
    /// The text in the file; an empty one if there is no file yet.
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes all of it or nothing. A program that is killed while it writes leaves the file as it was.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(&new, path)
    }

    /// Whether this same edit was carried out before. Its page did not hear so, and sends it again.
    pub(crate) fn has(&self, edit: &Edit) -> bool {
        self.last.contains(&(edit.token, edit.seq, edit.id))
    }

    /// Carries it out.
    pub(crate) fn apply(&mut self, edit: &Edit) -> Result<(), Unfit> {
        let length = self.content.chars().count();
        let end = edit.at.checked_add(edit.remove).filter(|end| *end <= length);
        let Some(end) = end.filter(|_| edit.seq == self.revision + 1) else { return Err(Unfit::Elsewhere) };
        if length - edit.remove + edit.insert.chars().count() > LIMIT {
            return Err(Unfit::TooLong);
        }
        let byte = |character| {
            self.content.char_indices().nth(character).map_or(self.content.len(), |(byte, _)| byte)
        };
        let range = byte(edit.at)..byte(end);
        self.content.replace_range(range, &edit.insert);
        self.revision = edit.seq;
        if self.last.back().is_some_and(|(token, ..)| *token == edit.token) {
            self.last.pop_back();
        } else if self.last.len() >= REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back((edit.token, edit.seq, edit.id));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(seq: u64, at: usize, remove: usize, insert: &str) -> Edit {
        Edit { token: 1, seq, id: seq, at, remove, insert: insert.into() }
    }

    #[test]
    fn places_are_counted_in_characters() {
        let mut text = Text::default();
        text.apply(&edit(1, 0, 0, "ä🙂c")).unwrap();
        text.apply(&edit(2, 2, 1, "d")).unwrap();
        text.apply(&edit(3, 1, 1, "")).unwrap();
        text.apply(&edit(4, 2, 0, "!")).unwrap();
        assert_eq!((text.content.as_str(), text.revision), ("äd!", 4));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut text = Text::default();
        text.apply(&edit(1, 0, 0, "abc")).unwrap();
        for unfit in [
            edit(1, 0, 0, "x"),
            edit(3, 0, 0, "x"),
            edit(2, 4, 0, "x"),
            edit(2, 2, 2, "x"),
            edit(2, 2, usize::MAX, "x"),
        ] {
            assert_eq!(text.apply(&unfit), Err(Unfit::Elsewhere));
        }
        let (room, over) = ("x".repeat(LIMIT - 3), "x".repeat(LIMIT - 2));
        assert_eq!(text.apply(&edit(2, 0, 0, &over)), Err(Unfit::TooLong));
        assert_eq!(text.content, "abc");
        text.apply(&edit(2, 3, 0, &room)).unwrap();
        assert_eq!(text.apply(&edit(3, 0, 0, "x")), Err(Unfit::TooLong));
        text.apply(&edit(3, 0, 1, "x")).unwrap();
    }

    #[test]
    fn what_is_sent_again_is_known_and_what_only_looks_alike_is_not() {
        let mut text = Text::default();
        let first = edit(1, 0, 0, "abc");
        assert!(!text.has(&first));
        text.apply(&first).unwrap();
        assert!(text.has(&first));
        assert!(!text.has(&Edit { id: 9, ..first.clone() }));
        assert!(!text.has(&Edit { token: 2, ..first.clone() }));
        // It is still known with another token.
        text.apply(&Edit { token: 2, ..edit(2, 0, 0, "d") }).unwrap();
        assert!(text.has(&first));
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.json");
        let mut text = Text::load(&path).unwrap();
        text.apply(&edit(1, 0, 0, "ab\"c\n🙂")).unwrap();
        text.save(&path).unwrap();
        let loaded = Text::load(&path).unwrap();
        assert_eq!((loaded.content.as_str(), loaded.revision), ("ab\"c\n🙂", 1));
        assert!(loaded.has(&edit(1, 0, 0, "ab\"c\n🙂")));
        fs::write(&path, "no text").unwrap();
        assert!(Text::load(&path).is_err());
    }
}
