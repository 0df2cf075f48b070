//! A heartbeat in text messages, for a peer whose program can neither send nor see Ping frames.

use core::fmt;

use crate::event::Event;
use crate::payload::Payload;

/// A ping or a pong in a text message. A page's script needs it, because it can neither send nor see Ping and Pong frames,
/// and the browser answers them even if the page hangs or is frozen.
///
/// ```text
/// ping 0123456789abcdef     16 hexadecimal digits, chosen by the end that asks
/// pong 0123456789abcdef     the answer, with the same digits, at once
/// ```
///
/// Either end may ask. In a page without a library, this line answers:
///
/// ```text
/// socket.onmessage = ({ data }) => data.startsWith("ping ") ? socket.send(data.replace("ping", "pong")) : hear(data);
/// ```
///
/// The dialect [`TextHeartbeats`](crate::dialect::TextHeartbeats) uses it: `.dialect(TextHeartbeats)` on a driver's socket
/// does everything. Your own loop does the same:
///
/// ```
/// use liveness::{Action, Config, Event, Liveness, TextHeartbeat, Timestamp};
///
/// /// Takes a text message. Returns what to send back, or the message if it belongs to the application.
/// fn hear(peer: &mut Liveness, text: &str, now: Timestamp) -> Result<Option<String>, String> {
///     let heartbeat = TextHeartbeat::parse(text);
///     peer.handle(heartbeat.as_ref().map_or(Event::Data, TextHeartbeat::event), now);
///     match heartbeat {
///         Some(heartbeat) => Ok(heartbeat.answer().map(|answer| answer.to_string())),
///         None => Err(text.to_owned()),
///     }
/// }
///
/// let start = Timestamp::ZERO;
/// let mut peer = Liveness::new(Config::DEFAULT, 7, start);
/// peer.probe(start);
/// let _online = peer.poll(start);
/// let Some(Action::SendPing(payload)) = peer.poll(start) else { panic!("it was asked to") };
/// let ping = TextHeartbeat::Ping(payload).to_string(); // send it as a text message
/// assert_eq!(hear(&mut peer, &ping.replace("ping", "pong"), start), Ok(None));
/// assert_eq!(peer.stats().answers, 1);
///
/// assert_eq!(hear(&mut peer, "ping 00000000000000ff", start), Ok(Some("pong 00000000000000ff".into())));
/// assert_eq!(hear(&mut peer, "ping", start), Err("ping".into())); // a message of the application
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller that reads these must handle all of them")]
pub enum TextHeartbeat {
    /// The ping with this payload.
    Ping(Payload),
    /// The answer to the ping with this payload.
    Pong(Payload),
}

impl TextHeartbeat {
    /// Reads a text message. `None`: the message has another form, so it belongs to the application.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, digits) = text.split_once(' ')?;
        let payload = Payload::from_digits(digits)?;
        match kind {
            "ping" => Some(Self::Ping(payload)),
            "pong" => Some(Self::Pong(payload)),
            _ => None,
        }
    }

    /// The event for the machine when this has arrived.
    #[must_use]
    pub const fn event(&self) -> Event<'_> {
        match self {
            Self::Ping(_) => Event::Ping,
            Self::Pong(payload) => Event::Pong(payload.as_bytes()),
        }
    }

    /// What to send back, at once. If several pings wait, only the newest needs an answer (as RFC 6455 5.5.3 says for
    /// frames), because an answer counts for all earlier pings.
    #[must_use]
    pub const fn answer(&self) -> Option<Self> {
        match self {
            Self::Ping(payload) => Some(Self::Pong(*payload)),
            Self::Pong(_) => None,
        }
    }
}

/// Writes the text message.
impl fmt::Display for TextHeartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(payload) => write!(f, "ping {payload}"),
            Self::Pong(payload) => write!(f, "pong {payload}"),
        }
    }
}
