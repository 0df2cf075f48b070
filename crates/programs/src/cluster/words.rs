//! The messages of a page to its node, and of the node to the page.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::store::{Line, Pen, Refused, User};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said {
    /// The first message: who it is. Names are believed here. A real server would ask for more.
    Hello {
        user: User,
    },
    Say {
        key: u64,
        text: String,
    },
    /// Asks for the pen.
    Want,
    Give,
    /// With its own key, by which it is recognised when it is sent again.
    Write {
        token: u64,
        key: String,
        text: String,
    },
}

/// A user's status, as far as this node can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    Online,
    Suspect,
    /// No node claims them, but they may come back: they reload, or their node died.
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

/// Why an edit was not carried out, or perhaps was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Why {
    By(Refused),
    Here(NotKnown),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotKnown {
    /// This node does not reach Redis, and did not try. Nothing was written.
    Unknown,
    /// Redis no longer believed this node. Nothing was written.
    Expired,
    /// It was sent, and the answer was lost. If it is sent again with the same key, it is written once.
    Lost,
    /// Too much waits for Redis. Nothing was written.
    Busy,
    /// It has no letter or too many, or its key is too long. Nothing was written.
    Unfit,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tell {
    Welcome {
        state: Box<State>,
    },
    /// The page's message makes no sense.
    Unfit {
        why: &'static str,
    },
    Line {
        user: User,
        text: String,
        node: Arc<str>,
    },
    /// Whether anybody except this node's own pages saw the line.
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
    /// The text anew, because lines were not told one by one: its latest lines.
    Text {
        text: Vec<Line>,
    },
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

/// Everything that a node knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    pub node: Arc<str>,
    /// Redis hears this node, and this node hears Redis. Otherwise it is not known what others do.
    pub known: bool,
    pub incarnation: Option<u64>,
    pub nodes: Arc<[Seen]>,
    pub people: Vec<Person>,
    /// `None` if it is not known.
    pub pen: Option<Pen>,
    pub text: Vec<Line>,
}
