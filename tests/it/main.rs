//! One binary for all tests through the public door.

mod laws;
mod oracle;
mod public;
mod tidy;
mod transcripts;
