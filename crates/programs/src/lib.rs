//! What the programs with a page share, and the parts of the cluster that its tests look at from inside.

#![allow(
    missing_debug_implementations,
    missing_docs,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "for the programs beside it and their tests, and for nobody else"
)]

pub mod cluster;
pub mod web;
