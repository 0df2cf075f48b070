//! Rails' ActionCable.
//!
//! ```text
//! server: {"type":"ping","message":1795979930}      every 3 s; the Unix time in seconds; no answer
//! ```
//!
//! The server learns nothing about its client. (AnyCable's `actioncable-v1-ext-json` adds an answer.)
//!
//! Source: `ActionCable::Server::Connections` of Rails (`BEAT_INTERVAL`); @rails/actioncable 8.1.400 (`connection_monitor.js`).

use core::fmt;
use core::time::Duration;

use super::configs::{beats, listens, takes_any_number};
use super::{Dialect, Heard, Json, Message, Out};
use crate::config::Config;
use crate::payload::Payload;

/// The client's end: it only receives beats, and never asks.
#[must_use]
pub const fn client() -> Json {
    Json::beat("type", "ping").only_answers()
}

/// Offline after 12 s of silence. The official client checks 6 to 12 s after a ping whether 6 s have passed; since version
/// 7.2 any message counts.
pub const CLIENT_CONFIG: Config = takes_any_number(listens(Duration::from_secs(12)));

/// A ping every 3 s, whatever else is sent: clients older than 7.2 count only pings.
pub const SERVER_CONFIG: Config = beats(Duration::from_secs(3), Duration::MAX);

/// The server's end: it sends beats without an answer. `T` returns the Unix time in seconds.
///
/// ```
/// use liveness::dialect::{Dialect as _, Message, OutBuffer, action_cable};
///
/// let mut server = action_cable::Server::new(|| 1_795_979_930); // of the wall clock
/// let mut beat = OutBuffer::new();
/// # let ping = liveness::Payload::from_digits("0123456789abcdef").ok_or("no payload")?;
/// assert!(server.ask(ping, &mut beat));
/// assert_eq!(beat.message(), Some(Message::Text(r#"{"type":"ping","message":1795979930}"#)));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy)]
pub struct Server<T> {
    unix_time: T,
}

impl<T: FnMut() -> u64> Server<T> {
    /// A server that reads the time from `unix_time`.
    #[must_use]
    pub const fn new(unix_time: T) -> Self {
        Self { unix_time }
    }
}

impl<T> fmt::Debug for Server<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl<T: FnMut() -> u64> Dialect for Server<T> {
    fn hear(&mut self, _: Message<'_>, _: &mut dyn Out) -> Heard {
        Heard::Data
    }

    fn ask(&mut self, _: Payload, beat: &mut dyn Out) -> bool {
        let unix_time = (self.unix_time)();
        beat.text(format_args!(r#"{{"type":"ping","message":{unix_time}}}"#));
        true
    }
}
