//! Transcripts: a connection's life as text.
//!
//! One format is the tests' language, the bug report's attachment and the [`Recorder`]'s output. `<` is an input, `>`
//! an output; times are seconds (`12.5s`, `200ms`) from the start; `#` begins a comment, except in `#N`.
//!
//! ```
//! use liveness::transcript::Transcript;
//!
//! let life: Transcript = "
//! config interval=5s timeout=10s jitter=0 last_look=0s
//! 0s    < open
//! 0s    > online
//! 5s    > ping #1
//! 5.2s  < pong #1
//! 10s   > ping #2
//! 15s   > ping #3
//! 20s   > offline ping-timeout
//! 20s   > close 3008
//! 25s   > disconnect
//! "
//! .parse()?;
//! assert!(life.replay()?.agrees());
//! # Ok::<(), liveness::transcript::ParseError>(())
//! ```
//!
//! # Inputs
//!
//! | input | what happens |
//! |---|---|
//! | `open` | the connection opens: the first input of every life |
//! | `data`, `progress`, `ping`, `eof`, `wrote`, `ping-sent`, `read-paused`, `read-resumed`, `unread` | that [`Event`](crate::Event) |
//! | `close [CODE]` | the peer closes |
//! | `violation CODE` | the peer breaks the protocol, and is told this code |
//! | `pong #N` | a pong with the payload of the N-th ping; an error before that ping |
//! | `pong TEXT` | a pong with any other payload: a word, `0x` and hexadecimal digits, or nothing |
//! | `probe`, `local-close CODE` | that command |
//! | `reconfigure KEY=VALUE ...` | other settings; what is not named stays |
//! | `stall DURATION` | the driver does nothing for that long; inputs dated within it are read when it ends, before the poll |
//! | `stall-deaf DURATION` | the same, but it polls once before it reads them, and again after |
//! | `end` | stop here, after what is due; without it, run until finished |
//!
//! Between inputs the driver polls exactly at `poll_timeout`. At one instant inputs come first. Outputs are
//! `online`, `ping #N`, `suspect`, `offline REASON`, `close [CODE]` and `disconnect`. Before `open`, lines of
//! `config KEY=VALUE ...` set what [`Config`](crate::Config) reads of a text, and `seed`.

mod config_text;
mod draw;
mod format;
mod parse;
mod recorder;
mod replay;

pub use draw::Row;
pub use format::{ParseError, Transcript};
pub use recorder::{Page, Recorder};
pub use replay::Replay;
