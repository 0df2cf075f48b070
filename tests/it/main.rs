//! One binary for all tests through the public door.

mod laws;
mod public;
mod server;
mod sockets;
mod tidy;
mod transcripts;
mod wire;
