//! The blocking driver on real sockets: the loopback and tungstenite, or raw bytes for the faults.
//!
//! The tests check outcomes and their order, never exact times. A live peer answers within a generous timeout, and a dead
//! one is given up at some time before `PATIENCE`.

mod closing;
mod deaths;
mod dialects;
mod faults;
mod lives;
mod pauses;
mod protocol;
mod recording;
mod text_heartbeats;
mod transports;
mod writing;
