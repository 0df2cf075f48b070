//! Drivers: what joins an [`Observed`](crate::Observed) machine to the sockets of one ecosystem.
//!
//! A driver is thin. It sees bytes move, reads before it polls, takes the time from the clock, and carries out the
//! actions. All decisions are the machine's. Where the peer is a page, or the protocol has a heartbeat of its own, a
//! [dialect](crate::dialect) is the option to know.

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

/// How long the opening handshake may take, from the first byte to the last: 10 s. So long may all of a `connect` take, from the
/// looking up of the server's name on.
#[cfg(any(feature = "tokio", feature = "tungstenite"))]
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How much the kernel may keep unsent for a peer.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 128 * 1024;

/// Prepares a TCP socket for heartbeats, as far as its system can; any error is left alone, for without it all works too.
///
/// *No delay*: a ping or a small answer does not wait for the acknowledgement of what was sent before.
///
/// *Little unsent* (Linux, Android): left alone, the kernel takes megabytes for a slow reader, and a ping behind them
/// counts as sent long before it leaves. With 128 KiB it waits where the driver sees it wait, and its answer is in time.
/// Throughput does not suffer: this limits what has not been sent, not what is under way.
///
/// The blocking driver and axum's listener do it by themselves. Call it on a tokio stream before it is wrapped, and
/// on any socket of a loop of your own, such as mio's: two small writes in a row are else 40 ms apart. On Linux a listener
/// hands down what it has, so that it is enough to tune that:
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
