//! What every recipe needs, although none of them is about it: flags, output lines, and the loop of an echo server. The
//! loop is the same as without heartbeats.
//!
//! A recipe is a file of `src/bin` to copy from. Copy from `use` to the last line of its `glue`. Build one with its
//! feature, and judge it:
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

/// The largest frame and the largest message, as in the servers.
pub const LARGEST: usize = 64 << 20;

/// An echo server, without its stack.
pub struct Echo {
    pub config: Config,
    pub clock: Clock,
    connections: AtomicUsize,
}

static ECHO: OnceLock<Echo> = OnceLock::new();

/// The server of this process. Call [`listen`] first.
pub fn echo() -> &'static Echo {
    ECHO.get().expect("it listens first")
}

/// Reads the flags. A recipe has two flags fewer than the servers.
pub fn flags() -> Result<Args, Failure> {
    let args = Args::parse();
    args.no_tls()?;
    args.no_record()?;
    let (config, clock, connections) = (args.config()?, Clock::new(), AtomicUsize::new(0));
    ECHO.get_or_init(|| Echo { config, clock, connections });
    Ok(args)
}

/// Reads the flags, binds the listener and prints its address.
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

/// The next connection. A server that has no file left turns a client away, and goes on.
#[cfg(feature = "_tokio")]
pub async fn accept(listener: &tokio::net::TcpListener) -> tokio::net::TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

/// hyper's loop of one connection. Without a timer it would wait for the rest of a request for ever.
#[cfg(feature = "_hyper")]
pub fn http1() -> hyper::server::conn::http1::Builder {
    let mut http1 = hyper::server::conn::http1::Builder::new();
    http1.timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(liveness::driver::HANDSHAKE_TIMEOUT);
    http1
}

impl Echo {
    /// A new connection. Returns what prints its changes.
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
        // Read to the very end, so that the peer is told why, and has time to read it.
        while let Some(message) = socket.next().await {
            let Ok(message) = message else { continue };
            let wanted = if let MessageKind::Text(text) = A::kind(&message) { flood(text) } else { None };
            // If an answer cannot be sent, the stream ends too, and says why.
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

/// Messages of this many bytes in all. They are small, so that a ping may go between them.
pub fn parts(bytes: u64) -> impl Iterator<Item = Vec<u8>> {
    const PART: u64 = 64 * 1024;
    (0..bytes.div_ceil(PART)).map(move |index| vec![0; PART.min(bytes - index * PART) as usize])
}
