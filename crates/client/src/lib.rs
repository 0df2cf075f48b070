//! A client that stays connected: it dials again after a loss, asks on waking, and moves to another connection when its server
//! announces that this one will end. It is the loop of `docs/client.md` as a value, for the programs of this repository.
//!
//! [`Client::next`] says what happened, one thing at a time. In a hand-over the old connection is read to its end, so
//! that no message is lost. What it still brings comes as [`News::LastWords`]. There are never more than two connections:
//! an announcement that comes while an old connection is still open waits until that one has ended.

#![allow(
    missing_debug_implementations,
    missing_docs,
    clippy::must_use_candidate,
    reason = "for the programs of this repository, and for nobody else"
)]

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::{Fuse, FusedFuture as _, FutureExt as _};
use futures_util::{SinkExt as _, StreamExt as _};
use liveness::driver::ConnectError;
use liveness::driver::tokio::clock;
use liveness::driver::tokio_tungstenite::{ClientStream, connect};
use liveness::reconnect::{Attempt, Backoff, GiveUpReason, OnClose, Policy, Reconnect, ReconnectAction};
use liveness::{Clock, CloseCode, Config, Reason, SleepDetector, Timestamp, random_seed};
use tungstenite::Message;

/// A loss within this time after a sleep is blamed on the sleep.
const SOON: Duration = Duration::from_secs(10);

/// What happened.
pub enum News {
    /// A connection stands. If `moved`, it replaces another one, which may still bring [`News::LastWords`].
    Connected {
        moved: bool,
    },
    Message(Message),
    /// A message of a connection that has been replaced.
    LastWords(Message),
    /// The reason, and a description: the error's text if an error ended the connection.
    Disconnected(Reason, String),
    NotConnected(ConnectError),
    /// The dial took longer than the policy's `dial_timeout`.
    NotInTime,
    /// There is no connection. The next dial is after this time.
    Waiting(Duration),
    /// The last news.
    Over(GiveUpReason),
}

type Dialled = (Attempt, Result<ClientStream, ConnectError>);
type Dial = Pin<Box<dyn Future<Output = Dialled> + Send>>;

pub struct Client {
    url: String,
    config: Config,
    /// Sets up each connection as the program wants it: its heartbeat, its observers.
    dress: Box<dyn Fn(ClientStream) -> ClientStream + Send>,
    clock: Clock,
    sleep: SleepDetector,
    woken: Option<Timestamp>,
    reconnect: Reconnect,
    dialling: Fuse<Dial>,
    here: Option<(Attempt, ClientStream)>,
    /// The connection that was replaced, until it ends.
    left: Option<ClientStream>,
    /// A hand-over that waits until `left` has ended.
    asked: Option<Duration>,
    /// The time of the dial that [`News::Waiting`] reported last.
    told: Option<Timestamp>,
    over: Option<GiveUpReason>,
}

impl Client {
    /// A client of this address, which dials in the first `next`.
    pub fn new(
        url: &str,
        config: Config,
        policy: Policy,
        backoff: Backoff,
        dress: impl Fn(ClientStream) -> ClientStream + Send + 'static,
    ) -> Self {
        let clock = clock();
        Self {
            url: url.to_owned(),
            config,
            dress: Box::new(dress),
            clock,
            sleep: SleepDetector::DEFAULT,
            woken: None,
            reconnect: Reconnect::with_backoff(policy, backoff, random_seed(), clock.now()),
            dialling: Fuse::terminated(),
            here: None,
            left: None,
            asked: None,
            told: None,
            over: None,
        }
    }

    /// The next thing that happens. After [`News::Over`] nothing does. The future may be dropped at any time, and nothing
    /// is lost.
    pub async fn next(&mut self) -> News {
        loop {
            self.observe_sleep();
            if let Some(news) = self.decide() {
                return news;
            }
            let due = self.reconnect.poll_timeout().into_iter().chain(self.sleep.poll_timeout()).min();
            let news = tokio::select! {
                biased;
                dialled = &mut self.dialling => self.dialled(dialled),
                // The old connection's messages were sent before those of the new one.
                words = last_words(&mut self.left) => self.heard_old(words),
                heard = heard(&mut self.here) => Some(self.heard(heard)),
                () = tokio::time::sleep(self.clock.until(due).unwrap_or(Duration::MAX)) => None,
            };
            if let Some(news) = news {
                return news;
            }
        }
    }

    /// Sends on the current connection. If there is none, or if it fails, the message is lost, and `next` says why.
    pub async fn send(&mut self, message: Message) {
        if let Some((_, socket)) = &mut self.here {
            let _ = socket.send(message).await;
        }
    }

    pub const fn is_connected(&self) -> bool {
        self.here.is_some()
    }

    /// Call this when the server has announced that this connection will end, and that its clients should dial within
    /// this time.
    pub fn hand_over(&mut self, within: Duration) {
        match self.left {
            Some(_) => self.asked = Some(within),
            None => self.reconnect.hand_over(within, self.clock.now()),
        }
    }

    /// No more dials follow. The current connection is closed, and read to its end.
    pub fn close(&mut self, code: CloseCode, text: &str) {
        self.reconnect.stop(self.clock.now());
        self.dialling = Fuse::terminated();
        if let Some((_, socket)) = &mut self.here {
            socket.close(code, text);
        }
    }

    fn observe_sleep(&mut self) {
        let now = self.clock.now();
        if self.sleep.observe(now, self.clock.wall()).is_some() {
            self.woken = Some(now);
            self.reconnect.network_changed(now);
            self.here.iter_mut().for_each(|(_, socket)| socket.probe());
        }
    }

    /// Carries out what `Reconnect` asks for.
    fn decide(&mut self) -> Option<News> {
        let now = self.clock.now();
        while let Some(action) = self.reconnect.poll(now) {
            match action {
                ReconnectAction::Dial(attempt) => {
                    let (url, config) = (self.url.clone(), self.config);
                    let dial = async move { (attempt, connect(url, config).await.map(|(socket, _)| socket)) };
                    self.dialling = (Box::pin(dial) as Dial).fuse();
                }
                // A dial that `close` has ended is not reported.
                ReconnectAction::Abandon(_) if self.dialling.is_terminated() => {}
                ReconnectAction::Abandon(_) => {
                    self.dialling = Fuse::terminated();
                    return Some(News::NotInTime);
                }
                // It was replaced when the new one stood.
                ReconnectAction::Retire(_) => {}
                ReconnectAction::GiveUp(reason) => self.over = Some(reason),
            }
        }
        if self.here.is_some() || self.left.is_some() {
            return None;
        }
        if let Some(reason) = self.over.take() {
            return Some(News::Over(reason));
        }
        let due = self.reconnect.poll_timeout().filter(|_| self.dialling.is_terminated());
        let news = due.filter(|_| self.told != due);
        self.told = due;
        news.map(|due| News::Waiting(due.saturating_duration_since(now)))
    }

    fn dialled(&mut self, (attempt, dialled): Dialled) -> Option<News> {
        let now = self.clock.now();
        match dialled {
            Ok(socket) if self.reconnect.connected(attempt, now) => {
                let old = self.here.replace((attempt, (self.dress)(socket)));
                let moved = old.is_some();
                // Without an old one, the one before it may still be read.
                if let Some((_, mut old)) = old {
                    old.close(CloseCode::GOING_AWAY, "moved to another connection");
                    self.left = Some(old);
                }
                Some(News::Connected { moved })
            }
            Ok(_too_late) => None,
            Err(error) => {
                self.reconnect.failed_with(attempt, error.then(), now);
                Some(News::NotConnected(error))
            }
        }
    }

    fn heard(&mut self, (attempt, heard): (Attempt, Result<Message, (Reason, String)>)) -> News {
        let (reason, words) = match heard {
            Ok(message) => return News::Message(message),
            Err(end) => end,
        };
        // The server that asked for a hand-over is gone.
        (self.here, self.asked) = (None, None);
        let (code, now) = (reason.connection_close_code(), self.clock.now());
        // A connection that was lost during a sleep was lost alone: no crowd dials with it. A wait that the server asked
        // for is kept anyway.
        let alone = self.woken.is_some_and(|at| now < at + SOON);
        let then = OnClose::by_code(code);
        let then = if alone { then.spread_over(Duration::ZERO) } else { then };
        self.reconnect.closed_with(attempt, code, then, now);
        News::Disconnected(reason, words)
    }

    fn heard_old(&mut self, words: Option<Message>) -> Option<News> {
        if words.is_none() {
            self.left = None;
            if let Some(within) = self.asked.take() {
                self.hand_over(within);
            }
        }
        words.map(News::LastWords)
    }
}

/// A message, or the end of the connection with its reason and a description.
async fn heard(here: &mut Option<(Attempt, ClientStream)>) -> (Attempt, Result<Message, (Reason, String)>) {
    let Some((attempt, socket)) = here else { return pending().await };
    let message = socket.next().await;
    let reason = || socket.liveness().verdict().unwrap_or(Reason::TransportClosed);
    let heard = match message {
        Some(Ok(message)) => Ok(message),
        Some(Err(error)) => Err((error.reason().unwrap_or_else(reason), error.to_string())),
        // Both sides closed it.
        None => Err((reason(), reason().description().to_owned())),
    };
    (*attempt, heard)
}

/// The end comes within `close_timeout`, whatever the server does.
async fn last_words(left: &mut Option<ClientStream>) -> Option<Message> {
    let Some(old) = left else { return pending().await };
    old.next().await?.ok()
}
