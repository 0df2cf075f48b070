//! The tests that decide about the core, as a binary of their own: it builds in seconds, and so serves what builds the crate
//! over and over, one change at a time (`.ci/break`, cargo-mutants). `cargo test` runs the same tests as part of `it`.

#[path = "it/draws.rs"]
mod draws;
#[path = "it/fleet/mod.rs"]
mod fleet;
#[path = "it/laws/mod.rs"]
mod laws;
#[path = "it/lease/mod.rs"]
mod lease;
#[path = "it/oracle/mod.rs"]
mod oracle;
#[path = "it/presence/mod.rs"]
mod presence;
#[path = "it/public.rs"]
mod public;
#[path = "it/reconnect/mod.rs"]
mod reconnect;
#[path = "it/settings.rs"]
mod settings;
#[path = "it/time.rs"]
mod time;
#[path = "it/transcripts.rs"]
mod transcripts;
#[path = "it/words.rs"]
mod words;
#[path = "it/world.rs"]
mod world;
