//! Lives for the laws: anything in any order, and every kind of driver with every kind of peer.

use std::collections::VecDeque;
use std::time::Duration;

use liveness::strategy::configs;
use liveness::{CloseCode, Config, Event, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{Life, Step, What, World};

pub(super) const SECOND: u64 = 1_000_000_000;

/// Settings of some seconds each, like the gaps between steps.
pub(crate) fn settings() -> impl Strategy<Value = Config> {
    let probe_timeouts = prop::option::weighted(0.6, 1..=8_u64);
    (configs(Duration::from_secs(1)), probe_timeouts).prop_map(|(config, probe_timeout)| {
        let probe_timeout = probe_timeout.map_or(Duration::MAX, Duration::from_secs);
        config.to_builder().probe_timeout(probe_timeout).build().unwrap()
    })
}

/// Where the steps of a life come from.
#[derive(Clone, Debug)]
pub(super) enum Story {
    /// Anything, in any order. The driver polls when it likes.
    Steps(Vec<Step<'static>>),
    Meeting(Meeting),
}

impl Story {
    pub(super) fn live(&self, config: Config, start: Timestamp, nervous: bool) -> Life {
        match self {
            Self::Steps(steps) => World::live(config, start, steps, nervous),
            Self::Meeting(meeting) => meeting.live(config, start, nervous),
        }
    }
}

/// A driver, a peer, and random numbers for both.
#[derive(Clone, Debug)]
pub(super) struct Meeting {
    pub(super) driver: Driver,
    pub(super) peer: Peer,
    pub(super) chances: Vec<Chance>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Driver {
    /// It wakes when something arrives or falls due, reads, then polls.
    Punctual,
    /// The same, up to five seconds late.
    Late,
    /// The same, as late, but it handles its timers before its socket.
    TimersFirst,
    /// It also wakes for no reason.
    Spurious,
    /// Its clock steps back, and jumps over hours.
    Jumping,
    /// It probes now and then.
    Probing,
    /// It stops reading now and then.
    Pausing,
    /// In one turn it reads nothing, and reports that. In the next it reads everything.
    Piecemeal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    /// Each ping's answer is in our input buffer within `timeout`. Sometimes it sends data.
    Live,
    Dead,
    /// It answers after the `timeout`.
    Late,
    /// It answers no ping, but sends pongs that nobody asked for.
    Forging,
    /// It answers, and sends far too many pings.
    Flooding,
    /// It sends part after part of a message that never ends. No answer can be sent inside it.
    Dribbling,
}

pub(super) const DRIVERS: [Driver; 8] = [
    Driver::Punctual,
    Driver::Late,
    Driver::TimersFirst,
    Driver::Spurious,
    Driver::Jumping,
    Driver::Probing,
    Driver::Pausing,
    Driver::Piecemeal,
];
pub(super) const PEERS: [Peer; 6] =
    [Peer::Live, Peer::Dead, Peer::Late, Peer::Forging, Peer::Flooding, Peer::Dribbling];

/// Drawn again for each turn. Each number is a share of 100.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    /// The share of the driver's greatest lateness.
    late: u8,
    /// The share of the time that the peer may take.
    delay: u8,
    /// The share of the time that the transport may take.
    written: u8,
    /// Rare events happen at low values.
    whim: u8,
}

impl Meeting {
    pub(super) fn live(&self, config: Config, start: Timestamp, nervous: bool) -> Life {
        let mut chances = self.chances.iter();
        let mut table = Table::new(self, config, start);
        World::live_by(config, start, nervous, |world| {
            while table.steps.is_empty() {
                table.turn(world, chances.next()?)?;
            }
            table.steps.pop_front()
        })
    }
}

/// A meeting that is going on.
struct Table {
    driver: Driver,
    peer: Peer,
    config: Config,
    /// Pings that the peer knows of.
    pings: usize,
    /// What is on its way, and when it can be read or is written.
    coming: Vec<(Timestamp, Coming)>,
    /// When the peer next sends something by itself.
    speaks_at: Timestamp,
    /// We do not read until this moment.
    paused_until: Option<Timestamp>,
    /// The driver has not read what arrived until its last turn.
    unread: bool,
    steps: VecDeque<Step<'static>>,
}

#[derive(Clone, Copy, Debug)]
enum Coming {
    Answer(usize),
    Event(Event<'static>),
}

impl Coming {
    /// Done by the transport, so it needs no reading.
    fn is_ours(self) -> bool {
        matches!(self, Self::Event(Event::PingSent))
    }
}

impl Table {
    fn new(meeting: &Meeting, config: Config, start: Timestamp) -> Self {
        Self {
            driver: meeting.driver,
            peer: meeting.peer,
            config,
            pings: 0,
            coming: Vec::new(),
            speaks_at: start + Duration::from_secs(1),
            paused_until: None,
            unread: false,
            steps: VecDeque::new(),
        }
    }

    /// The driver wakes once. `None`: nothing is due, and nothing will come.
    fn turn(&mut self, world: &World, chance: &Chance) -> Option<()> {
        self.answer_pings(world, chance);
        let now = world.latest();
        let paused = self.paused_until.is_some();
        let arrivals = self.coming.iter().filter(|(_, what)| what.is_ours() || !paused).map(|(at, _)| *at);
        let arrival = arrivals.chain(self.speaks().filter(|_| !paused)).chain(self.paused_until).min();
        let wakes = self.wakes(now, world.due().into_iter().chain(arrival).min()?, chance);
        self.speak(wakes, chance);
        self.step(wakes.saturating_duration_since(now), What::Nothing, None);
        if self.driver == Driver::TimersFirst {
            self.step(Duration::ZERO, What::Nothing, Some(true));
        }
        self.read(wakes, chance);
        if self.driver == Driver::Probing && chance.whim < 25 {
            self.step(Duration::ZERO, What::Probe, None);
        }
        if self.driver == Driver::Pausing && chance.whim < 15 && self.paused_until.is_none() {
            self.paused_until = Some(wakes + Duration::from_millis(200) * chance.late.into());
            self.step(Duration::ZERO, What::Event(Event::ReadPaused), None);
        }
        if self.driver != Driver::TimersFirst {
            self.step(Duration::ZERO, What::Nothing, Some(false));
        }
        if self.driver == Driver::Jumping && chance.whim < 20 {
            self.step(Duration::ZERO, What::StepBack(u64::from(chance.late) * SECOND / 5), Some(false));
        }
        Some(())
    }

    fn step(&mut self, after: Duration, what: What<'static>, poll: Option<bool>) {
        self.steps.push_back(Step { after: after.as_nanos() as u64, what, poll });
    }

    /// Reads what arrived until `wakes`, unless reading is paused or delayed.
    fn read(&mut self, wakes: Timestamp, chance: &Chance) {
        if self.paused_until.is_some_and(|until| until <= wakes) {
            self.paused_until = None;
            self.step(Duration::ZERO, What::Event(Event::ReadResumed), None);
        }
        self.unread = self.driver == Driver::Piecemeal && chance.whim < 50 && !self.unread;
        let reads = self.paused_until.is_none() && !self.unread;
        self.coming.sort_by_key(|(at, _)| *at);
        let (now, later) = std::mem::take(&mut self.coming)
            .into_iter()
            .partition(|(at, what)| *at <= wakes && (reads || what.is_ours()));
        self.coming = later;
        for (_, what) in now {
            let what = match what {
                Coming::Answer(number) => What::AnswerTo(number),
                Coming::Event(event) => What::Event(event),
            };
            self.step(Duration::ZERO, what, None);
        }
        if self.unread {
            self.step(Duration::ZERO, What::Event(Event::Unread), None);
        }
    }

    /// When the driver sees what happens or falls due at `moment`.
    fn wakes(&self, now: Timestamp, moment: Timestamp, chance: &Chance) -> Timestamp {
        let some = Duration::from_millis(50) * chance.late.into();
        let moment = moment.max(now);
        match self.driver {
            Driver::Punctual | Driver::Probing | Driver::Pausing => moment,
            // It comes back for the rest.
            Driver::Piecemeal => moment + Duration::from_millis(5) * chance.late.into(),
            Driver::Late | Driver::TimersFirst => moment + some,
            Driver::Spurious => moment.min(now + some),
            Driver::Jumping if chance.whim > 95 => moment + Duration::from_secs(3600) * chance.late.into(),
            Driver::Jumping => moment,
        }
    }

    /// The peer learns of the pings, and the transport takes their bytes.
    fn answer_pings(&mut self, world: &World, chance: &Chance) {
        let share = |whole: Duration, share: u8| {
            // An hour stands for never.
            whole.min(Duration::from_secs(3600)) / 100 * share.into()
        };
        // Any of the pings may be that of a probe.
        let probes = self.driver == Driver::Probing;
        let timeout = self.config.timeout();
        let timeout = if probes { timeout.min(self.config.probe_timeout()) } else { timeout };
        for (number, at) in world.pings().enumerate().skip(self.pings) {
            // A dead peer's receive window is full now and then.
            if self.peer != Peer::Dead || chance.whim < 50 {
                let written = at + share(self.config.write_timeout(), chance.written);
                self.coming.push((written, Coming::Event(Event::PingSent)));
            }
            let delay = match self.peer {
                Peer::Live | Peer::Flooding => share(timeout, chance.delay),
                Peer::Late => timeout.min(Duration::from_secs(3600)) + share(timeout, chance.delay),
                Peer::Dead | Peer::Forging | Peer::Dribbling => continue,
            };
            self.coming.push((at + delay, Coming::Answer(number)));
        }
        self.pings = world.pings().count();
    }

    fn speaks(&self) -> Option<Timestamp> {
        match self.peer {
            Peer::Live | Peer::Forging | Peer::Flooding | Peer::Dribbling => Some(self.speaks_at),
            Peer::Dead | Peer::Late => None,
        }
    }

    /// What the peer sends by itself until this moment. After a long time it sends only the first few events.
    fn speak(&mut self, until: Timestamp, chance: &Chance) {
        let mut said = 0;
        while self.speaks().is_some_and(|at| at <= until) {
            let (event, pause) = match self.peer {
                Peer::Live => (Event::Data, 300),
                Peer::Forging if chance.whim < 50 => (Event::Pong(b"8 bytes!"), 100),
                Peer::Forging => (Event::Pong(b"forged"), 40),
                Peer::Flooding => (Event::Ping, 1),
                Peer::Dribbling | Peer::Dead | Peer::Late => (Event::Progress, 20),
            };
            if said < 8 {
                self.coming.push((self.speaks_at, Coming::Event(event)));
            }
            said += 1;
            let pause = Duration::from_micros(500) * (pause * (1 + u32::from(chance.delay)));
            self.speaks_at = if said < 8 { self.speaks_at + pause } else { until + pause };
        }
    }
}

fn whats() -> impl Strategy<Value = What<'static>> {
    prop_oneof![
        4 => Just(What::Nothing),
        6 => (0..3_u32).prop_map(What::Answer),
        2 => Just(What::Event(Event::Data)),
        1 => Just(What::Event(Event::Progress)),
        1 => Just(What::Event(Event::Ping)),
        1 => Just(What::Event(Event::Pong(b"forged"))),
        1 => Just(What::Event(Event::Wrote)),
        4 => Just(What::Event(Event::PingSent)),
        1 => Just(What::Event(Event::ReadPaused)),
        1 => Just(What::Event(Event::ReadResumed)),
        1 => Just(What::Event(Event::Unread)),
        2 => Just(What::Probe),
        1 => (0..20 * SECOND).prop_map(What::StepBack),
    ]
}

fn gaps() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0),
        2 => 0..20_000_000_u64,
        4 => 0..3 * SECOND,
        2 => 0..15 * SECOND,
        1 => Just(3600 * SECOND),
    ]
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step<'static>>> {
    steps_of(whats().boxed())
}

/// The same steps, and the settings change.
fn changing_steps() -> impl Strategy<Value = Vec<Step<'static>>> {
    steps_of(prop_oneof![20 => whats(), 1 => settings().prop_map(What::Reconfigure)].boxed())
}

fn steps_of(whats: BoxedStrategy<What<'static>>) -> impl Strategy<Value = Vec<Step<'static>>> {
    let step = (gaps(), whats, prop::option::weighted(0.8, any::<bool>()));
    let life = vec(step.prop_map(|(after, what, poll)| Step { after, what, poll }), 1..200);
    let last = prop_oneof![
        6 => Just(What::Nothing),
        1 => Just(What::Close(CloseCode::NORMAL)),
        1 => Just(What::Event(Event::Close(Some(1000)))),
        1 => Just(What::Event(Event::Violation(CloseCode::TOO_BIG))),
        1 => Just(What::Event(Event::Eof)),
    ];
    (life, last).prop_map(|(mut life, what)| {
        life.push(Step { after: 0, what, poll: Some(false) });
        life
    })
}

fn chances() -> impl Strategy<Value = Vec<Chance>> {
    let share = || 0..=100_u8;
    let chance = (share(), share(), share(), share());
    vec(chance.prop_map(|(late, delay, written, whim)| Chance { late, delay, written, whim }), 1..150)
}

pub(super) fn meetings(drivers: &'static [Driver], peers: &'static [Peer]) -> impl Strategy<Value = Meeting> {
    (select(drivers), select(peers), chances()).prop_map(|(driver, peer, chances)| Meeting {
        driver,
        peer,
        chances,
    })
}

pub(super) fn stories() -> impl Strategy<Value = Story> {
    prop_oneof![steps().prop_map(Story::Steps), meetings(&DRIVERS, &PEERS).prop_map(Story::Meeting)]
}

/// The same, and the settings change.
pub(super) fn changing_stories() -> impl Strategy<Value = Story> {
    prop_oneof![changing_steps().prop_map(Story::Steps), meetings(&DRIVERS, &PEERS).prop_map(Story::Meeting)]
}
