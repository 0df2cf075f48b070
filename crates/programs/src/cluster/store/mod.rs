//! What the nodes agree on: the operations of a node, their answers, and the news that all nodes read.
//!
//! The truth is in Redis, and `rules.lua` keeps it. Each operation is one run of that script, on Redis's clock.
//! `redis.rs` carries it there. `crates/programs/tests/cluster/model.rs` is the same in memory, made of the crate's
//! `Presence` and `Lease`. The tests compare the script with it, operation by operation, and simulate whole clusters over
//! it.

pub mod redis;

use std::fmt;
use std::sync::Arc;

use liveness::Status;
use serde::Serialize;

pub type User = Arc<str>;

/// One life of a node as Redis knows it: from its `Open` until it was not heard for too long. Every claim and every write
/// of a node has it, so that nothing comes from a life that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The status of users, seen from a node. Each user is in it once.
pub type Claims = Vec<(User, Status)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A new life, with its claims. A life that this name still has is over.
    Open {
        name: String,
        address: String,
        claims: Claims,
    },
    /// Still here.
    Beat(Incarnation),
    /// What has changed.
    Claim(Incarnation, Claims),
    Say(Incarnation, User, String),
    /// Asks for the pen.
    Want(Incarnation, User),
    Give(Incarnation, User),
    Write(Incarnation, Edit),
    /// Goodbye.
    Close(Incarnation),
    /// Asks for the current picture.
    Look,
}

/// Each has its writer's own key. One that is sent again is acknowledged again, and carried out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub user: User,
    pub token: u64,
    pub key: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Opened(Incarnation),
    Done,
    /// That life is over. Nothing was done.
    Expired,
    /// Nothing was done.
    Refused(Refused),
    Seen(Box<Picture>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// The asking node does not claim this user.
    Absent,
    /// The writer is suspect, so not now.
    Frozen,
    /// Somebody else holds the pen, or nobody does.
    Stale,
    /// This token was never given.
    Never,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    Node {
        inc: Incarnation,
        name: String,
        address: String,
    },
    /// That life is over, and its claims with it.
    Gone(Incarnation),
    Claim(Incarnation, User, Status),
    /// No node has claimed them for the whole linger.
    Left(User),
    Pen(Pen),
    Said(Incarnation, User, String),
    Wrote(Line),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pen {
    pub holder: Option<User>,
    /// The token of the holder, or of the last holder.
    pub token: u64,
    /// No node claims that its holder is online.
    pub frozen: bool,
    pub waiting: u64,
    /// The first users in the queue.
    pub first: Vec<User>,
}

/// How many lines of the text are part of a picture.
pub const LINES: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub token: u64,
    pub user: User,
    pub text: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// The number of the latest news in it.
    pub upto: u64,
    pub nodes: Vec<(Incarnation, String, String)>,
    pub claims: Vec<(Incarnation, User, Status)>,
    /// The users that no node claims, and that have not left yet.
    pub away: Vec<User>,
    pub pen: Pen,
    pub text: Vec<Line>,
}
