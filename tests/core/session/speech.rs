//! How a connection's heartbeat is spoken: what the session is given, and what the reference makes of it by itself.

use std::time::Duration;

use liveness::dialect::{Dialect, Exact, Heard, Message, MessageBuf, Out, TextHeartbeats};
use liveness::session::{Outbound, Session};
use liveness::{Config, Observed, Payload, Suspicion, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    Frames,
    /// `ping` and sixteen digits, `pong` and the same.
    Texts,
    /// `2` and `3`, and no digits.
    Fixed,
    /// It answers `2`, and never asks.
    Listens,
    /// The same, and it does not say so before it is asked to ask.
    Refuses,
}

/// An end of one's own, by the two methods that there must be.
struct Refusing;

impl Dialect for Refusing {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        Exact::text("2", "3").only_answers().hear(message, answer)
    }
    fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
        false
    }
}

impl Speech {
    pub(crate) fn give_to(self, session: &mut Session<u32>, machine: &mut Observed, now: Timestamp) {
        match self {
            Self::Frames => {}
            Self::Texts => session.set_dialect(TextHeartbeats, machine, now),
            Self::Fixed => session.set_dialect(Exact::text("2", "3"), machine, now),
            Self::Listens => session.set_dialect(Exact::text("2", "3").only_answers(), machine, now),
            Self::Refuses => session.set_dialect(Refusing, machine, now),
        }
    }

    /// What a message means, and what is answered. `None`: it is the caller's.
    pub(crate) fn hears(self, said: &str) -> Option<(Heard, Option<MessageBuf>)> {
        let text = |text: String| Some(MessageBuf::Text(text));
        let digits = said.get(5..).and_then(Payload::from_digits);
        match (self, said, digits) {
            (Self::Texts, _, Some(digits)) if said.starts_with("ping ") => {
                Some((Heard::Beat, text(format!("pong {digits}"))))
            }
            (Self::Texts, _, Some(digits)) if said.starts_with("pong ") => {
                Some((Heard::Answer(digits), None))
            }
            (Self::Fixed | Self::Listens | Self::Refuses, "2", _) => Some((Heard::Beat, text("3".into()))),
            (Self::Fixed, "3", _) => Some((Heard::SomeAnswer, None)),
            _ => None,
        }
    }

    /// Our ping. `None`: it is not written.
    pub(crate) fn asks(self, ping: Payload) -> Option<Outbound> {
        match self {
            Self::Frames => Some(Outbound::Ping(ping)),
            Self::Texts => Some(Outbound::Beat(MessageBuf::Text(format!("ping {ping}")))),
            Self::Fixed => Some(Outbound::Beat(MessageBuf::Text("2".into()))),
            Self::Listens | Self::Refuses => None,
        }
    }

    /// The peer's ping, as it says it.
    pub(crate) fn ping(self) -> &'static str {
        if self == Self::Texts { "ping 00000000000000ff" } else { "2" }
    }

    /// The peer's answer to this ping, as it says it.
    pub(crate) fn pong(self, ping: Payload) -> String {
        if self == Self::Texts { format!("pong {ping}") } else { "3".into() }
    }
}

/// The ping of our own message.
pub(crate) fn ping_in(message: &MessageBuf) -> Option<Payload> {
    Payload::from_digits(message.as_message().text()?.strip_prefix("ping ")?)
}

/// These settings, and no pings.
pub(crate) fn listening(config: Config) -> Config {
    let never = Duration::MAX;
    let builder = config.to_builder().interval(never).timeout(never).probe_timeout(never);
    builder.suspicion(Suspicion::Never).build().unwrap()
}
