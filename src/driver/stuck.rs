//! Neither end reads.

use crate::liveness::Liveness;
use crate::time::Timestamp;

/// Nothing of ours moves, and nothing of theirs is read, while a ping that has left waits for its answer. Nobody listens, so the
/// answer's clock stands still (rule 9); no other ping goes out (rule 1), so no clock of a ping's writing runs. The driver keeps
/// this one instead: a transport that takes nothing for a whole `write_timeout` has failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stuck {
    from: Timestamp,
    /// A look that came late was forgiven: we may have slept, and the transport with us (rule 6).
    excused: bool,
}

impl Stuck {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { from: now, excused: false }
    }

    pub(super) const fn due(self, peer: &Liveness) -> Timestamp {
        self.from.after(peer.config().write_timeout)
    }

    pub(super) fn has_failed(&mut self, peer: &Liveness, now: Timestamp) -> bool {
        let due = self.due(peer);
        if now < due || due == Timestamp::MAX {
            return false;
        }
        if now.since(due) > peer.config().stall_tolerance && !self.excused {
            *self = Self { from: now, excused: true };
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_transport_fails_after_a_write_timeout_and_a_late_look_is_forgiven_once() {
        let seconds = Duration::from_secs;
        let config = Config::builder().write_timeout(seconds(8)).stall_tolerance(seconds(2)).build_const();
        let peer = Liveness::new(config, 7, Timestamp::ZERO);
        let mut stuck = Stuck::new(Timestamp::from_secs(100));
        assert!(!stuck.has_failed(&peer, Timestamp::from_nanos(107_999_999_999)));
        assert!(stuck.has_failed(&peer, Timestamp::from_secs(108)));
        assert!(stuck.has_failed(&peer, Timestamp::from_secs(110)));
        // Late: it starts anew. Late again: it does not.
        assert!(!stuck.has_failed(&peer, Timestamp::from_nanos(110_000_000_001)));
        assert!(!stuck.has_failed(&peer, Timestamp::from_secs(118)));
        assert!(stuck.has_failed(&peer, Timestamp::from_secs(1000)));

        let forever = Config::builder().timeout(Duration::MAX).build_const().for_drivers();
        let peer = Liveness::new(forever, 7, Timestamp::ZERO);
        assert!(!Stuck::new(Timestamp::ZERO).has_failed(&peer, Timestamp::MAX));
    }
}
