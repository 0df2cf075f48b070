//! Is the peer at the other end of this WebSocket still alive?
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc(test(attr(deny(warnings))))]

#[cfg(feature = "std")]
extern crate std;

mod config;
#[cfg(feature = "tungstenite")]
pub mod driver;
mod event;
mod limiter;
mod liveness;
mod payload;
mod rtt;
mod state;
mod time;
#[cfg(feature = "transcript")]
pub mod transcript;

pub use config::{Config, ConfigBuilder, ConfigError, Evidence, Schedule, Suspicion};
pub use event::{Action, CloseCode, Event, Reason, Status};
pub use liveness::{Liveness, Machine, Report, Stats};
pub use payload::Payload;
pub use rtt::Rtt;
#[cfg(feature = "std")]
pub use time::Clock;
pub use time::Timestamp;
