//! One connection that comes back: all that is decided about it.

use core::time::Duration;

use liveness::reconnect::{Attempt, Backoff, GiveUpReason, OnClose, Reconnect, ReconnectAction};
use liveness::{CloseCode, Config, Event, Reason, Report, Rtt, SleepDetector, Timestamp};

use crate::backoff::Rng;
use crate::heart::Heart;
use crate::loss::{of_a_page, policy};

/// What a page does: comes out of [`Link::poll`].
///
/// There are two sockets at most: the one that serves, and the one that is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a dropped action is a socket never opened or never closed"]
pub enum Action {
    /// Open a socket. In a hand-over another one serves meanwhile.
    Dial,
    /// A dial is under way, and nothing serves.
    Dialling,
    /// The socket that was dialled stands, and serves from now on. Say hello.
    Open,
    /// Ask the server, with this payload.
    Ping(u64),
    /// Answer the question that came last.
    Pong,
    /// The server is there: once the socket stands, and again after a suspicion that it survived.
    Online,
    /// It is late with an answer.
    Suspect,
    /// It is gone.
    Offline(Reason),
    /// It has answered, and [`Link::rtt`] says how long that took.
    Rtt,
    /// Close the socket that served, with this code where there is one, and hear nothing of it any more.
    Leave(Option<CloseCode>),
    /// Drop the dial that is under way, and hear nothing of it any more.
    Abandon,
    /// Close the socket that served until the newest one stood.
    Retire,
    /// There is no connection until this moment, when the next dial is due; `None`: not before the network is back.
    Wait(Option<Timestamp>),
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
pub(crate) const LAST_LOOK: Duration = Duration::from_millis(50);
/// A look at both clocks every 2 s, and as much tolerance, while somebody looks at the page.
const SEEN: SleepDetector = SleepDetector::DEFAULT;
/// The timers of a page that nobody looks at ring once a minute, and a late one tells nothing: only clocks that part do.
const HIDDEN: SleepDetector = SleepDetector::new(Duration::MAX, Duration::from_secs(2));
/// A dial whose time ran out while nobody looked for longer than this gets the same time again, once, because its success
/// may be unread.
pub(crate) const LATE: Duration = Duration::from_secs(1);
/// The flap of a network, a second for a probe that must wait, and a late timer: how much later than `probe_timeout` a loss
/// may be found that came of a page's sleep.
const WAKING: Duration = Duration::from_secs(2);

/// The connection of a page to its server.
///
/// Inputs when something happened, then [`look`](Self::look), [`poll`](Self::poll) until `None`, then not before
/// [`poll_timeout`](Self::poll_timeout): the same shape as the machines inside. `F` makes the backoff, each time that it
/// starts anew.
#[derive(Debug)]
pub struct Link<F> {
    pub(crate) settings: Settings,
    pub(crate) backoff: F,
    pub(crate) rng: Rng,
    pub(crate) reconnect: Reconnect<Backoff, F>,
    /// The dial that is under way.
    pub(crate) dial: Option<Hanging>,
    /// The dial that the connection came of, and its heartbeat.
    pub(crate) serving: Option<(Attempt, Heart)>,
    pub(crate) sleep: SleepDetector,
    pub(crate) is_seen: bool,
    /// The system says that there is no network.
    pub(crate) offline: bool,
    /// Until this moment a loss is taken to be this client's alone: its page woke, its network changed, or a person asked.
    pub(crate) alone_until: Timestamp,
    /// What the application wants after the loss that was just reported.
    pub(crate) wish: Option<OnClose>,
    /// Told after what is told now.
    pub(crate) next: Option<Action>,
    /// The wait that was told last.
    pub(crate) waiting: Option<Option<Timestamp>>,
    /// The waits of those who begin again after an end, and whether the next one must wait.
    pub(crate) again: Backoff,
    pub(crate) must_wait: bool,
}

/// A dial, and when it is given up because the page woke in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hanging {
    pub(crate) attempt: Attempt,
    pub(crate) due: Timestamp,
    pub(crate) put_off: bool,
}

impl<F: FnMut() -> Backoff + Clone> Link<F> {
    /// One that dials at once. Give each another `seed`.
    #[must_use]
    pub fn new(settings: Settings, mut backoff: F, seed: u64, now: Timestamp) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            reconnect: Reconnect::new(policy(&settings), backoff.clone(), rng.draw(), now),
            settings: Settings { heartbeat: of_a_page(settings.heartbeat), ..settings },
            again: backoff(),
            backoff,
            rng,
            dial: None,
            serving: None,
            sleep: SEEN,
            is_seen: true,
            offline: false,
            alone_until: Timestamp::ZERO,
            wish: None,
            next: None,
            waiting: None,
            must_wait: false,
        }
    }

    /// Another heartbeat, from now on: see [`Liveness::reconfigure`](liveness::Liveness::reconfigure).
    ///
    /// Whatever it says, a verdict waits 50 ms for its last look; the writing of a ping has a clock of its own; and the closing
    /// handshake is the browser's affair, so the next dial does not wait for it.
    pub fn configure(&mut self, heartbeat: Config, now: Timestamp) {
        self.settings.heartbeat = of_a_page(heartbeat);
        let heartbeat = self.settings.heartbeat;
        self.with_heart(|heart| heart.machine.reconfigure(heartbeat, now));
    }

    /// The socket that was dialled stands. False: nobody waits for it any more, and it must be closed.
    #[must_use = "a socket that comes too late must be closed, or there will be too many"]
    pub fn opened(&mut self, now: Timestamp) -> bool {
        let Some(dial) = self.dial.take() else { return false };
        if !self.reconnect.connected(dial.attempt, now) {
            return false;
        }
        // Whatever the system says: there is a network.
        self.offline = false;
        let heart = Heart::new(self.settings.heartbeat, self.rng.draw(), now);
        self.serving = Some((dial.attempt, heart));
        true
    }

    /// The dial that is under way failed: no socket of it stood. [`wish`](Self::wish) before it says when to come back.
    pub fn failed(&mut self, now: Timestamp) {
        let wish = self.wish.take();
        if let Some(dial) = self.dial.take() {
            match wish {
                Some(then) => self.reconnect.failed_with(dial.attempt, then, now),
                None => self.reconnect.failed(dial.attempt, now),
            }
        }
    }

    /// The socket that serves is closed, with this code as the browser tells it (RFC 6455 7.1.5).
    pub fn closed(&mut self, code: u16, now: Timestamp) {
        let event = match code {
            // What the transport came to, and no Close frame said.
            0 | 1006 | 1015 => Event::Eof,
            1005 => Event::Close(None),
            code => Event::Close(Some(code)),
        };
        self.with_heart(|heart| heart.machine.handle(event, now));
    }

    /// A message for the application arrived.
    pub fn message(&mut self, now: Timestamp) {
        self.with_heart(|heart| heart.hear(Event::Data, now));
    }

    /// The server asks, or tells that it lives.
    pub fn ping(&mut self, now: Timestamp) {
        self.with_heart(|heart| {
            heart.hear(Event::Ping, now);
            // RFC 6455 5.5.3: of several, the newest may be answered alone.
            heart.owes = true;
        });
    }

    /// The server answers this ping. So whatever woke the page has not cost it its connection.
    pub fn pong(&mut self, payload: u64, now: Timestamp) {
        self.alone_until = Timestamp::ZERO;
        self.with_heart(|heart| heart.pong(payload, now));
    }

    /// The server answers, and does not say which ping.
    pub fn some_pong(&mut self, now: Timestamp) {
        self.alone_until = Timestamp::ZERO;
        self.with_heart(|heart| heart.some_pong(now));
    }

    /// The socket took something. Its buffer held this many bytes `before` and `after`.
    pub fn sent(&mut self, before: u64, after: u64, now: Timestamp) {
        self.with_heart(|heart| heart.sent(before, after, now));
    }

    /// The socket took the latest ping. Behind a large upload it leaves much later, and the wait for its answer begins then.
    pub fn ping_sent(&mut self, before: u64, after: u64, now: Timestamp) {
        self.with_heart(|heart| heart.ping_sent(before, after, now));
    }

    /// The socket's buffer holds so many bytes: to be said before each poll.
    pub fn buffered(&mut self, bytes: u64, now: Timestamp) {
        self.with_heart(|heart| heart.buffered(bytes, now));
    }

    /// Looks at both clocks, and whether somebody looks at the page: to be said before each poll. Wakes a page that slept.
    pub fn look(&mut self, wall: Timestamp, is_seen: bool, now: Timestamp) {
        let slept = self.sleep.observe(now, wall).is_some();
        if is_seen != self.is_seen {
            self.is_seen = is_seen;
            self.sleep = if is_seen { SEEN } else { HIDDEN };
            // From here on.
            let _ = self.sleep.observe(now, wall);
        }
        if slept {
            self.wake(now);
        }
    }

    /// The network is another, or the page runs, or is looked at, again: asks, with a short wait for the answer, and dials over
    /// the new network.
    ///
    /// What is lost because of it was lost alone: nobody is there to be spread from.
    pub fn wake(&mut self, now: Timestamp) {
        if !self.offline {
            self.reconnect.network_changed(now);
        }
        self.ask_alone(now);
        let due = now + self.settings.heartbeat.probe_timeout();
        if let Some(dial) = &mut self.dial {
            // It may have been begun over the old network, where it never comes to anything.
            (dial.due, dial.put_off) = (due, false);
        }
    }

    /// The system says that there is a network again.
    pub fn network_back(&mut self, now: Timestamp) {
        self.offline = false;
        self.wake(now);
    }

    /// The system says that there is no network: no dials until it says otherwise, or a person asks. A connection that stands is
    /// asked whether that is so.
    pub fn network_lost(&mut self, now: Timestamp) {
        self.offline = true;
        self.reconnect.network_lost(now);
        self.probe(now);
    }

    /// Asks now, or a second after the latest ping: see [`Liveness::probe`](liveness::Liveness::probe).
    pub fn probe(&mut self, now: Timestamp) {
        self.with_heart(|heart| heart.machine.probe(now));
    }

    /// A person asks to dial now. Ends a wait; asks a server that is connected; and begins again after the end.
    ///
    /// A page that begins again after the server ended it dials at once, and from then on as the backoff says, until a connection
    /// was stable: a script that does so at each end is no faster than one that was never told to end.
    pub fn dial_now(&mut self, now: Timestamp) {
        if self.reconnect.is_finished() {
            return self.begin_again(now);
        }
        self.offline = false;
        self.reconnect.dial_now(now);
        if self.serving.is_some() {
            self.ask_alone(now);
        }
    }

    /// Dials while the connection serves, some time within `over`, and retires it when the new one stands: see
    /// [`Reconnect::hand_over`].
    pub fn hand_over(&mut self, over: Duration, now: Timestamp) {
        self.reconnect.hand_over(over, now);
    }

    /// The application wants out.
    pub fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.with_heart(|heart| heart.machine.close(code, now));
        self.reconnect.stop(now);
    }

    /// What the application wants after the loss that [`Action::Offline`] has just told, or after the dial that it is about to
    /// report as [`failed`](Self::failed).
    pub fn wish(&mut self, wish: Option<OnClose>) {
        self.wish = wish;
    }

    /// What will follow from a loss with this code.
    #[must_use]
    pub fn plan(&self, code: u16) -> OnClose {
        self.wish.unwrap_or_else(|| self.usual(code))
    }

    /// The next thing to do, one at a time: call until `None`.
    pub fn poll(&mut self, now: Timestamp) -> Option<Action> {
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        if let Some(action) = self.with_heart(|heart| heart.news().or_else(|| heart.poll(now))).flatten() {
            if let Action::Leave(_) = action {
                self.lose(now);
            }
            return Some(action);
        }
        if self.hangs(now) {
            self.failed(now);
            return Some(Action::Abandon);
        }
        match self.reconnect.poll(now) {
            Some(ReconnectAction::Dial(attempt)) => Some(self.dial(attempt)),
            Some(ReconnectAction::Abandon(_)) => {
                self.dial = None;
                Some(Action::Abandon)
            }
            Some(ReconnectAction::Retire(_)) => Some(Action::Retire),
            Some(ReconnectAction::GiveUp(why)) => Some(Action::End(why)),
            None => self.wait(),
        }
    }

    /// When to poll next, if nothing happens before; `None`: not before something does.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let never = Timestamp::MAX;
        let mut due = self.reconnect.poll_timeout().unwrap_or(never);
        if let Some((_, heart)) = &self.serving {
            due = due.min(heart.machine.poll_timeout().unwrap_or(never));
        }
        if let Some(dial) = &self.dial {
            due = due.min(dial.due);
        }
        if !self.reconnect.is_finished() {
            due = due.min(self.sleep.poll_timeout().unwrap_or(never));
        }
        Some(due).filter(|due| *due < never)
    }

    /// How many dials there have been since the last connection that was stable.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.reconnect.attempts()
    }

    /// The system says that there is no network.
    #[must_use]
    pub const fn is_offline(&self) -> bool {
        self.offline
    }

    /// What is lost now is lost because the page slept, or because its network changed.
    #[must_use]
    pub fn is_alone(&self, now: Timestamp) -> bool {
        now < self.alone_until
    }

    /// The round trips of this connection.
    #[must_use]
    pub fn rtt(&self) -> Option<Rtt> {
        self.serving.as_ref().and_then(|(_, heart)| heart.machine.rtt())
    }

    /// Why it stands as it does, while there is a connection.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> Option<Report> {
        self.serving.as_ref().map(|(_, heart)| heart.machine.report(now))
    }

    /// Asks, and what comes to light by it was lost by this client alone.
    fn ask_alone(&mut self, now: Timestamp) {
        let heartbeat = &self.settings.heartbeat;
        self.alone_until = now + heartbeat.probe_timeout().min(heartbeat.timeout()) + WAKING;
        self.probe(now);
    }

    fn with_heart<R>(&mut self, use_it: impl FnOnce(&mut Heart) -> R) -> Option<R> {
        self.serving.as_mut().map(|(_, heart)| use_it(heart))
    }
}
