//! What is said of a blocking socket before it is first read.

use super::{LiveSocket, Transport};
use crate::dialect::Dialect;
use crate::event::Action;
use crate::liveness::Liveness;
use crate::observer::{Observer, OnAction};
use crate::session::Limits;

impl<S: Transport> LiveSocket<S> {
    /// The heartbeat is in messages, in this [`dialect`](crate::dialect); without it, in frames. Say it before anything is read.
    ///
    /// Pings are sent so, the peer's are answered, and [`read`](Self::read) shows neither. Frames are answered and count as before. The
    /// dialect's own config goes with it.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # fn serve(stream: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// # use liveness::{dialect::engine_io, driver::tungstenite::accept};
    /// let mut socket = accept(stream, engine_io::SERVER_CONFIG)?.dialect(engine_io::server());
    /// println!("{}", socket.read()?); // never a `3`, however many came
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dialect(mut self, dialect: impl Dialect + Send + 'static) -> Self {
        self.connection.set_dialect(dialect);
        self
    }

    /// Keeps at most this much while the caller writes and does not read. Say it before anything is read.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.connection.set_limits(limits);
        self
    }

    /// Shows each input and each action to an observer from here on, such as a [recorder](crate::transcript::Recorder).
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + Send + 'static) -> Self {
        self.connection.observe(observer, self.clock.now());
        self
    }

    /// Shows each action to `observer` before it is carried out: `MarkOnline`, `MarkSuspect`, `MarkOffline` and
    /// `Disconnect` are what a presence list wants.
    ///
    /// The verdict may fall while messages that came before it still wait to be read, so `MarkOffline` may come before the
    /// last of them do. Where a message begins something that the verdict ends, such as a user's connection in a
    /// [`Presence`](crate::Presence), end it after the last message as well.
    #[must_use]
    pub fn on_action(self, observer: impl FnMut(Action, &Liveness) + Send + 'static) -> Self {
        self.observe(OnAction::new(observer))
    }
}
