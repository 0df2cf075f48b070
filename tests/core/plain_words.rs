//! The house's English, as far as a program can check it: subject first, "because", "unless", "except".

use std::fs;
use std::path::{Path, PathBuf};

/// Rows of tables that programs write, from names and texts in `crates` and `tests/breakages`.
const WRITTEN_BY_PROGRAMS: [&str; 1] = ["goes out without a word of it"];

const WORDS: [&str; 13] = [
    "lest", "whoever", "whom", "whomever", "thereof", "nought", "hereby", "wherein", "whence", "thence",
    "albeit", "whilst", "unlooked",
];
/// Each place has one word, or one of several. A phrase does not go on over a comma or another mark.
const PHRASES: [&[&[&str]]; 20] = [
    &[&["but"], &["for"]],
    &[&["nobody"], &["dies"], &["of"], &["it"]],
    &[&["without"], &["a"], &["word"]],
    &[&["to"], &["be"], &["had"]],
    &[&["none"], &["such"]],
    &[&["in"], &["vain"]],
    &[&["in"], &["earnest"]],
    &[&["as"], &["ever"]],
    &[&["all"], &["else"]],
    // "Instead of".
    &[&["in"], &["the"], &["place"], &["of"]],
    // "A server that", "with".
    &[&["in"], &["the"], &["hands"], &["of"]],
    // "Report", "pass".
    &[&["hand", "hands", "handed", "handing"], &["in"]],
    // "Is unread".
    &[&["lie", "lies", "lay"], &["unread"]],
    &[&["judge", "judges", "judged"], &["nobody"]],
    // "Report", "describe".
    &[&["tell", "tells", "told"], &["of"]],
    // "Fail".
    &[&["come", "comes", "came"], &["to"], &["nothing"]],
    // "A message of ours": "our message".
    &[&["of"], &["ours", "theirs"]],
    // Who waits, who must do it, who needs an answer?
    &[&["is", "are", "was", "were", "be", "been"], &["waited"], &["for"]],
    &[&["is", "are", "was", "were"], &["to"], &["be"]],
    &[&["is", "are", "was", "were", "be"], &["owed"]],
];
/// "Every 20 s".
const UNITS: [&str; 5] = ["s", "ms", "min", "seconds", "minutes"];
/// Things, not persons. "That" follows them, and not "who".
const THINGS: [&str; 7] = ["peer", "server", "connection", "client", "socket", "machine", "process"];
/// What begins a sentence: ", for it" is "because it".
const SUBJECTS: [&str; 13] = [
    "it",
    "he",
    "she",
    "they",
    "we",
    "i",
    "there",
    "nobody",
    "nothing",
    "everybody",
    "somebody",
    "who",
    "neither",
];
const ARTICLES: [&str; 7] = ["the", "a", "an", "its", "their", "our", "no"];
const VERBS: [&str; 16] = [
    "is", "are", "was", "were", "has", "have", "had", "would", "may", "can", "cannot", "must", "will",
    "does", "do", "comes",
];
/// What makes ", for the caller knows" a clause.
const MORE_VERBS: [&str; 12] =
    ["asks", "gives", "goes", "keeps", "knows", "makes", "means", "says", "sends", "takes", "tells", "wants"];
const BEFORE_BE: [&str; 10] =
    ["may", "can", "will", "would", "must", "should", "could", "might", "to", "not"];

/// A word of a text, in small letters, and the line that it is on.
struct Word {
    line: usize,
    word: String,
    /// A comma or a semicolon follows.
    pauses: bool,
    /// These, or another mark, follow.
    ends: bool,
}

/// Sentences go on over the ends of lines, and over the marks of comments at their beginnings.
fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if WRITTEN_BY_PROGRAMS.iter().any(|row| line.contains(row)) {
            continue;
        }
        for word in line.split_whitespace().filter(|word| !["//", "///", "//!", ">", "*"].contains(word)) {
            let pauses = word.ends_with([',', ';']);
            let ends = pauses || word.ends_with(['.', ':', '?', '!']);
            let word = word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase();
            found.push(Word { line: index + 1, word, pauses, ends });
        }
    }
    found
}

/// Returns the words that the house does not use, with their lines.
fn refused(text: &str) -> Vec<(usize, String)> {
    let words = words(text);
    let mut found = Vec::new();
    for at in 0..words.len() {
        let here = &words[at..];
        if let Some(phrase) = refused_at(here, at.checked_sub(1).is_some_and(|before| words[before].pauses)) {
            found.push((here[0].line, phrase));
        }
    }
    found
}

fn refused_at(here: &[Word], after_a_pause: bool) -> Option<String> {
    let is = |place: usize, list: &[&str]| here.get(place).is_some_and(|word| list.contains(&&*word.word));
    let shown = |length: usize| {
        let words: Vec<_> = here.iter().take(length).map(|word| &*word.word).collect();
        Some(words.join(" "))
    };
    if is(0, &WORDS) {
        return shown(1);
    }
    for phrase in PHRASES {
        let pauses_inside = here.iter().take(phrase.len() - 1).any(|word| word.ends);
        if !pauses_inside && phrase.iter().enumerate().all(|(place, words)| is(place, words)) {
            return shown(phrase.len());
        }
    }
    let is_thing = |thing: &&str| {
        let plural = here[0].word.strip_prefix(thing);
        plural.is_some_and(|end| ["", "s", "es"].contains(&end))
    };
    if THINGS.iter().any(is_thing) && is(1, &["who"]) && !here[0].ends {
        return shown(2);
    }
    if is(0, &["nor"]) && (is(1, &VERBS) || is(1, &["did", "could", "need"])) {
        // "Nor does it wait"; "neither a ping nor a pong" is plain.
        return shown(2);
    }
    if is(0, &["of"]) && is(1, &["its", "hers"]) && here[1].ends {
        // "A peer of its": "its peer".
        return shown(2);
    }
    let is_number = |place: usize| here.get(place).is_some_and(|word| word.word.parse::<u32>().is_ok());
    if is(0, &["each"]) && is_number(1) && is(2, &UNITS) {
        return shown(3);
    }
    if is(0, &["though"]) {
        // "Though something be due"; "though it may be" is plain.
        let clause = here.iter().take(5).position(|word| word.ends).unwrap_or(4);
        if (2..=clause).any(|place| is(place, &["be"]) && !is(place - 1, &BEFORE_BE)) {
            return shown(clause + 1);
        }
    }
    if after_a_pause && is(0, &["for"]) {
        // "For x in" is code.
        if is(1, &SUBJECTS) && !is(2, &["in"]) {
            return shown(2);
        }
        // "For the protocol has no numbers"; "for a peer that is late" is plain.
        let clause = here.iter().take(5).position(|word| word.ends).unwrap_or(4);
        let relative = (2..=clause).any(|place| is(place, &["that", "which", "who", "whose"]));
        if is(1, &ARTICLES)
            && !relative
            && (3..=clause).any(|place| is(place, &VERBS) || is(place, &MORE_VERBS))
        {
            return shown(clause + 1);
        }
    }
    None
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || ["target", "node_modules"].contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            pages(&path, found);
        } else if [".rs", ".md"].iter().any(|end| name.ends_with(end)) && name != "plain_words.rs" {
            found.push(path);
        }
    }
}

#[test]
fn every_sentence_is_in_plain_words() {
    let mut files = Vec::new();
    pages(Path::new(env!("CARGO_MANIFEST_DIR")), &mut files);
    assert!(files.len() > 150, "only {} files were read", files.len());
    let mut wrong = String::new();
    for path in files {
        for (line, phrase) in refused(&fs::read_to_string(&path).unwrap()) {
            wrong += &format!("{}:{line}: {phrase}\n", path.display());
        }
    }
    assert!(wrong.is_empty(), "say it in plain words:\n{wrong}");
}

#[test]
fn the_check_finds_what_the_house_does_not_say() {
    for (planted, phrase) in [
        ("/// Tell them, lest they write on.", "lest"),
        ("//! For whoever writes another.", "whoever"),
        ("// The user whom it concerns.", "whom"),
        ("/// All full but\n    /// for the top one.", "but for"),
        ("\"nobody dies of it\"", "nobody dies of it"),
        ("cuts it without a\nword to you", "without a word"),
        ("until then, though something be due; an event", "though something be due"),
        ("a peer who pings", "peer who"),
        ("all connections who answer", "connections who"),
        ("/// Many processes who wait", "processes who"),
        ("from there,\n//! for it is this side", "for it"),
        ("counts itself, for the protocol has no numbers", "for the protocol has no"),
        ("/// No pong does. Nor does a write\n/// of the driver.", "nor does"),
        ("an answer that is to be\n// written", "is to be"),
        ("// An answer is owed.", "is owed"),
        ("its answer is waited for", "is waited for"),
        ("/// A byte of ours, or two", "of ours"),
        ("Hand in what was read", "hand in"),
        ("//! the end that it tells\n//! of", "tells of"),
        ("a pong that lies unread", "lies unread"),
        ("a poll in vain", "in vain"),
        ("there is no room to be had", "to be had"),
        ("the dial came to nothing", "came to nothing"),
        ("a ping each 20 s, or so", "each 20 s"),
        ("A client, in the hands of a server that stops", "in the hands of"),
        ("numbers in the place of names", "in the place of"),
        ("a raw peer of its, over TLS", "of its"),
        ("It probes, for the caller knows better.", "for the caller knows better"),
    ] {
        let found: Vec<_> = refused(planted).into_iter().map(|(_, phrase)| phrase).collect();
        assert_eq!(found, [phrase], "{planted}");
    }
}

#[test]
fn the_check_leaves_plain_words_alone() {
    for plain in [
        "A peer that pings. People who wait. A message to the server, who sent it, and when.",
        "though it may be late, and though it must be late",
        "a ping, for a fleet; a timer, for the poll of a peer that is late",
        "neither a ping nor a pong, and each of 20 bytes; each second one; chunks { of, ours }",
        "the end of its life; a place for the caller, who knows; it is in place, of course, and in good hands",
        "a call, for a caller that knows more, and for the names that it knows",
        "their own hand; the wait is for a pong; tell the user, and hand it in time to the peer",
    ] {
        assert_eq!(refused(plain), [], "{plain}");
    }
}
