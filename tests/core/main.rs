//! The parts that make decisions, in simulated time: no socket, no thread, no runtime.

mod dialect;
mod fleet;
mod generated;
mod grid;
mod laws;
mod lease;
mod messages;
mod mirror;
mod observer;
mod oracle;
mod plain_words;
mod presence;
mod public;
mod questions;
mod reconnect;
mod samples;
mod session;
mod settings;
mod sim;
mod sleep;
mod text;
mod tidy;
mod time;
mod transcripts;
mod what_if;
mod world;
