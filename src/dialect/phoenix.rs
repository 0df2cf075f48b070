//! Phoenix Channels, and Supabase's realtime, which uses them.
//!
//! ```text
//! client: [null,"2","phoenix","heartbeat",{}]
//! server: [null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]
//! ```
//!
//! That is the serializer of version 2.0.0. The older one sends an object with `topic`, `event`, `payload` and `ref`. Only
//! the client asks. The client chooses the second element, `ref`, a string, and the reply repeats it. Here it is `live` and
//! the ping's sixteen digits, which no counter of the program returns.
//!
//! Source: phoenix 1.8.16 (`assets/js/phoenix/socket.js`, `serializer.js`; `Phoenix.Endpoint.socket/3`, `:timeout`), and
//! "Writing a Channels Client" of its guides.

use core::time::Duration;

use super::configs::{asks, listens};
use super::json_value::{LONGEST_ID, OURS};
use super::{Dialect, Heard, JsonValue, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// The client's end: it asks.
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, phoenix};
///
/// let mut dialect = phoenix::Client::new();
/// let ping = liveness::Payload::from_digits("0123456789abcdef").ok_or("no payload")?;
/// let mut beat = OutBuffer::new();
/// assert!(dialect.ask(ping, &mut beat));
/// assert_eq!(beat.message(), Some(Message::Text(r#"[null,"live0123456789abcdef","phoenix","heartbeat",{}]"#)));
/// let reply = r#"[null,"live0123456789abcdef","phoenix","phx_reply",{"status":"ok","response":{}}]"#;
/// assert_eq!(dialect.hear(Message::Text(reply), &mut beat), Heard::Answer(ping));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    version: Version,
}

/// The server's end: it answers in the serializer of the question, and never asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing inside, and never will")]
pub struct Server;

/// The serializer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Version {
    Arrays,
    Objects,
}

impl Client {
    /// A heartbeat every 30 s, whatever else is sent, and 30 s to answer: the official client's numbers, whose timeout is
    /// its interval. The server closes a client from which it received nothing for 60 s.
    pub const CONFIG: Config = asks(Duration::from_secs(30), Duration::from_secs(30));

    /// A heartbeat every 25 s, and 25 s to answer: @supabase/realtime-js.
    pub const SUPABASE_CONFIG: Config = asks(Duration::from_secs(25), Duration::from_secs(25));

    /// A client for `vsn=2.0.0`.
    #[must_use]
    pub const fn new() -> Self {
        Self { version: Version::Arrays }
    }

    /// A client for `vsn=1.0.0`.
    #[must_use]
    pub const fn version_1() -> Self {
        Self { version: Version::Objects }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Offline after 60 s of silence: Phoenix's `:timeout`.
    pub const CONFIG: Config = listens(Duration::from_secs(60));
}

/// The part that a heartbeat and its reply have in common.
#[derive(Clone, Copy)]
struct Envelope<'a> {
    id: JsonValue<'a>,
    event: JsonValue<'a>,
    version: Version,
}

impl<'a> Envelope<'a> {
    /// A message of the topic `phoenix`.
    fn read(message: Message<'a>) -> Option<Self> {
        let value = JsonValue::read_if(message.text()?, &[TOPIC])?;
        let (topic, id, event, version) = if value.is_object() {
            (value.field("topic")?, value.field("ref")?, value.field("event")?, Version::Objects)
        } else {
            (value.element(2)?, value.element(1)?, value.element(3)?, Version::Arrays)
        };
        topic.is(TOPIC).then_some(Self { id, event, version })
    }
}

/// The topic of all heartbeats.
const TOPIC: &str = "phoenix";

impl Dialect for Client {
    fn hear(&mut self, message: Message<'_>, _: &mut dyn Out) -> Heard {
        let Some(envelope) = Envelope::read(message) else { return Heard::Data };
        if !envelope.event.is("phx_reply") {
            return Heard::Data;
        }
        envelope.id.ours().map_or(Heard::Data, Heard::Answer)
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        match self.version {
            Version::Arrays => beat.text(format_args!(r#"[null,"{OURS}{ping}","phoenix","heartbeat",{{}}]"#)),
            Version::Objects => beat.text(format_args!(
                r#"{{"topic":"phoenix","event":"heartbeat","payload":{{}},"ref":"{OURS}{ping}"}}"#
            )),
        }
        true
    }
}

impl Dialect for Server {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        let Some(Envelope { id, event, version }) = Envelope::read(message) else { return Heard::Data };
        let id = id.raw();
        if !event.is("heartbeat") || id.len() > LONGEST_ID {
            return Heard::Data;
        }
        match version {
            Version::Arrays => answer.text(format_args!(
                r#"[null,{id},"phoenix","phx_reply",{{"status":"ok","response":{{}}}}]"#
            )),
            Version::Objects => answer.text(format_args!(
                r#"{{"topic":"phoenix","event":"phx_reply","payload":{{"status":"ok","response":{{}}}},"ref":{id}}}"#
            )),
        }
        Heard::Beat
    }

    fn ask(&mut self, _: Payload, _: &mut dyn Out) -> bool {
        false
    }

    fn asks(&self) -> bool {
        false
    }
}
