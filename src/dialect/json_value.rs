//! A parser for small JSON texts, without an allocation. It accepts only valid JSON.

use core::str::Chars;

use super::{LONGEST, OutBuffer};
use crate::payload::Payload;

/// A JSON value (RFC 8259) from a text of at most [`LONGEST`] bytes. The whole text is valid.
///
/// The order of fields, white space, and escapes in strings make no difference: Python writes `{"type": "ping"}`, JavaScript
/// `{"type":"ping"}`, and `{"\u0074ype":"ping"}` is the same object.
///
/// The parser is stricter than JSON where other parsers differ or numbers overflow, so that all parsers agree about what it
/// accepts. It accepts at most 16 levels, numbers of at most 64 characters with an exponent of at most two digits, and no
/// half of a surrogate pair. It accepts all other JSON.
///
/// ```
/// use liveness::dialect::JsonValue;
///
/// let hello = JsonValue::read(r#" {"op": 10, "d": {"heartbeat_interval": 41250}, "t": null} "#).ok_or("no JSON")?;
/// assert_eq!(hello.field("op").and_then(JsonValue::number), Some(10));
/// assert_eq!(hello.field("d").and_then(|d| d.field("heartbeat_interval")?.number()), Some(41250));
/// assert!(hello.field("t").is_some_and(JsonValue::is_null));
/// assert_eq!(hello.field("s"), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonValue<'a> {
    /// One valid value, without white space around it.
    text: &'a str,
}

/// The beginning of our identifiers in protocols whose identifiers the program uses too.
pub(super) const OURS: &str = "live";
/// The longest identifier of a peer that we write back. No answer with it is longer than [`LONGEST`].
pub(super) const LONGEST_ID: usize = 128;
/// More levels than any heartbeat has. Each level uses some of the stack.
const LEVELS: u8 = 16;
/// With [`EXPONENT`], less than the largest 64-bit float.
const NUMBER: usize = 64;
const EXPONENT: usize = 2;

impl<'a> JsonValue<'a> {
    /// Parses a text. `None`: it is longer than [`LONGEST`], is not JSON, or exceeds the limits above.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let mut scanner = Scanner { text, at: 0 };
        scanner.white_space();
        let value = scanner.value(LEVELS)?;
        scanner.white_space();
        scanner.peek().is_none().then_some(value)
    }

    /// Parses a text that has a string with one of these beginnings; `None` for any other text, at much less cost. Most
    /// messages are data, and have none of the strings that identify a heartbeat.
    pub(super) fn read_if(text: &'a str, beginnings: &[&str]) -> Option<Self> {
        let may_be = text.len() <= LONGEST && may_have(text.as_bytes(), beginnings);
        may_be.then(|| Self::read(text)).flatten()
    }

    /// The value of this field of an object. If the object has the field twice, the last one counts, as in JavaScript.
    #[must_use]
    pub fn field(self, name: &str) -> Option<Self> {
        let mut found = None;
        let scanner = &mut Scanner { text: self.text, at: 0 };
        scanner.object(LEVELS, &mut |key, value| {
            if key.is(name) {
                found = Some(value);
            }
        })?;
        found
    }

    /// The element at this place of an array, from 0.
    #[must_use]
    pub fn element(self, index: usize) -> Option<Self> {
        let (mut found, mut place) = (None, 0_usize);
        let scanner = &mut Scanner { text: self.text, at: 0 };
        scanner.array(LEVELS, &mut |value| {
            if place == index {
                found = Some(value);
            }
            place = place.saturating_add(1);
        })?;
        found
    }

    /// Whether it is this string.
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        let Some(bare) = self.bare() else { return false };
        if bare.as_bytes().contains(&b'\\') {
            return Decoder(bare.chars()).eq(text.chars().map(Some));
        }
        bare == text
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.text == "null"
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.text.starts_with('{')
    }

    /// Whether it is an object without fields.
    #[must_use]
    pub fn is_empty_object(self) -> bool {
        let mut empty = true;
        let scanner = &mut Scanner { text: self.text, at: 0 };
        scanner.object(LEVELS, &mut |_, _| empty = false).is_some() && empty
    }

    /// The number, if it is below 2^64 and has no sign, point or exponent.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        // The value is valid, so it begins with a digit only if it is a number.
        if self.text.bytes().all(|byte| byte.is_ascii_digit()) { self.text.parse().ok() } else { None }
    }

    /// The payload, if it is a string of a payload's sixteen digits.
    #[must_use]
    pub fn payload(self) -> Option<Payload> {
        Payload::from_digits(self.bare()?)
    }

    /// The payload, if this is one of our identifiers, which have no escapes.
    pub(super) fn ours(self) -> Option<Payload> {
        Payload::from_digits(self.bare()?.strip_prefix(OURS)?)
    }

    /// The value as it was written: for a peer that expects its own identifier back.
    #[must_use]
    pub const fn raw(self) -> &'a str {
        self.text
    }

    /// Calls `read` with the characters of a string.
    pub(super) fn with_text<R>(self, read: impl FnOnce(&str) -> R) -> Option<R> {
        let mut text = OutBuffer::new();
        for character in Decoder(self.bare()?.chars()) {
            text.push(character?.encode_utf8(&mut [0; 4]).as_bytes()).ok()?;
        }
        Some(read(text.as_text()?))
    }

    /// The characters between the quotes of a string, with their escapes.
    fn bare(self) -> Option<&'a str> {
        self.text.strip_prefix('"')?.strip_suffix('"')
    }
}

/// Whether the text may have a string with one of these beginnings. A text with an escape may have any, because the escape
/// may hide it.
fn may_have(text: &[u8], beginnings: &[&str]) -> bool {
    if text.contains(&b'\\') {
        return true;
    }
    let mut strings = text.split(|byte| *byte == b'"').skip(1);
    strings.any(|string| beginnings.iter().any(|beginning| string.starts_with(beginning.as_bytes())))
}

/// A place in a text. Each method takes one piece of JSON from it. `None`: the text is not JSON.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(byte)
    }

    /// Takes this byte if it comes next.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at = self.at.saturating_add(is_next.into());
        is_next
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
    }

    fn since(&self, start: usize) -> Option<JsonValue<'a>> {
        Some(JsonValue { text: self.text.get(start..self.at)? })
    }

    /// Takes one value of at most this many levels.
    fn value(&mut self, levels: u8) -> Option<JsonValue<'a>> {
        let start = self.at;
        match self.peek()? {
            b'{' => self.object(levels, &mut |_, _| {})?,
            b'[' => self.array(levels, &mut |_| {})?,
            b'"' => self.string()?,
            b't' => self.word("true")?,
            b'f' => self.word("false")?,
            b'n' => self.word("null")?,
            _ => self.number()?,
        }
        self.since(start)
    }

    fn object(&mut self, levels: u8, each: &mut dyn FnMut(JsonValue<'a>, JsonValue<'a>)) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        self.listed(b'{', b'}', &mut |scanner| {
            let start = scanner.at;
            scanner.string()?;
            let key = scanner.since(start)?;
            scanner.white_space();
            if !scanner.takes(b':') {
                return None;
            }
            scanner.white_space();
            each(key, scanner.value(levels)?);
            Some(())
        })
    }

    fn array(&mut self, levels: u8, each: &mut dyn FnMut(JsonValue<'a>)) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        self.listed(b'[', b']', &mut |scanner| {
            each(scanner.value(levels)?);
            Some(())
        })
    }

    /// Takes the items between these two bytes, separated by commas.
    fn listed(&mut self, open: u8, close: u8, item: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if !self.takes(open) {
            return None;
        }
        self.white_space();
        if self.takes(close) {
            return Some(());
        }
        loop {
            self.white_space();
            item(self)?;
            self.white_space();
            match self.next()? {
                b',' => {}
                byte => return (byte == close).then_some(()),
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        if !self.takes(b'"') {
            return None;
        }
        let start = self.at;
        let mut escapes = false;
        loop {
            self.plain_text();
            match self.next()? {
                b'"' => break,
                // The byte after a backslash does not end the string. The decoder checks whether it is a valid escape.
                b'\\' => {
                    self.next()?;
                    escapes = true;
                }
                // A control character.
                _ => return None,
            }
        }
        if !escapes {
            return Some(());
        }
        let inside = self.text.get(start..self.at.saturating_sub(1))?;
        Decoder(inside.chars()).all(|decoded| decoded.is_some()).then_some(())
    }

    /// Takes the plain characters of a string. Most of a message consists of them.
    fn plain_text(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..=0x1f));
        self.at = self.at.saturating_add(plain.unwrap_or(rest.len()));
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let end = self.at.saturating_add(word.len());
        let is_next = self.text.get(self.at..end) == Some(word);
        self.at = end;
        is_next.then_some(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at = self.at.saturating_add(1);
        }
        self.at.saturating_sub(start)
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        self.takes(b'-');
        // No digit may follow a leading zero.
        let whole = self.takes(b'0') || self.digits() > 0;
        let part = !self.takes(b'.') || self.digits() > 0;
        let exponent = if self.takes(b'e') || self.takes(b'E') {
            let _signed = self.takes(b'-') || self.takes(b'+');
            (1..=EXPONENT).contains(&self.digits())
        } else {
            true
        };
        let short = self.at.saturating_sub(start) <= NUMBER;
        (whole && part && exponent && short).then_some(())
    }
}

/// The characters of a string. `None`: an escape is invalid.
struct Decoder<'a>(Chars<'a>);

impl Iterator for Decoder<'_> {
    type Item = Option<char>;

    fn next(&mut self) -> Option<Option<char>> {
        match self.0.next()? {
            '\\' => Some(self.escaped()),
            '\0'..='\u{1f}' | '"' => Some(None),
            plain => Some(Some(plain)),
        }
    }
}

impl Decoder<'_> {
    fn escaped(&mut self) -> Option<char> {
        match self.0.next()? {
            plain @ ('"' | '\\' | '/') => Some(plain),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => self.unicode(),
            _ => None,
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let unit = self.unit()?;
        if !(0xd800..0xdc00).contains(&unit) {
            // `None` for the second half of a pair without its first.
            return char::from_u32(unit);
        }
        let escape = (self.0.next()?, self.0.next()?);
        let second = self.unit()?;
        if escape != ('\\', 'u') || !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        // RFC 8259 7: a character above 65,535 is a pair of escapes with ten bits each.
        char::from_u32(0x1_0000_u32.saturating_add((unit & 0x3ff) << 10 | (second & 0x3ff)))
    }

    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | self.0.next()?.to_digit(16)?;
        }
        Some(unit)
    }
}
