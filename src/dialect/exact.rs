//! Heartbeats that are always the same bytes.

use super::{Dialect, Heard, Message, Out, Role};
use crate::payload::Payload;

/// Two fixed messages: one that asks, and one that answers. Or one fixed message: a beat without an answer.
///
/// A message is a heartbeat only if it is equal to one of them, and of the same kind. Answers name no ping:
/// [`Heard::SomeAnswer`].
///
/// ```
/// use liveness::dialect::{Dialect as _, Exact, Heard, Message, OutBuffer};
///
/// // Either end asks.
/// let mut both = Exact::text("ping", "pong");
/// let mut answer = OutBuffer::new();
/// assert_eq!(both.hear(Message::Text("ping"), &mut answer), Heard::Beat);
/// assert_eq!(answer.message(), Some(Message::Text("pong")));
/// assert_eq!(both.hear(Message::Text("pong"), &mut answer), Heard::SomeAnswer);
/// assert_eq!(both.hear(Message::Text("ping "), &mut answer), Heard::Data);
///
/// // This end only asks: what the peer asks is the program's.
/// let mut asks = Exact::text("ping", "pong").only_asks();
/// assert_eq!(asks.hear(Message::Text("ping"), &mut answer), Heard::Data);
///
/// // A beat that nobody answers.
/// let mut beat = Exact::text_beat("h").only_answers();
/// assert_eq!(beat.hear(Message::Text("h"), &mut answer), Heard::Beat);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exact {
    ping: Message<'static>,
    pong: Option<Message<'static>>,
    role: Role,
}

impl Exact {
    /// Two text messages. Either end asks and answers. If both are the same text, say what this end does, with
    /// [`only_asks`](Self::only_asks) or [`only_answers`](Self::only_answers). Otherwise it takes every one for an answer.
    #[must_use]
    pub const fn text(ping: &'static str, pong: &'static str) -> Self {
        Self { ping: Message::Text(ping), pong: Some(Message::Text(pong)), role: Role::Both }
    }

    /// Two binary messages: see [`text`](Self::text).
    #[must_use]
    pub const fn binary(ping: &'static [u8], pong: &'static [u8]) -> Self {
        Self { ping: Message::Binary(ping), pong: Some(Message::Binary(pong)), role: Role::Both }
    }

    /// A text message that says that its sender is alive, and has no answer. Both ends send it and receive it.
    #[must_use]
    pub const fn text_beat(beat: &'static str) -> Self {
        Self { ping: Message::Text(beat), pong: None, role: Role::Both }
    }

    /// A binary message: see [`text_beat`](Self::text_beat).
    #[must_use]
    pub const fn binary_beat(beat: &'static [u8]) -> Self {
        Self { ping: Message::Binary(beat), pong: None, role: Role::Both }
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
}

fn write(message: Message<'_>, out: &mut dyn Out) {
    match message {
        Message::Text(text) => out.text(format_args!("{text}")),
        Message::Binary(bytes) => out.binary(bytes),
    }
}

impl Dialect for Exact {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        if self.role != Role::Answers && self.pong == Some(message) {
            return Heard::SomeAnswer;
        }
        if self.role == Role::Asks || self.ping != message {
            return Heard::Data;
        }
        if let Some(pong) = self.pong {
            write(pong, answer);
        }
        Heard::Beat
    }

    fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
        if !self.asks() {
            return false;
        }
        write(self.ping, beat);
        true
    }

    fn asks(&self) -> bool {
        self.role != Role::Answers
    }
}
