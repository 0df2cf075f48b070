//! Heartbeats inside messages: which message is one, what answers it, and how ours is written.
//!
//! Many protocols over WebSockets have a heartbeat of their own, in ordinary messages: engine.io's `2` and `3`, GraphQL's
//! `{"type":"ping"}`, an exchange's `ping`. A [`Dialect`] knows one of them. It decides nothing about time: it says what a
//! message means ([`Heard`]), and the machine does the rest. Each protocol here brings the [`Config`] that goes with it, because
//! the schedule belongs to the protocol as much as the bytes do.
//!
//! The gallery with the bytes of both ends, and the reasons for each number, is `docs/dialects.md`.
//!
//! # The loop
//!
//! [`hear`] each message, [`handle`](crate::Liveness::handle) what it means, write the answer that is owed. Where the machine
//! wants a ping, [`ask`](Dialect::ask) for the message to send.
//!
//! ```
//! use liveness::dialect::{self, Dialect, Heard, Message, OutBuffer, engine_io};
//! use liveness::{Action, Liveness, Timestamp};
//!
//! # struct Socket { sent: Vec<String> }
//! # impl Socket { fn send(&mut self, text: &str) { self.sent.push(text.into()); } }
//! /// A message has arrived. True: it was the heartbeat's, and the program need not see it.
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
//!             dialect.ask(payload, &mut beat); // false: this end never asks, and nothing is written
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
//! `.dialect(..)` on a driver's socket is all of the above. It is there on `driver::tokio::LiveStream` (tokio-tungstenite, axum and any
//! other library), on `driver::tungstenite::LiveSocket` and on its `Connection`; `session::Session::set_dialect` is what they share.
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
//! // The client's pings are answered, ours are sent, and neither is shown.
//! let first = socket.next().await.ok_or("over")??;
//! assert_eq!(first.to_text()?, r#"{"type":"connection_init"}"#);
//! # Ok(())
//! # }
//! ```
//!
//! - *Order and bounds.* Answers go out in the order of their questions, before our ping and the program's messages. Of a peer that
//!   takes none, as many wait as [`Limits::answers`](crate::session::Limits::answers) says; then it is not read.
//! - *An end that never asks* sends no ping and waits for no answer, whatever its config and a `probe` say: see
//!   [`asks`](Dialect::asks).
//! - *Frames beside it* are answered as ever and count as ever: a Ping or a Pong frame is a sign of life under
//!   [`Evidence::AnyTraffic`](crate::Evidence::AnyTraffic), and no answer to a ping in a message.
//! - *Pages and programs on one endpoint*: the request says which it is, by its path, its query or its subprotocol. `LiveStream::dialect`
//!   has the lines.
//! - *Numbers of the server's hello*: `reconfigure`, or wrap the socket after the hello. `LiveStream::reconfigure` has both.
//!
//! # What an event it is
//!
//! | heard | handed in | because |
//! |---|---|---|
//! | [`Heard::Data`] | [`Event::Data`] | it is the program's message |
//! | [`Heard::Beat`] | [`Event::Ping`] | the peer asked, or told that it lives |
//! | [`Heard::Answer`] | [`Event::Pong`] with its payload | it answers that ping, and all before it |
//! | [`Heard::SomeAnswer`] | [`Event::Pong`] with [`awaited`](crate::Liveness::awaited) | messages keep their order: it answers the oldest |
//! | [`Heard::SomeAnswer`], none awaited | [`Event::Pong`] of nothing | a pong that nobody asked for: traffic that draws on [`control_budget`](crate::Config::control_budget) |
//!
//! [`Heard::event`] is this table. Only what is `Data` puts off [`idle_timeout`](crate::Config::idle_timeout).
//!
//! # A dialect of one's own
//!
//! Two fixed texts are [`Exact`], and two JSON objects are [`Json`]. Anything else is two methods. Here a peer is asked with
//! `PING <id>` and answers `PONG <id>`, and is never answered itself:
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
//! - *Compressed messages* (Discord's zlib) and *byte streams* (MQTT, NATS, AMQP), where a packet is no message: the program's
//!   own codec finds the heartbeat, and hands in the event of the table. A driver's socket has `heard` for it.
//! - *What is longer than* [`LONGEST`] *bytes*: it is data, and nobody looks into it.
//! - *Numbers that the server's hello announces*: read the hello before the machine is made, or
//!   [`reconfigure`](crate::Liveness::reconfigure) it. Each protocol with such numbers has a function for its config.

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

/// The longest message that can be a heartbeat, in bytes: 256. What is longer is data, and is not looked into. So a large message
/// costs nothing, and there is nothing for an attacker to aim at.
pub const LONGEST: usize = 256;

/// A data message, as it arrived or as it is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has no third kind of data message")]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The text, if it is one.
    #[must_use]
    pub const fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Its bytes, of either kind.
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
#[must_use = "a message that was not handed in was not heard"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver that ignores a new kind would be wrong; it must not compile"
)]
pub enum Heard {
    /// Nothing: it is the program's.
    Data,
    /// The peer asks, or tells that it lives. The answer that it is owed, if any, has been written.
    Beat,
    /// The answer to the ping with this payload.
    Answer(Payload),
    /// The answer to one of our pings, and it does not say to which.
    SomeAnswer,
}

impl Heard {
    /// What to hand to the machine. `awaited` is the machine's [`awaited`](crate::Liveness::awaited), asked at this moment.
    ///
    /// ```
    /// use liveness::dialect::Heard;
    /// use liveness::{Config, Event, Liveness, Timestamp};
    ///
    /// let mut peer = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
    /// peer.handle(Heard::Beat.event(peer.awaited().as_ref()), Timestamp::ZERO);
    ///
    /// // An answer, and nothing was asked: a pong of nothing.
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

/// Where a dialect writes what is to be sent. Each call is one message; a dialect writes at most one at a time.
///
/// [`OutBuffer`] is one without an allocation; a socket's queue is another.
pub trait Out {
    /// A text message.
    fn text(&mut self, text: fmt::Arguments<'_>);
    /// A binary message.
    fn binary(&mut self, bytes: &[u8]);
}

/// A heartbeat inside messages: which message is one, and how ours is written. The [module](self) shows the loop around it.
///
/// Identifiers and sequence numbers live in `&mut self`. A new connection is a new dialect, as it is a new machine.
pub trait Dialect {
    /// Reads a message that arrived. Writes the answer that it is owed, which is to be sent at once.
    ///
    /// A message that means anything but [`Heard::Data`] is the heartbeat's, and the program need not see it. Call it through
    /// [`hear`], which looks at the length first.
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard;

    /// Writes the message that asks the peer, for [`Action::SendPing`](crate::Action::SendPing).
    ///
    /// False: this end of the protocol never asks, and nothing was written. Its config has no pings and no `timeout`, so a
    /// [`probe`](crate::Liveness::probe) does nothing there. A driver that reports [`Event::PingSent`] does so at once.
    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool;

    /// Whether this end of the protocol ever asks: what [`ask`](Self::ask) returns, known before there is a ping. By default it
    /// does.
    ///
    /// Where it does not, a driver makes the machine one that sends no pings, whatever its config says, and no ping is ever
    /// handed out.
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

/// Lets a dialect hear a message, unless it is longer than [`LONGEST`]: then it is data, unlooked.
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
    /// It answers, or only hears the peer's beat. It never asks.
    Answers,
}
