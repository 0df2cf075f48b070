//! Events that a script causes on one connection, and the observer that sees them.

use crate::chance::Nanos;
use crate::proxy::{Limits, Side};
use crate::rule::{Input, Want};

/// From, and until.
pub type Stretch = (Nanos, Nanos);

/// What happens in one life beside what its world does. What lies in the future changes nothing before it: to add to a script is
/// to interfere with a life while it runs.
#[derive(Clone, Default)]
pub struct Script {
    /// The life is watched until then.
    pub ends_at: Nanos,
    /// From then on nothing that we send arrives; nothing that the peer sends.
    pub cuts: [Option<Nanos>; 2],
    pub outages: Vec<Stretch>,
    pub peer_stalls: Vec<Stretch>,
    pub driver_stalls: Vec<Stretch>,
    pub sleeps: Vec<Stretch>,
    /// The peer's program drops every ping that it hears meanwhile.
    pub lost_pings: Vec<Stretch>,
    /// When a frame is written, its bytes, and whether it is ours.
    pub frames: Vec<(Nanos, f64, bool)>,
    /// From then on a proxy counts silence.
    pub proxy: Option<(Nanos, Limits)>,
}

/// What a witness is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// Our ping of this number is written; it arrives then, or never (`MAX`).
    Ping { number: u32, left: Nanos, arrives: Nanos },
    /// The peer's program dropped it.
    Dropped { number: u32 },
    /// The peer answers it.
    Pong { number: u32, left: Nanos, arrives: Nanos },
    /// A message, ours or theirs: from its first byte to the arrival of its last.
    Message { ours: bool, bytes: f64, arrives: Nanos },
    /// Our side was told.
    Told(Input),
    /// The rule wants something.
    Wants(Want),
    /// The rule's timer is to go off at that moment of its clock.
    Timer(Nanos),
    /// The proxy cut the connection, for this side's silence.
    CutByProxy(Side),
}

/// Sees all that happens in a life, in the order of time.
pub trait Witness {
    fn sees(&mut self, now: Nanos, what: Seen);
}

/// Nobody looks.
impl Witness for () {
    fn sees(&mut self, _: Nanos, _: Seen) {}
}

impl<F: FnMut(Nanos, Seen)> Witness for F {
    fn sees(&mut self, now: Nanos, what: Seen) {
        self(now, what);
    }
}
