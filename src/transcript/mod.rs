//! Transcripts: a connection's life as text.
//!
//! Use a transcript as a test, as part of a bug report, or as the output of a [`Recorder`] in production. Replay it, or ask how
//! it would have gone with other settings: [`Transcript::what_if`]. It holds events and not bytes: for frames and payloads, use
//! a packet capture instead. `<` is an input, `>` is an output. Times are seconds from the start (`12.5s`, `200ms`). `#` begins
//! a comment, except in `#N`.
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
//! | `violation CODE` | the peer breaks the protocol; our Close has this code |
//! | `pong #N` | a pong with the payload of the N-th ping; an error before that ping |
//! | `pong TEXT` | a pong with any other payload: a word, `0x` and hexadecimal digits, or nothing |
//! | `probe`, `local-close CODE` | that command |
//! | `reconfigure KEY=VALUE ...` | new settings; the others stay |
//! | `stall DURATION` | the driver does nothing for that long; at its end it reads the inputs of that time, then polls |
//! | `stall-deaf DURATION` | the same, but the driver polls once before it reads them, and again after |
//! | `end` | stop here, after everything that is due; without it, run until finished |
//!
//! Between inputs the driver polls exactly at `poll_timeout`. At one moment inputs come first. Outputs are `online`,
//! `ping #N`, `suspect`, `offline REASON`, `close [CODE]` and `disconnect`. Before `open`, lines of `config KEY=VALUE ...`
//! set the `seed`, and the settings that [`Config`](crate::Config) parses.

mod config_text;
mod draw;
mod format;
mod parse;
mod recorder;
mod replay;
mod what_if;

pub use draw::Row;
pub use format::{ParseError, Transcript};
pub use recorder::{Page, Recorder};
pub use replay::Replay;
