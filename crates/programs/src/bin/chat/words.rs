//! The messages of pages and hub, as JSON, and the limits for them.

use liveness::Status;
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

/// A reader cannot tell these two names apart.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A text as it is shown, or why it cannot be.
pub(crate) fn text(words: &str) -> Result<String, &'static str> {
    let text: String = words.chars().filter(|letter| *letter == '\n' || is_seen(*letter)).collect();
    let text = text.trim();
    match text.chars().count() {
        0 => Err("there is nothing in it"),
        1..=TEXT => Ok(text.to_owned()),
        _ => Err("it is too long"),
    }
}

fn one_line(words: &str, longest: usize) -> Option<String> {
    let spaced = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = spaced.chars().filter(|letter| is_seen(*letter)).take(longest).collect();
    let line = line.trim();
    if line.is_empty() { None } else { Some(line.to_owned()) }
}

/// Refuses characters that have no shape, or that reorder the text around them.
fn is_seen(letter: char) -> bool {
    let formats = matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !letter.is_control() && !formats
}
