//! The drivers: the asynchronous ones on pipes and tokio's paused clock, the blocking one on sockets, and clients of both
//! that dial.
//!
//! Tests that need axum, TLS or a runtime with sockets are in `crates/servers/tests/drivers`.

#[path = "../core/absences.rs"]
mod absences;
mod connecting;
mod connection;
mod connection_dialects;
mod live_stream;
mod preempted;
mod public;
mod sockets;
