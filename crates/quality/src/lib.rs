//! How good is a verdict? Lives in simulated worlds, the rules that people use, and the results of many lives.
//!
//! `docs/detection-quality.md` explains the worlds, the rules and the figures. The bench `quality` makes its tables with
//! this crate, and the playground runs the same lives in a browser.
//!
//! - [`World`]: what the network, the peer and our host do. [`WORLDS`] are those of the page.
//! - [`Rule`]: judges one connection. [`FAMILIES`] are those of the page. [`Ours`] is this crate's machine among them.
//! - [`Simulation`]: one life. A [`Script`] says what happens in it, and a [`Witness`] sees all of it.
//! - [`Score`]: the result of many lives.

#![allow(
    missing_debug_implementations,
    missing_docs,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "for the bench and the playground, and for nobody else"
)]

mod chance;
mod families;
mod ours;
mod pipe;
mod proxy;
mod recipes;
mod rule;
mod score;
mod script;
mod simulate;
mod spells;
mod world;

pub use chance::{Nanos, SECOND, nanos, number, seconds};
pub use families::{FAMILIES, Family, Make, SUSPICIONS};
pub use ours::Ours;
pub use pipe::Written;
pub use proxy::{Limits, NO_PROXY, Side};
pub use rule::{Input, Rule, Want};
pub use score::{Rate, Score, mean};
pub use script::{Script, Seen, Stretch, Witness};
pub use simulate::{CONTROL, Outcome, Simulation};
pub use spells::Often;
pub use world::{Death, Network, Talk, WORLDS, World};
