//! The numbers of pings, for protocols that have numbers of their own.

use super::Heard;
use crate::payload::Payload;

/// How many of the latest pings are remembered by their number.
const REMEMBERED: usize = 8;

/// The latest pings, with their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// Oldest first.
    pings: [Option<(u64, Payload)>; REMEMBERED],
}

impl Asked {
    pub(super) const NOTHING: Self = Self { pings: [None; REMEMBERED] };

    /// Remembers the number of a ping.
    pub(super) fn remember(&mut self, number: u64, ping: Payload) {
        self.pings.rotate_left(1);
        if let Some(newest) = self.pings.last_mut() {
            *newest = Some((number, ping));
        }
    }

    /// What an answer with this number means. A number that is not ours belongs to the program.
    pub(super) fn answered(&self, number: u64) -> Heard {
        let found = self.pings.iter().rev().flatten().find(|(given, _)| *given == number);
        found.map_or(Heard::Data, |(_, ping)| Heard::Answer(*ping))
    }
}
