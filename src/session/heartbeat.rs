//! Heartbeats inside messages: what a message means, and how our ping is written.

use alloc::boxed::Box;

use core::time::Duration;

use super::writing::Ping;
use super::{Outbound, Peer, Session};
use crate::config::{Config, Suspicion};
#[cfg(feature = "tokio")]
use crate::dialect::LONGEST;
use crate::dialect::{self, Dialect, Heard, Message, MessageBuf};
use crate::payload::Payload;
use crate::time::Timestamp;

/// How this connection's pings and pongs are written.
pub(super) struct Heartbeat {
    /// `None`: Ping and Pong frames.
    dialect: Option<Box<dyn Dialect + Send>>,
    /// This end sends pings.
    asks: bool,
}

impl Heartbeat {
    pub(super) const FRAMES: Self = Self { dialect: None, asks: true };

    /// What a message means, and the answer that it asks for, if any.
    pub(super) fn hear(&mut self, message: Message<'_>) -> (Heard, Option<MessageBuf>) {
        let mut answer = None;
        let heard = match &mut self.dialect {
            Some(dialect) => dialect::hear(dialect, message, &mut answer),
            None => Heard::Data,
        };
        (heard, answer)
    }

    /// Our ping as the library gets it. `None`: this end never asks.
    pub(super) fn ask(&mut self, ping: Payload) -> Option<Outbound> {
        let Some(dialect) = &mut self.dialect else { return Some(Outbound::Ping(ping)) };
        let mut beat = None;
        let asked = dialect.ask(ping, &mut beat);
        // Where the dialect wrote nothing, there is no answer to wait for, whatever the dialect returned.
        self.asks = asked && beat.is_some();
        beat.filter(|_| asked).map(Outbound::Beat)
    }
}

impl<T> Session<T> {
    /// Puts the heartbeat into messages of this dialect. The dialect reads each
    /// [`Inbound::Message`](super::Inbound::Message), and our pings are [`Outbound::Beat`]. Without a dialect, pings are
    /// frames. Call it before anything is read or polled.
    ///
    /// The machine of an end that [never asks](Dialect::asks) sends no pings and waits for no answer, whatever its config
    /// says: its `interval`, `timeout`, `probe_timeout` and `suspicion` become never. There,
    /// [`silence_timeout`](Config::silence_timeout) detects a dead peer; the dialect's own config sets it.
    ///
    /// ```
    /// use liveness::dialect::{Message, MessageBuf, engine_io};
    /// use liveness::session::{Inbound, Outbound, Role, Session};
    /// use liveness::{Liveness, Timestamp};
    ///
    /// let now = Timestamp::ZERO;
    /// let mut peer = Liveness::new(engine_io::CLIENT_CONFIG, 7, now);
    /// let mut session: Session<String> = Session::new(Role::Client);
    /// session.set_dialect(engine_io::client(), &mut peer, now);
    ///
    /// assert!(!session.received(Inbound::Message(Message::Text("2")), &mut peer, now));
    /// assert_eq!(session.poll_write(), Some(Outbound::Answer(MessageBuf::Text("3".into()))));
    /// assert!(session.received(Inbound::Message(Message::Text("4hello")), &mut peer, now));
    /// ```
    pub fn set_dialect(
        &mut self,
        dialect: impl Dialect + Send + 'static,
        peer: &mut impl Peer,
        now: Timestamp,
    ) {
        self.heartbeat = Heartbeat { asks: dialect.asks(), dialect: Some(Box::new(dialect)) };
        self.ask_nothing_more(peer, now);
    }

    /// Makes a ping due now: [`Liveness::probe`](crate::Liveness::probe). Does nothing at an end that never asks.
    pub fn probe(&self, peer: &mut impl Peer, now: Timestamp) {
        if self.heartbeat.asks {
            peer.probe(now);
        }
    }

    /// Replaces the config: [`Liveness::reconfigure`](crate::Liveness::reconfigure). An end that never asks still sends no
    /// pings.
    pub fn reconfigure(&self, config: Config, peer: &mut impl Peer, now: Timestamp) {
        peer.reconfigure(if self.heartbeat.asks { config } else { without_pings(config) }, now);
    }

    /// A data message of this many bytes is the caller's: no dialect reads it.
    #[cfg(feature = "tokio")]
    #[inline]
    pub(crate) const fn is_plain(&self, bytes: usize) -> bool {
        bytes > LONGEST || self.heartbeat.dialect.is_none()
    }

    /// The ping that is due, as a frame or as a message.
    pub(super) fn ask(&mut self, ping: Payload) -> Outbound {
        self.ping = Ping::InLibrary(None);
        // A dialect that wrote no ping: this counts as a ping that is sent once the library is empty.
        self.give(false);
        self.heartbeat.ask(ping).unwrap_or(Outbound::Flush)
    }

    /// Switches off the machine's pings and waits, at an end that never asks.
    pub(super) fn ask_nothing_more(&self, peer: &mut impl Peer, now: Timestamp) {
        if self.heartbeat.asks {
            return;
        }
        let config = *peer.config();
        let listening = without_pings(config);
        if listening != config {
            peer.reconfigure(listening, now);
        }
    }
}

fn without_pings(config: Config) -> Config {
    let never = Duration::MAX;
    let builder = config.to_builder().interval(never).timeout(never).probe_timeout(never);
    // `build` does not fail: `never` breaks no rule.
    builder.suspicion(Suspicion::Never).build().unwrap_or(config)
}
