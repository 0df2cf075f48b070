//! The session: what a driver decides beside moving bytes, in simulated time. By example, each with a machine behind it; as
//! laws; and beside a second opinion.

mod closing;
mod desk;
mod ending;
mod looking;
