//! What is known about each connection's life, as it becomes known.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liveness::{Clock, Timestamp};

/// The two rules by which a server judges its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The rule of gorilla/websocket's chat example.
    Gorilla,
    /// This crate.
    Liveness,
}

/// A connection, named by its two ports. So the server and the client both know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The server's port.
    pub(crate) server: u16,
    /// The other end's port: the client's, or that of the proxy in the middle.
    pub(crate) peer: u16,
}

/// What happened to a life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The server has it online.
    Online,
    /// The server shows it as suspect.
    Suspect,
    /// The client's fault begins now. Nothing after this moment is a sign of life.
    Fault,
    /// The server was stopped.
    Stalled,
    /// The server runs again.
    Resumed,
    /// The server has given it up.
    Offline {
        /// The reason, in a word or two.
        reason: String,
        /// A sentence about it.
        report: String,
    },
    /// The server has closed the socket.
    Gone,
    /// The client did not get what it wanted.
    Lost(String),
}

/// One connection's life.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// The index of the case in [`CASES`](crate::cases::CASES).
    pub(crate) case: usize,
    /// The number of the client in the case.
    pub(crate) number: usize,
    /// The rule that judges it.
    pub(crate) rule: Rule,
    link: Link,
    /// Everything that happened, in order.
    pub(crate) history: Vec<(Timestamp, Change)>,
}

impl Life {
    /// When `change` first happened.
    pub(crate) fn when(&self, change: &Change) -> Option<Timestamp> {
        self.history.iter().find(|(_, happened)| happened == change).map(|(at, _)| *at)
    }

    /// When the server gave it up, and why.
    pub(crate) fn verdict(&self) -> Option<(Timestamp, &str)> {
        self.history.iter().find_map(|(at, change)| {
            let Change::Offline { reason, .. } = change else { return None };
            Some((*at, reason.as_str()))
        })
    }

    /// What the client did not get.
    pub(crate) fn loss(&self) -> Option<&str> {
        self.history.iter().find_map(|(_, change)| {
            let Change::Lost(why) = change else { return None };
            Some(why.as_str())
        })
    }

    /// How long the server was stopped.
    pub(crate) fn stalled_for(&self) -> Duration {
        let from = self.when(&Change::Stalled).unwrap_or(Timestamp::MAX);
        self.when(&Change::Resumed).unwrap_or(Timestamp::ZERO).saturating_duration_since(from)
    }
}

/// Where the servers report: in this process to the board, in the child to a pipe that leads to it.
pub(crate) type Recorder = Arc<dyn Fn(Link, Change) + Send + Sync>;

/// All lives, on one clock.
#[derive(Debug)]
pub(crate) struct Board {
    /// Its origin is the start of the demo.
    pub(crate) clock: Clock,
    lives: Mutex<Vec<Life>>,
}

impl Board {
    /// An empty board. The demo starts now.
    pub(crate) fn new() -> Self {
        Self { clock: Clock::new(), lives: Mutex::new(Vec::new()) }
    }

    /// A life begins. The client reports it before it sends a byte, so the server's first report finds the life.
    pub(crate) fn register(&self, case: usize, number: usize, rule: Rule, link: Link) {
        self.lock().push(Life { case, number, rule, link, history: Vec::new() });
    }

    /// Something happened just now.
    pub(crate) fn record(&self, link: Link, change: Change) {
        self.record_at(link, self.clock.now(), change);
    }

    /// Something happened. The caller read the clock before it did it.
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
