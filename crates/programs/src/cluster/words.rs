//! What a page says to its node, and what it is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::store::{Line, Pen, Refused, User};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said {
    /// First of all: who it is. Names are believed here; a real server would ask for more.
    Hello {
        user: User,
    },
    Say {
        key: u64,
        text: String,
    },
    /// The pen, please.
    Want,
    Give,
    /// Under a key of its own, by which it is known when it is sent again.
    Write {
        token: u64,
        key: String,
        text: String,
    },
}

/// How somebody is, as far as this node can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    Online,
    Suspect,
    /// No node claims them, and they may come back: a reload, or their node died.
    Away,
    /// They were at another node when Redis was last heard of.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub user: User,
    pub status: Known,
    /// The names of the nodes that claim them.
    pub at: Vec<Arc<str>>,
}

/// Why an edit was not carried out, or may not have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Why {
    By(Refused),
    Here(NotKnown),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotKnown {
    /// This node does not reach Redis, and did not try: nothing was written.
    Unknown,
    /// Redis had given this node up: nothing was written.
    Expired,
    /// It was sent, and the answer was lost: sent again under the same key, it is written once.
    Lost,
    /// Too much waits for Redis: nothing was written.
    Busy,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tell {
    Welcome {
        state: Box<State>,
    },
    /// What it said cannot be meant.
    Unfit {
        why: &'static str,
    },
    Line {
        user: User,
        text: String,
        node: Arc<str>,
    },
    /// Whether others than this node's own saw the line.
    Spread {
        key: u64,
        reached: bool,
    },
    /// You hold the pen.
    Granted {
        token: u64,
    },
    Written {
        key: String,
    },
    Refused {
        key: String,
        why: Why,
    },
    Wrote(Line),
    Person(Person),
    Left {
        user: User,
    },
    Pen {
        pen: Option<Pen>,
    },
    Nodes {
        nodes: Arc<[Seen]>,
        known: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub name: Arc<str>,
    pub address: String,
}

/// All that a node knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    pub node: Arc<str>,
    /// This node is heard by Redis, and hears it. Else what others do is unknown.
    pub known: bool,
    pub incarnation: Option<u64>,
    pub nodes: Arc<[Seen]>,
    pub people: Vec<Person>,
    /// `None`: unknown.
    pub pen: Option<Pen>,
    pub text: Vec<Line>,
}
