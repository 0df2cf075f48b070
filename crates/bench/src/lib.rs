//! What the benches share: where they write, what they were measured on, tables.

#![allow(missing_docs, clippy::must_use_candidate, reason = "for the benches beside it, and for nobody else")]

pub mod host;
pub mod table;
