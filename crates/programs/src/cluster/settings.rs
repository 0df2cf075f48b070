//! The numbers that all nodes of a cluster share, and what follows from them.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long Redis believes a node that it does not hear.
    pub ttl: Duration,
    /// How often a node tells Redis that it is alive.
    pub beat: Duration,
    /// How long a user that no node claims is still shown.
    pub linger: Duration,
    /// How long a pen stays frozen if its holder is not heard and others wait.
    pub grace: Duration,
}

impl Settings {
    /// The longest wait of a node for anything. After that the link counts as dead.
    pub const fn patience(&self) -> Duration {
        self.ttl
    }

    /// A user whose node died is gone everywhere after at most this, plus the time that a message takes.
    ///
    /// At worst the node was heard just before it died: `ttl`. Another node's next beat finds it expired, and the linger
    /// begins. The first beat after the linger ends it.
    pub fn bound(&self) -> Duration {
        self.ttl + self.beat + self.linger + self.beat
    }

    /// The same if Redis was away and is back. A node may have begun to wait for its next dial just before.
    pub fn bound_after_redis(&self) -> Duration {
        self.bound() + LONGEST_REDIAL
    }

    /// Says why these settings cannot work.
    pub fn check(self) -> Result<Self, String> {
        let Self { ttl, beat, linger, .. } = self;
        if beat.as_millis() == 0 || ttl.as_millis() == 0 {
            return Err("--ttl and --beat are at least a millisecond".to_owned());
        }
        if beat * 2 > ttl {
            return Err(format!(
                "--beat {beat:?} is more than half of --ttl {ttl:?}: one late beat would end a node"
            ));
        }
        if linger < LONGEST_REDIAL {
            return Err(format!(
                "--linger {linger:?} is shorter than the {LONGEST_REDIAL:?} after which a node dials Redis again at the \
                 latest: every user on a node would leave each time that Redis restarts"
            ));
        }
        Ok(self)
    }
}

/// The longest wait between two dials of Redis.
pub const LONGEST_REDIAL: Duration = Duration::from_secs(1);
