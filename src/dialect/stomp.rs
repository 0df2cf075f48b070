//! STOMP 1.2 over WebSockets.
//!
//! ```text
//! client: CONNECT … heart-beat:10000,10000
//! server: CONNECTED … heart-beat:0,10000
//! either: \n                                 a message of one end-of-line; no answer
//! ```
//!
//! Each end says how often it can send and how often it wants to receive, in milliseconds; 0 means never. In each direction
//! the slower of the two numbers applies, or there are no beats.
//!
//! Source: "STOMP Protocol Specification, Version 1.2", "Heart-beating"; @stomp/stompjs 7.5.0.

use core::time::Duration;

use super::configs::{beats, takes_any_number};
use super::{Dialect, Heard, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// Either end.
///
/// ```
/// use liveness::dialect::{Dialect as _, Heard, Message, OutBuffer, stomp};
///
/// let mut out = OutBuffer::new();
/// assert_eq!(stomp::Stomp.hear(Message::Text("\n"), &mut out), Heard::Beat);
/// assert_eq!(stomp::Stomp.hear(Message::Text("MESSAGE\n\n\0"), &mut out), Heard::Data);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing inside, and never will")]
pub struct Stomp;

/// The two numbers of a `heart-beat` header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the header has two numbers")]
pub struct HeartBeat {
    /// The shortest time between two of its own beats. Zero: it cannot beat.
    pub sends: Duration,
    /// How often it wants to receive from the peer. Zero: never.
    pub wants: Duration,
}

impl HeartBeat {
    /// Reads the header of a CONNECT or CONNECTED frame. Without the header both are zero, as the specification says.
    /// `None`: the header is invalid, which ends the connection.
    ///
    /// ```
    /// use core::time::Duration;
    /// use liveness::dialect::stomp::HeartBeat;
    ///
    /// let theirs = HeartBeat::of("CONNECTED\nversion:1.2\nheart-beat:0,10000\n\n\0").ok_or("no number")?;
    /// assert_eq!(theirs, HeartBeat { sends: Duration::ZERO, wants: Duration::from_secs(10) });
    ///
    /// let ours = HeartBeat { sends: Duration::from_secs(4), wants: Duration::from_secs(4) };
    /// let config = ours.config(theirs);
    /// assert_eq!(config.interval(), Duration::from_millis(7_500)); // three quarters of the 10 s that they want
    /// assert_eq!(config.silence_timeout(), Duration::MAX); // they send nothing by themselves
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn of(frame: &str) -> Option<Self> {
        let headers = frame.lines().skip(1).take_while(|line| !line.is_empty());
        // If a header comes several times, the first one counts.
        let Some(header) = headers.filter_map(|line| line.strip_prefix("heart-beat:")).next() else {
            return Some(Self::default());
        };
        let (sends, wants) = header.split_once(',')?;
        let millis = |number: &str| number.parse().ok().map(Duration::from_millis);
        Some(Self { sends: millis(sends)?, wants: millis(wants)? })
    }

    /// The config of the end that sent this header, when the peer sent `theirs`.
    ///
    /// We send a beat at three quarters of the agreed time, because a receiver may have no tolerance. The peer is offline
    /// after twice the agreed time, as in stompjs. `Steady`, because a receiver may count only the bytes that its STOMP
    /// parser sees.
    #[must_use]
    pub fn config(self, theirs: Self) -> Config {
        let beat = agreed(self.sends, theirs.wants);
        let beat = if beat == Duration::MAX {
            beat
        } else {
            beat.saturating_sub(beat.checked_div(4).unwrap_or_default())
        };
        takes_any_number(beats(beat, agreed(theirs.sends, self.wants).saturating_mul(2)))
    }
}

/// The interval of the beats in one direction.
fn agreed(sends: Duration, wants: Duration) -> Duration {
    if sends.is_zero() || wants.is_zero() { Duration::MAX } else { sends.max(wants) }
}

/// For 10 s in both directions, stompjs' defaults: a beat every 7.5 s, and offline after 20 s of silence.
pub const CONFIG: Config = takes_any_number(beats(Duration::from_millis(7_500), Duration::from_secs(20)));

impl Dialect for Stomp {
    fn hear(&mut self, message: Message<'_>, _: &mut dyn Out) -> Heard {
        // An end of line is a line feed, with or without a carriage return before it.
        if matches!(message.as_bytes(), b"\n" | b"\r\n") { Heard::Beat } else { Heard::Data }
    }

    fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
        beat.text(format_args!("\n"));
        true
    }
}
