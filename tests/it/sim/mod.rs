//! The simulated clock, wire, pair and network.

mod network;
mod pair;
mod wire;
