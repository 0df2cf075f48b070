//! A simulated clock and network, to test a server with: a year of bad connections in seconds, the same at every run.
//!
//! A server that takes the time as a parameter, as everything in this crate does, needs no sockets to be tested. Here is what
//! it is connected to instead. Nothing waits, and nothing ticks: the clock jumps to the next moment at which anything
//! happens.
//!
//! From the least work to the most freedom:
//!
//! | type | is | for the question |
//! |---|---|---|
//! | [`Pair`] | two machines and a link | what do these settings do on that network? |
//! | [`Network`] | many clients, and a server that is yours | does *my* server show who is there, whatever happens? |
//! | [`Link`], [`OneWay`], [`SimClock`], [`Rng`] | what those are made of | anything else |
//!
//! The example `year_of_bad_network` is a chat server under the second, from top to bottom.
//!
//! # What is simulated
//!
//! Connections as TCP makes them. What is sent arrives in order, once, whole, after the [`LinkProfile`]'s latency and jitter and
//! at its rate; in an outage everything stalls, and is delivered afterwards; after a cut nothing arrives any more, in one
//! direction or both, and nobody is told. There is no packet loss, for above TCP there is none: what it does to those above
//! is a lump of delay, so use jitter, and outages of a few seconds, as long as its retransmission timer backs off.
//!
//! Not simulated: a kernel's buffer that is full. What a server sends is taken at once, and [`OneWay::unsent`] says how much
//! of it has not left yet.
//!
//! # Fuzzing a server
//!
//! With feature `arbitrary` a fuzzer chooses the settings, the events and their times. This is a whole target for
//! [cargo-fuzz](https://rust-fuzz.github.io/book/cargo-fuzz.html), to copy: `cargo fuzz add server`, then in `fuzz/` `cargo
//! add liveness --features arbitrary`, and put your server in the place of `Server`.
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
//! /// Yours: a list with the name of each peer that is online, and no other.
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
//! // A step: which of three it is, any event at all, and how late a driver is.
//! fuzz_target!(|life: (Config, Vec<(u8, Event<'_>, u16)>)| {
//!     let (config, steps) = life;
//!     let mut now = Timestamp::ZERO;
//!     let mut server = Server { peer: Liveness::new(config, 7, now), online: vec![], freed: false };
//!     let mut ping: Option<Payload> = None;
//!     for (kind, event, late) in steps {
//!         match (kind % 3, ping) {
//!             // An answer to the latest ping: no fuzzer would guess it.
//!             (0, Some(ping)) => server.peer.handle(Event::Pong(ping.as_bytes()), now),
//!             (1, _) => server.peer.handle(event, now),
//!             // The driver sleeps until the deadline, and so many milliseconds longer.
//!             _ => now = server.peer.poll_timeout().unwrap_or(now).max(now) + Duration::from_millis(late.into()),
//!         }
//!         while let Some(action) = server.peer.poll(now) {
//!             assert!(!server.freed, "{action:?} after everything was freed");
//!             server.carry_out(action);
//!             if let Action::SendPing(payload) = action {
//!                 ping = Some(payload);
//!             }
//!         }
//!         // What must hold of your server, whatever happened:
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
