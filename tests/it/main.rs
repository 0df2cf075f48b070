//! One binary for all tests through the public door.

mod draws;
mod fleet;
mod generated;
mod interop;
mod laws;
mod lease;
mod live_stream;
mod model;
mod oracle;
mod presence;
mod public;
mod reconnect;
mod server;
mod settings;
mod sim;
mod sockets;
mod tidy;
mod time;
mod traced;
mod transcripts;
mod wire;
mod words;
mod world;
