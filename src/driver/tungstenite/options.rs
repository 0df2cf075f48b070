//! The options of a blocking socket, before it is first read.

use super::{LiveSocket, Transport};
use crate::dialect::Dialect;
use crate::event::Action;
use crate::liveness::Liveness;
use crate::observer::{Observer, OnAction};
use crate::session::Limits;

impl<S: Transport> LiveSocket<S> {
    /// Puts the heartbeat into messages of this [`dialect`](crate::dialect). Without it, pings are frames. Call it before
    /// anything is read.
    ///
    /// The socket sends pings in the dialect and answers the peer's pings. [`read`](Self::read) returns neither. Ping and
    /// Pong frames still work and still count. Use the dialect's own config.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # fn serve(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// # use liveness::{dialect::engine_io, driver::tungstenite::accept};
    /// let mut socket = accept(stream, engine_io::SERVER_CONFIG)?.dialect(engine_io::server());
    /// println!("{}", socket.read()?); // never a `3`, although they arrive
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dialect(mut self, dialect: impl Dialect + Send + 'static) -> Self {
        self.connection.set_dialect(dialect);
        self
    }

    /// Sets how much is kept while the caller writes and does not read. Call it before anything is read.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.connection.set_limits(limits);
        self
    }

    /// Attaches an observer of each input and each action, such as a [recorder](crate::transcript::Recorder).
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + Send + 'static) -> Self {
        self.connection.observe(observer, self.clock.now());
        self
    }

    /// Calls `observer` for each action, before the driver carries it out. A presence list needs `MarkOnline`,
    /// `MarkSuspect`, `MarkOffline` and `Disconnect`.
    ///
    /// The verdict may come while earlier messages are unread, so `MarkOffline` may come before the last of them. If a
    /// message begins something that the verdict ends, such as a user's connection in a [`Presence`](crate::Presence), end
    /// it after the last message as well.
    #[must_use]
    pub fn on_action(self, observer: impl FnMut(Action, &Liveness) + Send + 'static) -> Self {
        self.observe(OnAction::new(observer))
    }
}
