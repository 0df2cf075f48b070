//! The session: what a driver decides beside moving bytes, in simulated time. By example, each with a machine behind it; as
//! laws; and beside a second opinion.

mod both;
mod calls;
mod choices;
mod closing;
mod desk;
mod dialects;
mod ending;
mod entry;
mod laws;
mod library;
mod looking;
mod pausing;
mod reading;
mod reference;
mod speech;
mod world;
mod writing;
