//! Which number a ping was given, where a protocol wants its own.

use super::Heard;
use crate::payload::Payload;

/// So many pings may wait for their answers, and each is still known by its number.
const REMEMBERED: usize = 8;

/// The latest pings, and the numbers that they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// The newest last.
    pings: [Option<(u64, Payload)>; REMEMBERED],
}

impl Asked {
    pub(super) const NOTHING: Self = Self { pings: [None; REMEMBERED] };

    /// This ping has this number.
    pub(super) fn remember(&mut self, number: u64, ping: Payload) {
        self.pings.rotate_left(1);
        if let Some(newest) = self.pings.last_mut() {
            *newest = Some((number, ping));
        }
    }

    /// What an answer with this number is. One that we did not give is the program's.
    pub(super) fn answered(&self, number: u64) -> Heard {
        let found = self.pings.iter().rev().flatten().find(|(given, _)| *given == number);
        found.map_or(Heard::Data, |(_, ping)| Heard::Answer(*ping))
    }
}
