//! The drivers on a busy machine: at any call of the clock, the timer or the transport the thread may lose its processor, for
//! any time. A driver's turn takes no time elsewhere in these tests; here all time may pass within turns.
//!
//! A dead peer's verdict comes, late by no more than the thread was away. A live peer is not given up. No driver spins, none
//! sleeps through its deadline, and every life ends.

mod life;
mod moment;
mod socket;
mod stream;
mod tasks;
mod wire;
