//! The drivers: asynchronous ones on pipes and tokio's paused clock, the blocking one on sockets.
//!
//! What needs axum, TLS or a runtime with sockets is in `crates/servers/tests/drivers`.

mod connection;
mod connection_dialects;
mod live_stream;
mod public;
mod sockets;
