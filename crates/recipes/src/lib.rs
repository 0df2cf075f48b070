//! What every recipe needs and none is about: flags, output lines, and the loop of an echo server, which is as it would be without
//! heartbeats.
//!
//! A recipe is a file of `src/bin` to copy from: from `use` to the last line of its `glue`. Build one with its feature, and judge it:
//!
//! ```sh
//! cd crates/recipes && cargo build --features warp --bin recipe_warp
//! cargo run -p liveness-judge -- crates/recipes/target/debug/recipe_warp # in the root
//! ```
//!
//! `.ci/recipes` builds and judges them all.

#![allow(
    missing_debug_implementations,
    missing_docs,
    reason = "for the recipes beside it, and for nobody else"
)]

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser as _;
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use liveness::driver::tokio::{Adapter, LiveStream, MessageKind, Socket, Timer};
use liveness::{Clock, Config};
use liveness_flags::{Args, flood, print};

/// Frames and messages may be as large as this, as under the servers.
pub const LARGEST: usize = 64 << 20;

/// An echo server, but for its stack.
pub struct Echo {
    pub config: Config,
    clock: Clock,
    connections: AtomicUsize,
}

impl Echo {
    /// Reads the flags, opens the door and says where it is.
    pub fn from_flags() -> Result<(&'static Self, TcpListener), String> {
        let args = Args::parse();
        let echo = Self { config: args.config()?, clock: Clock::new(), connections: AtomicUsize::new(0) };
        let listener = args.listen()?;
        listener.set_nonblocking(true).map_err(|error| error.to_string())?;
        Ok((Box::leak(Box::new(echo)), listener))
    }

    /// The whole life of a connection. Echoes data messages; the text `flood N` makes it send N bytes, in messages that `binary` makes.
    pub async fn serve<S, A, T>(&self, socket: LiveStream<S, A, T>, binary: impl Fn(Vec<u8>) -> A::Message)
    where
        S: Socket<A>,
        A: Adapter<S>,
        T: Timer,
        LiveStream<S, A, T>: Sink<A::Message>,
    {
        let (connection, clock) = (self.connections.fetch_add(1, Ordering::Relaxed) + 1, self.clock);
        let mut socket = socket.on_action(move |action, _| print(action, connection, clock));
        // To the very end: the peer is told why, and given the time to hear it.
        while let Some(message) = socket.next().await {
            let Ok(message) = message else { continue };
            let wanted = if let MessageKind::Text(text) = A::kind(&message) { flood(text) } else { None };
            // Where an answer cannot be sent, the stream ends too, and says why.
            match wanted {
                None => drop(socket.send(message).await),
                Some(bytes) => {
                    for part in parts(bytes) {
                        if socket.send(binary(part)).await.is_err() {
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// So many bytes, in pieces between which a ping may go.
pub fn parts(bytes: u64) -> impl Iterator<Item = Vec<u8>> {
    const PART: u64 = 64 * 1024;
    (0..bytes.div_ceil(PART)).map(move |index| vec![0; PART.min(bytes - index * PART) as usize])
}
