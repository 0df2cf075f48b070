//! Tungstenite: a WebSocket that does its own heartbeating. [`LiveSocket`] blocks; [`Connection`] is for a loop of your own.
//!
//! [`accept`] or [`connect`] a socket, then call [`LiveSocket::read`] in a loop, as before. Pings go out and deadlines are kept
//! while it waits. When the peer is given up, `read` returns the reason as an error, at the moment of the verdict.
//!
//! ```no_run
//! use std::net::TcpListener;
//! use std::thread;
//!
//! use liveness::Config;
//! use liveness::driver::tungstenite::accept;
//!
//! for stream in TcpListener::bind("127.0.0.1:8080")?.incoming().flatten() {
//!     thread::spawn(move || {
//!         let Ok(mut socket) = accept(stream, Config::DEFAULT) else { return };
//!         let offline = loop {
//!             match socket.read() {
//!                 Ok(message) => drop(socket.send(message)),
//!                 Err(offline) => break offline,
//!             }
//!         };
//!         println!("{offline}");
//!     });
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A thread that also has to say what other threads want said reads with [`LiveSocket::read_within`].
//!
//! # The end
//!
//! At the verdict a Close frame is written, as far as the peer takes it. Then drop the socket: it is closed at once. To wait
//! until the peer has closed too, at most `close_timeout`, call [`LiveSocket::finish`].
//! After [`LiveSocket::close`] `read` goes on with what the peer said last, and ends when the peer has closed.
//!
//! A socket that is dropped before its verdict, by an early return or a panic, tells its observers: `MarkOffline` with
//! `LocalClosed`, then `Disconnect`. No list of people keeps a ghost.
//!
//! # What it costs, what it bounds
//!
//! No thread and no timer. The socket is non-blocking, and each wait is one `poll(2)`, or `WSAPoll` on Windows, until the socket
//! is ready or the next deadline. While a large message is being written, the driver goes on reading, because the peer's
//! pongs count. What arrives meanwhile is kept for the next [`LiveSocket::read`], up to its [`Limits`](crate::session::Limits); then reading is paused,
//! and the machine knows.

mod connect;
mod connection;
mod errors;
mod handshake;
mod live_socket;
mod open;
mod options;
mod pipe;
mod transport;

pub use self::connect::{ClientSocket, connect, connect_with};
pub use self::connection::{Connection, SendError};
pub use self::errors::{Error, Offline};
pub use self::handshake::{Handshake, Opened};
pub use self::live_socket::LiveSocket;
pub use self::open::{Ready, accept, accept_hdr, accept_over, accept_raw, client, client_over};
pub use self::transport::{BlockingSocket, CountingSocket, MaybeTls, Transport};
