//! Drivers: what joins an [`Observed`](crate::Observed) machine to the sockets of one ecosystem.
//!
//! A driver is thin. It sees bytes move, reads before it polls, takes the time from the clock, and carries out the
//! actions. All decisions are the machine's. Where the peer is a page, [`Heartbeat::Text`] is the option to know.

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "tungstenite")]
mod counting_socket;
#[cfg(feature = "tungstenite")]
mod inbox;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "tokio-tungstenite")]
pub mod tokio_tungstenite;
#[cfg(feature = "tungstenite")]
pub mod tungstenite;

use std::string::String;

use core::fmt;
use core::time::Duration;

use socket2::SockRef;

#[cfg(feature = "tungstenite")]
pub use self::counting_socket::{BlockingSocket, CountingSocket, Transport};
use self::inbox::Inbox;
pub use self::inbox::{INBOX_BYTES, INBOX_MESSAGES};
use crate::config::Evidence;
use crate::liveness::Liveness;
pub use crate::session::ErrorKind;
use crate::text_heartbeat::TextHeartbeat;

/// How long the opening handshake may take, from the first byte to the last: 10 s.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many pongs may wait for a peer that does not read them. Then it is not read either, until it has taken them: who
/// pings and never reads is to cost no memory, and is found out by the clock of our own ping's writing.
pub const PONGS_OWED: usize = 64;

/// What a driver sends and takes as pings and pongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Heartbeat {
    /// Ping and Pong frames, which the peer's library answers: RFC 6455 5.5.2.
    #[default]
    Frames,
    /// Text messages, which the peer's program answers: [`TextHeartbeat`]. For pages, whose scripts can neither send nor see
    /// the frames, and whose browser answers them in the name of a tab that hangs or is frozen.
    ///
    /// The driver sends its pings so, answers the peer's, and shows neither to the caller; all other messages are data, as
    /// ever. Frames that the peer sends are answered as before.
    Text,
}

impl Heartbeat {
    /// What a text message says, if it is none of the caller's.
    fn parse(self, text: &str) -> Option<TextHeartbeat> {
        match self {
            Self::Frames => None,
            Self::Text => TextHeartbeat::parse(text),
        }
    }
}

/// What a Ping of the peer adds to the pongs owed. Where only pongs are evidence, pings keep nobody alive: there the clocks
/// run on and bound what is owed, and to stop reading would but stop them.
fn pong_owed(peer: &Liveness) -> usize {
    usize::from(peer.config().evidence() == Evidence::AnyTraffic)
}

/// More than a full inbox takes, and a bound where a peer sends faster than we read.
const READS_BEFORE_VERDICT: usize = 16 * 1024;

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
/// The blocking driver does it by itself. Call it on a tokio stream before it is wrapped, and on any socket of a loop of
/// your own, such as mio's: two small writes in a row are else 40 ms apart.
///
/// ```
/// # #![allow(dead_code)]
/// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
/// let (stream, _) = listener.accept().await?;
/// liveness::driver::tune(&stream);
/// # Ok(())
/// # }
/// ```
pub fn tune<S>(socket: &S)
where
    for<'a> SockRef<'a>: From<&'a S>,
{
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
}

/// RFC 6455 5.5: a control frame holds 125 bytes, of which the code takes two.
fn at_most_123_bytes(text: &str) -> &str {
    let end = (0..=text.len().min(123)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

/// What is wrong, in the words of a Close frame.
fn close_text(error: &dyn fmt::Display) -> String {
    at_most_123_bytes(&std::format!("{error}")).into()
}
