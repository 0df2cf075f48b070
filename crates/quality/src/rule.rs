//! What all rules have in common: their inputs, and their outputs.

use crate::chance::Nanos;

/// An input of a rule. It has an order, for the agenda of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Bytes of the peer that complete no message yet.
    Progress,
    /// A message of the peer.
    Data,
    /// The answer to our ping of this number.
    Pong(u32),
    /// Some of our bytes entered the transport.
    Wrote,
    /// The last byte of the newest ping entered the transport.
    PingSent,
    /// We stop reading, and start again. Most rules ignore this.
    ReadPaused,
    ReadResumed,
}

impl Input {
    /// True for an input that must be read. It waits while nobody reads.
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
    /// Grey the peer out, and show it as before again.
    Suspect,
    Trust,
}

/// Judges one connection. A moment is nanoseconds of the host's clock.
pub trait Rule {
    fn tell(&mut self, input: Input, now: Nanos);

    /// What the rule wants now, one thing at a time, until `None`. After `Close` it is not asked again.
    fn poll(&mut self, now: Nanos) -> Option<Want>;

    /// The time of the rule's next timer; `MAX` means never.
    fn next(&self) -> Nanos;
}
