//! What pages and hub say to each other, as JSON; and what may be said.

use liveness::Status;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The number of a connection.
pub(crate) type Key = u64;

/// Who somebody is to the others: made of their secret token, and the same for each of their pages.
pub(crate) type User = u64;

/// The longest text, name and name of a room, in characters.
pub(crate) const TEXT: usize = 2_000;
const NAME: usize = 24;
const ROOM: usize = 40;

/// What a page says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Said {
    /// First, and again under another name: by the token the pages of one browser know each other.
    Hello { token: String, name: String, room: String },
    /// Something for all. By its key the page knows it again; what comes twice under one key is said once.
    Say { key: String, text: String },
    /// Its user leaves, with every page.
    Bye,
}

/// What a page is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Tell<'a> {
    /// How things stand: first, and whenever a page had fallen behind.
    Welcome {
        you: User,
        room: &'a str,
        /// Another number is another room of that name.
        epoch: u64,
        people: Vec<Person<'a>>,
        lines: Vec<&'a Line>,
        /// The settings of the page's own heartbeat.
        timing: &'a Value,
        behind: bool,
    },
    Line(&'a Line),
    /// Somebody is, or is not, what they were.
    Change(Person<'a>),
    Named {
        user: User,
        name: &'a str,
        was: &'a str,
    },
    /// Round trips in milliseconds, of those whose changed.
    Rtts {
        of: Vec<(User, u64)>,
    },
    /// The name is another's; this one is free.
    Taken {
        name: &'a str,
        free: String,
    },
    /// What cannot be done, and why; with the key of the message.
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
    /// One more than that of the line before.
    pub(crate) seq: u64,
    pub(crate) user: User,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) at_ms: u64,
    pub(crate) key: String,
}

/// A name as it is shown; none where nothing is left of it.
pub(crate) fn name(words: &str) -> Option<String> {
    one_line(words, NAME)
}

/// The room that a link means.
pub(crate) fn room(words: &str) -> String {
    one_line(words, ROOM).unwrap_or_else(|| "lobby".to_owned())
}

/// Two names that are one to a reader.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A text as it is shown, or why not.
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

/// Not what has no shape of its own, or turns what stands around it about.
fn is_seen(letter: char) -> bool {
    let formats = matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !letter.is_control() && !formats
}
