//! tokio, or any other runtime: a WebSocket that is `Stream` and `Sink` as before, and does its own heartbeating.
//!
//! Wrap a socket in a [`LiveStream`] and use it as you used the socket. Pings go out and deadlines are kept while you
//! wait for the next message or for a message to be sent; there is no task and no timer beside it. When the peer is
//! given up, the stream ends with an [`Error::Offline`] that says why.
//!
//! The sockets of [tokio-tungstenite](super::tokio_tungstenite) and [axum](super::axum) are ready to be wrapped; any other
//! can be, by an [`Adapter`] of some 25 lines, and by a [`Timer`] under another runtime.
//!
//! # What comes out of it
//!
//! Data messages. Pings, Pongs and heartbeats in messages are answered and not shown; of the peer's Close,
//! [`close_frame`](LiveStream::close_frame) tells. After a proper close the stream ends with `None`; after any other end, with an
//! error first. Whatever had arrived before is handed out before either.
//!
//! # The end
//!
//! *You are told at the verdict*, by `next` and by a `send` that waits. What is left to do then, to say why and to wait until the
//! peer has heard it, goes on while somebody polls on: `next` gives `None` when it is done, `close_timeout` after the verdict at
//! the latest. To drop the stream cuts that short.
//!
//! *Dropped*, at whatever time and for whatever reason (an early return, a task that is aborted, a panic, a `select!` that is
//! lost), it tells its observers the end, `MarkOffline(LocalClosed)` and `Disconnect`, and the peer, if the socket takes a
//! Close at once.
//!
//! # Split
//!
//! `StreamExt::split` works, and so does a task for each half: a deadline or a socket that is ready wakes whichever half
//! waits. Where many tasks have something to say, give the writing half to one of them and the others a channel to it:
//!
//! ```
//! # use futures_util::{SinkExt, StreamExt};
//! # use liveness::{Config, driver::tokio::LiveStream};
//! # use tokio::sync::mpsc;
//! # use tokio_tungstenite::{WebSocketStream, tungstenite::{Message, protocol::Role}};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! # let (ours, theirs) = tokio::io::duplex(1024);
//! # let socket = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
//! # let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
//! let (mut sink, mut stream) = LiveStream::new(socket, Config::DEFAULT).split();
//! let (say, mut said) = mpsc::channel(64);
//! tokio::spawn(async move {
//!     while let Some(message) = said.recv().await {
//!         if sink.send(message).await.is_err() {
//!             break; // offline: the reader is told why
//!         }
//!     }
//! });
//! # let answered = tokio::spawn(async move {
//! #     client.send(Message::text("anybody there?")).await.unwrap();
//! #     while client.next().await.unwrap().unwrap() != Message::text("anybody there?") {}
//! #     tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
//! # });
//! let offline = loop {
//!     match stream.next().await {
//!         Some(Ok(message)) => say.send(message).await.unwrap_or_default(),
//!         Some(Err(offline)) => break offline,
//!         None => panic!("closed, as nobody had agreed here"),
//!     }
//! };
//! assert_eq!(offline.reason(), Some(liveness::Reason::PingTimeout));
//! # answered.abort();
//! # }
//! ```
//!
//! # When you do not call `next`
//!
//! That is your own backpressure, and no live peer dies of it. What has arrived is read before a deadline that it may refute is
//! judged. Where you come back after a while, what waited for you is not measured as if the peer had been slow.
//!
//! A program that only sends is a reader too: what the peer says meanwhile is read each 50 ms or less, after your message is
//! written, so that pings are answered and a Close is noticed. Somebody must poll, though: nothing happens between two calls.
//!
//! # What it costs, what it bounds
//!
//! What is read ahead of you is kept for the next `next`: up to the [`Limits`](crate::session::Limits), 64 messages or 1 MiB unless you
//! [say otherwise](LiveStream::limits). Then it stops reading, and a peer that it does not listen to is not judged. A peer that does
//! not read holds up `send`, as ever, until it is given up.

mod adapter;
mod byte_counters;
mod error;
mod futures_io;
mod heartbeat;
mod options;
mod reading;
mod timer;
mod turn;
mod waking;
mod writing;

use std::panic::catch_unwind;
use std::sync::Arc;

use core::fmt;
use core::panic::AssertUnwindSafe;
use core::task::Waker;

use ::tokio::sync::watch;

pub use self::adapter::{Adapter, Joined, MessageKind, Socket, WebSocket, guess};
use self::byte_counters::LastCounts;
pub use self::byte_counters::{ByteCounters, Counted};
pub use self::error::{Cause, Error};
pub use self::timer::{Timer, TokioTimer, clock};
use self::waking::Wakers;
use crate::config::Config;
use crate::event::{CloseCode, Status};
use crate::liveness::Liveness;
use crate::observer::Observed;
use crate::payload::random_seed;
use crate::session::{Role, Session};
use crate::time::{Clock, Timestamp};

/// A WebSocket and the machine that judges its peer. The module's page says how to use it.
///
/// `A` says what its messages mean, and `T` what time it is: for a known socket under tokio neither need be named.
pub struct LiveStream<S: Socket<A>, A: Adapter<S> = <S as WebSocket>::Adapter, T: Timer = TokioTimer> {
    /// `None` once disconnected.
    socket: Option<S>,
    machine: Observed,
    session: Session<A::Message>,
    timer: T,
    /// When it fires at the latest.
    alarm: Timestamp,
    /// The machine has not been polled since the alarm was compared with its deadlines.
    armed: bool,
    /// The latest look at the clock. Bytes are dated by the read that brought them.
    now: Timestamp,
    /// `None`: only whole messages are seen to move.
    counts: Option<LastCounts>,
    /// What wakes us, and the waker made of it that everything inside is polled with.
    wakers: Arc<Wakers>,
    waker: Waker,
    /// The clock must be read before anything is judged.
    clock_stale: bool,
    /// Something happened since the deadlines were last looked at.
    recheck: bool,
    /// The last that was done was to hand out a data message, and another one at the same moment changes nothing.
    streak: bool,
    /// The deadlines wait for the next turn, because the task has spent its budget.
    deferred: bool,
    /// The caller has fed messages since the library was last flushed.
    fed: bool,
    /// The library is being called; if it still is when this is dropped, it has panicked.
    calling: bool,
    /// The peer's Close.
    close_frame: Option<A::Message>,
    cause: Option<Cause>,
    /// The reader has been told a verdict; that all is over.
    verdict_told: bool,
    end_told: bool,
    status: Option<watch::Sender<Status>>,
}

impl<S: WebSocket> LiveStream<S, S::Adapter> {
    /// Watches a WebSocket that is open: of tokio-tungstenite, or of axum. Call it within a tokio runtime that has time enabled.
    ///
    /// Without [`ByteCounters`] only whole messages are seen to move; give them to it with [`counted`](Self::counted), or open the
    /// socket with a function of [`tokio_tungstenite`](super::tokio_tungstenite), which does.
    ///
    /// A `write_timeout` of never becomes as long as `timeout`: else a ping behind a large download would count as
    /// written long before it is.
    pub fn new(socket: S, config: Config) -> Self {
        Self::with_timer(TokioTimer::new(clock()), socket, config)
    }
}

impl<S: Socket<A>, A: Adapter<S>> LiveStream<S, A> {
    /// Watches a WebSocket of any library: [`Adapter`] has an example. Call it within a tokio runtime that has time enabled.
    pub fn with_adapter(_adapter: A, socket: S, config: Config) -> Self {
        Self::with_timer(TokioTimer::new(clock()), socket, config)
    }

    /// The clock of the machine's timestamps.
    pub const fn clock(&self) -> Clock {
        self.timer.clock()
    }
}

impl<S: Socket<A>, A: Adapter<S>, T: Timer> LiveStream<S, A, T> {
    /// Watches a WebSocket by another runtime's [`Timer`].
    pub fn with_timer(timer: T, socket: S, config: Config) -> Self {
        let wakers = Arc::new(Wakers::default());
        let now = timer.now();
        let session = Session::new(Role::Server);
        Self {
            socket: Some(socket),
            machine: Observed::new(Liveness::new(config.for_drivers(), random_seed(), now)),
            session: if A::ANSWERS { session } else { session.answers_itself() },
            timer,
            alarm: Timestamp::ZERO,
            armed: false,
            now,
            counts: None,
            waker: Waker::from(Arc::clone(&wakers)),
            wakers,
            clock_stale: true,
            recheck: true,
            streak: false,
            deferred: false,
            fed: false,
            calling: false,
            close_frame: None,
            cause: None,
            verdict_told: false,
            end_told: false,
            status: None,
        }
    }

    /// The machine: its `status`, `verdict`, `rtt`, `stats` and `report`.
    pub const fn liveness(&self) -> &Liveness {
        self.machine.liveness()
    }

    /// The present moment, by the machine's clock: for its `report`.
    pub fn now(&self) -> Timestamp {
        self.timer.now()
    }

    /// The code and the text of the peer's Close; `None` before it comes, and where it has none.
    pub fn close_frame(&self) -> Option<(u16, &str)> {
        match A::kind(self.close_frame.as_ref()?) {
            MessageKind::Close(close) => close,
            MessageKind::Text(_) | MessageKind::Binary(_) | MessageKind::Ping(_) | MessageKind::Pong(_) => {
                None
            }
        }
    }

    /// The error that ended the connection, where one did. It is in [`Error::Offline`] too.
    pub const fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// The socket, until it is closed.
    pub const fn get_ref(&self) -> Option<&S> {
        self.socket.as_ref()
    }

    /// The socket, unless it is closed, and no heartbeat any more. Observers are told the end, and the peer is not: no Close is
    /// written. To drop the socket then breaks the connection.
    #[must_use]
    pub fn into_inner(mut self) -> Option<S> {
        self.socket.take()
    }

    /// Closes with this code and text, at most 123 bytes of it; then call `next` until it ends.
    pub fn close(&mut self, code: CloseCode, text: &str) {
        // A caller that closes asks again and again whether it is done, and is woken for it only once.
        if self.is_offline() {
            return;
        }
        self.read_the_clock();
        self.session.close(code, text, &mut self.machine, self.now);
        self.poll_machine(self.now);
        self.wakers.wake_all();
    }
}

impl<S: Socket<A>, A: Adapter<S>, T: Timer> Drop for LiveStream<S, A, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // One more panic, of an observer or of the library, would abort the process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.abandon()));
        } else {
            self.abandon();
        }
    }
}

/// Nothing in it is pinned.
impl<S: Socket<A>, A: Adapter<S>, T: Timer> Unpin for LiveStream<S, A, T> {}

impl<S: Socket<A>, A: Adapter<S>, T: Timer> fmt::Debug for LiveStream<S, A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveStream")
            .field("machine", self.liveness())
            .field("open", &self.socket.is_some())
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
