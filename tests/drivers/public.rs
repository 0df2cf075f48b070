//! What people rely on although no page says it: auto traits, and which enums may grow.

use static_assertions::assert_impl_all;

type Counting = liveness::driver::tungstenite::CountingSocket<std::net::TcpStream>;
// A driver can move into a thread or a task of its own.
assert_impl_all!(liveness::driver::tungstenite::LiveSocket<Counting>: Send, Unpin);
assert_impl_all!(liveness::driver::tungstenite::Offline: std::error::Error, Send, Sync);

type Watched = liveness::driver::tokio::LiveStream<
    tokio_tungstenite::WebSocketStream<liveness::driver::tokio::Counted<tokio::net::TcpStream>>,
>;
assert_impl_all!(Watched: Send, Unpin);
assert_impl_all!(liveness::driver::tokio::Error: std::error::Error, Clone, Send, Sync);

/// An enum that may grow has a last arm here. If it could not grow, that arm would be unreachable.
#[deny(unreachable_patterns)]
#[expect(dead_code, reason = "to compile is all that they have to do")]
mod growth {
    use liveness::driver::ErrorKind;
    use liveness::driver::tokio::{Error, MessageKind};

    const fn may(error: &Error, message: MessageKind<'_>, kind: ErrorKind) {
        match error {
            Error::Offline { .. } | Error::Rejected(_) => {}
            _ => {}
        }
        match message {
            MessageKind::Text(_) | MessageKind::Binary(_) => {}
            MessageKind::Ping(_) | MessageKind::Pong(_) | MessageKind::Close(_) => {}
            _ => {}
        }
        match kind {
            ErrorKind::Closed | ErrorKind::Transport | ErrorKind::Protocol(_) | ErrorKind::Rejected => {}
            _ => {}
        }
    }
}
