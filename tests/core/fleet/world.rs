//! A fleet and, for each of its connections, a machine that lives alone. Both get the same inputs.
//!
//! The steps come from the caller: proptest in `mod`, a fuzzer's bytes in `fuzz`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use liveness::{Action, CloseCode, Config, ConfigId, Event, Fleet, Key, Liveness, Timestamp};

use crate::mirror::Mirror;

/// Something that happens to a fleet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Insert {
        config: u8,
    },
    Remove {
        which: u8,
    },
    Event {
        which: u8,
        event: Event<'static>,
    },
    /// A pong to an earlier ping: this many before the newest.
    Answer {
        which: u8,
        back: u8,
    },
    Probe {
        which: u8,
    },
    Close {
        which: u8,
    },
    /// Another one of the configs.
    Reconfigure {
        which: u8,
        config: u8,
    },
    ProbeAll,
    CloseAll,
    /// Time passes. The driver polls only at its end.
    Sleep {
        nanos: u64,
    },
    /// Time passes. The driver polls whenever the fleet says so.
    Wait {
        nanos: u64,
    },
    /// The clock goes back.
    TurnBack {
        nanos: u64,
    },
    /// Every question is asked about a key that is stale.
    Stale {
        which: u8,
    },
}

/// What the steps of a life have reached.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    pub(crate) actions: u32,
    pub(crate) pings: u32,
    pub(crate) verdicts: u32,
    pub(crate) ends: u32,
    /// Polls of the fleet that handed nothing out but changed a machine: a verdict was noted, or a stall was forgiven.
    pub(crate) silent_looks: u32,
}

pub(crate) struct World {
    fleet: Fleet,
    config_ids: Vec<ConfigId>,
    configs: Vec<Config>,
    tick: Duration,
    twins: BTreeMap<Key, Twin>,
    /// The connections that got an observer in the middle of their lives.
    observed_late: Vec<Key>,
    /// Keys of connections that are gone.
    stale: VecDeque<Key>,
    now: Timestamp,
    latest: Timestamp,
    /// The most wake-ups in one wait.
    pub(crate) patience: usize,
    /// Some connections are observed, from the start or from later on. It makes no difference, and the observers miss
    /// nothing.
    pub(crate) observed: bool,
    pub(crate) reached: Reached,
}

struct Twin {
    machine: Liveness,
    payloads: Vec<[u8; 8]>,
}

impl Twin {
    /// The latest moment at which the fleet must look.
    fn due(&self) -> Option<Timestamp> {
        self.machine.poll_timeout()
    }
}

impl World {
    pub(crate) fn new(configs: &[Config], seed: u64, tick: Duration, start: Timestamp) -> Self {
        let mut fleet = Fleet::with_tick(configs[0], seed, tick);
        let mut config_ids = vec![ConfigId::default()];
        config_ids.extend(configs[1..].iter().map(|config| fleet.add_config(*config).unwrap()));
        Self {
            fleet,
            config_ids,
            configs: configs.to_vec(),
            tick: tick.max(Duration::from_nanos(1)),
            twins: BTreeMap::new(),
            observed_late: Vec::new(),
            stale: VecDeque::new(),
            now: start,
            latest: Timestamp::ZERO,
            patience: 200,
            observed: false,
            reached: Reached::default(),
        }
    }

    /// Takes one step, and checks everything after it.
    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Insert { config } => self.insert(config),
            Step::Sleep { nanos } => {
                self.now += Duration::from_nanos(nanos);
                self.poll();
            }
            Step::Wait { nanos } => self.wait(self.now + Duration::from_nanos(nanos)),
            Step::TurnBack { nanos } => self.now = self.now.saturating_sub(Duration::from_nanos(nanos)),
            Step::ProbeAll => {
                let at = self.see();
                self.fleet.probe_all(self.now);
                self.twins.values_mut().for_each(|twin| twin.machine.probe(at));
            }
            Step::CloseAll => {
                let at = self.see();
                self.fleet.close_all(CloseCode::GOING_AWAY, self.now);
                self.twins.values_mut().for_each(|twin| twin.machine.close(CloseCode::GOING_AWAY, at));
            }
            Step::Stale { which } => self.ask_for_a_stale_key(which),
            Step::Remove { which }
            | Step::Event { which, .. }
            | Step::Answer { which, .. }
            | Step::Probe { which }
            | Step::Reconfigure { which, .. }
            | Step::Close { which } => {
                let Some(key) = self.pick(which) else { return };
                self.step_of(key, step);
            }
        }
        // Any input may be asked about before the next poll, even in the middle of a broadcast.
        self.compare();
    }

    /// Drives the fleet until nothing is left to do, for `most` polls at most.
    pub(crate) fn finish(&mut self, most: usize) {
        for _ in 0..most {
            let Some(next) = self.fleet.poll_timeout() else { return };
            self.now = next.max(self.now);
            self.poll();
        }
    }

    fn insert(&mut self, config: u8) {
        let config = self.config_ids[usize::from(config) % self.config_ids.len()];
        self.see();
        let key = self.fleet.insert_with(config, self.now).unwrap();
        // The twin begins as a copy of the fleet's machine, because the fleet chooses the seed.
        let machine = self.fleet.get(key).unwrap();
        assert!(self.twins.insert(key, Twin { machine, payloads: Vec::new() }).is_none(), "{key:?} twice");
        assert!(!self.stale.contains(&key), "{key:?} belonged to another connection");
        if self.observed && key.index() % 3 == 0 {
            self.fleet.observe(key, Mirror::default(), self.now).unwrap();
        }
    }

    fn step_of(&mut self, key: Key, step: Step) {
        let at = self.see();
        if self.observed && key.index() % 7 == 1 && !self.observed_late.contains(&key) {
            self.observed_late.push(key);
            self.fleet.observe(key, Mirror::default(), self.now).unwrap();
        }
        let twin = self.twins.get_mut(&key).unwrap();
        match step {
            Step::Remove { .. } => {
                let last = self.fleet.remove(key).unwrap();
                assert_eq!(last, twin.machine);
                self.twins.remove(&key);
                self.retire(key);
            }
            Step::Event { event, .. } => {
                self.fleet.handle(key, event, self.now).unwrap();
                twin.machine.handle(event, at);
            }
            Step::Answer { back, .. } => {
                let Some(number) = twin.payloads.len().checked_sub(usize::from(back) + 1) else { return };
                let pong = Event::Pong(&twin.payloads[number]);
                self.fleet.handle(key, pong, self.now).unwrap();
                twin.machine.handle(pong, at);
            }
            Step::Probe { .. } => {
                self.fleet.probe(key, self.now).unwrap();
                twin.machine.probe(at);
            }
            Step::Reconfigure { config, .. } => {
                let index = usize::from(config) % self.configs.len();
                self.fleet.reconfigure(key, self.config_ids[index], self.now).unwrap();
                twin.machine.reconfigure(self.configs[index], at);
            }
            Step::Close { .. } => {
                self.fleet.close(key, CloseCode::NORMAL, self.now).unwrap();
                twin.machine.close(CloseCode::NORMAL, at);
            }
            Step::Insert { .. }
            | Step::ProbeAll
            | Step::CloseAll
            | Step::Sleep { .. }
            | Step::Wait { .. }
            | Step::TurnBack { .. }
            | Step::Stale { .. } => unreachable!("these steps are about no single connection"),
        }
    }

    /// A driver in time: it polls whenever the fleet says so. It gives up if there are too many polls for a test.
    fn wait(&mut self, until: Timestamp) {
        for _ in 0..self.patience {
            match self.fleet.poll_timeout() {
                Some(next) if next <= until => self.now = next.max(self.now),
                Some(_) | None => break,
            }
            self.poll();
        }
        self.now = until;
        self.poll();
    }

    /// Polls the fleet until nothing is left to do at this moment, and each twin exactly when the fleet polled its
    /// machine.
    fn poll(&mut self) {
        let at = self.see();
        for _ in 0..100_000 {
            while let Some((key, action)) = self.fleet.poll(self.now) {
                self.act(key, action, at);
            }
            if self.fleet.poll_timeout() != Some(at) {
                self.compare();
                return self.check_lateness(at);
            }
        }
        panic!("at {at} the fleet has something to do for ever");
    }

    fn act(&mut self, key: Key, action: Action, at: Timestamp) {
        let twin = self.twins.get_mut(&key).unwrap_or_else(|| panic!("{action:?} of {key:?}, which is gone"));
        let expected = twin.machine.poll(at);
        assert_eq!(expected, Some(action), "{key:?} at {at}: the single machine gives something else");
        self.reached.actions += 1;
        match action {
            Action::SendPing(payload) => {
                self.reached.pings += 1;
                twin.payloads.push(*payload.as_bytes());
            }
            Action::MarkOffline(_) => self.reached.verdicts += 1,
            Action::Disconnect => {
                self.reached.ends += 1;
                assert!(twin.machine.is_finished());
                self.twins.remove(&key);
                self.retire(key);
            }
            Action::MarkOnline | Action::MarkSuspect | Action::Close(_) => {}
        }
    }

    /// The fleet's machines equal the twins, bit by bit. If the fleet looked and handed nothing out, the twin looks too.
    fn compare(&mut self) {
        assert_eq!(self.fleet.len(), self.twins.len());
        assert_eq!(self.fleet.is_empty(), self.twins.is_empty());
        let mut count = 0;
        for (key, machine) in self.fleet.iter() {
            count += 1;
            let twin = self.twins.get_mut(&key).unwrap_or_else(|| panic!("{key:?} has no twin"));
            if machine != twin.machine {
                assert_eq!(twin.machine.poll(self.latest), None, "the fleet kept an action of {key:?}");
                self.reached.silent_looks += 1;
            }
            assert_eq!(machine, twin.machine, "{key:?} at {}", self.latest);
            assert_eq!(self.fleet.status(key), Ok(machine.status()));
            assert_eq!(self.fleet.rtt(key), Ok(machine.rtt()));
            assert_eq!(self.fleet.stats(key), Ok(machine.stats()));
            assert_eq!(self.fleet.verdict(key), Ok(machine.verdict()));
            assert_eq!(self.fleet.awaited(key), Ok(machine.awaited()));
        }
        assert_eq!(count, self.twins.len());
    }

    /// No connection has waited for a tick or longer, and the fleet does not spin.
    fn check_lateness(&self, at: Timestamp) {
        for (key, twin) in &self.twins {
            if let Some(due) = twin.due() {
                assert!(due + self.tick > at, "{key:?} was due at {due} and is not looked at yet, at {at}");
            }
        }
        let next = self.fleet.poll_timeout();
        assert!(next.is_none_or(|next| next > at), "the fleet would spin at {at}");
        // The fleet does not sleep through anything either.
        let first = self.twins.values().filter_map(Twin::due).min();
        if let Some(first) = first {
            let next = next.unwrap_or_else(|| panic!("the fleet sleeps for ever, but {first} comes"));
            assert!(next <= first + self.tick, "the fleet would sleep until {next}, past {first}");
        }
    }

    fn ask_for_a_stale_key(&mut self, which: u8) {
        let Some(key) = nth(&self.stale, which).copied() else { return };
        self.see();
        assert!(self.fleet.handle(key, Event::Data, self.now).is_err());
        assert!(self.fleet.probe(key, self.now).is_err());
        assert!(self.fleet.close(key, CloseCode::NORMAL, self.now).is_err());
        assert!(self.fleet.reconfigure(key, ConfigId::default(), self.now).is_err());
        assert!(self.fleet.observe(key, Mirror::default(), self.now).is_err());
        assert!(self.fleet.awaited(key).is_err() && self.fleet.verdict(key).is_err());
        assert!(self.fleet.remove(key).is_err());
        assert!(self.fleet.get(key).is_err());
        assert!(self.fleet.status(key).is_err());
    }

    /// The moment as the fleet sees it. Its clock never runs backwards.
    fn see(&mut self) -> Timestamp {
        self.latest = self.latest.max(self.now);
        self.latest
    }

    fn pick(&self, which: u8) -> Option<Key> {
        let keys: VecDeque<Key> = self.twins.keys().copied().collect();
        nth(&keys, which).copied()
    }

    fn retire(&mut self, key: Key) {
        self.stale.push_back(key);
        // The oldest keys are the likeliest to be mistaken for another, so they are kept.
        if self.stale.len() > 64 {
            self.stale.remove(32);
        }
    }
}

fn nth<T>(of: &VecDeque<T>, which: u8) -> Option<&T> {
    of.get(usize::from(which) % of.len().max(1))
}
