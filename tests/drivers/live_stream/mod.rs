//! The asynchronous driver: real tungstenite on pipes, and on sockets where a test is of sockets; waiting is done on tokio's
//! paused clock.

mod busy;
mod closing;
mod final_close;
mod floods;
mod opening;
mod paused;
mod recording;
mod support;
mod text_heartbeats;
mod waking;
