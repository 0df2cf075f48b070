//! Drivers: what joins a [`Machine`](crate::Machine) to the sockets of one ecosystem.
//!
//! A driver is thin. It sees bytes move, reads before it polls, takes the time from the clock, and carries out the
//! actions. All decisions are the machine's.

mod meter;
pub mod tungstenite;

pub use meter::{Meter, Socket, Transport};
