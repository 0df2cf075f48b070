//! The asynchronous drivers: real sockets on loopback, real tungstenite and axum; waiting is done on tokio's paused clock
//! where no socket is needed.

mod axum;
mod busy;
mod last_word;
mod paused;
