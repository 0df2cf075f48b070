//! The messages of pages and hub, as JSON, and the limits for them.

use liveness::Status;
use liveness_programs::web::letters::{is_blank, is_seen, one_line};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The number of a connection.
pub(crate) type Key = u64;

/// The number that others know a user by. It is made from the user's secret token, and is the same for all their pages.
pub(crate) type User = u64;

/// The longest text, name and name of a room, in characters.
pub(crate) const TEXT: usize = 2_000;
const NAME: usize = 24;
const ROOM: usize = 40;

/// A message of a page.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Said {
    /// The first message, and again for another name. The token is the same for all pages of one browser.
    Hello { token: String, name: String, room: String },
    /// A text for everybody. The page recognises it by its key. A text that comes twice with one key is said once.
    Say { key: String, text: String },
    /// Its user leaves, with every page.
    Bye,
}

/// A message to a page.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Tell<'a> {
    /// The current state: the first message, and again whenever a page had fallen behind.
    Welcome {
        you: User,
        room: &'a str,
        /// Another number means another room of that name.
        epoch: u64,
        people: Vec<Person<'a>>,
        lines: Vec<&'a Line>,
        /// The settings of the page's own heartbeat.
        timing: &'a Value,
        behind: bool,
    },
    Line(&'a Line),
    /// Somebody's status changed.
    Change(Person<'a>),
    Named {
        user: User,
        name: &'a str,
        was: &'a str,
    },
    /// Round trips in milliseconds, for users whose round trip changed.
    Rtts {
        of: Vec<(User, u64)>,
    },
    /// The name belongs to somebody else. This one is free.
    Taken {
        name: &'a str,
        free: String,
    },
    /// Something that cannot be done, and why, with the key of the message.
    Refused {
        key: Option<&'a str>,
        why: &'a str,
    },
    /// Its user has left, here or on another page.
    Left,
}

#[derive(Serialize)]
pub(crate) struct Person<'a> {
    pub(crate) user: User,
    pub(crate) name: &'a str,
    #[serde(serialize_with = "status")]
    pub(crate) status: Status,
    pub(crate) rtt: Option<u64>,
}

fn status<S: serde::Serializer>(status: &Status, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match status {
        Status::Online => "online",
        Status::Suspect => "suspect",
        Status::Offline => "gone",
    })
}

/// Something that was said in a room.
#[derive(Serialize)]
pub(crate) struct Line {
    /// One more than the number of the line before.
    pub(crate) seq: u64,
    pub(crate) user: User,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) at_ms: u64,
    pub(crate) key: String,
}

/// A name as it is shown; `None` if nothing is left of it.
pub(crate) fn name(words: &str) -> Option<String> {
    one_line(words, NAME)
}

/// The room that a link names.
pub(crate) fn room(words: &str) -> String {
    one_line(words, ROOM).unwrap_or_else(|| "lobby".to_owned())
}

/// A text as it is shown, or why it cannot be.
pub(crate) fn text(words: &str) -> Result<String, &'static str> {
    let text: String =
        words.chars().filter(|letter| matches!(letter, '\n' | '\t') || is_seen(*letter)).collect();
    let text = text.trim();
    if is_blank(text) {
        return Err("there is nothing in it");
    }
    if text.chars().count() > TEXT {
        return Err("it is too long");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_lines_and_tabs_and_something_of_it_can_be_seen() {
        assert_eq!(text(" if so:\n\tsay \u{202e}it\r\n"), Ok("if so:\n\tsay it".to_owned()));
        for nothing in ["", " \n", "\u{200d}", "\u{3164}\u{feff}"] {
            assert_eq!(text(nothing), Err("there is nothing in it"), "{nothing:?}");
        }
        assert!(text(&"\u{1f600}".repeat(TEXT)).is_ok());
        assert_eq!(text(&"x".repeat(TEXT + 1)), Err("it is too long"));
    }
}
