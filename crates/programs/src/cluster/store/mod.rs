//! What the nodes agree on: the operations of a node on it, their answers, and the news that all nodes read.
//!
//! The truth is in Redis, and `rules.lua` is what keeps it: each operation is one run of that script, on Redis's clock.
//! `redis.rs` carries it there. `crates/programs/tests/cluster/model.rs` is the same in memory, made of the crate's `Presence` and `Lease`: the
//! tests hold the script to it, operation by operation, and simulate whole clusters over it.

pub mod redis;

use std::fmt;
use std::sync::Arc;

use liveness::Status;
use serde::Serialize;

pub type User = Arc<str>;

/// One life of a node as Redis knows it: from its `Open` until it was not heard of for too long. Whatever a node claims or
/// writes carries it, so that nothing comes from a life that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How users are, seen from a node; each of them once.
pub type Claims = Vec<(User, Status)>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A new life, with what it claims. One that the same name still has is over.
    Open {
        name: String,
        address: String,
        claims: Claims,
    },
    /// Still here.
    Beat(Incarnation),
    /// What is other than it was.
    Claim(Incarnation, Claims),
    Say(Incarnation, User, String),
    /// The pen, please.
    Want(Incarnation, User),
    Give(Incarnation, User),
    Write(Incarnation, Edit),
    /// Goodbye.
    Close(Incarnation),
    /// How all of it is.
    Look,
}

/// Each has a key of its writer's own. One that is sent again is acknowledged again, and carried out once.
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
    /// That life is over: nothing was done.
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
    /// Not while the writer is suspect.
    Frozen,
    /// The pen is another's, or nobody's.
    Stale,
    /// There was no such token.
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
    /// Nobody has claimed them for the whole linger.
    Left(User),
    Pen(Pen),
    Said(Incarnation, User, String),
    Wrote(Line),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pen {
    pub holder: Option<User>,
    /// The holder's, or the last one's.
    pub token: u64,
    /// Nobody claims that its holder is online.
    pub frozen: bool,
    pub waiting: u64,
    /// The first of those who wait.
    pub first: Vec<User>,
}

/// So many lines of the text are part of a picture.
pub const LINES: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub token: u64,
    pub user: User,
    pub text: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// The number of the last news that is in it.
    pub upto: u64,
    pub nodes: Vec<(Incarnation, String, String)>,
    pub claims: Vec<(Incarnation, User, Status)>,
    /// The users that no node claims, and that have not left yet.
    pub away: Vec<User>,
    pub pen: Pen,
    pub text: Vec<Line>,
}
