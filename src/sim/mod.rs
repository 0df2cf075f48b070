//! A simulated clock and network for tests of a server: a year of bad connections in seconds, and the same in every run.
//!
//! A server that takes the time as a parameter, as everything in this crate does, needs no sockets in its tests. This module
//! replaces them. Nothing waits and nothing ticks: the clock jumps to the next moment at which anything happens. For a test
//! of your sockets, your TLS or your WebSocket library, use those instead: the simulator has none.
//!
//! From the least work to the most freedom:
//!
//! | type | what it is | what it answers |
//! |---|---|---|
//! | [`Pair`] | two machines and a link | what do these settings do on that network? |
//! | [`Network`] | many clients, and your server | does *my* server show who is online, whatever happens? |
//! | [`Link`], [`OneWay`], [`SimClock`], [`Rng`] | the parts of those | anything else |
//!
//! The example `year_of_bad_network` is a complete chat server in a [`Network`].
//!
//! # What is simulated
//!
//! TCP connections. Each message arrives once, whole and in order, after the [`LinkProfile`]'s latency and jitter, and at
//! its rate. In an outage everything stalls, and arrives afterwards. After a cut nothing arrives any more, in one direction
//! or both, and neither end is told. There is no packet loss, because TCP hides it: a program above TCP only sees a delay.
//! For packet loss use jitter, and outages of a few seconds, which are as long as the backoff of TCP's retransmission timer.
//!
//! A kernel's full buffer is not simulated. The kernel takes everything that a server sends at once, and [`OneWay::unsent`]
//! returns how much of it has not left yet.
//!
//! # Fuzzing a server
//!
//! With feature `arbitrary` a fuzzer chooses the settings, the events and their times. This is a complete target for
//! [cargo-fuzz](https://rust-fuzz.github.io/book/cargo-fuzz.html). Copy it: `cargo fuzz add server`, then in `fuzz/`
//! `cargo add liveness --features arbitrary`, and replace `Server` by your server.
//!
//! ```
//! # /* As a doc test it is run on a few inputs instead:
//! #![no_main]
//! # */
//! # use arbitrary::Arbitrary;
//! # macro_rules! fuzz_target {
//! #     (|$life:ident: $kind:ty| $body:block) => {
//! #         fn target(bytes: &[u8]) {
//! #             let $life: $kind = Arbitrary::arbitrary_take_rest(arbitrary::Unstructured::new(bytes)).unwrap();
//! #             $body
//! #         }
//! #     };
//! # }
//! # fn main() {
//! #     for seed in 0..200_u8 {
//! #         target(&(0..400_u16).map(|i| (i as u8).wrapping_mul(seed | 1) ^ seed).collect::<Vec<_>>());
//! #     }
//! # }
//! use std::time::Duration;
//!
//! # /*
//! use libfuzzer_sys::fuzz_target;
//! # */
//! use liveness::{Action, Config, Event, Liveness, Payload, Timestamp};
//!
//! /// Your server: a list with the name of each peer that is online, and no other.
//! struct Server {
//!     peer: Liveness,
//!     online: Vec<&'static str>,
//!     freed: bool,
//! }
//!
//! impl Server {
//!     fn carry_out(&mut self, action: Action) {
//!         match action {
//!             Action::MarkOnline if self.online.is_empty() => self.online.push("ann"),
//!             Action::MarkOffline(_) => self.online.clear(),
//!             Action::Disconnect => self.freed = true,
//!             _ => {}
//!         }
//!     }
//! }
//!
//! // A step: one of three kinds, any event, and how late a driver is.
//! fuzz_target!(|life: (Config, Vec<(u8, Event<'_>, u16)>)| {
//!     let (config, steps) = life;
//!     let mut now = Timestamp::ZERO;
//!     let mut server = Server { peer: Liveness::new(config, 7, now), online: vec![], freed: false };
//!     let mut ping: Option<Payload> = None;
//!     for (kind, event, late) in steps {
//!         match (kind % 3, ping) {
//!             // An answer to the latest ping, which a fuzzer would not guess.
//!             (0, Some(ping)) => server.peer.handle(Event::Pong(ping.as_bytes()), now),
//!             (1, _) => server.peer.handle(event, now),
//!             // The driver sleeps until the deadline, and this many milliseconds longer.
//!             _ => now = server.peer.poll_timeout().unwrap_or(now).max(now) + Duration::from_millis(late.into()),
//!         }
//!         while let Some(action) = server.peer.poll(now) {
//!             assert!(!server.freed, "{action:?} after everything was freed");
//!             server.carry_out(action);
//!             if let Action::SendPing(payload) = action {
//!                 ping = Some(payload);
//!             }
//!         }
//!         // What must be true of your server, whatever happened:
//!         assert_eq!(server.online.is_empty(), server.peer.verdict().is_some());
//!         assert_eq!(server.freed, server.peer.is_finished());
//!     }
//! });
//! ```

mod clock;
mod event_queue;
mod frame;
mod link;
mod network;
mod one_way;
mod pair;
mod rng;

pub use clock::SimClock;
pub use frame::Frame;
pub use link::Link;
pub use network::{ConnectionId, Network, SimEvent};
pub use one_way::{LinkProfile, OneWay};
pub use pair::{End, Pair};
pub use rng::Rng;
