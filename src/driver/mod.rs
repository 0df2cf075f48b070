//! Drivers: they connect an [`Observed`](crate::Observed) machine to the sockets of one ecosystem.
//!
//! A driver is thin. It reads before it polls, takes the time from the clock, and carries out the actions. The machine takes
//! all decisions about time. If the peer is a page, or if the protocol has its own heartbeat, set a
//! [dialect](crate::dialect).
//!
//! | your WebSocket | driver |
//! |---|---|
//! | tungstenite, blocking or in your own loop (mio, io_uring) | `driver::tungstenite` |
//! | tokio-tungstenite | `driver::tokio_tungstenite` |
//! | axum | `driver::axum` |
//! | any other `Stream` and `Sink`, any other runtime | `driver::tokio`, with an `Adapter` and a `Timer` |
//! | any other | [the guide](crate::guide) says how to write a driver |
//!
//! Each page begins with an example.

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(any(feature = "tokio-tungstenite", feature = "tungstenite"))]
mod connecting;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "tokio-tungstenite")]
pub mod tokio_tungstenite;
#[cfg(feature = "tungstenite")]
pub mod tungstenite;

#[cfg(any(feature = "tokio", feature = "tungstenite"))]
use core::time::Duration;

#[cfg(unix)]
use std::os::fd::AsFd as AsSocket;
#[cfg(windows)]
use std::os::windows::io::AsSocket;

use socket2::SockRef;

#[cfg(any(feature = "tokio-tungstenite", feature = "tungstenite"))]
pub use self::connecting::{ConnectError, Connector, Stage};
pub use crate::session::ErrorKind;

/// How long the opening handshake may take, from the first byte to the last: 10 s. It is also the limit of a whole
/// `connect`, which begins with the look-up of the server's name.
#[cfg(any(feature = "tokio", feature = "tungstenite"))]
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many unsent bytes the kernel may keep for a peer.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 128 * 1024;

/// Prepares a TCP socket for heartbeats, as far as the system can. It ignores errors, because a heartbeat also works without
/// it.
///
/// *No delay*: a ping or a small answer does not wait for the acknowledgement of what was sent before.
///
/// *Little unsent* (Linux, Android): by default the kernel takes megabytes for a slow reader, and a ping behind them counts
/// as sent long before it leaves. With 128 KiB the ping waits in the driver, which sees that, so its answer is in time. This
/// does not reduce the throughput, because it limits the bytes that were not sent yet, and not those in flight.
///
/// The blocking driver, axum's listener and every `connect` call it. Call it on a tokio stream before you wrap it, and on every socket of
/// your own loop, such as mio's. Otherwise two small writes in a row may be 40 ms apart. On Linux an accepted socket
/// inherits the settings of its listener, so you can tune only the listener:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// liveness::driver::tune(&listener);
/// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (stream, _) = listener.accept()?;
/// # if cfg!(target_os = "linux") {
/// assert!(stream.nodelay()?);
/// # }
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[cfg(any(unix, windows))]
pub fn tune(socket: &impl AsSocket) {
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
}
