//! One binary for all tests through the public door.

mod fleet;
mod generated;
mod interop;
mod laws;
mod live_stream;
mod model;
mod oracle;
mod presence;
mod public;
mod server;
mod sim;
mod sockets;
mod tidy;
mod traced;
mod transcripts;
mod wire;
mod world;
