//! What decides, in simulated time: no socket, no thread, no runtime.

mod fleet;
mod generated;
mod laws;
mod lease;
mod messages;
mod oracle;
mod presence;
mod public;
mod reconnect;
mod samples;
mod settings;
mod sim;
mod sleep;
mod text;
mod tidy;
mod time;
mod transcripts;
mod world;
