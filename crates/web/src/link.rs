//! One connection that comes back, with every decision about it.

use core::time::Duration;

use liveness::reconnect::{Attempt, Backoff, GiveUpReason, OnClose, Reconnect, ReconnectAction};
use liveness::{CloseCode, Config, Event, Reason, Report, Rtt, SleepDetector, Timestamp};

use crate::backoff::Rng;
use crate::heart::Heart;
use crate::loss::{of_a_page, policy};

/// What the page must do. [`Link::poll`] returns it.
///
/// There are two sockets at most: the one in use, and the one that is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a dropped action is a socket never opened or never closed"]
pub enum Action {
    /// Open a socket. In a hand-over another one is in use meanwhile.
    Dial,
    /// A dial is under way, and no socket is in use.
    Dialling,
    /// The dialled socket stands, and is in use from now on. Say hello.
    Open,
    /// Ask the server, with this payload.
    Ping(u64),
    /// Answer the question that came last.
    Pong,
    /// The server is there. Reported once the socket stands, and again after a suspicion that was wrong.
    Online,
    /// The server is late with an answer.
    Suspect,
    /// The server is gone.
    Offline(Reason),
    /// The server has answered. [`Link::rtt`] says how long that took.
    Rtt,
    /// Close the socket that was in use, with this code if there is one, and ignore its events from now on.
    Leave(Option<CloseCode>),
    /// Drop the dial that is under way, and ignore its events from now on.
    Abandon,
    /// Close the socket that was in use before the newest one.
    Retire,
    /// There is no connection until this moment, when the next dial is due. `None`: no dial before the network is back.
    Wait(Option<Timestamp>),
    /// No dial follows, unless somebody asks for one.
    End(GiveUpReason),
}

/// The times at which a [`Link`] asks, gives up and dials.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The heartbeat's settings. [`Link::configure`] says what becomes of its `last_look` and `close_timeout`.
    pub heartbeat: Config,
    /// How long a connection must have stood before the backoff starts again.
    pub stable_after: Duration,
    /// How long a dial may take.
    pub dial_timeout: Duration,
    /// The longest wait of the first dial after a loss, because other pages have lost the same server.
    pub max_spread: Duration,
}

/// What has arrived may wait behind the timer that looks for it, because a browser may handle its queues in any order. So a
/// verdict waits this long for a second look.
pub(crate) const LAST_LOOK: Duration = Duration::from_millis(50);
/// Compares both clocks every 2 s, with as much tolerance, while the page is visible.
const SEEN: SleepDetector = SleepDetector::DEFAULT;
/// The timers of a hidden page ring once a minute, so a late timer says nothing. Only two clocks that differ do.
const HIDDEN: SleepDetector = SleepDetector::new(Duration::MAX, Duration::from_secs(2));
/// A dial whose time ran out after nobody looked for longer than this gets the same time again, once. Its success may be
/// unread.
pub(crate) const LATE: Duration = Duration::from_secs(1);
/// How much later than `probe_timeout` a loss may be found that comes from a page's sleep. It covers a short loss of the
/// network, a second in which a probe must wait, and a late timer.
const WAKING: Duration = Duration::from_secs(2);

/// The connection of a page to its server.
///
/// Report an input when something happened. Then call [`look`](Self::look), and [`poll`](Self::poll) until `None`. Then wait
/// until [`poll_timeout`](Self::poll_timeout). The machines inside have the same shape. `F` makes the backoff each time that
/// it starts again.
#[derive(Debug)]
pub struct Link<F> {
    pub(crate) settings: Settings,
    pub(crate) backoff: F,
    pub(crate) rng: Rng,
    pub(crate) reconnect: Reconnect<Backoff, F>,
    /// The dial that is under way.
    pub(crate) dial: Option<Hanging>,
    /// The dial that made the connection, and the connection's heartbeat.
    pub(crate) serving: Option<(Attempt, Heart)>,
    pub(crate) sleep: SleepDetector,
    pub(crate) is_seen: bool,
    /// The system says that there is no network.
    pub(crate) offline: bool,
    /// Until this moment a loss counts as this client's alone: its page woke, its network changed, or a person asked.
    pub(crate) alone_until: Timestamp,
    /// What the application wants after the loss that was reported last.
    pub(crate) wish: Option<OnClose>,
    /// The action to report after the current one.
    pub(crate) next: Option<Action>,
    /// The wait that was reported last.
    pub(crate) waiting: Option<Option<Timestamp>>,
    /// The waits for people who begin again after an end, and whether the next one must wait.
    pub(crate) again: Backoff,
    pub(crate) must_wait: bool,
}

/// A dial, and when it is given up because the page woke while it was under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hanging {
    pub(crate) attempt: Attempt,
    pub(crate) due: Timestamp,
    pub(crate) put_off: bool,
}

impl<F: FnMut() -> Backoff + Clone> Link<F> {
    /// A link that dials at once. Each needs another `seed`.
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

    /// Sets another heartbeat, from now on: see [`Liveness::reconfigure`](liveness::Liveness::reconfigure).
    ///
    /// Three things are fixed. A verdict waits 50 ms for its last look. The writing of a ping has its own clock. The browser
    /// does the closing handshake, so the next dial does not wait for it.
    pub fn configure(&mut self, heartbeat: Config, now: Timestamp) {
        self.settings.heartbeat = of_a_page(heartbeat);
        let heartbeat = self.settings.heartbeat;
        self.with_heart(|heart| heart.machine.reconfigure(heartbeat, now));
    }

    /// The dialled socket stands. False: nobody waits for it any more, and it must be closed.
    #[must_use = "a socket that comes too late must be closed, or there will be too many"]
    pub fn opened(&mut self, now: Timestamp) -> bool {
        let Some(dial) = self.dial.take() else { return false };
        if !self.reconnect.connected(dial.attempt, now) {
            return false;
        }
        // There is a network, whatever the system says.
        self.offline = false;
        let heart = Heart::new(self.settings.heartbeat, self.rng.draw(), now);
        self.serving = Some((dial.attempt, heart));
        true
    }

    /// The dial under way failed: its socket never stood. Call [`wish`](Self::wish) before it to say when to dial again.
    pub fn failed(&mut self, now: Timestamp) {
        let wish = self.wish.take();
        if let Some(dial) = self.dial.take() {
            match wish {
                Some(then) => self.reconnect.failed_with(dial.attempt, then, now),
                None => self.reconnect.failed(dial.attempt, now),
            }
        }
    }

    /// The socket in use is closed. The code is the browser's (RFC 6455 7.1.5).
    pub fn closed(&mut self, code: u16, now: Timestamp) {
        let event = match code {
            // No Close frame had this code. It describes how the transport ended.
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

    /// The server asks, or says that it lives.
    pub fn ping(&mut self, now: Timestamp) {
        self.with_heart(|heart| {
            heart.hear(Event::Ping, now);
            // RFC 6455 5.5.3: if there are several, only the newest must be answered.
            heart.owes = true;
        });
    }

    /// The server answers this ping. So the page has not lost its connection, whatever woke it.
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

    /// The socket took the latest ping. Behind a large upload the ping leaves much later. The wait for its answer begins
    /// then.
    pub fn ping_sent(&mut self, before: u64, after: u64, now: Timestamp) {
        self.with_heart(|heart| heart.ping_sent(before, after, now));
    }

    /// The socket's buffer holds this many bytes. Call it before each poll.
    pub fn buffered(&mut self, bytes: u64, now: Timestamp) {
        self.with_heart(|heart| heart.buffered(bytes, now));
    }

    /// Compares both clocks, and notes whether the page is visible. Call it before each poll. It wakes a page that slept.
    pub fn look(&mut self, wall: Timestamp, is_seen: bool, now: Timestamp) {
        let slept = self.sleep.observe(now, wall).is_some();
        if is_seen != self.is_seen {
            self.is_seen = is_seen;
            self.sleep = if is_seen { SEEN } else { HIDDEN };
            // The comparison starts here.
            let _ = self.sleep.observe(now, wall);
        }
        if slept {
            self.wake(now);
        }
    }

    /// The network changed, or the page runs or is visible again. Asks the server, with a short wait for the answer, and
    /// dials over the new network.
    ///
    /// A connection that is lost because of this was lost alone, so the dial need not be spread.
    pub fn wake(&mut self, now: Timestamp) {
        if !self.offline {
            self.reconnect.network_changed(now);
        }
        self.ask_alone(now);
        let due = now + self.settings.heartbeat.probe_timeout();
        if let Some(dial) = &mut self.dial {
            // The dial may have begun over the old network, where it cannot succeed.
            (dial.due, dial.put_off) = (due, false);
        }
    }

    /// The system says that there is a network again.
    pub fn network_back(&mut self, now: Timestamp) {
        self.offline = false;
        self.wake(now);
    }

    /// The system says that there is no network. There are no dials until it says otherwise, or a person asks. A connection
    /// that stands is probed.
    pub fn network_lost(&mut self, now: Timestamp) {
        self.offline = true;
        self.reconnect.network_lost(now);
        self.probe(now);
    }

    /// Asks now, or one second after the latest ping: see [`Liveness::probe`](liveness::Liveness::probe).
    pub fn probe(&mut self, now: Timestamp) {
        self.with_heart(|heart| heart.machine.probe(now));
    }

    /// A person asks to dial now. Ends a wait, asks a server that is connected, and begins again after the end.
    ///
    /// A page that begins again after the server ended it dials at once. From then on it dials as the backoff says, until a
    /// connection was stable. So a script that does this at each end is no faster than one that was never told to end.
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

    /// Dials while the connection is in use, some time within `over`, and closes it when the new one stands: see
    /// [`Reconnect::hand_over`].
    pub fn hand_over(&mut self, over: Duration, now: Timestamp) {
        self.reconnect.hand_over(over, now);
    }

    /// The application closes the link.
    pub fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.with_heart(|heart| heart.machine.close(code, now));
        self.reconnect.stop(now);
    }

    /// What the application wants after the loss that [`Action::Offline`] has just reported, or after the dial that it is
    /// about to report as [`failed`](Self::failed).
    pub fn wish(&mut self, wish: Option<OnClose>) {
        self.wish = wish;
    }

    /// What will follow from a loss with this code.
    #[must_use]
    pub fn plan(&self, code: u16) -> OnClose {
        self.wish.unwrap_or_else(|| self.usual(code))
    }

    /// The next action. Call it until `None`.
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

    /// When to poll next, if nothing happens before; `None` if nothing is due.
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

    /// A loss now counts as lost because the page slept, or because its network changed.
    #[must_use]
    pub fn is_alone(&self, now: Timestamp) -> bool {
        now < self.alone_until
    }

    /// The round trips of this connection.
    #[must_use]
    pub fn rtt(&self) -> Option<Rtt> {
        self.serving.as_ref().and_then(|(_, heart)| heart.machine.rtt())
    }

    /// Why the connection's status is what it is, while there is a connection.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> Option<Report> {
        self.serving.as_ref().map(|(_, heart)| heart.machine.report(now))
    }

    /// Asks the server. A loss that this finds counts as this client's alone.
    fn ask_alone(&mut self, now: Timestamp) {
        let heartbeat = &self.settings.heartbeat;
        self.alone_until = now + heartbeat.probe_timeout().min(heartbeat.timeout()) + WAKING;
        self.probe(now);
    }

    fn with_heart<R>(&mut self, use_it: impl FnOnce(&mut Heart) -> R) -> Option<R> {
        self.serving.as_mut().map(|(_, heart)| use_it(heart))
    }
}
