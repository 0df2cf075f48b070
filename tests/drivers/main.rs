//! The drivers: asynchronous ones on pipes and tokio's paused clock, the blocking one on sockets;
//! and clients of both, that dial.
//!
//! What needs axum, TLS or a runtime with sockets is in `crates/servers/tests/drivers`.

mod connecting;
mod connection;
mod connection_dialects;
mod live_stream;
mod preempted;
mod public;
mod sockets;
