//! JSON, written: texts, numbers, and nothing where a number is none.

use std::fmt::Write as _;

/// A text in quotes.
#[must_use]
pub fn text(words: &str) -> String {
    let mut out = String::from('"');
    for letter in words.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A number; `null` where it is infinite or none.
#[must_use]
pub fn number(number: f64) -> String {
    if number.is_finite() { number.to_string() } else { "null".to_owned() }
}

/// What each of these is, in a list.
pub fn list<T>(items: impl IntoIterator<Item = T>, one: impl FnMut(T) -> String) -> String {
    format!("[{}]", items.into_iter().map(one).collect::<Vec<_>>().join(","))
}

/// Why there is no answer.
#[must_use]
pub fn error(why: &str) -> String {
    format!("{{\"error\":{}}}", text(why))
}
