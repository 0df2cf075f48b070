//! A proxy between us and the peer: it cuts a connection on which one direction is silent for too long.

use crate::chance::{Nanos, nanos};

/// After how many seconds without a byte it cuts. Each direction counts separately. `INFINITY` means never.
#[derive(Clone, Copy)]
pub struct Limits {
    pub ours: f64,
    pub theirs: f64,
}

pub const NO_PROXY: Limits = Limits { ours: f64::INFINITY, theirs: f64::INFINITY };

/// The side that sends bytes, or is silent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    Ours,
    Theirs,
}

/// What the proxy has seen of one connection.
pub(crate) struct Proxy {
    ours_end: Nanos,
    theirs_end: Nanos,
    limits: Limits,
}

impl Proxy {
    pub(crate) fn new(limits: Limits, now: Nanos) -> Self {
        let mut proxy = Self { ours_end: 0, theirs_end: 0, limits };
        proxy.pass(Side::Ours, now);
        proxy.pass(Side::Theirs, now);
        proxy
    }

    /// A byte of this side comes through.
    pub(crate) fn pass(&mut self, side: Side, now: Nanos) {
        let (end, limit) = match side {
            Side::Ours => (&mut self.ours_end, self.limits.ours),
            Side::Theirs => (&mut self.theirs_end, self.limits.theirs),
        };
        *end = (*end).max(now.saturating_add(nanos(limit)));
    }

    /// When it cuts if nothing more comes through, and which side's silence is the cause; `MAX` means never.
    pub(crate) fn cut(&self) -> (Nanos, Side) {
        if self.ours_end <= self.theirs_end {
            (self.ours_end, Side::Ours)
        } else {
            (self.theirs_end, Side::Theirs)
        }
    }
}
