//! The JSON reader: a table, and trees that are written in every way that JSON allows and then read.

use liveness::dialect::{Heard, JsonValue, LONGEST, Message};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{heard, payload};

fn read(text: &str) -> bool {
    JsonValue::read(text).is_some()
}

const JSON: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.5",
    "-1.5e+3",
    "1E5",
    "\"\"",
    "[]",
    "{}",
    " [ ] ",
    "\t{\r\n}\n",
    "[1,2]",
    "[[],{}]",
    r#"{"a":1}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"":""}"#,
    r#""\"\\\/\b\f\n\r\t""#,
    r#""\u00e9\uD83D\ude00""#,
    r#""\ud800\udc00\udbff\udfff\ud800\udfff""#,
    "\"é😀\u{7f}\"",
    r#"[{"a":[{"b":{}}]}]"#,
];

const NO_JSON: &[&str] = &[
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "01",
    "-",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "0x1",
    "--1",
    "- 1",
    "NaN",
    "Infinity",
    "\"",
    "\"\\\"",
    "\"\n\"",
    "\"\u{1}\"",
    "\"\u{1f}\"",
    r#""\udbff""#,
    r#""\udfff""#,
    r#""\ud800\ue000""#,
    r#""\x""#,
    r#""\u12""#,
    r#""\u12g4""#,
    r#""\ud800""#,
    r#""\ud800\u0041""#,
    r#""\ud800x""#,
    r#""\udc00""#,
    r#""\ud800\ud800""#,
    "'a'",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{",
    "}",
    "{]",
    "{1:2}",
    r#"{"a"}"#,
    r#"{"a":}"#,
    r#"{"a":1,}"#,
    r#"{"a" 1}"#,
    r#"{"a":1 "b":2}"#,
    r#"{,"a":1}"#,
    "[] []",
    "1 1",
    "null,",
    "\u{feff}null",
    "\u{a0}null",
    "/**/null",
    "[\u{b}]",
    "tru\u{65}\u{301}",
];

#[test]
fn what_is_json_is_read_and_nothing_else_is() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for text in JSON.iter().copied().map(str::to_owned).chain([nested(16)]) {
        assert!(read(&text), "{text}");
    }
    for text in NO_JSON.iter().copied().map(str::to_owned).chain([nested(17)]) {
        assert!(!read(&text), "{text}");
    }
    // Beyond the limits: JSON that readers disagree about.
    for text in ["1e999", "1e100", "-1e-100", &"9".repeat(65), &nested(100)] {
        assert!(!read(text), "{text}");
    }
    assert!(read(&"9".repeat(64)) && read("1e99"));
    assert!(
        read(&format!("\"{}\"", "x".repeat(LONGEST - 2)))
            && !read(&format!("\"{}\"", "x".repeat(LONGEST - 1)))
    );
}

#[test]
fn questions_of_the_wrong_kind_are_answered_with_nothing() {
    let value = JsonValue::read(
        r#"{"n":7,"s":"x","a":[1,"b"],"f":1.0,"big":18446744073709551616,"max":18446744073709551615}"#,
    )
    .unwrap();
    assert!(value.is_object() && !value.is_empty_object() && !value.is_null());
    let field = |name: &str| value.field(name).unwrap();
    assert_eq!((field("n").number(), field("s").number(), field("f").number()), (Some(7), None, None));
    assert_eq!((field("big").number(), field("max").number()), (None, Some(u64::MAX)));
    assert_eq!((field("n").field("n"), field("s").element(0), field("a").field("n")), (None, None, None));
    assert_eq!((field("a").element(0).and_then(JsonValue::number), field("a").element(2)), (Some(1), None));
    assert!(field("a").element(1).is_some_and(|b| b.is("b")) && !field("n").is("7") && !field("s").is("X"));
    assert_eq!((field("a").raw(), value.field("N")), (r#"[1,"b"]"#, None));
    assert_eq!(JsonValue::read("\"0123456789abcdef\"").unwrap().payload(), Some(payload("0123456789abcdef")));
    assert_eq!(JsonValue::read("123456789012345").unwrap().payload(), None);
}

/// A tree is the second opinion: its value was decided before it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Word(&'static str),
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

pub(super) fn trees() -> impl Strategy<Value = Tree> {
    let texts = prop_oneof![
        Just("type".to_owned()),
        Just("ping".to_owned()),
        "[a-c]{0,2}",
        any::<String>().prop_map(|text| text.chars().take(4).collect())
    ];
    let leaf = prop_oneof![
        prop_oneof![Just("null"), Just("true"), Just("false")].prop_map(Tree::Word),
        any::<u64>().prop_map(|number| Tree::Number(number.to_string())),
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?".prop_map(Tree::Number),
        texts.clone().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Tree::List),
            vec((texts.clone(), inner), 0..5).prop_map(Tree::Object)
        ]
    })
}

/// Writes a tree. These choices decide about white space and escapes.
fn write(tree: &Tree, choices: &mut dyn Iterator<Item = u8>, text: &mut String) {
    let mut space = |text: &mut String| {
        text.push_str(["", "", "", " ", "\n", "\t ", "\r\n"][usize::from(choices.next().unwrap() % 7)])
    };
    space(text);
    match tree {
        Tree::Word(word) => text.push_str(word),
        Tree::Number(number) => text.push_str(number),
        Tree::Text(said) => write_string(said, choices, text),
        Tree::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write(item, choices, text);
            }
            text.push(']');
        }
        Tree::Object(fields) => {
            text.push('{');
            for (index, (key, value)) in fields.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write(&Tree::Text(key.clone()), choices, text);
                text.push(':');
                write(value, choices, text);
            }
            text.push('}');
        }
    }
    text.push_str(["", "", " ", "\n"][usize::from(choices.next().unwrap() % 4)]);
}

fn write_string(said: &str, choices: &mut dyn Iterator<Item = u8>, text: &mut String) {
    text.push('"');
    for character in said.chars() {
        let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
        if must || choices.next().unwrap() % 4 == 0 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let lower = choices.next().unwrap() % 2 == 0;
                text.push_str(&if lower { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
            }
        } else {
            text.push(character);
        }
    }
    text.push('"');
}

pub(super) fn written(tree: &Tree, choices: &[u8]) -> String {
    let mut text = String::new();
    write(tree, &mut choices.iter().copied().cycle(), &mut text);
    text
}

/// The reader must find what the tree holds.
fn assert_is(value: JsonValue<'_>, tree: &Tree) {
    match tree {
        Tree::Word(word) => assert_eq!(value.raw(), *word),
        Tree::Number(number) => {
            assert_eq!(value.raw(), number);
            let plain = number.bytes().all(|byte| byte.is_ascii_digit());
            assert_eq!(value.number(), number.parse().ok().filter(|_| plain));
        }
        Tree::Text(text) => assert!(value.is(text) && !value.is(&format!("{text}x")), "{text:?}"),
        Tree::List(items) => {
            for (index, item) in items.iter().enumerate() {
                assert_is(value.element(index).unwrap(), item);
            }
            assert_eq!(value.element(items.len()), None);
        }
        Tree::Object(fields) => {
            for (key, _) in fields {
                // The last field of that name counts.
                let (_, last) = fields.iter().rev().find(|(name, _)| name == key).unwrap();
                assert_is(value.field(key).unwrap(), last);
            }
            assert_eq!(value.field("no such field"), None);
            assert_eq!(value.is_empty_object(), fields.is_empty());
        }
    }
    assert_eq!(value.is_object(), matches!(tree, Tree::Object(_)));
    assert_eq!(value.is_null(), *tree == Tree::Word("null"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_read_as_it_was_written(tree in trees(), choices in vec(any::<u8>(), 1..64)) {
        let text = written(&tree, &choices);
        match JsonValue::read(&text) {
            Some(value) => assert_is(value, &tree),
            None => prop_assert!(text.len() > LONGEST, "{}", text),
        }
    }

    /// A text that lost or gained a byte is read as what it is now, or not at all. Nothing panics.
    #[test]
    fn a_damaged_text_does_no_harm(tree in trees(), choices in vec(any::<u8>(), 1..64), at: prop::sample::Index, with in "[\\[\\]{}\",:\\\\u0-9a-f]?") {
        let mut text: Vec<char> = written(&tree, &choices).chars().collect();
        let at = at.index(text.len().max(1));
        if at < text.len() {
            text.remove(at);
        }
        let text: String = text[..at.min(text.len())].iter().copied().chain(with.chars()).chain(text[at.min(text.len())..].iter().copied()).collect();
        if let Some(value) = JsonValue::read(&text) {
            // It is the whole text, and what is inside it is a part of the text.
            prop_assert_eq!(value.raw(), text.trim_matches([' ', '\t', '\n', '\r']));
            let inside = value.field("type").or_else(|| value.element(0));
            prop_assert!(inside.is_none_or(|inside| JsonValue::read(inside.raw()) == Some(inside)));
        }
    }

    /// The same object means the same, whatever the order of its fields, its white space and its escapes.
    #[test]
    fn an_object_is_heard_as_it_is_however_it_is_written(
        mut fields in vec(("[x-z]{1,3}", trees()), 0..3),
        place: prop::sample::Index,
        kind in prop_oneof![Just("ping"), Just("pong"), Just("data")],
        choices in vec(any::<u8>(), 1..64),
    ) {
        fields.insert(place.index(fields.len() + 1), ("type".to_owned(), Tree::Text(kind.to_owned())));
        let text = written(&Tree::Object(fields), &choices);
        let (heard, answers) = heard(&mut liveness::dialect::ping_pong::json(), Message::Text(&text));
        let expected = match kind {
            _ if text.len() > LONGEST => Heard::Data,
            "ping" => Heard::Beat,
            "pong" => Heard::SomeAnswer,
            _ => Heard::Data,
        };
        prop_assert_eq!(heard, expected, "{}", text);
        prop_assert_eq!(answers.len(), usize::from(heard == Heard::Beat));
    }
}
