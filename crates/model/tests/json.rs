//! The reader of small JSON compared with serde_json, on texts that are JSON or nearly JSON. The fuzz target `json` does
//! the same with any text.

#[path = "../../../fuzz/json_opinions.rs"]
mod json_opinions;

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

/// Pieces of JSON, and of what is nearly JSON.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    " ",
    "\n",
    "\t",
    "\r",
    "\u{b}",
    "null",
    "true",
    "false",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E",
    "19",
    "1.5",
    "-0",
    "1e5",
    "\"type\"",
    "\"ping\"",
    "\"id\"",
    "\"type\":\"ping\"",
    "\"id\":19",
    "\"\\u0074ype\"",
    "\\u",
    "\\n",
    "d83d",
    "\\ud83d\\ude00",
    "\\ud800",
    "é",
    "😀",
    "\"a\"",
    "\"\"",
    "{}",
    "[]",
    "\u{1}",
    "\u{feff}",
    "0123456789abcdef",
    "\"payload\"",
];

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40).prop_map(|pieces| pieces.concat())
}

/// Valid JSON, made of the same pieces.
fn json() -> impl Strategy<Value = String> {
    let string = "(\\\\u00[0-7][0-9a-f]|\\\\[bfnrt/\\\\\"]|[ !#-\\[\\]-~é😀]){0,6}"
        .prop_map(|inside| format!("\"{inside}\""));
    let name = prop_oneof![Just("\"type\"".to_owned()), Just("\"id\"".to_owned()), string.clone()];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("\"ping\"".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        string,
    ];
    leaf.prop_recursive(5, 32, 6, move |inner| {
        let list =
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[ {} ]", items.join(" ,")));
        let field = (name.clone(), inner).prop_map(|(name, value)| format!("{name}:\n{value}"));
        let object =
            prop::collection::vec(field, 0..5).prop_map(|fields| format!("{{{}}}", fields.join(",\t")));
        prop_oneof![list, object]
    })
}

/// Runs this many cases, and counts those that both readers read.
fn both_read(cases: u32, texts: impl Strategy<Value = String>) -> u32 {
    let read = AtomicU32::new(0);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&texts, |text| {
        read.fetch_add(json_opinions::agree(&text).into(), Ordering::Relaxed);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    read.into_inner()
}

#[test]
fn pieces_of_json_are_read_as_serde_json_reads_them() {
    let read = both_read(40_000, texts());
    assert!(read > 400, "only {read} were JSON");
}

#[test]
fn json_is_read_as_serde_json_reads_it() {
    let read = both_read(6_000, json());
    assert!(read > 4_500, "only {read} were read");
}
