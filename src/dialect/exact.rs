//! Heartbeats that are always the same bytes.

use super::{Dialect, Heard, Message, Out, Role};
use crate::payload::Payload;

/// Two fixed messages: one that asks and one that answers; or one that tells, and nobody answers.
///
/// A message is the heartbeat's only if it is exactly one of them, of the same kind. Answers name no ping: [`Heard::SomeAnswer`].
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
    /// These two text messages. Either end asks and answers. Where both are the same text, an end must be told what it does:
    /// [`only_asks`](Self::only_asks) or [`only_answers`](Self::only_answers); else it takes each for an answer.
    #[must_use]
    pub const fn text(ping: &'static str, pong: &'static str) -> Self {
        Self { ping: Message::Text(ping), pong: Some(Message::Text(pong)), role: Role::Both }
    }

    /// These two binary messages, as [`text`](Self::text) has it.
    #[must_use]
    pub const fn binary(ping: &'static [u8], pong: &'static [u8]) -> Self {
        Self { ping: Message::Binary(ping), pong: Some(Message::Binary(pong)), role: Role::Both }
    }

    /// This text message tells that its sender lives, and is not answered. Both ends send it, and hear it.
    #[must_use]
    pub const fn text_beat(beat: &'static str) -> Self {
        Self { ping: Message::Text(beat), pong: None, role: Role::Both }
    }

    /// This binary message, as [`text_beat`](Self::text_beat) has it.
    #[must_use]
    pub const fn binary_beat(beat: &'static [u8]) -> Self {
        Self { ping: Message::Binary(beat), pong: None, role: Role::Both }
    }

    /// This end asks, and does not answer.
    #[must_use]
    pub const fn only_asks(mut self) -> Self {
        self.role = Role::Asks;
        self
    }

    /// This end answers, and never asks.
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
