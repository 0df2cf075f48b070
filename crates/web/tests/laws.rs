//! The laws of every life of a page.

use std::time::Duration;

use liveness::reconnect::{Backoff, OnClose};
use liveness::{CloseCode, Config, Suspicion, Timestamp};
use liveness_web::{Action, Link, Rng, Settings, page_backoff};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn backoff() -> Backoff {
    page_backoff(millis(1000), millis(15_000), 7)
}

type Page = Link<fn() -> Backoff>;

/// How long after the ping before it a probe may come.
const PROBES_APART: Duration = millis(1000);

/// Asks after 5 s, suspects 1 s later, gives up 2 s after asking.
fn page(seed: u64) -> Page {
    let heartbeat = Config::builder()
        .interval(millis(5000))
        .timeout(millis(2000))
        .suspicion(Suspicion::After(millis(1000)))
        .jitter(0)
        .build();
    let settings = Settings {
        heartbeat: heartbeat.unwrap(),
        stable_after: millis(30_000),
        dial_timeout: millis(5000),
        max_spread: Duration::MAX,
    };
    Link::new(settings, backoff, seed, at(0))
}

/// A server that answers each ping in less than 2 s, and its answers under way.
struct Prompt {
    rng: Rng,
    arrivals: Vec<(Timestamp, u64)>,
    pings: usize,
}

impl Prompt {
    /// The timer's part of a turn. It handles nothing that has arrived.
    fn look(&mut self, page: &mut Page, now: Timestamp) -> Result<(), TestCaseError> {
        while let Some(action) = page.poll(now) {
            prop_assert!(!matches!(action, Action::Offline(_)), "{:?} at {}", action, now);
            if let Action::Ping(payload) = action {
                page.ping_sent(0, 21, now);
                self.pings += 1;
                self.arrivals.push((now + millis(self.rng.draw() % 1990), payload));
            }
        }
        Ok(())
    }

    fn arrive(&mut self, page: &mut Page, now: Timestamp) {
        self.arrivals.retain(|&(when, payload)| {
            if when <= now {
                page.pong(payload, now);
            }
            when > now
        });
    }

    /// Awake: handles at once what arrives, then looks whenever that is due.
    fn live(&mut self, page: &mut Page, from: Timestamp, end: Timestamp) -> Result<(), TestCaseError> {
        let mut now = from;
        loop {
            self.arrive(page, now);
            self.look(page, now)?;
            let arrivals = self.arrivals.iter().map(|&(when, _)| when);
            match arrivals.chain(page.poll_timeout()).min().filter(|next| *next <= end) {
                Some(next) => now = next,
                None => return Ok(()),
            }
        }
    }
}

/// What can happen to a page.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes, and the page looks when it should.
    Live(u64),
    /// Time passes, and the page does not look.
    Sleep(u64),
    Opened,
    Closed(u16),
    Message,
    Ping,
    Answer,
    Forge(u64),
    Sent(u64),
    Drained(u64),
    Wake,
    Lost,
    Back,
    HandOver(u64),
    Wish(OnClose),
    Hidden(bool),
    Failed,
    Probe,
    DialNow,
    Close,
    Configure(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u64..20_000).prop_map(Step::Live),
        2 => (0_u64..200_000).prop_map(Step::Sleep),
        4 => Just(Step::Opened),
        1 => prop_oneof![Just(1006), 999_u16..1016, Just(3008), Just(4000)].prop_map(Step::Closed),
        2 => Just(Step::Message),
        1 => Just(Step::Ping),
        4 => Just(Step::Answer),
        1 => any::<u64>().prop_map(Step::Forge),
        1 => (0_u64..1000).prop_map(Step::Sent),
        2 => (0_u64..2000).prop_map(Step::Drained),
        1 => Just(Step::Wake),
        1 => prop_oneof![1 => Just(Step::Lost), 2 => Just(Step::Back)],
        4 => (0_u64..5000).prop_map(Step::HandOver),
        1 => wish().prop_map(Step::Wish),
        1 => any::<bool>().prop_map(Step::Hidden),
        1 => Just(Step::Failed),
        1 => Just(Step::Probe),
        1 => Just(Step::DialNow),
        1 => prop_oneof![3 => Just(Step::Wake), 1 => Just(Step::Close)],
        1 => (1_u64..10_000).prop_map(Step::Configure),
    ]
}

fn wish() -> impl Strategy<Value = OnClose> {
    prop_oneof![Just(OnClose::Stop), Just(OnClose::AT_ONCE), Just(OnClose::after(millis(40_000)))]
}

/// Watches a life, and fails if a law is broken.
#[derive(Default)]
struct Witness {
    /// A socket is dialled while another is in use.
    dialled: bool,
    serves: bool,
    /// A socket was in use until the new one stood, and must be closed.
    to_retire: bool,
    /// `Open` was reported for the socket in use.
    open: bool,
    hidden: bool,
    /// The system says that there is no network, and nobody has asked for a dial since.
    lost: bool,
    hand_overs: usize,
    online: Option<bool>,
    offline: bool,
    ended: bool,
    /// The payload of the newest ping, and when it was handed out.
    ping: Option<(u64, Timestamp)>,
    /// The least distance between two pings: a probe's second, or the shortest wait of the heartbeat.
    apart: Duration,
    /// Pings that came sooner than that since the server was heard.
    sooner: usize,
    /// How many bytes the socket's buffer holds.
    buffer: u64,
    dials: usize,
    verdicts: usize,
}

impl Witness {
    /// The bound of a [`page`].
    fn new() -> Self {
        Self { apart: PROBES_APART, ..Self::default() }
    }

    fn see(&mut self, action: Action, now: Timestamp) {
        match action {
            Action::Dial => {
                assert!(!self.dialled && !self.to_retire && !self.ended, "two dials");
                assert!(!self.lost, "it dials without a network");
                (self.dialled, self.dials) = (true, self.dials + 1);
            }
            Action::Dialling => assert!(!self.serves && !self.ended),
            Action::Open => {
                assert!(self.serves && !self.open);
                (self.open, self.online, self.offline) = (true, None, false);
                (self.ping, self.sooner, self.buffer) = (None, 0, 0);
            }
            Action::Online => {
                assert!(self.open && !self.offline && self.online != Some(true));
                self.online = Some(true);
            }
            Action::Suspect => {
                assert!(!self.offline && self.online == Some(true));
                self.online = Some(false);
            }
            Action::Ping(payload) => {
                assert!(self.online.is_some() && !self.offline);
                if self.ping.is_some_and(|(_, before)| now < before + self.apart) {
                    self.sooner += 1;
                }
                // A page that was not looking may send one such ping.
                assert!(self.sooner <= 1, "a burst of pings");
                self.ping = Some((payload, now));
            }
            Action::Pong | Action::Rtt => assert!(self.open && !self.offline),
            Action::Offline(_) => {
                assert!(self.open && !self.offline && self.online.is_some(), "once, and after it was online");
                (self.offline, self.verdicts) = (true, self.verdicts + 1);
            }
            Action::Leave(_) => {
                assert!(self.serves && self.open && self.offline);
                (self.serves, self.open, self.offline) = (false, false, false);
            }
            Action::Abandon => {
                assert!(self.dialled);
                self.dialled = false;
            }
            Action::Retire => {
                assert!(self.to_retire && self.serves && self.open, "the new one stands");
                (self.to_retire, self.hand_overs) = (false, self.hand_overs + 1);
            }
            Action::Wait(_) => assert!(!self.dialled && !self.serves && !self.ended),
            Action::End(_) => {
                assert!(!self.dialled && !self.serves && !self.ended);
                self.ended = true;
            }
        }
    }

    fn look(&mut self, page: &mut Page, now: Timestamp) {
        let mut count = 0;
        page.look(now + millis(1_700_000_000_000), !self.hidden, now);
        while let Some(action) = page.poll(now) {
            self.see(action, now);
            if let Action::Ping(_) = action {
                page.ping_sent(self.buffer, self.buffer + 21, now);
                self.buffer += 21;
            }
            count += 1;
            assert!(count <= 10, "without end");
        }
        assert!(!self.to_retire, "two connections outlive a turn");
        assert!(page.poll_timeout().is_none_or(|due| due > now), "its timer fires needlessly");
    }

    /// The page looks when it should.
    fn live(&mut self, page: &mut Page, end: Timestamp, now: &mut Timestamp) {
        while let Some(due) = page.poll_timeout().filter(|due| *due <= end) {
            *now = due;
            self.look(page, due);
        }
        *now = end;
    }

    fn take(&mut self, page: &mut Page, step: Step, now: &mut Timestamp) {
        match step {
            Step::Live(time) => self.live(page, *now + millis(time), now),
            Step::Sleep(time) => *now += millis(time),
            Step::Opened if self.dialled => {
                assert!(page.opened(*now), "it was dialled, and never left");
                self.lost = false;
                (self.dialled, self.to_retire) = (false, self.serves);
                (self.serves, self.open) = (true, false);
            }
            Step::Closed(code) if self.serves => page.closed(code, *now),
            Step::Failed if self.dialled => {
                self.dialled = false;
                page.failed(*now);
            }
            Step::Message | Step::Ping | Step::Answer | Step::Forge(_) if self.open => {
                self.sooner = 0;
                if let Step::Answer = step {
                    page.pong(self.ping.map_or(0, |(payload, _)| payload), *now);
                } else if let Step::Forge(payload) = step {
                    page.pong(payload, *now);
                } else if let Step::Ping = step {
                    page.ping(*now);
                } else {
                    page.message(*now);
                }
            }
            Step::Failed
            | Step::Opened
            | Step::Closed(_)
            | Step::Message
            | Step::Ping
            | Step::Answer
            | Step::Forge(_) => {}
            Step::Sent(bytes) => {
                page.sent(self.buffer, self.buffer + bytes, *now);
                self.buffer += bytes;
            }
            Step::Drained(bytes) => {
                self.buffer -= bytes.min(self.buffer);
                page.buffered(self.buffer, *now);
            }
            Step::Wake => page.wake(*now),
            Step::Lost => {
                self.lost = true;
                page.network_lost(*now);
            }
            Step::Back => {
                self.lost = false;
                page.network_back(*now);
            }
            Step::HandOver(over) => page.hand_over(millis(over), *now),
            Step::Wish(wish) => page.wish(Some(wish)),
            Step::Hidden(hidden) => self.hidden = hidden,
            Step::Probe => page.probe(*now),
            Step::DialNow => {
                (self.ended, self.lost) = (false, false);
                page.dial_now(*now);
            }
            Step::Close => page.close(CloseCode::NORMAL, *now),
            Step::Configure(time) => {
                let config = Config::builder().interval(millis(time)).timeout(millis(time)).build();
                page.configure(config.unwrap(), *now);
                self.apart = PROBES_APART.min(millis(time) * 9 / 10);
            }
        }
        self.look(page, *now);
    }
}

proptest! {
    /// At most two sockets at a time, and one connection at the end of a turn. A hand-over never leaves the page without a
    /// connection. No dial while the system is offline. Each connection is online first, and offline once. No burst of pings,
    /// no needless call, one end.
    #[test]
    fn no_life_breaks_the_promises(steps in proptest::collection::vec(step(), 1..120), seed: u64) {
        let mut page = page(seed);
        let (mut witness, mut now) = (Witness::new(), at(0));
        for step in steps {
            witness.take(&mut page, step, &mut now);
        }
    }

    /// A server that answers in time is never given up, however long the page sleeps, and wherever in its cycle. On waking
    /// the page may handle its timer before what has arrived, and it may or may not be told that it woke. It must be awake
    /// for a moment between two sleeps.
    #[test]
    fn a_server_that_answers_in_time_is_never_offline(
        seed: u64,
        sleeps in proptest::collection::vec((200_u64..9000, 100_u64..100_000, any::<bool>()), 1..40),
    ) {
        let mut page = page(seed);
        prop_assert_eq!(page.poll(at(0)), Some(Action::Dialling));
        prop_assert_eq!(page.poll(at(0)), Some(Action::Dial));
        prop_assert!(page.opened(at(0)));
        let mut server = Prompt { rng: Rng::new(seed), arrivals: Vec::new(), pings: 0 };
        let mut now = at(0);
        for (awake, asleep, told) in sleeps {
            let end = now + millis(awake);
            server.live(&mut page, now, end)?;
            now = end + millis(asleep);
            if page.poll_timeout().is_some_and(|due| due <= now) {
                server.look(&mut page, now)?;
            }
            if told {
                page.wake(now);
            }
        }
        prop_assert!(server.pings > 0 || now < at(7000));
    }

    /// A server that falls silent is offline within the bound, and not before its answer is overdue, if the page is awake.
    #[test]
    fn a_silent_server_is_offline_within_the_bound(
        seed: u64,
        interval in 1_u64..60_000,
        timeout in 1_u64..60_000,
        silences in proptest::collection::vec(0_u64..20_000, 0..30),
    ) {
        let mut page = page(seed);
        let config = Config::builder().interval(millis(interval)).timeout(millis(timeout)).build().unwrap();
        page.configure(config, at(0));
        prop_assert_eq!(page.poll(at(0)), Some(Action::Dialling));
        prop_assert_eq!(page.poll(at(0)), Some(Action::Dial));
        prop_assert!(page.opened(at(0)));
        let (mut heard, mut verdict) = (at(0), None);
        for silence in silences {
            let end = heard + millis(silence);
            verdict = silent_until(&mut page, end);
            if verdict.is_some() {
                break;
            }
            heard = end;
            page.message(heard);
        }
        let verdict = verdict.or_else(|| silent_until(&mut page, Timestamp::MAX));
        let silent = verdict.expect("it is found out").saturating_duration_since(heard);
        prop_assert!(silent <= millis(interval + timeout + 50), "{silent:?}");
        prop_assert!(silent >= millis(timeout), "{silent:?}");
    }
}

/// When a page reports the loss of a server that sends nothing.
fn silent_until(page: &mut Page, end: Timestamp) -> Option<Timestamp> {
    while let Some(due) = page.poll_timeout().filter(|due| *due <= end) {
        while let Some(action) = page.poll(due) {
            if let Action::Ping(_) = action {
                page.ping_sent(0, 21, due);
            }
            if let Action::Offline(_) = action {
                return Some(due);
            }
        }
    }
    None
}

/// The interesting cases do happen in such lives.
#[test]
fn random_lives_have_dials_and_verdicts() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut dials, mut verdicts, mut hand_overs) = (0, 0, 0);
    for _ in 0..200 {
        let lives = proptest::collection::vec(step(), 60..120);
        let steps = lives.new_tree(&mut runner).unwrap().current();
        let mut page = page(7);
        let (mut witness, mut now) = (Witness::new(), at(0));
        for step in steps {
            witness.take(&mut page, step, &mut now);
        }
        (dials, verdicts) = (dials + witness.dials, verdicts + witness.verdicts);
        hand_overs += witness.hand_overs;
    }
    assert!(hand_overs > 30, "{hand_overs} hand-overs");
    assert!(dials > 400 && verdicts > 200, "{dials} dials, {verdicts} verdicts");
}
