//! The machine behind a session.

use crate::config::Config;
use crate::event::{CloseCode, Event, Reason};
use crate::liveness::Liveness;
use crate::observer::Observed;
use crate::payload::Payload;
use crate::time::Timestamp;

/// A machine that a [`Session`](super::Session) reports to: a [`Liveness`], an observed one, or a fleet's entry.
///
/// The trait is sealed, so that it can get more methods.
pub trait Peer: sealed::Sealed {
    /// As [`Liveness::handle`].
    fn handle(&mut self, event: Event<'_>, now: Timestamp);
    /// As [`Liveness::close`].
    fn close(&mut self, code: CloseCode, now: Timestamp);
    /// As [`Liveness::probe`].
    fn probe(&mut self, now: Timestamp);
    /// As [`Liveness::reconfigure`].
    fn reconfigure(&mut self, config: Config, now: Timestamp);
    /// As [`Liveness::verdict`].
    fn verdict(&self) -> Option<Reason>;
    /// As [`Liveness::awaited`].
    fn awaited(&self) -> Option<Payload>;
    /// As [`Liveness::config`].
    fn config(&self) -> &Config;
}

/// Prevents implementations of [`Peer`] outside of this crate.
pub(crate) mod sealed {
    #[expect(unnameable_types, reason = "a trait that cannot be named cannot be implemented")]
    pub trait Sealed {}
}

impl sealed::Sealed for Liveness {}
impl Peer for Liveness {
    #[inline]
    fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        self.handle(event, now);
    }
    fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.close(code, now);
    }
    fn probe(&mut self, now: Timestamp) {
        self.probe(now);
    }
    fn reconfigure(&mut self, config: Config, now: Timestamp) {
        self.reconfigure(config, now);
    }
    fn verdict(&self) -> Option<Reason> {
        self.verdict()
    }
    fn awaited(&self) -> Option<Payload> {
        self.awaited()
    }
    fn config(&self) -> &Config {
        self.config()
    }
}

impl sealed::Sealed for Observed {}
impl Peer for Observed {
    #[inline]
    fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        self.handle(event, now);
    }
    fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.close(code, now);
    }
    fn probe(&mut self, now: Timestamp) {
        self.probe(now);
    }
    fn reconfigure(&mut self, config: Config, now: Timestamp) {
        self.reconfigure(config, now);
    }
    fn verdict(&self) -> Option<Reason> {
        self.liveness().verdict()
    }
    fn awaited(&self) -> Option<Payload> {
        self.liveness().awaited()
    }
    fn config(&self) -> &Config {
        self.liveness().config()
    }
}
