//! Two opinions about a text: the crate's reader of small JSON, and serde_json. The fuzz target `json` and a test of
//! `crates/model` use it.

use liveness::dialect::{self, Heard, Json, JsonValue, LONGEST, Message, OutBuffer};
use serde_json::Value;

/// What the crate claims to read, serde_json reads too, with the same result. What the crate does not read, serde_json
/// does not read either, or it is beyond the documented limits. Returns true if both read it.
pub(crate) fn agree(text: &str) -> bool {
    let theirs = serde_json::from_str::<Value>(text).ok();
    let Some(ours) = JsonValue::read(text) else {
        if let Some(theirs) = theirs {
            assert!(is_beyond(text, &theirs), "not read, but JSON: {text:?}");
        }
        return false;
    };
    let Some(theirs) = theirs else { panic!("read, but no JSON: {text:?}") };
    assert_same(ours, &theirs);
    assert_heard(text, &theirs);
    true
}

fn assert_same(ours: JsonValue<'_>, theirs: &Value) {
    assert_eq!(serde_json::from_str::<Value>(ours.raw()).ok().as_ref(), Some(theirs));
    assert_eq!(ours.is_null(), theirs.is_null());
    assert_eq!(ours.is_object(), theirs.is_object());
    assert_eq!(ours.number(), theirs.as_u64(), "{theirs}");
    assert_eq!(ours.is_empty_object(), theirs.as_object().is_some_and(|fields| fields.is_empty()));
    let digits = ours.payload().map(|payload| payload.to_string());
    assert!(digits.is_none() || digits.as_deref() == theirs.as_str());
    assert_eq!(ours.is("ping"), theirs == "ping");
    if let Some(text) = theirs.as_str() {
        assert!(ours.is(text), "{text:?}");
        assert!(!ours.is(&format!("{text}.")));
    }
    let items = theirs.as_array().map_or(&[][..], Vec::as_slice);
    for (index, item) in items.iter().enumerate() {
        assert_same(ours.element(index).expect("it has so many"), item);
    }
    assert_eq!(ours.element(items.len()), None);
    for (name, value) in theirs.as_object().into_iter().flatten() {
        assert_same(ours.field(name).expect("it has this field"), value);
    }
    assert_eq!(ours.field("type").is_some(), theirs.get("type").is_some_and(|_| theirs.is_object()));
}

/// A heartbeat is heard exactly if serde_json sees one, and its answer is JSON with the same identifier.
fn assert_heard(text: &str, theirs: &Value) {
    let mut answer = OutBuffer::new();
    let mut json = Json::new("type", "ping", "pong").id("id");
    let heard = dialect::hear(&mut json, Message::Text(text), &mut answer);
    let kind = theirs.get("type").filter(|_| theirs.is_object());
    if heard != Heard::Beat {
        // A ping is not a beat only if its identifier is too long to be returned.
        assert!(kind != Some(&"ping".into()) || text.len() > 128, "{text:?}");
        assert_eq!(answer.message(), None);
        return;
    }
    assert_eq!(kind, Some(&"ping".into()));
    let answer = answer.message().and_then(Message::text).expect("a beat is answered, in what fits");
    let answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
    assert_eq!(answer["type"], "pong");
    assert_eq!(answer.get("id"), theirs.get("id"));
}

/// Beyond what the crate claims to read: too long, too deep, or with what may be a number that is too large. That number
/// may be inside a string; then this text proves nothing.
fn is_beyond(text: &str, value: &Value) -> bool {
    text.len() > LONGEST || levels(value) > 16 || has_large_number(text)
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn has_large_number(text: &str) -> bool {
    let numbers = text.split(|character: char| !matches!(character, '0'..='9' | 'e' | 'E' | '+' | '-' | '.'));
    numbers.into_iter().any(|number| {
        let exponent = number.rsplit(['e', 'E']).next().unwrap_or("").trim_start_matches(['+', '-']);
        number.len() > 64 || (number.contains(['e', 'E']) && exponent.len() > 2)
    })
}
