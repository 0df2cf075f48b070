//! Tungstenite: a WebSocket with its own heartbeat. [`LiveSocket`] blocks; [`Connection`] is for your own loop. Under tokio
//! use `driver::tokio_tungstenite` instead.
//!
//! [`accept`] or [`connect`] a socket, then call [`LiveSocket::read`] in a loop. It sends pings and watches deadlines while
//! it waits. At the verdict `read` returns an error with the reason.
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
//! A thread that also sends the messages of other threads reads with [`LiveSocket::read_within`].
//!
//! # The end
//!
//! At the verdict the driver writes a Close frame, if the peer takes it. When you drop the socket, it is closed at once. To
//! wait until the peer has closed too, at most `close_timeout`, call [`LiveSocket::finish`]. After [`LiveSocket::close`],
//! `read` returns the peer's last messages, and ends when the peer has closed.
//!
//! A socket that is dropped before its verdict, by an early return or a panic, tells its observers `MarkOffline` with
//! `LocalClosed`, and then `Disconnect`. So the peer never stays in a list of online users.
//!
//! # What it costs, what it bounds
//!
//! It needs no thread and no timer. The socket is non-blocking, and each wait is one `poll(2)`, or `WSAPoll` on Windows,
//! until the socket is ready or the next deadline. While the driver writes a large message, it keeps reading, because the
//! peer's pongs count. It keeps the messages that arrive meanwhile for the next [`LiveSocket::read`], up to its
//! [`Limits`](crate::session::Limits). Then it stops reading, and does not judge the peer by that.

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
