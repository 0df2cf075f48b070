//! Decides whether the peer at the other end of a WebSocket is still alive.
//!
//! A dead WebSocket looks like a quiet one. Servers send heartbeats to tell them apart: a ping, a deadline for the
//! answer, a consequence. This crate is that decision and nothing else: a state machine without sockets, threads,
//! timers, clocks, allocation or randomness of its own.
//!
//! ```text
//!   timestamps and frame events  ──►  Liveness  ──►  actions, and when to call next
//! ```
//!
//! # The loop
//!
//! In one sentence: hand in what happened, poll until there is nothing to do, wait for the next event or deadline.
//!
//! 1. Take the time from the clock, not from the timer that woke you.
//! 2. Read everything that can be read, and [`handle`](Liveness::handle) each frame as an [`Event`].
//! 3. [`poll`](Liveness::poll) with that time until `None`, and carry out each [`Action`].
//! 4. Wait for input, or until [`poll_timeout`](Liveness::poll_timeout).
//!
//! For tungstenite, tokio and axum there are drivers that do so. [The guide](crate::guide) says how to write another.
//!
//! With this order, a process that was suspended at any point never closes a peer because of data that it had not read yet. Only
//! [`Event::PingSent`] needs a fresh look at the clock, because the time for the answer begins there.
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
//!             Action::MarkSuspect => {} // grey out, take nothing away
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
//! Three clocks know nothing of each other: the schedule of pings, the writing of the newest ping, and the wait for an answer.
//!
//! 1. **When to ping**: [`Schedule`], whether an earlier ping waits for its answer or not, and whether reading is paused or
//!    not. Only a ping that is still to be written holds back the next. [`probe`](Liveness::probe) makes one due now, or a
//!    second after the latest.
//! 2. **Jitter** only shortens a wait. The first wait is drawn from (0, `interval`], so that clients that reconnect together
//!    are not pinged together.
//! 3. **Evidence of life**: [`Evidence`]. It ends the wait for every ping before it. Sending never buys time.
//! 4. **Two clocks of a ping**: its writing has [`write_timeout`](Config::write_timeout), renewed by each byte. The wait for
//!    an answer begins when the first ping after the latest evidence is written, and lasts for
//!    [`timeout`](Config::timeout). Later pings change nothing about it, but a probe may shorten it to
//!    [`probe_timeout`](Config::probe_timeout).
//! 5. **No verdict at first sight**: the first poll that sees a deadline passed only notes it. The verdict is given by a later
//!    poll, at least [`last_look`](Config::last_look) after. [`Event::Unread`] begins the last look anew, until the clock that
//!    ran out has run out a second time.
//! 6. **A stalled driver suspects itself first**: a deadline that is seen more than
//!    [`stall_tolerance`](Config::stall_tolerance) late is forgiven once, with a fresh ping.
//! 7. **Verdict**: [`Action::MarkOffline`], [`Action::Close`], then [`Action::Disconnect`] when the peer closes too, at the
//!    end of the transport, or after [`close_timeout`](Config::close_timeout).
//! 8. **Suspicion**: [`Suspicion`]. A fast hint before a slow verdict, once a wait.
//! 9. **Idle, silent, paused**: [`idle_timeout`](Config::idle_timeout) without data,
//!    [`silence_timeout`](Config::silence_timeout) without anything. While reading is paused nothing waits for the peer; pings
//!    go on, and their writing is watched.
//! 10. **Flood**: pings, and pongs that answer nothing, draw on [`control_budget`](Config::control_budget).
//! 11. **Close**: a peer's Close is echoed. A peer that breaks the protocol is told so ([`Event::Violation`]). After
//!     `MarkOffline` no event changes the verdict.
//! 12. **Clocks**: time inside never runs backwards; sums saturate; `Duration::MAX` is never.
//!     [`reconfigure`](Liveness::reconfigure) changes the lengths, not the moments that they count from.
//! 13. **Order** where several fall due at once: idle, silence, the answer, the writing, suspicion, the next ping.
//!
//! # Many connections
//!
//! A [`Liveness`] is for a loop or a task that serves one connection. One loop that serves many keeps them in a [`Fleet`]
//! (feature `alloc`): the same events and actions, each with a key, and one deadline for all.
//!
//! # Heartbeats inside messages
//!
//! Many protocols carry theirs in ordinary messages: socket.io, GraphQL, Phoenix, Discord, SignalR, most exchanges. [`dialect`] has
//! them, without an allocation: which message is a heartbeat, what answers it, and the [`Config`] that goes with it.
//!
//! # Who looks on
//!
//! A recorder of transcripts, `tracing`, a metric, a presence list: each is an [`Observer`] (feature `alloc`), told every input and
//! every action with its time. Several may be attached at run time, to an [`Observed`] machine, to a driver's socket or to a
//! connection of a fleet. None of them changes what the machine does.
//!
//! # What follows from a verdict
//!
//! - The client dials again: [`Reconnect`] says when, by what the server said and by any backoff, and spreads the herd of
//!   those that lost the same server. After a sleep ([`SleepDetector`]) or on another network it asks first.
//! - A list of people changes: [`Presence`] (feature `alloc`) makes one user of many tabs and devices, and a reloaded page
//!   neither leaves nor joins.
//! - The right to write passes on: [`Lease`] (feature `alloc`) has one holder and a queue, is frozen while the holder is
//!   suspect, and numbers each holding, so that a late write is known. A holder at the other end of a network that is cut off
//!   stops by itself (`lease::Tenure`).
//!
//! If a deadline of theirs ran out while the process slept, they decide nothing before the input that waited can be handed in.
//!
//! # What is promised
//!
//! For any driver, peer and clock:
//!
//! - `MarkOffline` and `Disconnect` are given out once each, and `Disconnect` is the last action.
//! - A ping timeout comes only after a ping, after the whole `timeout` (a probe's: `probe_timeout`) without evidence, and after
//!   two polls that are `last_look` apart.
//! - No `interval` passes without a ping or, under [`Schedule::Quiet`], a write of ours.
//! - After `poll(now)` returned `None`, `poll_timeout()` is later than `now`.
//! - The same inputs give the same outputs.
//! - A dead peer is noticed within [`Config::detection_bound`].
//!
//! For a driver that reads what is readable between two polls: a peer whose answers reach us in time is never dropped, however
//! late the driver is.
//!
//! # Features
//!
//! | feature | gives | needs |
//! |---|---|---|
//! | `std` (default) | [`Clock`]; `random_seed`; and `alloc` | nothing |
//! | `alloc` | [`Fleet`]: a million connections on one thread; [`Presence`]; [`Lease`]; [`Observer`]; a [`Config`] from text | `alloc` |
//! | `transcript` | [`transcript`]: a connection's life as text; `Recorder` | `similar` |
//! | `tune` | [`driver::tune`]: prepares a TCP socket for heartbeats; all drivers bring it | `socket2` |
//! | `tungstenite` | [`driver::tungstenite`]: a WebSocket with its heartbeat, blocking or for a loop of your own | `tungstenite`, `rustix`, `socket2` |
//! | `rustls` | `wss://` for the clients of `tungstenite` and `tokio-tungstenite`, by the system's certificates; rustls streams under the former | `rustls`, `rustls-platform-verifier`, and `tokio-rustls` with the latter |
//! | `rustls-ring` | the same, and ring where the program has installed no provider of cryptography | `ring` |
//! | `tokio` | [`driver::tokio`]: the same for any WebSocket that is a stream and a sink | `tokio`, `futures-util`, `tune` |
//! | `tokio-tungstenite` | [`driver::tokio_tungstenite`]: for that of tokio-tungstenite | `tokio-tungstenite` |
//! | `axum` | [`driver::axum`]: for that of axum | `axum` |
//! | `tracing` | [`Traced`]: an observer that tells `tracing` of a life | `tracing`, `alloc` |
//! | `sim` | [`sim`]: a simulated clock and network, to test a server with | `alloc` |
//! | `serde` | `Serialize` for what is logged, `Deserialize` for [`Config`] in a file of settings | `serde` |
//! | `arbitrary` | `Arbitrary` for [`Config`], [`Event`], [`Timestamp`] and [`CloseCode`], for fuzzing | `arbitrary` |
//! | `proptest` | [`strategy`]: the same for property tests | `proptest` |
//!
// Built without a feature, the docs have nothing else to lead to where they speak of it.
#![cfg_attr(not(feature = "std"), doc = "[`Clock`]: #features")]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "[`Fleet`]: #features\n[`Presence`]: #features\n[`Lease`]: #features\n[`Observer`]: #features\n[`Observed`]: #features"
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
