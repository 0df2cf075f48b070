//! This crate's own heartbeat in text messages.

use super::{Dialect, Heard, Message, Out};
use crate::payload::Payload;
use crate::text_heartbeat::TextHeartbeat;

/// This crate's heartbeat in text messages, [`TextHeartbeat`]: `ping 0123456789abcdef`, and `pong` with the same digits.
/// Either end may ask. It works with any config, because an answer names its ping.
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, TextHeartbeats};
///
/// let mut out = OutBuffer::new();
/// let heard = TextHeartbeats.hear(Message::Text("ping 00000000000000ff"), &mut out);
/// assert_eq!((heard, out.message()), (Heard::Beat, Some(Message::Text("pong 00000000000000ff"))));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing inside, and never will")]
pub struct TextHeartbeats;

impl Dialect for TextHeartbeats {
    fn hear(&mut self, message: Message<'_>, answer: &mut dyn Out) -> Heard {
        match message.text().and_then(TextHeartbeat::parse) {
            Some(TextHeartbeat::Ping(payload)) => {
                answer.text(format_args!("{}", TextHeartbeat::Pong(payload)));
                Heard::Beat
            }
            Some(TextHeartbeat::Pong(payload)) => Heard::Answer(payload),
            None => Heard::Data,
        }
    }

    fn ask(&mut self, ping: Payload, beat: &mut dyn Out) -> bool {
        beat.text(format_args!("{}", TextHeartbeat::Ping(ping)));
        true
    }
}
