//! A heartbeat in text messages, for peers whose program can neither send nor see a Ping.

use core::fmt;

use crate::event::Event;
use crate::payload::Payload;

/// A ping or a pong that is a text message: a page's script can neither send nor see the frames of that name, and its
/// browser answers them for a page that hangs or is frozen too.
///
/// ```text
/// ping 0123456789abcdef     16 hexadecimal digits, chosen by the end that asks
/// pong 0123456789abcdef     the answer, with the same digits, at once
/// ```
///
/// Either end may ask. What answers, in a page that brings no library along, is one line:
///
/// ```text
/// socket.onmessage = ({ data }) => data.startsWith("ping ") ? socket.send(data.replace("ping", "pong")) : hear(data);
/// ```
///
/// As a dialect it is [`TextHeartbeats`](crate::dialect::TextHeartbeats): `.dialect(TextHeartbeats)` on a driver's socket does all of
/// it. A loop of one's own does what they do:
///
/// ```
/// use liveness::{Action, Config, Event, Liveness, TextHeartbeat, Timestamp};
///
/// /// Hears a text message; returns what to send back, or the message if it is the application's.
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
/// let ping = TextHeartbeat::Ping(payload).to_string(); // to be sent as a text message
/// assert_eq!(hear(&mut peer, &ping.replace("ping", "pong"), start), Ok(None));
/// assert_eq!(peer.stats().answers, 1);
///
/// assert_eq!(hear(&mut peer, "ping 00000000000000ff", start), Ok(Some("pong 00000000000000ff".into())));
/// assert_eq!(hear(&mut peer, "ping", start), Err("ping".into())); // somebody's word
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller that reads these must know all of them")]
pub enum TextHeartbeat {
    /// The question.
    Ping(Payload),
    /// The answer to the ping with this payload.
    Pong(Payload),
}

impl TextHeartbeat {
    /// Reads a text message: `None` for all that is not exactly of this form, which is the application's.
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

    /// What to hand to the machine when this has arrived.
    #[must_use]
    pub const fn event(&self) -> Event<'_> {
        match self {
            Self::Ping(_) => Event::Ping,
            Self::Pong(payload) => Event::Pong(payload.as_bytes()),
        }
    }

    /// What to send back, at once. Of several pings that wait for it only the newest must be answered (as RFC 6455 5.5.3
    /// has it for frames): an answer settles all before it.
    #[must_use]
    pub const fn answer(&self) -> Option<Self> {
        match self {
            Self::Ping(payload) => Some(Self::Pong(*payload)),
            Self::Pong(_) => None,
        }
    }
}

/// The text message.
impl fmt::Display for TextHeartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(payload) => write!(f, "ping {payload}"),
            Self::Pong(payload) => write!(f, "pong {payload}"),
        }
    }
}
