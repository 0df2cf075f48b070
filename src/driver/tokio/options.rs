//! What is said of a stream before it is first polled.

use ::tokio::sync::watch;

use super::byte_counters::LastCounts;
use super::{Adapter, ByteCounters, LiveStream, Socket, Timer};
use crate::event::{Action, Status};
use crate::liveness::Liveness;
use crate::observer::{Observer, OnAction};
use crate::session::{Limits, Role};

impl<S: Socket<A>, A: Adapter<S>, T: Timer> LiveStream<S, A, T> {
    /// Sees bytes move by the counters of the transport underneath: parts of a large frame, a download that is read slowly.
    #[must_use]
    pub fn counted(mut self, counters: impl Into<Option<ByteCounters>>) -> Self {
        self.counts = counters.into().map(LastCounts::new);
        self.streak = false;
        self
    }

    /// This is the end of the connection that dialled: after the closing handshake it waits for the server to hang up
    /// (RFC 6455 7.1.1). Without it, it is the server's end. Say it before the stream is first polled.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.session.set_role(role);
        self
    }

    /// Keeps at most this much for a caller that does not read, and for a peer that does not. Say it before the stream is
    /// first polled.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.session.set_limits(limits);
        self
    }

    /// Shows every action to `observer` before it is carried out: `MarkOnline`, `MarkSuspect`, `MarkOffline` and
    /// `Disconnect` are what a presence list wants.
    ///
    /// The verdict may fall while messages that came before it still wait to be read, so `MarkOffline` may come before the
    /// last of them do. Where a message begins something that the verdict ends, such as a user's connection in a
    /// [`Presence`](crate::Presence), end it after the last message as well.
    #[must_use]
    pub fn on_action(self, observer: impl FnMut(Action, &Liveness) + Send + 'static) -> Self {
        self.observe(OnAction::new(observer))
    }

    /// Tells this observer too of every input and every action: a `Recorder`, a `Traced`, one of your
    /// own. Several may be attached.
    ///
    /// Say it before the stream is first polled where it is to see the whole life.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer + Send + 'static) -> Self {
        self.machine.observe(observer, self.timer.now());
        self.streak = false;
        self
    }

    /// The status of the peer, to be watched from another task. The channel closes when the socket is dropped.
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
