//! One life: a connection in its world, and a rule that judges it until the peer dies and is found dead.

mod begin;
mod interfere;
mod traffic;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::chance::{Nanos, SECOND, number, seconds};
use crate::pipe::{Pipe, Written};
use crate::proxy::{Proxy, Side};
use crate::rule::{Input, Rule, Want};
use crate::script::{Script, Seen, Witness};
use crate::spells::Spells;
use crate::world::World;

/// What a rule did in a life.
#[derive(Clone, Copy, Default)]
pub struct Outcome {
    /// Seconds connected to a live peer.
    pub lived: f64,
    /// Live peers lost: closed by the rule, or cut by the proxy.
    pub mistakes: u32,
    /// Of those, the ones that the proxy cut: for our silence, and below it for theirs.
    pub cut_for_ours: u32,
    pub cut_for_theirs: u32,
    /// Live peers that were greyed out, and answered later.
    pub doubts: u32,
    pub pings: u64,
    /// How often the rule's timer went off.
    pub wakes: u64,
    /// Seconds from the death to the close, without those of a suspended host; `None` if it was not found while watched.
    pub found: Option<f64>,
    /// The same until the suspicion, if there was one before the close.
    pub doubted: Option<f64>,
}

/// How long dead peers are watched. A rule that has not found them by then never does.
const WATCHED: f64 = 900.0;

/// The least time from our close to the next connection.
const AWAY: Nanos = SECOND;

/// The bytes of a ping or a pong, with the headers of TCP and IP.
pub const CONTROL: f64 = 66.0;

/// A frame of at least this size is seen while it arrives.
const CHUNK: f64 = 64_000.0;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    PeerHears {
        connection: u32,
        ping: u32,
    },
    PeerAnswers {
        connection: u32,
        ping: u32,
    },
    PeerTalks {
        turn: u64,
    },
    WeTalk {
        turn: u64,
    },
    Chunks {
        connection: u32,
        written: usize,
        of: u32,
        ours: bool,
    },
    Arrives {
        connection: u32,
        input: Input,
    },
    Timer {
        connection: u32,
        set: u64,
    },
    /// A frame of the script.
    Frame {
        index: usize,
    },
    /// The script puts a proxy there.
    Proxy,
    /// The proxy checks how long each side was silent.
    Silence {
        connection: u32,
    },
    Awake,
    Reconnect,
    End,
}

pub struct Simulation<'a, M, W = ()> {
    world: &'a World,
    make: M,
    witness: W,
    /// `None`: the life is that of its world. It goes on to the death and beyond, and also after a mistake.
    script: Option<&'a Script>,
    over: bool,
    seed: u64,
    dies_at: Nanos,
    /// For our direction and for theirs: from this moment on, nothing arrives.
    cuts: [Nanos; 2],
    lost_pings: Spells,
    outages: Spells,
    peer_stalls: Spells,
    driver_stalls: Spells,
    read_pauses: Spells,
    sleeps: Spells,
    /// Moments, with an order for what happens in the same moment.
    agenda: BinaryHeap<Reverse<(Nanos, u64, What)>>,
    entered: u64,
    written: Vec<(Written, f64)>,
    /// What has arrived while nobody read.
    unread: Vec<Input>,
    /// The rule has been told that nobody reads.
    paused: bool,
    proxy: Proxy,
    awake_at: Nanos,
    connection: u32,
    /// Our direction and theirs.
    pipes: [Pipe; 2],
    pings: u32,
    connected_at: Nanos,
    timer: Nanos,
    set: u64,
    suspected: bool,
    outcome: Outcome,
}

impl<R: Rule, M: Fn(u64, Nanos) -> R, W: Witness> Simulation<'_, M, W> {
    fn live(&mut self, end: Nanos) {
        self.enter(end, What::End);
        if let Some(talk) = self.world.peer_talks {
            self.enter(self.next_word(talk, 8, 0, 0), What::PeerTalks { turn: 0 });
        }
        if let Some(talk) = self.world.we_talk {
            self.enter(self.next_word(talk, 9, 0, 0), What::WeTalk { turn: 0 });
        }
        for edge in self.read_pauses.edges().collect::<Vec<_>>() {
            self.enter(edge, What::Awake);
        }
        let mut rule = Some(self.connect(0));
        self.serve(&mut rule, 0);
        while let Some(Reverse((now, _, what))) = self.agenda.pop() {
            match what {
                What::End => return self.lived_until(self.dies_at),
                What::PeerHears { connection, ping } if connection == self.connection => {
                    self.peer_hears(now, connection, ping);
                }
                What::PeerAnswers { connection, ping } if connection == self.connection => {
                    let written = self.pipes[1].write(now, CONTROL, &self.outages);
                    let (left, arrives) = (written.left, written.arrives);
                    self.witness.sees(now, Seen::Pong { number: ping, left, arrives });
                    self.arrive(arrives, Input::Pong(ping));
                }
                What::PeerTalks { turn } => self.peer_talks(now, turn, rule.is_some()),
                What::WeTalk { turn } => self.we_talk(&mut rule, now, turn),
                What::Frame { index } => self.frame(now, index),
                What::Proxy => self.put_proxy(now),
                What::Chunks { connection, written, of, ours } if connection == self.connection => {
                    self.chunk(now, written, of, ours);
                }
                What::Arrives { connection, input } if connection == self.connection => {
                    if input.is_read() {
                        self.proxy.pass(Side::Theirs, now);
                    }
                    self.unread.push(input);
                    self.serve(&mut rule, now);
                }
                What::Timer { connection, set } if connection == self.connection && set == self.set => {
                    self.timer = Nanos::MAX;
                    self.serve(&mut rule, now);
                }
                What::Silence { connection } if connection == self.connection => {
                    self.look_for_silence(&mut rule, now);
                }
                What::Awake => self.serve(&mut rule, now),
                What::Reconnect => {
                    rule = Some(self.connect(now));
                    self.serve(&mut rule, now);
                }
                // The entry belongs to a connection that no longer exists.
                What::PeerHears { .. }
                | What::PeerAnswers { .. }
                | What::Chunks { .. }
                | What::Arrives { .. }
                | What::Silence { .. }
                | What::Timer { .. } => {}
            }
            if self.outcome.found.is_some() || self.over {
                return;
            }
        }
    }

    /// A turn of the driver's loop. If the driver is asleep or stalled, the turn comes when it wakes.
    fn serve(&mut self, rule: &mut Option<R>, now: Nanos) {
        let held = self.driver_stalls.end_at(now).max(self.sleeps.end_at(now));
        if let Some(end) = held {
            if self.awake_at < end {
                self.awake_at = end;
                self.enter(end, What::Awake);
            }
            return;
        }
        let clock = self.clock(now);
        let Some(judge) = rule else {
            self.unread.clear();
            return;
        };
        let due = judge.next() <= clock;
        self.outcome.wakes += u64::from(due && now < self.dies_at);
        let mut closed = self.world.timers_first && self.poll(judge, now, clock);
        self.read(judge, now, clock);
        closed = closed || self.poll(judge, now, clock);
        if closed {
            *rule = None;
            self.close(now);
            return;
        }
        let next = judge.next();
        self.witness.sees(now, Seen::Timer(next));
        if next == Nanos::MAX {
            return;
        }
        // A wait on the host's clock takes at least as long in truth. It takes longer if the host sleeps meanwhile.
        let at = now + next.saturating_sub(clock).max(1);
        if at < self.timer {
            self.timer = at;
            self.set += 1;
            self.enter(at, What::Timer { connection: self.connection, set: self.set });
        }
    }

    /// Gives the rule what has arrived, or leaves it in the kernel while nobody reads.
    fn read(&mut self, rule: &mut R, now: Nanos, clock: Nanos) {
        let paused = self.read_pauses.end_at(now).is_some();
        if paused != self.paused {
            self.paused = paused;
            self.tell_rule(rule, if paused { Input::ReadPaused } else { Input::ReadResumed }, now, clock);
        }
        for input in std::mem::take(&mut self.unread) {
            if paused && input.is_read() {
                self.unread.push(input);
            } else {
                self.tell_rule(rule, input, now, clock);
            }
        }
    }

    fn tell_rule(&mut self, rule: &mut R, input: Input, now: Nanos, clock: Nanos) {
        self.witness.sees(now, Seen::Told(input));
        rule.tell(input, clock);
    }

    /// True if the rule wants to close.
    fn poll(&mut self, rule: &mut R, now: Nanos, clock: Nanos) -> bool {
        while let Some(want) = rule.poll(clock) {
            self.witness.sees(now, Seen::Wants(want));
            match want {
                Want::Close => return true,
                Want::Suspect => self.suspected = true,
                Want::Trust => {
                    self.outcome.doubts += u32::from(self.suspected && now < self.dies_at);
                    self.suspected = false;
                }
                Want::Ping => self.ping(now),
            }
            if self.suspected && now >= self.dies_at && self.outcome.doubted.is_none() {
                self.outcome.doubted = Some(self.since_death(now));
            }
        }
        false
    }

    fn ping(&mut self, now: Nanos) {
        self.pings += 1;
        self.outcome.pings += u64::from(now < self.dies_at);
        let written = self.pipes[0].write(now, CONTROL, &self.outages);
        self.proxy.pass(Side::Ours, written.left);
        let (number, left, arrives) = (self.pings, written.left, written.arrives);
        self.witness.sees(now, Seen::Ping { number, left, arrives });
        self.arrive(written.taken, Input::PingSent);
        if written.arrives != Nanos::MAX {
            let ping = self.pings;
            self.enter(written.arrives, What::PeerHears { connection: self.connection, ping });
        }
    }

    fn close(&mut self, now: Nanos) {
        if self.script.is_some() {
            self.over = true;
            return;
        }
        if now >= self.dies_at {
            self.outcome.found = Some(self.since_death(now));
            return self.lived_until(self.dies_at);
        }
        self.lose(now);
    }

    fn lose(&mut self, now: Nanos) {
        self.outcome.mistakes += 1;
        self.lived_until(now);
        self.connection += 1;
        self.enter(self.reachable_at(now + AWAY), What::Reconnect);
    }

    /// When the peer connects again. The peer dials, so both it and the network must work.
    fn reachable_at(&self, mut at: Nanos) -> Nanos {
        while let Some(end) = self.outages.end_at(at).max(self.peer_stalls.end_at(at)) {
            at = end + AWAY;
        }
        at
    }

    /// Awake.
    fn since_death(&self, now: Nanos) -> f64 {
        let slept = self.sleeps.spent_until(now) - self.sleeps.spent_until(self.dies_at);
        seconds(now - self.dies_at - slept)
    }

    fn lived_until(&mut self, now: Nanos) {
        self.outcome.lived += seconds(now.saturating_sub(self.connected_at));
    }

    fn connect(&mut self, now: Nanos) -> R {
        self.pipes = pipes(self.world, self.seed, now, self.cuts);
        self.connected_at = now;
        self.unread.clear();
        self.paused = false;
        self.proxy = Proxy::new(self.world.proxy, now);
        let (looks_at, _) = self.proxy.cut();
        if looks_at != Nanos::MAX {
            self.enter(looks_at, What::Silence { connection: self.connection });
        }
        self.written.clear();
        self.suspected = false;
        self.pings = 0;
        self.timer = Nanos::MAX;
        (self.make)(number(self.seed, 11, now), self.clock(now))
    }

    /// What the host's clock shows.
    fn clock(&self, now: Nanos) -> Nanos {
        if self.world.clock_counts_sleep { now } else { now - self.sleeps.spent_until(now) }
    }

    fn arrive(&mut self, at: Nanos, input: Input) {
        if at != Nanos::MAX {
            self.enter(at, What::Arrives { connection: self.connection, input });
        }
    }

    fn enter(&mut self, at: Nanos, what: What) {
        self.entered += 1;
        self.agenda.push(Reverse((at, self.entered, what)));
    }
}

/// The pipes of a new connection. The world decides when each direction is cut.
fn pipes(world: &World, seed: u64, now: Nanos, [ours, theirs]: [Nanos; 2]) -> [Pipe; 2] {
    let pipe = |what, cut_at| Pipe::new(world.network, world.rate, number(seed, what, now), cut_at);
    [pipe(12, ours), pipe(13, theirs)]
}
