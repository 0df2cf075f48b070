//! What the nodes of a cluster agree on, and how a node decides. There is no socket here, so tests can run its life.

pub mod node;
pub mod redis_server;
pub mod settings;
pub mod store;
pub mod words;
