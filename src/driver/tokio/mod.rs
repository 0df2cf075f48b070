//! tokio: a WebSocket that is `Stream` and `Sink` as before, and does its own heartbeating.
//!
//! Wrap a socket in a [`LiveStream`] and use it as you used the socket. Pings go out and deadlines are kept while you
//! wait for the next message or for a message to be sent; there is no task and no timer beside it. When the peer is
//! given up, the stream ends with an [`Error::Offline`] that says why, and the socket is closed: once the peer has closed too,
//! or after `close_timeout`. [`on_action`](LiveStream::on_action) and [`watch`](LiveStream::watch) tell of the verdict itself.
//!
//! The sockets of [tokio-tungstenite](super::tokio_tungstenite) and [axum](super::axum) are ready to be wrapped; any other
//! can be, by the small trait [`MessageStream`].
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
//! Somebody must poll: a program in which only the write half is ever polled hears pongs while it waits to write, and
//! nothing in between.
//!
//! # When you do not call `next`
//!
//! is your own backpressure, and nobody dies of it. Everything that has arrived is read before any deadline is judged;
//! and where a message had been waiting while you were away for longer than `stall_tolerance`, the machine is told that
//! nobody was listening.
//!
//! # What it costs, what it bounds
//!
//! While a message waits to be written, messages that arrive are kept for the next `next`: up to
//! [`INBOX_MESSAGES`](super::INBOX_MESSAGES) or [`INBOX_BYTES`](super::INBOX_BYTES), then it stops reading, and a verdict
//! waits for what lies unread; for 64 MiB of it at most, lest a peer that sends for ever be spared for ever. A peer that does
//! not read holds up `send`, as ever, until it is given up.

mod byte_counters;
mod message_stream;
mod sink;
mod stream;
mod turn;
mod waiting;
mod waking;
mod writing;

use std::sync::Arc;

use core::fmt;
use core::task::Waker;

use ::tokio::sync::watch;
use ::tokio::time::Instant;

use self::byte_counters::LastCounts;
pub use self::byte_counters::{ByteCounters, Counted};
pub use self::message_stream::{MessageKind, MessageStream};
use self::waiting::Timer;
use self::waking::Wakers;
use self::writing::ControlQueue;
use super::{Heartbeat, Inbox};
use crate::config::Config;
use crate::event::{Action, CloseCode, Reason, Status};
use crate::liveness::Liveness;
use crate::observer::{Observed, Observer, OnAction};
use crate::payload::random_seed;
use crate::time::{Clock, Timestamp};

/// Why a stream or a sink failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<E> {
    /// The connection is over.
    Offline {
        /// Why.
        reason: Reason,
        /// The socket's error, where one ended the connection: a frame against the protocol, a transport that failed.
        cause: Option<E>,
    },
    /// The socket refused this message, such as one that is too large. The connection lives on.
    Rejected(E),
}

impl<E> Error<E> {
    /// Why the connection is over; `None` where it is not.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Offline { reason, .. } => Some(*reason),
            Self::Rejected(_) => None,
        }
    }
}

/// The reason in words, and after a colon the socket's error, where there is one: `no answer to a ping in time`.
impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline { reason, cause: Some(cause) } => write!(f, "{}: {cause}", reason.description()),
            Self::Offline { reason, cause: None } => f.write_str(reason.description()),
            Self::Rejected(error) => write!(f, "not sent: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Offline { cause, .. } => cause.as_ref().map(|cause| cause as _),
            Self::Rejected(error) => Some(error),
        }
    }
}

/// A WebSocket and the machine that judges its peer. The module's page says how to use it.
pub struct LiveStream<S: MessageStream> {
    /// `None` once disconnected.
    socket: Option<S>,
    machine: Observed,
    heartbeat: Heartbeat,
    clock: Clock,
    /// The latest look at the clock. Bytes are dated by the read that brought them.
    now: Timestamp,
    /// `None`: only whole messages are seen to move.
    counts: Option<LastCounts>,
    timer: Timer,
    /// What wakes us, and the waker made of it that everything inside is polled with.
    wakers: Arc<Wakers>,
    waker: Waker,
    /// The clock must be read before anything is judged.
    clock_stale: bool,
    /// Something happened since the deadlines were last looked at.
    recheck: bool,
    /// Since when nobody listens: a message was given to the caller, and no other was asked for.
    absent_since: Option<Timestamp>,
    inbox: Inbox<S::Message>,
    /// A verdict waits, in this turn, because the task has spent its budget.
    verdict_deferred: bool,
    /// A verdict waits, in this turn, for room in the inbox.
    verdict_waits: bool,
    /// Reading is paused: the inbox is full, or too many pongs are owed.
    paused: bool,
    control: ControlQueue<S::Message>,
    /// Something may wait in the socket's write buffer.
    unflushed: bool,
    /// A ping is in that buffer.
    ping_unflushed: bool,
    /// Pongs that went into it since it was last empty.
    pongs_owed: usize,
    /// Nothing that arrives can be understood any more; it is only waited for to end.
    discarding: bool,
    /// Once the verdict has fallen: messages since the last cooldown, and when that ends.
    since_cooldown: usize,
    cooldown_until: Timestamp,
    /// The Close that the caller wants, or that tells the peer what it did wrong.
    close_message: Option<S::Message>,
    cause: Option<S::Failure>,
    /// There was a cause, reported by now or not.
    had_cause: bool,
    /// The end has been reported to the reader.
    end_reported: bool,
    status: Option<watch::Sender<Status>>,
}

/// A clock whose origin is now, by tokio's time: in step with `tokio::time::pause` and `advance`.
#[must_use]
pub fn clock() -> Clock {
    Clock::with_origin(Instant::now().into_std())
}

impl<S: MessageStream> LiveStream<S> {
    /// Watches a WebSocket that is open. Call it within a tokio runtime that has time enabled.
    ///
    /// Without [`ByteCounters`] only whole messages are seen to move; give them to it with [`counted`](Self::counted), or open the
    /// socket with a function of [`tokio_tungstenite`](super::tokio_tungstenite), which does.
    ///
    /// A `write_timeout` of never becomes as long as `timeout`: else a ping behind a large download would count as
    /// written long before it is.
    pub fn new(socket: S, config: Config) -> Self {
        let clock = clock();
        let machine = Liveness::new(config.for_drivers(), random_seed(), Timestamp::ZERO);
        let wakers = Arc::new(Wakers::default());
        Self {
            socket: Some(socket),
            machine: Observed::new(machine),
            heartbeat: Heartbeat::Frames,
            clock,
            now: Timestamp::ZERO,
            counts: None,
            timer: Timer::due_now(),
            waker: Waker::from(Arc::clone(&wakers)),
            wakers,
            clock_stale: true,
            recheck: true,
            absent_since: None,
            inbox: Inbox::new(),
            verdict_deferred: false,
            verdict_waits: false,
            paused: false,
            control: ControlQueue::EMPTY,
            unflushed: false,
            ping_unflushed: false,
            pongs_owed: 0,
            discarding: false,
            since_cooldown: 0,
            cooldown_until: Timestamp::ZERO,
            close_message: None,
            cause: None,
            had_cause: false,
            end_reported: false,
            status: None,
        }
    }

    /// Sees bytes move by the counters of the transport underneath: parts of a large frame, a download that is read slowly.
    #[must_use]
    pub fn counted(mut self, counters: ByteCounters) -> Self {
        counters.hold_back_errors();
        self.counts = Some(LastCounts::new(counters));
        self
    }

    /// Sends and takes pings and pongs of this kind; without it, frames. Say it before the stream is first polled.
    ///
    /// ```
    /// # use futures_util::StreamExt;
    /// # use liveness::Config;
    /// # use liveness::driver::Heartbeat;
    /// # use liveness::driver::tokio::LiveStream;
    /// # use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (ours, theirs) = tokio::io::duplex(1024);
    /// # let socket = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
    /// # let mut page = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    /// let mut socket = LiveStream::new(socket, Config::DEFAULT).heartbeat(Heartbeat::Text);
    /// # tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    /// # let ping = page.next().await.ok_or("over")??;
    /// # let ping = ping.to_text()?;
    /// // What the page's script hears within the first interval, as a text message:
    /// assert!(ping.starts_with("ping ") && ping.len() == 21);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
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
        self.machine.observe(observer, self.clock.now());
        self
    }

    /// The status of the peer, to be watched from another task. The channel closes when the socket is dropped.
    ///
    /// ```no_run
    /// # #![allow(dead_code)]
    /// # use liveness::driver::tokio::{LiveStream, MessageStream};
    /// # fn watch(mut socket: LiveStream<impl MessageStream>) {
    /// let mut status = socket.watch();
    /// tokio::spawn(async move {
    ///     while status.changed().await.is_ok() {
    ///         println!("{:?}", *status.borrow_and_update());
    ///     }
    /// });
    /// # }
    /// ```
    pub fn watch(&mut self) -> watch::Receiver<Status> {
        let status = self.machine.liveness().status();
        self.status.get_or_insert_with(|| watch::Sender::new(status)).subscribe()
    }

    /// The machine: its `status`, `verdict`, `rtt`, `stats` and `report`.
    pub fn liveness(&self) -> &Liveness {
        self.machine.liveness()
    }

    /// The clock of the machine's timestamps.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// The socket, until it is closed.
    pub const fn get_ref(&self) -> Option<&S> {
        self.socket.as_ref()
    }

    /// Closes with this code and text, at most 123 bytes of it; then call `next` until it ends.
    pub fn close(&mut self, code: CloseCode, text: &str) {
        self.begin_close(S::close(Some(code), super::at_most_123_bytes(text)), code);
    }

    /// Makes a ping due now: the network changed, the laptop woke, a user is waiting.
    pub fn probe(&mut self) {
        self.read_the_clock();
        self.machine.probe(self.now);
        // Whoever polls next sends it; and somebody should.
        self.wakers.wake_all();
    }

    fn begin_close(&mut self, message: S::Message, code: CloseCode) {
        // Who closes is asked again and again whether it is done, and is woken for it but once.
        if self.machine.liveness().verdict().is_some() {
            return;
        }
        self.close_message = Some(message);
        self.read_the_clock();
        self.machine.close(code, self.now);
        self.poll_machine(self.now);
        self.wakers.wake_all();
    }
}

impl<S: MessageStream> fmt::Debug for LiveStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveStream")
            .field("machine", self.machine.liveness())
            .field("open", &self.socket.is_some())
            .field("inbox", &self.inbox.len())
            .field("paused", &self.paused)
            .field("unflushed", &self.unflushed)
            .finish_non_exhaustive()
    }
}
