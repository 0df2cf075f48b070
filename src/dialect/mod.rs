//! Heartbeats inside messages: which message is a heartbeat, how to answer it, and how to write our own.
//!
//! Many protocols over WebSockets have their own heartbeat, in ordinary messages: engine.io's `2` and `3`, GraphQL's
//! `{"type":"ping"}`, an exchange's `ping`. A [`Dialect`] knows one such protocol. It decides nothing about time: it says
//! what a message means ([`Heard`]), and the machine does the rest. Each protocol here has its own [`Config`], because the
//! schedule is as much a part of the protocol as the bytes. If your protocol uses Ping and Pong frames, you need no dialect.
//!
//! In this module, *to ask* means to send a ping in a message. A *beat* is a message that says that its sender is alive.
//!
//! `docs/dialects.md` lists the bytes of both ends of every protocol, and the reason for each number.
//!
//! # The loop
//!
//! Call [`hear`] for each message, [`handle`](crate::Liveness::handle) the event, and send the answer, if there is one. When
//! the machine wants a ping, [`ask`](Dialect::ask) writes the message to send.
//!
//! ```
//! use liveness::dialect::{self, Dialect, Heard, Message, OutBuffer, engine_io};
//! use liveness::{Action, Liveness, Timestamp};
//!
//! # struct Socket { sent: Vec<String> }
//! # impl Socket { fn send(&mut self, text: &str) { self.sent.push(text.into()); } }
//! /// A message has arrived. True: it was a heartbeat, and the program need not see it.
//! fn on_text(peer: &mut Liveness, dialect: &mut dyn Dialect, socket: &mut Socket, text: &str, now: Timestamp) -> bool {
//!     let mut answer = OutBuffer::new();
//!     let heard = dialect::hear(dialect, Message::Text(text), &mut answer);
//!     peer.handle(heard.event(peer.awaited().as_ref()), now);
//!     if let Some(Message::Text(answer)) = answer.message() {
//!         socket.send(answer);
//!     }
//!     heard != Heard::Data
//! }
//!
//! fn poll(peer: &mut Liveness, dialect: &mut dyn Dialect, socket: &mut Socket, now: Timestamp) {
//!     while let Some(action) = peer.poll(now) {
//!         if let Action::SendPing(payload) = action {
//!             let mut beat = OutBuffer::new();
//!             dialect.ask(payload, &mut beat); // false: this end never asks, and wrote nothing
//!             if let Some(Message::Text(beat)) = beat.message() {
//!                 socket.send(beat);
//!             }
//!         }
//!     }
//! }
//!
//! // A server of engine.io: it asks, and the answer names no ping.
//! let mut dialect = engine_io::server();
//! let mut socket = Socket { sent: Vec::new() };
//! let mut peer = Liveness::new(engine_io::SERVER_CONFIG, 7, Timestamp::ZERO);
//! poll(&mut peer, &mut dialect, &mut socket, Timestamp::from_secs(25));
//! assert_eq!(socket.sent, ["2"]);
//! assert!(on_text(&mut peer, &mut dialect, &mut socket, "3", Timestamp::from_secs(26)));
//! assert_eq!(peer.stats().answers, 1);
//! assert!(!on_text(&mut peer, &mut dialect, &mut socket, "4hello", Timestamp::from_secs(27)));
//! ```
//!
//! # In a driver
//!
//! Call `.dialect(..)` on a driver's socket: it does all of the above. `driver::tokio::LiveStream` (tokio-tungstenite, axum
//! and any other library), `driver::tungstenite::LiveSocket` and its `Connection` have it. They share
//! `session::Session::set_dialect`.
//!
//! ```
//! # use futures_util::{SinkExt, StreamExt};
//! # use tokio_tungstenite::{WebSocketStream, tungstenite::{Message, protocol::Role}};
//! use liveness::dialect::graphql::TransportWs;
//! use liveness::driver::tokio::LiveStream;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (ours, theirs) = tokio::io::duplex(1024);
//! # let socket = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
//! # let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
//! # client.send(Message::text(r#"{"type":"ping"}"#)).await?;
//! # client.send(Message::text(r#"{"type":"connection_init"}"#)).await?;
//! let mut socket = LiveStream::new(socket, TransportWs::SERVER_CONFIG).dialect(TransportWs);
//! // The stream answers the client's pings and sends its own. It returns neither.
//! let first = socket.next().await.ok_or("over")??;
//! assert_eq!(first.to_text()?, r#"{"type":"connection_init"}"#);
//! # Ok(())
//! # }
//! ```
//!
//! - *Order and bounds.* Answers go out in the order of their questions, before our ping and the program's messages. If a
//!   peer does not receive them, at most [`Limits::answers`](crate::session::Limits::answers) of them wait; then the driver
//!   stops reading.
//! - *An end that never asks* sends no ping and waits for no answer, whatever its config and a `probe` say: see
//!   [`asks`](Dialect::asks).
//! - *Ping and Pong frames* are still answered and still count: a frame is a sign of life under
//!   [`Evidence::AnyTraffic`](crate::Evidence::AnyTraffic), and never the answer to a ping in a message.
//! - *Pages and programs on one endpoint*: choose by the request's path, query or subprotocol. `LiveStream::dialect` has an
//!   example.
//! - *Numbers in the server's hello*: call `reconfigure`, or wrap the socket after the hello. `LiveStream::reconfigure`
//!   shows both.
//!
//! # The events
//!
//! | heard | event | because |
//! |---|---|---|
//! | [`Heard::Data`] | [`Event::Data`] | it is the program's message |
//! | [`Heard::Beat`] | [`Event::Ping`] | the peer asked, or said that it is alive |
//! | [`Heard::Answer`] | [`Event::Pong`] with its payload | it answers that ping, and all earlier ones |
//! | [`Heard::SomeAnswer`] | [`Event::Pong`] with [`awaited`](crate::Liveness::awaited) | messages keep their order, so it answers the oldest |
//! | [`Heard::SomeAnswer`], none awaited | [`Event::Pong`] without a payload | an unsolicited pong: traffic that draws on [`control_budget`](crate::Config::control_budget) |
//!
//! [`Heard::event`] is this table. Only `Data` renews [`idle_timeout`](crate::Config::idle_timeout).
//!
//! # A dialect of your own
//!
//! For two fixed texts use [`Exact`], and for two JSON objects use [`Json`]. For anything else write two methods. This one
//! asks a peer with `PING <id>`. The peer answers `PONG <id>`, and never asks:
//!
//! ```
//! use liveness::Payload;
//! use liveness::dialect::{Dialect, Heard, Message, Out};
//!
//! #[derive(Debug)]
//! struct Shouting;
//!
//! impl Dialect for Shouting {
//!     fn hear(&mut self, message: Message<'_>, _answer: &mut dyn Out) -> Heard {
//!         let Message::Text(text) = message else { return Heard::Data };
//!         let id = text.strip_prefix("PONG ").and_then(Payload::from_digits);
//!         id.map_or(Heard::Data, Heard::Answer)
//!     }
//!     fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
//!         beat.text(format_args!("PING {ping}"));
//!         true
//!     }
//! }
//! #
//! # let mut out = liveness::dialect::OutBuffer::new();
//! # let ping = Payload::from_digits("0123456789abcdef").unwrap();
//! # assert!(Shouting.ask(ping, &mut out));
//! # assert_eq!(out.message(), Some(Message::Text("PING 0123456789abcdef")));
//! # assert_eq!(Shouting.hear(Message::Text("PONG 0123456789abcdef"), &mut out), Heard::Answer(ping));
//! ```
//!
//! # What a dialect cannot see
//!
//! - *Compressed messages* (Discord's zlib) and *byte streams* (MQTT, NATS, AMQP), in which a message may hold parts of
//!   packets. The program's own codec finds the heartbeat and reports the event of the table. A driver's socket has `heard`
//!   for it.
//! - *Messages of more than* [`LONGEST`] *bytes*: they are data, and no dialect reads them.
//! - *Numbers in the server's hello*: read the hello before you make the machine, or
//!   [`reconfigure`](crate::Liveness::reconfigure) it. Each protocol with such numbers has a function that makes its config.

pub mod action_cable;
mod asked;
pub mod centrifugo;
mod configs;
pub mod ddp;
pub mod discord;
pub mod engine_io;
mod exact;
pub mod exchange;
pub mod graphql;
pub mod home_assistant;
mod json;
pub mod json_rpc;
mod json_value;
mod mute;
mod out;
pub mod phoenix;
pub mod ping_pong;
pub mod pusher;
pub mod signalr;
pub mod stomp;
mod text_heartbeats;

use core::fmt;

pub use self::exact::Exact;
pub use self::json::{Json, NumberedJson};
pub use self::json_value::JsonValue;
pub use self::mute::Mute;
#[cfg(feature = "alloc")]
pub use self::out::MessageBuf;
pub use self::out::OutBuffer;
pub use self::text_heartbeats::TextHeartbeats;
#[cfg(doc)]
use crate::config::Config;
use crate::event::Event;
use crate::payload::Payload;

/// The longest message that can be a heartbeat, in bytes: 256. A longer message is data, and no dialect reads it. So a large
/// message costs nothing, and an attacker cannot use one to cause work.
pub const LONGEST: usize = 256;

/// A data message that arrived, or that will be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has no third kind of data message")]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The text, if it is a text message.
    #[must_use]
    pub const fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The bytes of a message of either kind.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// What a message means to the heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "an event that is not reported has no effect"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver that ignores a new kind would be wrong; it must not compile"
)]
pub enum Heard {
    /// It is not a heartbeat, but the program's.
    Data,
    /// The peer asks, or says that it is alive. The answer, if there is one, has been written.
    Beat,
    /// The answer to the ping with this payload.
    Answer(Payload),
    /// The answer to one of our pings. It does not say to which.
    SomeAnswer,
}

impl Heard {
    /// The event for the machine. `awaited` is the machine's [`awaited`](crate::Liveness::awaited), asked at this moment.
    ///
    /// ```
    /// use liveness::dialect::Heard;
    /// use liveness::{Config, Event, Liveness, Timestamp};
    ///
    /// let mut peer = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
    /// peer.handle(Heard::Beat.event(peer.awaited().as_ref()), Timestamp::ZERO);
    ///
    /// // An answer, but nothing was asked: a pong without a payload.
    /// assert_eq!(Heard::SomeAnswer.event(peer.awaited().as_ref()), Event::Pong(b""));
    /// ```
    #[must_use]
    pub const fn event<'a>(&'a self, awaited: Option<&'a Payload>) -> Event<'a> {
        match (self, awaited) {
            (Self::Data, _) => Event::Data,
            (Self::Beat, _) => Event::Ping,
            (Self::Answer(payload), _) | (Self::SomeAnswer, Some(payload)) => Event::Pong(payload.as_bytes()),
            (Self::SomeAnswer, None) => Event::Pong(&[]),
        }
    }
}

/// The place where a dialect writes a message to send. Each call is one message. A dialect writes at most one at a time.
///
/// [`OutBuffer`] is an implementation without an allocation. `Option<MessageBuf>` is another (feature `alloc`).
pub trait Out {
    /// Writes a text message.
    fn text(&mut self, text: fmt::Arguments<'_>);
    /// Writes a binary message.
    fn binary(&mut self, bytes: &[u8]);
}

/// A heartbeat inside messages: which message is one, and how to write our own. The [module](self) shows the loop around it.
///
/// Identifiers and sequence numbers are kept in `&mut self`. Each connection needs a new dialect, as it needs a new machine.
pub trait Dialect {
    /// Reads a message that arrived. Writes the answer, if the message needs one; send it at once.
    ///
    /// Unless the result is [`Heard::Data`], the message is a heartbeat, and the program need not see it. Call this through
    /// [`hear`], which checks the length first.
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard;

    /// Writes the ping of an [`Action::SendPing`](crate::Action::SendPing).
    ///
    /// False: this end of the protocol never asks, and wrote nothing. Its config has no pings and no `timeout`, so a
    /// [`probe`](crate::Liveness::probe) has no effect. A driver that reports [`Event::PingSent`] reports it at once.
    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool;

    /// Whether this end of the protocol ever asks: what [`ask`](Self::ask) returns, known before the first ping. True by
    /// default.
    ///
    /// If it is false, a driver sets up the machine so that it sends no pings, whatever its config says.
    fn asks(&self) -> bool {
        true
    }
}

impl<D: Dialect + ?Sized> Dialect for &mut D {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        (**self).hear(message, answer)
    }
    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        (**self).ask(ping, beat)
    }
    fn asks(&self) -> bool {
        (**self).asks()
    }
}

#[cfg(feature = "alloc")]
impl<D: Dialect + ?Sized> Dialect for alloc::boxed::Box<D> {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        (**self).hear(message, answer)
    }
    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        (**self).ask(ping, beat)
    }
    fn asks(&self) -> bool {
        (**self).asks()
    }
}

/// Calls [`Dialect::hear`], unless the message is longer than [`LONGEST`]: then it is data.
pub fn hear(dialect: &mut dyn Dialect, message: Message<'_>, answer: &mut dyn Out) -> Heard {
    if message.as_bytes().len() > LONGEST {
        return Heard::Data;
    }
    dialect.hear(message, answer)
}

/// What an end of a protocol does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    /// It asks, and answers.
    Both,
    /// It asks. What the peer asks is the program's.
    Asks,
    /// It answers, or only receives the peer's beat. It never asks.
    Answers,
}
