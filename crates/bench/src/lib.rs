//! What the benches share: where they write, what they were measured on, tables, memory; and the bench of heartbeats on sockets, which
//! has stacks in two workspaces.

#![allow(missing_docs, clippy::must_use_candidate, reason = "for the benches beside it, and for nobody else")]

pub mod heartbeat;
pub mod host;
pub mod memory;
pub mod table;
