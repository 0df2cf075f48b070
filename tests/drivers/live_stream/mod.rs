//! The asynchronous driver: real tungstenite on pipes, and on sockets where a test is of sockets; waiting is done on tokio's
//! paused clock.

mod adapters;
mod away;
mod busy;
mod closing;
mod dialects;
mod drops;
mod final_close;
mod floods;
mod opening;
mod paused;
mod recording;
mod streaks;
mod support;
mod text_heartbeats;
mod verdicts;
mod waking;
