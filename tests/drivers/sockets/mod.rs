//! The blocking driver on real sockets: the loopback, tungstenite, and raw bytes where a fault needs them.
//!
//! Outcomes and their order are asserted, never exact times: who is alive answers within a generous timeout, and who is
//! dead is given up at some time before `PATIENCE`.

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
