//! What all rules have in common: what they are told, and what they want.

use crate::chance::Nanos;

/// What a rule is told. In an order, for the agenda of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Bytes of the peer's that complete no message yet.
    Progress,
    /// A message of the peer's.
    Data,
    /// The answer to our ping of this number.
    Pong(u32),
    /// Our bytes entered the transport.
    Wrote,
    /// The last byte of the newest ping did.
    PingSent,
    /// We stop reading, and start again. Most rules have no ear for it.
    ReadPaused,
    ReadResumed,
}

impl Input {
    /// It has to be read: it waits while nobody reads.
    pub fn is_read(self) -> bool {
        match self {
            Self::Progress | Self::Data | Self::Pong(_) => true,
            Self::Wrote | Self::PingSent | Self::ReadPaused | Self::ReadResumed => false,
        }
    }
}

/// What a rule wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Want {
    Ping,
    Close,
    /// Grey the peer out, and back again.
    Suspect,
    Trust,
}

/// Judges one connection. A moment is nanoseconds of the host's clock.
pub trait Rule {
    fn tell(&mut self, input: Input, now: Nanos);

    /// What it wants now, one at a time, until `None`. After `Close`, nothing more is asked.
    fn poll(&mut self, now: Nanos) -> Option<Want>;

    /// When its timer is to go off; `MAX`: never.
    fn next(&self) -> Nanos;
}
