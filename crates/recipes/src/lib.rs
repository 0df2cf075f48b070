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
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser as _;
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use liveness::driver::tokio::{Adapter, LiveStream, MessageKind, Socket, Timer};
use liveness::{Action, Clock, Config};
pub use liveness_flags::Failure;
use liveness_flags::{Args, flood, print};

/// Frames and messages may be as large as this, as under the servers.
pub const LARGEST: usize = 64 << 20;

/// An echo server, without its stack.
pub struct Echo {
    pub config: Config,
    pub clock: Clock,
    connections: AtomicUsize,
}

static ECHO: OnceLock<Echo> = OnceLock::new();

/// The server of this process, once it [listens](listen).
pub fn echo() -> &'static Echo {
    ECHO.get().expect("it listens first")
}

/// Reads the flags.
pub fn flags() -> Result<Args, Failure> {
    let args = Args::parse();
    let (config, clock, connections) = (args.config()?, Clock::new(), AtomicUsize::new(0));
    ECHO.get_or_init(|| Echo { config, clock, connections });
    Ok(args)
}

/// Reads the flags, opens the door and says where it is.
pub fn listen() -> Result<TcpListener, Failure> {
    let listener = flags()?.listen()?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Tungstenite's own settings.
#[cfg(feature = "_tungstenite")]
pub fn settings() -> tokio_tungstenite::tungstenite::protocol::WebSocketConfig {
    let settings = tokio_tungstenite::tungstenite::protocol::WebSocketConfig::default();
    settings.max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST))
}

/// The next connection. A server that has run out of files turns a client away, and lives.
#[cfg(feature = "_tokio")]
pub async fn accept(listener: &tokio::net::TcpListener) -> tokio::net::TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

impl Echo {
    /// Somebody has come: what prints the changes of this connection.
    pub fn printer(&self) -> impl Fn(Action) + Send + use<> {
        let (connection, clock) = (self.connections.fetch_add(1, Ordering::Relaxed) + 1, self.clock);
        move |action| print(action, connection, clock)
    }

    /// The whole life of a connection. Echoes data messages; the text `flood N` makes it send N bytes.
    pub async fn serve<S, A, T>(&self, socket: LiveStream<S, A, T>)
    where
        S: Socket<A>,
        A: Adapter<S>,
        T: Timer,
        LiveStream<S, A, T>: Sink<A::Message>,
    {
        let print = self.printer();
        let mut socket = socket.on_action(move |action, _| print(action));
        // To the very end: the peer is told why, and given the time to hear it.
        while let Some(message) = socket.next().await {
            let Ok(message) = message else { continue };
            let wanted = if let MessageKind::Text(text) = A::kind(&message) { flood(text) } else { None };
            // Where an answer cannot be sent, the stream ends too, and says why.
            match wanted {
                None => drop(socket.send(message).await),
                Some(bytes) => {
                    for part in parts(bytes) {
                        if socket.send(A::binary(part)).await.is_err() {
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
