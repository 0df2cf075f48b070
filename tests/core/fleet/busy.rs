//! A fleet on a busy machine: its driver's thread may lose its processor between any two calls of a turn, for any time.

use std::collections::BTreeMap;
use std::time::Duration;

use liveness::sim::Rng;
use liveness::{Action, Config, Event, Fleet, Key, Reason, Timestamp};

use crate::absences::{self, Absences};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Peer {
    /// It answers so long after a ping has left.
    answers_after: Duration,
    /// After this it answers nothing.
    dies: Timestamp,
    /// Its last answer, once that has arrived.
    heard: Timestamp,
    offline: Option<(Timestamp, Reason)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    leaps: u32,
    /// The next deadline passed between the last poll and the wait.
    passed: u32,
    answers: u32,
}

struct World {
    dice: Rng,
    /// The thread loses its processor at one call in so many.
    seldom: u64,
    clock: Timestamp,
    fleet: Fleet,
    peers: BTreeMap<Key, Peer>,
    /// Answers under way, by their moment.
    arrivals: BTreeMap<(Timestamp, Key), [u8; 8]>,
    absences: Absences,
    seen: Seen,
}

fn config() -> Config {
    let config = Config::builder().interval(5 * SECOND).timeout(10 * SECOND).jitter(0);
    config.write_timeout(10 * SECOND).build().unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Rng::new(seed);
        let clock = Timestamp::from_secs(100);
        let (mut fleet, mut peers) = (Fleet::new(config(), seed), BTreeMap::new());
        for _ in 0..1 + dice.below(100) {
            let dies = if dice.below(2) == 0 {
                Timestamp::MAX
            } else {
                clock + Duration::from_millis(dice.below(60_000))
            };
            let answers_after = Duration::from_micros(dice.below(9_000_000));
            let peer = Peer { answers_after, dies, heard: clock, offline: None };
            peers.insert(fleet.insert(clock).unwrap(), peer);
        }
        let (arrivals, absences, seldom) = (BTreeMap::new(), Absences::default(), 8 << dice.below(7));
        Self { dice, seldom, clock, fleet, peers, arrivals, absences, seen: Seen::default() }
    }

    fn preempt(&mut self) {
        if self.dice.below(self.seldom) > 0 {
            return;
        }
        let wait = self.fleet.poll_timeout().map(|due| due.saturating_duration_since(self.clock));
        let leap = absences::length(&mut self.dice, wait);
        self.absences.push(self.clock, leap);
        self.seen.leaps += 1;
        self.clock += leap;
    }

    fn read_the_clock(&mut self) -> Timestamp {
        let now = self.clock;
        self.preempt();
        now
    }

    /// The turn of the type's page. What came and what left is dated by the clock after it; of what left the fleet is told
    /// when its polls are over, because its clock would otherwise go on while nobody reads.
    fn turn(&mut self) {
        let mut now = self.read_the_clock();
        while let Some(((at, key), payload)) =
            self.arrivals.first_key_value().map(|(at, payload)| (*at, *payload))
        {
            if at > self.clock {
                break;
            }
            self.arrivals.remove(&(at, key));
            self.preempt();
            now = self.read_the_clock();
            // A peer that was given up is gone.
            if self.fleet.handle(key, Event::Pong(&payload), now).is_ok() {
                self.peers.get_mut(&key).unwrap().heard = at;
                self.seen.answers += 1;
            }
        }
        let mut left = Vec::new();
        while let Some((key, action)) = self.fleet.poll(now) {
            self.preempt();
            let peer = self.peers.get_mut(&key).unwrap();
            match action {
                Action::SendPing(payload) => {
                    let at = self.clock + peer.answers_after;
                    if at < peer.dies {
                        self.arrivals.insert((at, key), *payload.as_bytes());
                    }
                    left.push(key);
                }
                Action::MarkOffline(reason) => peer.offline = Some((self.clock, reason)),
                Action::MarkOnline | Action::MarkSuspect | Action::Close(_) | Action::Disconnect => {}
            }
            self.preempt();
        }
        for key in left {
            let now = self.read_the_clock();
            let _ = self.fleet.handle(key, Event::PingSent, now);
        }
    }

    fn live(&mut self) {
        let (end, mut row) = (self.clock + 200 * SECOND, 0);
        while self.clock < end {
            let began = self.clock;
            self.turn();
            if self.fleet.is_empty() {
                break;
            }
            let next = self.fleet.poll_timeout().expect("it sleeps for ever");
            let before = self.clock;
            self.preempt();
            self.seen.passed += u32::from(before < next && next < self.clock);
            let arrives = self.arrivals.first_key_value().map_or(Timestamp::MAX, |((at, _), _)| *at);
            // If that has passed, it does not wait.
            self.clock = self.clock.max(next.min(arrives));
            row = if self.clock > began { 0 } else { row + 1 };
            assert!(row < 50, "it spins at {began}");
        }
    }

    fn judge(&self) {
        let config = config();
        for peer in self.peers.values() {
            let alive = peer.dies == Timestamp::MAX;
            match peer.offline {
                Some((at, reason)) => {
                    assert!(!alive, "a live peer is given up for {reason} at {at}: {peer:?}");
                    let late = self.absences.delay(peer.heard, &config);
                    let bound = peer.heard + config.detection_bound(self.fleet.tick()) + late;
                    assert!(at <= bound, "found at {at}, and not by {bound}: {peer:?}");
                }
                None => assert!(
                    alive || self.clock < peer.dies + 45 * SECOND + self.absences.sum(Timestamp::ZERO),
                    "never found: {peer:?}"
                ),
            }
        }
    }
}

#[test]
fn wherever_its_driver_loses_the_processor_a_fleet_finds_the_dead_and_spares_the_living() {
    let mut all = Seen::default();
    let mut found = 0;
    for seed in 0..400 {
        let mut world = World::new(seed);
        world.live();
        world.judge();
        found += world.peers.values().filter(|peer| peer.offline.is_some()).count();
        all.leaps += world.seen.leaps;
        all.passed += world.seen.passed;
        all.answers += world.seen.answers;
    }
    assert!(
        found > 2_000 && all.leaps > 10_000 && all.passed > 100 && all.answers > 20_000,
        "{found} {all:?}"
    );
}
