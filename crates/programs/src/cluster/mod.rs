//! What the nodes of a cluster agree on, and how a node decides: without a socket, so that tests can live its life.

pub mod node;
pub mod redis_server;
pub mod settings;
pub mod store;
pub mod words;
