//! What is known of each connection's life, as it becomes known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liveness::{Clock, Timestamp};

/// What a server judges its peers by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The rule of gorilla/websocket's chat example.
    Gorilla,
    /// This crate.
    Liveness,
}

/// A connection as the server and its peer both know it: by their ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The server's.
    pub(crate) server: u16,
    /// The other's: the client's, or that of the proxy in the middle.
    pub(crate) peer: u16,
}

/// What happened to a life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The server has it online.
    Online,
    /// The server has greyed it out.
    Suspect,
    /// The client's fault was made real, as of now: nothing after this moment is a sign of life.
    Fault,
    /// The server was stopped.
    Stalled,
    /// The server runs again.
    Resumed,
    /// The server has given it up.
    Offline {
        /// In a word or two.
        reason: String,
        /// In a sentence.
        report: String,
    },
    /// The server has closed the socket.
    Gone,
    /// The client did not get what it is here for.
    Lost(String),
}

/// One connection's life.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Which case of [`CASES`](crate::cases::CASES).
    pub(crate) case: usize,
    /// Which client of the case.
    pub(crate) number: usize,
    /// Who judges it.
    pub(crate) rule: Rule,
    link: Link,
    /// All that happened, in order.
    pub(crate) history: Vec<(Timestamp, Change)>,
}

impl Life {
    /// When `change` first happened.
    pub(crate) fn when(&self, change: &Change) -> Option<Timestamp> {
        self.history.iter().find(|(_, happened)| happened == change).map(|(at, _)| *at)
    }

    /// When and why the server gave it up.
    pub(crate) fn verdict(&self) -> Option<(Timestamp, &str)> {
        self.history.iter().find_map(|(at, change)| match change {
            Change::Offline { reason, .. } => Some((*at, reason.as_str())),
            Change::Online
            | Change::Suspect
            | Change::Fault
            | Change::Stalled
            | Change::Resumed
            | Change::Gone
            | Change::Lost(_) => None,
        })
    }

    /// Why the client is not content.
    pub(crate) fn loss(&self) -> Option<&str> {
        self.history.iter().find_map(|(_, change)| match change {
            Change::Lost(why) => Some(why.as_str()),
            Change::Online
            | Change::Suspect
            | Change::Fault
            | Change::Stalled
            | Change::Resumed
            | Change::Offline { .. }
            | Change::Gone => None,
        })
    }

    /// How long the server was stopped.
    pub(crate) fn stalled_for(&self) -> Duration {
        let from = self.when(&Change::Stalled).unwrap_or(Timestamp::MAX);
        self.when(&Change::Resumed).unwrap_or(Timestamp::ZERO).saturating_duration_since(from)
    }
}

/// Where the servers report: in this process the board, in the child a pipe to it.
pub(crate) type Recorder = Arc<dyn Fn(Link, Change) + Send + Sync>;

/// All lives, on one clock.
#[derive(Debug)]
pub(crate) struct Board {
    /// Its origin is the start of the demo.
    pub(crate) clock: Clock,
    lives: Mutex<Vec<Life>>,
}

impl Board {
    /// An empty board; the demo starts now.
    pub(crate) fn new() -> Self {
        Self { clock: Clock::new(), lives: Mutex::new(Vec::new()) }
    }

    /// A life begins. The client says so before it sends a byte, so the server's first report finds it.
    pub(crate) fn register(&self, case: usize, number: usize, rule: Rule, link: Link) {
        self.lock().push(Life { case, number, rule, link, history: Vec::new() });
    }

    /// Something happened just now.
    pub(crate) fn record(&self, link: Link, change: Change) {
        self.record_at(link, self.clock.now(), change);
    }

    /// Something happened at a moment that the caller took before it did it.
    pub(crate) fn record_at(&self, link: Link, at: Timestamp, change: Change) {
        if let Some(life) = self.lock().iter_mut().find(|life| life.link == link) {
            life.history.push((at, change));
        }
    }

    /// The same happened to all lives of a case.
    pub(crate) fn record_all(&self, case: usize, change: &Change) {
        let now = self.clock.now();
        for life in self.lock().iter_mut().filter(|life| life.case == case) {
            life.history.push((now, change.clone()));
        }
    }

    /// A way to record, for a server.
    pub(crate) fn recorder(self: &Arc<Self>) -> Recorder {
        let board = Arc::clone(self);
        Arc::new(move |link, change| board.record(link, change))
    }

    /// All lives as they are now.
    pub(crate) fn lives(&self) -> Vec<Life> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Life>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
