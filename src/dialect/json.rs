//! Heartbeats that are small JSON objects.

use core::fmt::{self, Write as _};

use super::asked::Asked;
use super::json_value::{JsonValue, LONGEST_ID};
use super::{Dialect, Heard, Message, Out, Role};
use crate::payload::Payload;

/// Two JSON objects that a field identifies: `{"type":"ping"}` and `{"type":"pong"}`.
///
/// A message is recognised by its top-level fields, whatever their order, white space and escapes, and whatever other fields
/// it has ([`JsonValue`]). Any other message is data.
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Json, Message, OutBuffer};
///
/// let mut out = OutBuffer::new();
/// let mut dialect = Json::new("type", "ping", "pong").id("id");
///
/// // The peer's identifier, of whatever type, is written back as it came.
/// let heard = dialect.hear(Message::Text(r#"{ "id": 19, "type": "ping" }"#), &mut out);
/// assert_eq!((heard, out.message()), (Heard::Beat, Some(Message::Text(r#"{"type":"pong","id":19}"#))));
///
/// // Ours is the sixteen digits of the ping, and the answer is known by them.
/// let ping = liveness::Payload::from_digits("0123456789abcdef").ok_or("no payload")?;
/// dialect.ask(ping, &mut out);
/// assert_eq!(out.message(), Some(Message::Text(r#"{"type":"ping","id":"0123456789abcdef"}"#)));
/// let heard = dialect.hear(Message::Text(r#"{"type":"pong","id":"0123456789abcdef"}"#), &mut out);
/// assert_eq!(heard, Heard::Answer(ping));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Json {
    ping: Field,
    pong: Option<Field>,
    id: Option<&'static str>,
    with: Option<Field>,
    role: Role,
}

/// A field's name, and its value: a string, or in `with` any JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Field {
    name: &'static str,
    value: &'static str,
}

impl Json {
    /// A ping has the value `ping` in the field `key`, and an answer has the value `pong`. Either end asks and answers.
    #[must_use]
    pub const fn new(key: &'static str, ping: &'static str, pong: &'static str) -> Self {
        let (ping, pong) = (Field { name: key, value: ping }, Field { name: key, value: pong });
        Self { ping, pong: Some(pong), id: None, with: None, role: Role::Both }
    }

    /// A message with the value `beat` in the field `key` says that its sender is alive, and has no answer. Both ends send
    /// it and receive it.
    #[must_use]
    pub const fn beat(key: &'static str, beat: &'static str) -> Self {
        let ping = Field { name: key, value: beat };
        Self { ping, pong: None, id: None, with: None, role: Role::Both }
    }

    /// Identifies the answer by this field instead, with the same value: `{"method":"ping"}` and `{"channel":"pong"}`.
    #[must_use]
    pub const fn pong_key(mut self, key: &'static str) -> Self {
        if let Some(pong) = &mut self.pong {
            pong.name = key;
        }
        self
    }

    /// Sets the field of identifiers. The peer's identifier is written back, and ours is the ping's sixteen digits, as a
    /// string. An answer with another kind of identifier is data, because the program asked for it. An answer without one is
    /// [`Heard::SomeAnswer`].
    #[must_use]
    pub const fn id(mut self, key: &'static str) -> Self {
        self.id = Some(key);
        self
    }

    /// Sets the field of identifiers, for peers that want numbers. Ours are 1, 2, 3. An answer with any other number is
    /// data.
    #[must_use]
    pub const fn numbers(self, key: &'static str) -> NumberedJson {
        NumberedJson { json: self.id(key), asked: Asked::NOTHING, given: 0 }
    }

    /// Adds this field, with this JSON as its value, to every message that this end writes.
    #[must_use]
    pub const fn with(mut self, key: &'static str, json: &'static str) -> Self {
        self.with = Some(Field { name: key, value: json });
        self
    }

    /// Makes this end ask, and not answer.
    #[must_use]
    pub const fn only_asks(mut self) -> Self {
        self.role = Role::Asks;
        self
    }

    /// Makes this end answer, and never ask.
    #[must_use]
    pub const fn only_answers(mut self) -> Self {
        self.role = Role::Answers;
        self
    }

    /// Reads a message if it may be a ping or an answer.
    fn read<'a>(&self, message: Message<'a>) -> Option<JsonValue<'a>> {
        let values = [self.ping.value, self.pong.map_or(self.ping.value, |pong| pong.value)];
        JsonValue::read_if(message.text()?, &values)
    }

    fn is_pong(&self, value: JsonValue<'_>) -> bool {
        self.role != Role::Answers && self.pong.is_some_and(|pong| pong.is_in(value))
    }

    fn id_in<'a>(&self, value: JsonValue<'a>) -> Option<JsonValue<'a>> {
        value.field(self.id?)
    }

    /// Answers a ping.
    fn answer(&self, value: JsonValue<'_>, answer: &mut dyn Out) -> Heard {
        if self.role == Role::Asks || !self.ping.is_in(value) {
            return Heard::Data;
        }
        let id = self.id_in(value);
        if id.is_some_and(|id| id.raw().len() > LONGEST_ID) {
            return Heard::Data;
        }
        if let Some(pong) = self.pong {
            self.write(pong, id.map(JsonValue::raw), answer);
        }
        Heard::Beat
    }

    /// Writes an object. The identifier is already JSON.
    fn write(&self, field: Field, id: Option<&str>, out: &mut dyn Out) {
        let id = self.id.zip(id);
        out.text(format_args!("{}", Object { field, id, with: self.with }));
    }
}

impl Field {
    fn is_in(self, value: JsonValue<'_>) -> bool {
        value.field(self.name).is_some_and(|field| field.is(self.value))
    }
}

impl Dialect for Json {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let Some(value) = self.read(message) else { return Heard::Data };
        if !self.is_pong(value) {
            return self.answer(value, answer);
        }
        match self.id_in(value) {
            Some(id) => id.payload().map_or(Heard::Data, Heard::Answer),
            None => Heard::SomeAnswer,
        }
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        if !self.asks() {
            return false;
        }
        let id = self.id.map(|key| (key, Quoted(ping)));
        beat.text(format_args!("{}", Object { field: self.ping, id, with: self.with }));
        true
    }

    fn asks(&self) -> bool {
        self.role != Role::Answers
    }
}

/// A [`Json`] whose identifiers are numbers: [`Json::numbers`].
///
/// It remembers the numbers of its latest eight pings. An answer with another number is data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberedJson {
    json: Json,
    asked: Asked,
    given: u64,
}

impl NumberedJson {
    /// Asks with this number.
    pub(super) fn ask_with(&mut self, number: u64, ping: Payload, beat: &mut dyn Out) {
        self.asked.remember(number, ping);
        let id = self.json.id.map(|key| (key, number));
        beat.text(format_args!("{}", Object { field: self.json.ping, id, with: self.json.with }));
    }

    /// Classifies an object that is already parsed.
    pub(super) fn hear_value(&self, value: JsonValue<'_>, answer: &mut dyn Out) -> Heard {
        if !self.json.is_pong(value) {
            return self.json.answer(value, answer);
        }
        let number = self.json.id_in(value).and_then(JsonValue::number);
        number.map_or(Heard::Data, |number| self.asked.answered(number))
    }
}

impl Dialect for NumberedJson {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        self.json.read(message).map_or(Heard::Data, |value| self.hear_value(value, answer))
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        if !self.asks() {
            return false;
        }
        self.given = self.given.saturating_add(1);
        self.ask_with(self.given, ping, beat);
        true
    }

    fn asks(&self) -> bool {
        self.json.asks()
    }
}

/// An object as it goes on the wire.
struct Object<I> {
    field: Field,
    id: Option<(&'static str, I)>,
    with: Option<Field>,
}

impl<I: fmt::Display> fmt::Display for Object<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}:{}", Text(self.field.name), Text(self.field.value))?;
        if let Some(with) = self.with {
            write!(f, ",{}:{}", Text(with.name), with.value)?;
        }
        if let Some((key, id)) = &self.id {
            write!(f, ",{}:{id}", Text(key))?;
        }
        f.write_char('}')
    }
}

/// A payload as a JSON string.
struct Quoted(Payload);

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// A text as a JSON string (RFC 8259 7).
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\0'..='\u{1f}' => write!(f, "\\u{:04x}", u32::from(character))?,
                plain => f.write_char(plain)?,
            }
        }
        f.write_char('"')
    }
}
