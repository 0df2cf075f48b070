//! What decides, in simulated time: no socket, no thread, no runtime.

mod draws;
mod fleet;
mod generated;
mod laws;
mod lease;
mod oracle;
mod presence;
mod public;
mod reconnect;
mod settings;
mod sim;
mod text;
mod tidy;
mod time;
mod transcripts;
mod words;
mod world;
