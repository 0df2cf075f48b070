//! tokio, or any other runtime: a WebSocket that is still a `Stream` and a `Sink`, and has its own heartbeat.
//!
//! Wrap a socket in a [`LiveStream`] and use it like the socket. It sends pings and watches deadlines while you wait for the
//! next message, or while you send one. It needs no task and no timer of its own. At the verdict the stream ends with an
//! [`Error::Offline`], which says why. Without an async runtime use `driver::tungstenite` instead.
//!
//! The sockets of [tokio-tungstenite](super::tokio_tungstenite) and [axum](super::axum) need nothing more. Any other socket
//! needs an [`Adapter`] of about 25 lines, and any other runtime needs a [`Timer`].
//!
//! # What the stream returns
//!
//! It returns data messages. It answers Pings and heartbeats in messages, and does not return them.
//! [`close_frame`](LiveStream::close_frame) returns the peer's Close. After a proper close the stream ends with `None`.
//! After any other end it returns an error first. It returns all earlier messages before that.
//!
//! # The end
//!
//! *At the verdict* `next` returns the error, and so does a `send` that waits. After it the stream still sends the Close and
//! waits for the peer's, while you keep polling. `next` returns `None` when that is done, at most `close_timeout` after the
//! verdict. If you drop the stream, it ends at once.
//!
//! *When you drop it*, at any time and for any reason (an early return, an aborted task, a panic, a lost `select!`), the
//! stream tells its observers the end, `MarkOffline(LocalClosed)` and `Disconnect`. It sends a Close if the socket takes it
//! at once.
//!
//! # Split
//!
//! `StreamExt::split` works, and each half may have its own task: a deadline or a ready socket wakes the half that waits. If
//! many tasks send, give the writing half to one of them, and a channel to the others:
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
//!             break; // offline: the reader gets the reason
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
//! This is your own backpressure, and it never closes a live peer. The stream reads what has arrived before it judges a
//! deadline that the data may refute. If your program was away for a while, that delay does not count against the peer.
//!
//! If your program only sends, the stream reads at least every 50 ms, after your message is written. So pings are answered
//! and a Close is noticed. But your program must poll it: nothing happens between two calls.
//!
//! # What it costs, what it bounds
//!
//! The stream keeps messages that it reads early, up to the [`Limits`](crate::session::Limits): 64 messages or 1 MiB, unless
//! you [change them](LiveStream::limits). Then it stops reading, and it does not judge a peer while it does not read. A peer
//! that does not read blocks `send`, until the verdict.

mod adapter;
mod byte_counters;
mod error;
#[cfg(feature = "futures-io")]
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
/// `A` reads and writes its messages, and `T` tells the time. For a known socket under tokio you need not name them.
pub struct LiveStream<S: Socket<A>, A: Adapter<S> = <S as WebSocket>::Adapter, T: Timer = TokioTimer> {
    /// `None` after the disconnect.
    socket: Option<S>,
    machine: Observed,
    session: Session<A::Message>,
    timer: T,
    /// The latest moment at which it fires.
    alarm: Timestamp,
    /// The machine has not been polled since the alarm was compared with its deadlines.
    armed: bool,
    /// The latest reading of the clock. It is also the time of the bytes that came with a read.
    now: Timestamp,
    /// `None`: the driver sees only whole messages.
    counts: Option<LastCounts>,
    /// The tasks to wake, and the waker for everything that the stream polls.
    wakers: Arc<Wakers>,
    waker: Waker,
    /// Read the clock before any deadline is judged.
    clock_stale: bool,
    /// Something happened since the deadlines were last checked.
    recheck: bool,
    /// The last step returned a data message, and another one at the same moment changes nothing.
    streak: bool,
    /// The deadlines wait for the next turn, because the task has used its budget.
    deferred: bool,
    /// The caller has fed messages since the library was last flushed.
    fed: bool,
    /// A call of the library is in progress. If it still is when the stream is dropped, the library has panicked.
    calling: bool,
    /// The peer's Close.
    close_frame: Option<A::Message>,
    cause: Option<Cause>,
    /// The reader has got the verdict, and then the end.
    verdict_told: bool,
    end_told: bool,
    status: Option<watch::Sender<Status>>,
}

impl<S: WebSocket> LiveStream<S, S::Adapter> {
    /// Watches an open WebSocket of tokio-tungstenite or axum. Call it within a tokio runtime that has time enabled.
    ///
    /// Without [`ByteCounters`] it sees only whole messages. Set them with [`counted`](Self::counted), or open the socket
    /// with a function of [`tokio_tungstenite`](super::tokio_tungstenite), which does that.
    ///
    /// A `write_timeout` of never becomes as long as `timeout`. Otherwise a ping behind a large download would count as
    /// written long before it leaves.
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
    /// Watches a WebSocket with another runtime's [`Timer`].
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

    /// The code and the text of the peer's Close; `None` before it comes, and if it has none.
    pub fn close_frame(&self) -> Option<(u16, &str)> {
        match A::kind(self.close_frame.as_ref()?) {
            MessageKind::Close(close) => close,
            MessageKind::Text(_) | MessageKind::Binary(_) | MessageKind::Ping(_) | MessageKind::Pong(_) => {
                None
            }
        }
    }

    /// The error that ended the connection, if one did. [`Error::Offline`] has it too.
    pub const fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// The socket, until it is closed.
    pub const fn get_ref(&self) -> Option<&S> {
        self.socket.as_ref()
    }

    /// Stops the heartbeat and returns the socket, unless it is closed. Observers get the end. The peer does not, because no
    /// Close is written: if you then drop the socket, the connection breaks.
    #[must_use]
    pub fn into_inner(mut self) -> Option<S> {
        self.socket.take()
    }

    /// Closes with this code and the first 123 bytes of this text. Then call `next` until it ends.
    pub fn close(&mut self, code: CloseCode, text: &str) {
        // A caller that closes polls until it is done, and is woken for that only once.
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
            // A second panic, of an observer or of the library, would abort the process.
            let _ = catch_unwind(AssertUnwindSafe(|| self.abandon()));
        } else {
            self.abandon();
        }
    }
}

/// No field is pinned.
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
