//! Lives of all drivers, and what must hold of each.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveness::{Action, Config, Evidence, Liveness, Observer, OnAction, Reason, Schedule};

use super::moment::{self, Plan, Seen, below};
use super::wire::{Client, Wire};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const SECONDS: u64 = 1_000_000;

/// What becomes of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It freezes in the middle of its life.
    Dies,
    /// It answers and talks, and in the end it closes.
    Lives,
}

/// What the caller of the driver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Reads,
    /// It reads and writes: in two tasks, where there are tasks.
    Both,
    Writes,
}

/// All that is known of a life before it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    seed: u64,
    plan: Plan,
    fate: Fate,
    pub(super) caller: Caller,
    /// The driver sees bytes.
    pub(super) counted: bool,
    /// The heartbeat is in text messages.
    pub(super) texts: bool,
    pub(super) config: Config,
    client: Client,
    room: usize,
    /// When the client dies, or closes.
    pub(super) end: Duration,
}

/// Every action, and its moment.
pub(super) type Told = Arc<Mutex<Vec<(Duration, Action)>>>;

pub(super) fn observe(told: &Told) -> impl Observer + Send + 'static {
    let told = Arc::clone(told);
    OnAction::new(move |action, _: &Liveness| told.lock().unwrap().push((moment::now(), action)))
}

impl Life {
    fn draw(seed: u64, fate: Fate, sees_bytes: bool) -> Self {
        moment::begin(seed, Plan::Never, Wire::idle());
        let once = Plan::Once(1 + below(250) as u32);
        let plan = if below(2) == 0 { once } else { Plan::Often(1 << below(7)) };
        let caller = [Caller::Reads, Caller::Reads, Caller::Both, Caller::Writes][below(4) as usize];
        let evidence = if below(3) == 0 { Evidence::PongOnly } else { Evidence::AnyTraffic };
        let schedule = if below(3) == 0 { Schedule::Steady } else { Schedule::Quiet };
        let config = Config::builder().interval(5 * SECOND).timeout(10 * SECOND).jitter(0);
        let mut config = config.evidence(evidence).schedule(schedule).control_budget(500, 50);
        let mut asks = true;
        // Where only answers count, a peer that says more than is read at a time may be given up: its answers lie behind that.
        let often = if evidence == Evidence::PongOnly { 20 } else { 1 };
        let mut talks_within =
            if caller == Caller::Writes { 0 } else { [0, often, 20][below(3) as usize] * SECONDS };
        if caller != Caller::Writes && below(3) == 0 {
            (talks_within, asks) = (6 * SECONDS, false);
            config = config.idle_timeout(7 * SECOND).silence_timeout(7 * SECOND);
        }
        let end = moment::now() + Duration::from_micros(below(90 * SECONDS));
        let client = Client {
            takes_within: 1 + below(SECONDS),
            answers_within: 1 + below([20_000, 8 * SECONDS][below(2) as usize]),
            talks_within,
            asks,
            dies: (fate == Fate::Dies).then_some(end),
            closes: (fate == Fate::Lives).then_some(end),
        };
        let (counted, texts) = (sees_bytes || below(2) == 0, below(3) == 0);
        // Who sees no bytes sees no progress either, before all of it has left.
        let room = if counted { 40 } else { 700 } + below(600) as usize;
        Self { seed, plan, fate, caller, counted, texts, config: config.build().unwrap(), client, room, end }
    }

    /// One in which the thread never loses its processor.
    pub(super) fn plain(client: Client, room: usize) -> Self {
        moment::begin(0, Plan::Never, Wire::idle());
        let (fate, caller, config) = (Fate::Lives, Caller::Reads, Config::builder().interval(5 * SECOND));
        let config = config.timeout(10 * SECOND).schedule(Schedule::Steady).jitter(0).build().unwrap();
        let (counted, texts, end) = (true, false, moment::now());
        Self { seed: 0, plan: Plan::Never, fate, caller, counted, texts, config, client, room, end }
    }

    /// From here the thread may lose its processor.
    pub(super) fn begin(&self) {
        let wire = Wire::new(self.client, self.room, moment::now(), self.seed);
        moment::begin(self.seed, self.plan, wire);
    }

    fn live(&self, run: Run) -> Result<Outcome, String> {
        let told = Told::default();
        run(self, &told)?;
        let told = told.lock().unwrap();
        let offline = told.iter().find_map(|(at, action)| match action {
            Action::MarkOffline(reason) => Some((*at, *reason)),
            Action::MarkOnline
            | Action::SendPing(_)
            | Action::MarkSuspect
            | Action::Close(_)
            | Action::Disconnect => None,
        });
        match (offline, told.last()) {
            (Some((offline, reason)), Some((finished, Action::Disconnect))) => {
                Ok(Outcome { offline, reason, finished: *finished })
            }
            _ => Err(format!("no end: {told:?}")),
        }
    }

    /// A dead client is found by then.
    fn bound(&self) -> Duration {
        let config = self.config.for_drivers();
        let last = moment::with(|moment| moment.wire.came_at.max(moment.wire.entered_at));
        let since = last.max(self.end);
        let late = moment::delay(since, &config);
        // A ping waits for a line of the grid, and a caller that only writes comes back now and then.
        since + config.detection_bound(Duration::ZERO) + late + Duration::from_millis(600)
    }

    fn judged(&self, run: Run) -> Seen {
        // Each begins at the same moment.
        moment::begin(self.seed, Plan::Never, Wire::idle());
        if let Err(error) = self.judge(run) {
            panic!("{error}\n{self:?}");
        }
        moment::seen()
    }

    fn judge(&self, run: Run) -> Result<(), String> {
        let Outcome { offline, reason, finished } = self.live(run)?;
        let closed = matches!(reason, Reason::PeerClosed(_));
        if offline < self.end || (self.fate == Fate::Lives && !closed) {
            return Err(format!("a live client is given up for {reason} at {offline:?}"));
        }
        let bound = self.bound();
        if self.fate == Fate::Dies && offline > bound {
            return Err(format!("the dead client is found at {offline:?}, and not by {bound:?}"));
        }
        let last = offline + self.config.close_timeout() + moment::away(offline);
        if finished > last {
            return Err(format!("it ends at {finished:?}, and not by {last:?}"));
        }
        Ok(())
    }
}

/// Drives a life to its end.
pub(super) type Run = fn(&Life, &Told) -> Result<(), String>;

#[derive(Debug)]
struct Outcome {
    offline: Duration,
    reason: Reason,
    finished: Duration,
}

/// Many lives, and what happened in all of them.
pub(super) fn lives(fate: Fate, sees_bytes: bool, run: Run) -> Seen {
    let mut seen = Seen::default();
    for seed in 0..1_000 {
        let life = Life::draw(seed, fate, sees_bytes);
        seen.add(life.judged(run));
    }
    seen
}

/// At each call of some lives, one after the other, the thread loses its processor for about a timeout.
pub(super) fn lives_call_by_call(fate: Fate, sees_bytes: bool, run: Run) -> Seen {
    let mut seen = Seen::default();
    for seed in 0..7 {
        let life = Life::draw(seed, fate, sees_bytes);
        for call in 1..160 {
            let length = Duration::from_millis([9_000, 10_000, 11_000, 12_400][call as usize % 4]);
            seen.add(Life { plan: Plan::Exactly(call, length), ..life }.judged(run));
        }
    }
    seen
}
