//! One connection that comes back: all that is decided about it.

use core::time::Duration;

use liveness::reconnect::{Attempt, DialStatus, GiveUpReason, OnClose, Policy, Reconnect, ReconnectAction};
use liveness::{CloseCode, Config, Event, Reason, Report, Rtt, Timestamp};

use crate::backoff::{Doubling, Rng};
use crate::heart::Heart;

/// What a page does: comes out of [`Link::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a dropped action is a socket never opened or never closed"]
pub enum Action {
    /// Open a socket: the only one there is.
    Dial,
    /// It stands. Say hello.
    Open,
    /// Ask the server, with this payload.
    Ping(u64),
    /// Answer the server, with the payload of its question.
    Pong(u64),
    /// The server is there: once the socket stands, and again after a suspicion that it survived.
    Online,
    /// It is late with an answer.
    Suspect,
    /// It is gone.
    Offline(Reason),
    /// It has answered, and [`Link::rtt`] says how long that took.
    Rtt,
    /// Close the socket, with this code where there is one, and hear nothing of it any more.
    Leave(Option<CloseCode>),
    /// There is no connection until this moment, when the next dial is due.
    Wait(Timestamp),
    /// Nobody will dial, unless asked to.
    End(GiveUpReason),
}

/// When a [`Link`] asks, gives up and dials.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Of the heartbeat: see [`Link::configure`] for what becomes of its `last_look` and `close_timeout`.
    pub heartbeat: Config,
    /// How long a connection must have stood for the backoff to start anew.
    pub stable_after: Duration,
    /// How long a dial may take.
    pub dial_timeout: Duration,
    /// How long the first dial after a loss waits at most for its turn among those who lost the same server.
    pub max_spread: Duration,
}

/// What has arrived may wait behind the timer that looks for it: a browser's queues are served in any order. So a verdict waits
/// this long for a second look.
const LAST_LOOK: Duration = Duration::from_millis(50);
/// For this long after a page was told that it woke, what it finds lost it has lost asleep.
const WAKING: Duration = Duration::from_secs(1);

/// The connection of a page to its server.
///
/// Inputs when something happened, then [`poll`](Self::poll) until `None`, then not before
/// [`poll_timeout`](Self::poll_timeout): the same shape as the machines inside. `F` makes the backoff, each time that it
/// starts anew.
#[derive(Debug)]
pub struct Link<F> {
    settings: Settings,
    backoff: F,
    rng: Rng,
    reconnect: Reconnect<Doubling, F>,
    /// The dial that is under way, or that the connection came of.
    attempt: Option<Attempt>,
    heart: Option<Heart>,
    woken_at: Option<Timestamp>,
    /// The wait that was told last.
    waiting: Option<Timestamp>,
}

impl<F: FnMut() -> Doubling + Clone> Link<F> {
    /// One that dials at once. Give each another `seed`.
    #[must_use]
    pub fn new(settings: Settings, backoff: F, seed: u64, now: Timestamp) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            reconnect: Reconnect::new(policy(&settings), backoff.clone(), rng.draw(), now),
            settings: Settings { heartbeat: of_a_page(settings.heartbeat), ..settings },
            backoff,
            rng,
            attempt: None,
            heart: None,
            woken_at: None,
            waiting: None,
        }
    }

    /// Another heartbeat, from now on: see [`Liveness::reconfigure`](liveness::Liveness::reconfigure).
    ///
    /// Whatever it says, a verdict waits 50 ms for its last look; the writing of a ping has a clock of its own; and the closing
    /// handshake is the browser's affair, so the next dial does not wait for it.
    pub fn configure(&mut self, heartbeat: Config, now: Timestamp) {
        self.settings.heartbeat = of_a_page(heartbeat);
        if let Some(heart) = &mut self.heart {
            heart.machine.reconfigure(self.settings.heartbeat, now);
        }
    }

    /// The socket stands. False: nobody waits for it any more, and it must be closed.
    #[must_use = "a socket that comes too late must be closed, or there will be two"]
    pub fn opened(&mut self, now: Timestamp) -> bool {
        let Some(attempt) = self.attempt else { return false };
        if self.heart.is_some() || !self.reconnect.connected(attempt, now) {
            return false;
        }
        self.heart = Some(Heart::new(self.settings.heartbeat, self.rng.draw(), now));
        true
    }

    /// The socket is closed, with this code as the browser tells it (RFC 6455 7.1.5); or it was never open.
    pub fn closed(&mut self, code: u16, now: Timestamp) {
        match (&mut self.heart, self.attempt) {
            (Some(heart), _) => heart.machine.handle(
                match code {
                    // What the transport came to, and no Close frame said.
                    0 | 1006 | 1015 => Event::Eof,
                    1005 => Event::Close(None),
                    code => Event::Close(Some(code)),
                },
                now,
            ),
            (None, Some(attempt)) => {
                self.attempt = None;
                self.reconnect.failed(attempt, now);
            }
            (None, None) => {}
        }
    }

    /// A message for the application arrived.
    pub fn message(&mut self, now: Timestamp) {
        if let Some(heart) = &mut self.heart {
            heart.hear(Event::Data, now);
        }
    }

    /// The server asks.
    pub fn ping(&mut self, payload: u64, now: Timestamp) {
        if let Some(heart) = &mut self.heart {
            heart.hear(Event::Ping, now);
            // RFC 6455 5.5.3: of several, the newest may be answered alone.
            heart.owed = Some(payload);
        }
    }

    /// The server answers.
    pub fn pong(&mut self, payload: u64, now: Timestamp) {
        if let Some(heart) = &mut self.heart {
            heart.pong(payload, now);
        }
    }

    /// Something of ours was handed to the socket, whose buffer held so many bytes `before` it, and `after` it.
    pub fn sent(&mut self, before: u64, after: u64, now: Timestamp) {
        if let Some(heart) = &mut self.heart {
            heart.sent(before, after, now);
        }
    }

    /// The ping that was handed out last was. Behind a large upload it is long before it leaves, and only then can its answer
    /// be waited for.
    pub fn ping_sent(&mut self, before: u64, after: u64, now: Timestamp) {
        if let Some(heart) = &mut self.heart {
            heart.ping_sent(before, after, now);
        }
    }

    /// The socket's buffer holds so many bytes: to be said before each poll.
    pub fn buffered(&mut self, bytes: u64, now: Timestamp) {
        if let Some(heart) = &mut self.heart {
            heart.buffered(bytes, now);
        }
    }

    /// The network is another, or the page runs, or is looked at, again.
    pub fn wake(&mut self, now: Timestamp) {
        self.reconnect.network_changed(now);
        self.probe(now);
        self.woken_at = Some(now);
    }

    /// Asks now, or a second after the latest ping: see [`Liveness::probe`](liveness::Liveness::probe).
    pub fn probe(&mut self, now: Timestamp) {
        if let Some(heart) = &mut self.heart {
            heart.machine.probe(now);
        }
    }

    /// A person asks to dial now; after the end too.
    pub fn dial_now(&mut self, now: Timestamp) {
        if self.reconnect.is_finished() {
            let seed = self.rng.draw();
            self.reconnect = Reconnect::new(policy(&self.settings), self.backoff.clone(), seed, now);
        } else {
            self.reconnect.dial_now(now);
        }
    }

    /// The application wants out.
    pub fn close(&mut self, code: CloseCode, now: Timestamp) {
        if let Some(heart) = &mut self.heart {
            heart.machine.close(code, now);
        }
        self.reconnect.stop(now);
    }

    /// The next thing to do, one at a time: call until `None`.
    pub fn poll(&mut self, now: Timestamp) -> Option<Action> {
        if let Some(news) = self.heart.as_mut().and_then(Heart::news) {
            return Some(news);
        }
        if let Some(heart) = &mut self.heart {
            if let Some(action) = heart.poll(now) {
                if matches!(action, Action::Leave(_)) {
                    self.lose(now);
                }
                return Some(action);
            }
        }
        match self.reconnect.poll(now) {
            Some(ReconnectAction::Dial(attempt)) => {
                self.attempt = Some(attempt);
                Some(Action::Dial)
            }
            Some(ReconnectAction::Abandon(_)) => {
                self.attempt = None;
                Some(Action::Leave(None))
            }
            Some(ReconnectAction::GiveUp(why)) => {
                self.attempt = None;
                Some(Action::End(why))
            }
            // Nobody asks for a hand-over here.
            Some(ReconnectAction::Retire(_)) | None => self.wait(),
        }
    }

    /// When to poll next, if nothing happens before; `None`: not before something does.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let heart = self.heart.as_ref().and_then(|heart| heart.machine.poll_timeout());
        heart.into_iter().chain(self.reconnect.poll_timeout()).min()
    }

    /// How many dials there have been since the last connection that was stable.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.reconnect.attempts()
    }

    /// The round trips of this connection.
    #[must_use]
    pub fn rtt(&self) -> Option<Rtt> {
        self.heart.as_ref().and_then(|heart| heart.machine.rtt())
    }

    /// Why it stands as it does, while there is a connection.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> Option<Report> {
        self.heart.as_ref().map(|heart| heart.machine.report(now))
    }

    /// The connection is over.
    fn lose(&mut self, now: Timestamp) {
        let (heart, attempt) = (self.heart.take(), self.attempt.take());
        // What was lost while the page slept, it has lost alone: there is nobody to be spread from.
        let alone = self.woken_at.is_some_and(|woken| now.saturating_duration_since(woken) < WAKING);
        if let (Some(heart), Some(attempt)) = (heart, attempt) {
            let code = heart.reason.connection_close_code();
            if alone {
                let then = OnClose::by_code(code).spread_over(Duration::ZERO);
                self.reconnect.closed_with(attempt, code, then, now);
            } else {
                self.reconnect.closed(attempt, code, now);
            }
        }
        if alone {
            self.reconnect.network_changed(now);
        }
    }

    /// Tells of each wait once.
    fn wait(&mut self) -> Option<Action> {
        let until = match self.reconnect.status() {
            DialStatus::Waiting(until) => until,
            DialStatus::Dialling(_) | DialStatus::Connected(_) | DialStatus::Finished(_) => None,
        };
        let news = until.filter(|_| self.waiting != until);
        self.waiting = until;
        news.map(Action::Wait)
    }
}

fn policy(settings: &Settings) -> Policy {
    Policy::DEFAULT
        .stable_after(settings.stable_after)
        .dial_timeout(settings.dial_timeout)
        .max_spread(settings.max_spread)
}

/// Whatever the application wants, its page is no server.
fn of_a_page(heartbeat: Config) -> Config {
    let page =
        heartbeat.for_drivers().to_builder().last_look(LAST_LOOK).close_timeout(Duration::ZERO).build();
    // Both are within the rules.
    page.unwrap_or(heartbeat)
}
