//! What is said of a stream before it is first polled.

use ::tokio::sync::watch;

use super::byte_counters::LastCounts;
use super::{Adapter, ByteCounters, LiveStream, Socket, Timer};
use crate::dialect::Dialect;
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

    /// The heartbeat is in messages, in this [`dialect`](crate::dialect); without it, in frames. Say it before the stream is first
    /// polled.
    ///
    /// Pings are sent so, the peer's are answered, and the stream shows neither. Frames are answered as before, and count as
    /// before. The dialect's own config goes with it: the wrong schedule is the mistake that kills.
    ///
    /// Where pages and programs share an endpoint, the request says which it is: by its path, its query or, as here, its
    /// subprotocol.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt;
    /// use liveness::Config;
    /// use liveness::dialect::TextHeartbeats;
    /// use liveness::driver::tokio::LiveStream;
    /// use liveness::driver::tokio_tungstenite::accept_hdr;
    /// use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    /// use tokio_tungstenite::tungstenite::http::HeaderValue;
    ///
    /// let mut is_page = false;
    /// let look = |request: &Request, mut response: Response| {
    ///     let name = "sec-websocket-protocol";
    ///     is_page = request.headers().get(name).is_some_and(|protocol| protocol == "page");
    ///     if is_page {
    ///         response.headers_mut().insert(name, HeaderValue::from_static("page"));
    ///     }
    ///     Ok(response)
    /// };
    /// let (socket, counters) = accept_hdr(stream, look, None).await?;
    /// let socket = LiveStream::new(socket, Config::DEFAULT).counted(counters);
    /// // A program's library answers frames; a page's script answers text.
    /// let mut socket = if is_page { socket.dialect(TextHeartbeats) } else { socket };
    /// # let _ = socket.next().await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dialect(mut self, dialect: impl Dialect + Send + 'static) -> Self {
        self.session.set_dialect(dialect, &mut self.machine, self.timer.now());
        self.streak = false;
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
