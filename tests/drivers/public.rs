//! What people rely on without being told: auto traits, and what may grow.

use static_assertions::assert_impl_all;

type Metered = liveness::driver::Meter<std::net::TcpStream>;
// A driver moves into a thread or a task of its own.
assert_impl_all!(liveness::driver::tungstenite::LiveSocket<Metered>: Send, Unpin);
assert_impl_all!(liveness::driver::tungstenite::Offline: std::error::Error, Send, Sync);

/// What may grow has a last arm here, which would be out of reach if it could not grow.
#[deny(unreachable_patterns)]
#[expect(dead_code, reason = "to compile is all that they have to do")]
mod growth {
    use liveness::driver::Fault;
    use liveness::driver::tokio::{Error, Kind};

    const fn may(error: &Error<()>, kind: Kind<'_>, fault: Fault) {
        match error {
            Error::Offline { .. } | Error::Refused(()) => {}
            _ => {}
        }
        match kind {
            Kind::Text(_) | Kind::Data | Kind::Ping | Kind::Pong(_) | Kind::Close(_) => {}
            _ => {}
        }
        match fault {
            Fault::Over | Fault::Gone | Fault::Against(_) | Fault::Refused => {}
            _ => {}
        }
    }
}
