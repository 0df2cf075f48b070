//! Heartbeats inside messages: what is on the wire, and the lives that follow from it.

mod gallery;
mod json;
mod laws;
mod lives;
mod pair;
mod peers;
mod tables;
mod wire;

use liveness::Payload;
use liveness::dialect::{Dialect, Heard, Message, Out};

/// A message that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Text(String),
    Binary(Vec<u8>),
}

impl Written {
    pub(crate) fn message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

/// Keeps everything that is written.
#[derive(Debug, Default)]
pub(crate) struct Sent(pub(crate) Vec<Written>);

impl Out for Sent {
    fn text(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.push(Written::Text(text.to_string()));
    }
    fn binary(&mut self, bytes: &[u8]) {
        self.0.push(Written::Binary(bytes.to_vec()));
    }
}

/// What a message means to a dialect, and the dialect's answer.
pub(crate) fn heard(dialect: &mut dyn Dialect, message: Message<'_>) -> (Heard, Vec<Written>) {
    let mut sent = Sent::default();
    let heard = liveness::dialect::hear(dialect, message, &mut sent);
    (heard, sent.0)
}

/// A dialect's ping; `None` if it never asks.
pub(crate) fn asked(dialect: &mut dyn Dialect, ping: Payload) -> Option<Written> {
    let mut sent = Sent::default();
    let asks = dialect.ask(ping, &mut sent);
    assert_eq!(usize::from(asks), sent.0.len(), "it asks with one message, or says that it does not");
    sent.0.pop()
}

pub(crate) fn payload(digits: &str) -> Payload {
    Payload::from_digits(digits).unwrap()
}
