//! Events that a script causes on one connection, and the observer that sees them.

use crate::chance::Nanos;
use crate::proxy::{Limits, Side};
use crate::rule::{Input, Want};

/// Its start and its end.
pub type Stretch = (Nanos, Nanos);

/// What happens in one life beside what its world does. A future event changes nothing before it. So adding to a script
/// means interfering with a life while it runs.
#[derive(Clone, Default)]
pub struct Script {
    /// The life is watched until this moment.
    pub ends_at: Nanos,
    /// From the first moment on nothing that we send arrives. From the second on nothing that the peer sends arrives.
    pub cuts: [Option<Nanos>; 2],
    pub outages: Vec<Stretch>,
    pub peer_stalls: Vec<Stretch>,
    pub driver_stalls: Vec<Stretch>,
    pub sleeps: Vec<Stretch>,
    /// The peer's program drops every ping that it receives in these stretches.
    pub lost_pings: Vec<Stretch>,
    /// For each frame: when it is written, its bytes, and whether it is ours.
    pub frames: Vec<(Nanos, f64, bool)>,
    /// From this moment on a proxy counts silence.
    pub proxy: Option<(Nanos, Limits)>,
}

/// What a witness sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// Our ping of this number is written. `arrives` is `MAX` if it never arrives.
    Ping { number: u32, left: Nanos, arrives: Nanos },
    /// The peer's program dropped it.
    Dropped { number: u32 },
    /// The peer answers it.
    Pong { number: u32, left: Nanos, arrives: Nanos },
    /// A message, ours or theirs. It is written now, and its last byte arrives at `arrives`.
    Message { ours: bool, bytes: f64, arrives: Nanos },
    /// Our side gets this input.
    Told(Input),
    /// The rule wants something.
    Wants(Want),
    /// The rule's timer is set to this moment of its clock.
    Timer(Nanos),
    /// The proxy cut the connection, because of this side's silence.
    CutByProxy(Side),
}

/// Sees everything that happens in a life, in the order of time.
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
