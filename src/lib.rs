//! Decides whether the peer at the other end of a WebSocket is still alive.
//!
//! A dead WebSocket looks like a quiet one. Servers send heartbeats to tell them apart: a ping, a deadline for the answer, a
//! consequence. This crate takes that decision and does nothing else. It is a state machine without sockets, threads,
//! timers, clocks, allocation or randomness.
//!
//! ```text
//!   timestamps and frame events  ──►  Liveness  ──►  actions, and when to call next
//! ```
//!
//! # The loop
//!
//! In one sentence: report what happened, poll until there is nothing to do, wait for the next event or deadline.
//!
//! 1. Read the clock. Do not use the time that the timer was set for, because a timer may fire late.
//! 2. Read everything that can be read, and [`handle`](Liveness::handle) each frame as an [`Event`].
//! 3. [`poll`](Liveness::poll) with that time until `None`, and carry out each [`Action`].
//! 4. Wait for input, or until [`poll_timeout`](Liveness::poll_timeout).
//!
//! There are drivers for tungstenite, tokio and axum. [The guide](crate::guide) says how to write another.
//!
//! With this order, a process that was suspended at any point never closes a peer because of data that it had not read yet.
//! Only [`Event::PingSent`] needs a new reading of the clock, because the wait for the answer begins there.
//!
//! ```
//! use liveness::{Action, Config, Event, Liveness, Timestamp};
//!
//! # struct Socket { frames: Vec<Vec<u8>>, online: bool }
//! # impl Socket {
//! #     fn next_pong(&mut self) -> Option<Vec<u8>> { self.frames.pop() }
//! #     fn ping(&mut self, payload: &[u8]) { self.frames.push(payload.to_vec()); }
//! # }
//! fn turn(socket: &mut Socket, peer: &mut Liveness, now: Timestamp) {
//!     while let Some(payload) = socket.next_pong() {
//!         peer.handle(Event::Pong(&payload), now);
//!     }
//!     while let Some(action) = peer.poll(now) {
//!         match action {
//!             Action::MarkOnline => socket.online = true,
//!             Action::SendPing(payload) => socket.ping(payload.as_bytes()),
//!             Action::MarkSuspect => {} // show the user in grey, keep everything else
//!             Action::MarkOffline(reason) => {
//!                 socket.online = false;
//!                 println!("{reason}: {}", peer.report(now));
//!             }
//!             Action::Close(_code) => {} // write a Close frame
//!             Action::Disconnect => {}   // close the transport, free everything
//!         }
//!     }
//! }
//! # let mut socket = Socket { frames: vec![], online: false };
//! # let mut peer = Liveness::new(Config::DEFAULT, 1, Timestamp::ZERO);
//! # for second in 0..600 { turn(&mut socket, &mut peer, Timestamp::from_secs(second)); }
//! # assert!(socket.online && peer.stats().answers > 25);
//! ```
//!
//! # The rules
//!
//! Three clocks are independent: the schedule of pings, the writing of the newest ping, and the wait for an answer.
//!
//! 1. **When to ping**: [`Schedule`]. It makes no difference whether an earlier ping waits for its answer, or whether
//!    reading is paused. Only a ping that is not written yet delays the next one. [`probe`](Liveness::probe) makes a ping
//!    due now, or a second after the latest.
//! 2. **Jitter** only shortens a wait. The first wait is drawn from (0, `interval`], so that clients that reconnect together
//!    are not pinged together.
//! 3. **Evidence of life**: [`Evidence`]. It ends the wait for every ping before it. Nothing that we send extends a wait for
//!    the peer.
//! 4. **Two clocks of a ping**: its writing may take [`write_timeout`](Config::write_timeout), and each byte renews that.
//!    The wait for an answer begins when the first ping after the latest evidence is written, and lasts for
//!    [`timeout`](Config::timeout). Later pings change nothing about it, but a probe may shorten it to
//!    [`probe_timeout`](Config::probe_timeout).
//! 5. **No verdict at first sight**: the first poll after a deadline only notes the verdict. A later poll gives it, at least
//!    [`last_look`](Config::last_look) after. [`Event::Unread`] begins the last look again, until the same clock has run out
//!    a second time.
//! 6. **A stalled driver suspects itself first**: a deadline that the driver sees more than
//!    [`stall_tolerance`](Config::stall_tolerance) late is forgiven once, with a fresh ping.
//! 7. **Verdict**: [`Action::MarkOffline`], [`Action::Close`], then [`Action::Disconnect`] when the peer closes too, at the
//!    end of the transport, or after [`close_timeout`](Config::close_timeout).
//! 8. **Suspicion**: [`Suspicion`]. It is a fast hint before the slow verdict, at most once for each wait.
//! 9. **Idle, silent, paused**: [`idle_timeout`](Config::idle_timeout) without data,
//!    [`silence_timeout`](Config::silence_timeout) without any event. While reading is paused, no wait for the peer runs.
//!    Pings go on, and the machine watches their writing.
//! 10. **Flood**: pings, and pongs that answer nothing, draw on [`control_budget`](Config::control_budget).
//! 11. **Close**: the answer to a peer's Close is an echo. A peer that breaks the protocol gets a Close with the code
//!     ([`Event::Violation`]). After `MarkOffline` no event changes the verdict.
//! 12. **Clocks**: time in the machine never runs backwards. Sums saturate. `Duration::MAX` is never.
//!     [`reconfigure`](Liveness::reconfigure) changes the durations, and not the moments that they count from.
//! 13. **Order** if several deadlines fall due at once: idle, silence, the answer, the writing, suspicion, the next ping.
//!
//! # Many connections
//!
//! A [`Liveness`] is for a loop or a task with one connection. A loop with many connections keeps them in a [`Fleet`]
//! (feature `alloc`): the same events and actions, each with a key, and one next deadline.
//!
//! # Heartbeats inside messages
//!
//! Many protocols have their heartbeat in ordinary messages: socket.io, GraphQL, Phoenix, Discord, SignalR, most exchanges.
//! [`dialect`] supports them, without an allocation: it recognises the heartbeats, writes the answers, and has a [`Config`]
//! for each protocol.
//!
//! # Observers
//!
//! A recorder of transcripts, `tracing`, a metric, a presence list: each is an [`Observer`] (feature `alloc`). It sees every
//! input and every action with its time. Attach it at run time, to an [`Observed`] machine, to a driver's socket or to a
//! connection of a fleet. A machine may have several. An observer never changes what the machine does.
//!
//! # After a verdict
//!
//! - The client dials again: [`Reconnect`] decides when, by the server's close code and by a backoff, and spreads the
//!   clients that lost the same server. After a sleep ([`SleepDetector`]), probe the connection first.
//! - A list of users changes: [`Presence`] (feature `alloc`) makes one user of many tabs and devices, and reports nothing
//!   for a page that is reloaded.
//! - The right to write goes to another user: [`Lease`] (feature `alloc`) has one holder and a queue. It is frozen while the
//!   holder is suspect. It numbers each holding, so that a late write can be refused. A holder at the other end of a network
//!   that is cut off stops by itself (`lease::Tenure`).
//!
//! If one of their deadlines ran out while the process slept, they decide nothing before you can report the input that
//! waited.
//!
//! # What is promised
//!
//! For any driver, peer and clock:
//!
//! - `MarkOffline` and `Disconnect` come exactly once each, and `Disconnect` is the last action.
//! - A ping timeout comes only after a ping, after the whole `timeout` (a probe's: `probe_timeout`) without evidence, and after
//!   two polls that are `last_look` apart.
//! - No `interval` passes without a ping or, under [`Schedule::Quiet`], another write.
//! - After `poll(now)` returned `None`, `poll_timeout()` is later than `now`.
//! - The same inputs give the same outputs.
//! - The verdict about a dead peer comes within [`Config::detection_bound`].
//!
//! For a driver that reads everything readable between two polls: a peer whose answers arrive in time is never dropped,
//! however late the driver is.
//!
//! # Features
//!
//! | feature | gives | needs |
//! |---|---|---|
//! | `std` (default) | [`Clock`]; `random_seed`; and `alloc` | nothing |
//! | `alloc` | [`Fleet`]: a million connections on one thread; [`Presence`]; [`Lease`]; [`Observer`]; [`session`], for authors of drivers; a [`Config`] from text | `alloc` |
//! | `transcript` | [`transcript`]: a connection's life as text; `Recorder` | `similar` |
//! | `tune` | [`driver::tune`]: prepares a TCP socket for heartbeats; all drivers include it | `socket2` |
//! | `tungstenite` | [`driver::tungstenite`]: a WebSocket of tungstenite 0.30 with its heartbeat, blocking or for your own loop | `tungstenite`, `rustix`, `socket2` |
//! | `rustls` | `wss://` for the clients of `tungstenite` and `tokio-tungstenite`, with the system's certificates; rustls streams for `tungstenite` | `rustls`, `rustls-platform-verifier`, and `tokio-rustls` with `tokio-tungstenite` |
//! | `rustls-ring` | the same, and ring if the program has installed no provider of cryptography | `ring` |
//! | `tokio` | [`driver::tokio`]: the same for any WebSocket that is a stream and a sink | `tokio`, `futures-util`, `tune` |
//! | `futures-io` | `driver::tokio::Counted` around a transport of smol or async-std | `futures-io`, `tokio` |
//! | `tokio-tungstenite` | [`driver::tokio_tungstenite`]: for the WebSocket of tokio-tungstenite 0.30 | `tokio-tungstenite` |
//! | `axum` | [`driver::axum`]: for the WebSocket of axum 0.8 | `axum` |
//! | `tracing` | [`Traced`]: an observer that reports to `tracing` | `tracing`, `alloc` |
//! | `sim` | [`sim`]: a simulated clock and network, for tests of a server | `alloc` |
//! | `serde` | `Serialize` for logs, `Deserialize` for [`Config`] in a file of settings | `serde` |
//! | `arbitrary` | `Arbitrary` for [`Config`], [`Event`], [`Timestamp`] and [`CloseCode`], for fuzzing | `arbitrary` |
//! | `proptest` | [`strategy`]: the same for property tests | `proptest` |
//!
// Without a feature, the links to its items lead to the table of features.
#![cfg_attr(not(feature = "std"), doc = "[`Clock`]: #features")]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "[`Fleet`]: #features\n[`Presence`]: #features\n[`Lease`]: #features\n[`Observer`]: #features\n[`Observed`]: #features\n[`session`]: #features"
)]
#![cfg_attr(not(feature = "transcript"), doc = "[`transcript`]: #features")]
#![cfg_attr(not(feature = "tune"), doc = "[`driver::tune`]: #features")]
#![cfg_attr(not(feature = "tungstenite"), doc = "[`driver::tungstenite`]: #features")]
#![cfg_attr(not(feature = "tokio"), doc = "[`driver::tokio`]: #features")]
#![cfg_attr(not(feature = "tokio-tungstenite"), doc = "[`driver::tokio_tungstenite`]: #features")]
#![cfg_attr(not(feature = "axum"), doc = "[`driver::axum`]: #features")]
#![cfg_attr(not(feature = "tracing"), doc = "[`Traced`]: #features")]
#![cfg_attr(not(feature = "sim"), doc = "[`sim`]: #features")]
#![cfg_attr(not(feature = "proptest"), doc = "[`strategy`]: #features")]
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc(test(attr(deny(warnings))))]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::exhaustive_enums,
        clippy::expect_used,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::std_instead_of_core,
        clippy::unwrap_used
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "arbitrary")]
mod arbitrary;
mod config;
pub mod dialect;
#[cfg(feature = "tune")]
pub mod driver;
mod event;
#[cfg(feature = "alloc")]
mod fleet;
#[cfg(any(doc, doctest))]
#[doc = include_str!("guide.md")]
pub mod guide {}
#[cfg(feature = "alloc")]
pub mod lease;
mod limiter;
mod liveness;
#[cfg(feature = "alloc")]
mod observer;
mod payload;
#[cfg(feature = "alloc")]
pub mod presence;
pub mod reconnect;
mod rtt;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "alloc")]
pub mod session;
#[cfg(feature = "sim")]
pub mod sim;
mod sleep;
mod state;
#[cfg(feature = "proptest")]
pub mod strategy;
mod text_heartbeat;
mod time;
#[cfg(feature = "tracing")]
mod traced;
#[cfg(feature = "transcript")]
pub mod transcript;

pub use config::{Config, ConfigBuilder, ConfigError, ConfigWarning, Evidence, Schedule, Suspicion};
#[cfg(feature = "alloc")]
pub use config::{ParseConfigError, ParseDurationError, parse_duration};
pub use event::{Action, CloseCode, CloseCodeError, Event, Reason, Status};
#[cfg(feature = "alloc")]
pub use fleet::{ConfigId, Entry, Fleet, FleetError, Key, StaleKey};
#[cfg(feature = "alloc")]
pub use lease::{Lease, LeaseChange};
pub use liveness::{Liveness, Report, Stats};
#[cfg(feature = "alloc")]
pub use observer::{Input, Observed, Observer, OnAction};
pub use payload::Payload;
#[cfg(feature = "std")]
pub use payload::random_seed;
#[cfg(feature = "alloc")]
pub use presence::{Presence, PresenceChange};
pub use reconnect::{Reconnect, ReconnectAction};
pub use rtt::Rtt;
pub use sleep::SleepDetector;
pub use text_heartbeat::TextHeartbeat;
#[cfg(feature = "std")]
pub use time::Clock;
pub use time::Timestamp;
#[cfg(feature = "tracing")]
pub use traced::Traced;

/// The examples of the README and of the pages in `docs`, compiled.
#[cfg(all(doctest, feature = "axum", feature = "sim", feature = "tungstenite"))]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/million-connections.md")]
    mod million_connections {}
    #[doc = include_str!("../docs/presence-and-lease.md")]
    mod presence_and_lease {}
    #[doc = include_str!("../docs/testing-your-server.md")]
    mod testing_your_server {}
}
