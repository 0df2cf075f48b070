//! The asynchronous drivers: real sockets on loopback, real tungstenite and axum; waiting is done on tokio's paused clock
//! where no socket is needed.

mod axum;
mod beats;
mod busy;
mod closing;
mod floods;
mod last_word;
mod opening;
mod paused;
mod recording;
mod support;
mod waking;
