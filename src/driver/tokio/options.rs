//! The options of a stream, before it is first polled.

use ::tokio::sync::watch;

use super::byte_counters::LastCounts;
use super::{Adapter, ByteCounters, LiveStream, Socket, Timer};
use crate::event::{Action, Status};
use crate::liveness::Liveness;
use crate::observer::{Observer, OnAction};
use crate::session::{Limits, Role};

impl<S: Socket<A>, A: Adapter<S>, T: Timer> LiveStream<S, A, T> {
    /// Uses the counters of the transport to see bytes: parts of a large frame, a download that the peer reads slowly.
    #[must_use]
    pub fn counted(mut self, counters: impl Into<Option<ByteCounters>>) -> Self {
        self.counts = counters.into().map(LastCounts::new);
        self.streak = false;
        self
    }

    /// Sets the end of the connection that this is. The default is the server's. The client's end waits for the server to
    /// hang up after the closing handshake (RFC 6455 7.1.1). Call it before the stream is first polled.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.session.set_role(role);
        self
    }

    /// Sets how much the stream keeps while its caller, or its peer, does not read. Call it before the stream is first
    /// polled.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.session.set_limits(limits);
        self
    }

    /// Calls `observer` for every action, before the stream carries it out. A presence list needs `MarkOnline`,
    /// `MarkSuspect`, `MarkOffline` and `Disconnect`.
    ///
    /// The verdict may come while earlier messages are unread, so `MarkOffline` may come before the last of them. If a
    /// message begins something that the verdict ends, such as a user's connection in a [`Presence`](crate::Presence), end
    /// it after the last message as well.
    #[must_use]
    pub fn on_action(self, observer: impl FnMut(Action, &Liveness) + Send + 'static) -> Self {
        self.observe(OnAction::new(observer))
    }

    /// Attaches an observer of every input and every action: a `Recorder`, a `Traced`, or your own. A stream may have
    /// several.
    ///
    /// Call it before the stream is first polled, if the observer must see the whole life.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + Send + 'static) -> Self {
        self.machine.observe(observer, self.timer.now());
        self.streak = false;
        self
    }

    /// The status of the peer, for another task. The channel closes when the socket is dropped.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # use liveness::driver::tokio::{Adapter, LiveStream, Socket};
    /// # fn watch<S: Socket<A>, A: Adapter<S>>(mut socket: LiveStream<S, A>) {
    /// let mut status = socket.watch();
    /// tokio::spawn(async move {
    ///     while status.changed().await.is_ok() {
    ///         println!("{:?}", *status.borrow_and_update());
    ///     }
    /// });
    /// # }
    /// ```
    pub fn watch(&mut self) -> watch::Receiver<Status> {
        let status = self.liveness().status();
        self.status.get_or_insert_with(|| watch::Sender::new(status)).subscribe()
    }
}
