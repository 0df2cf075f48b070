//! The peers, the wire, and the loop of a server that keeps them all on one `Fleet`.

use std::time::Duration;

use liveness::sim::Rng;
use liveness::{Action, Clock, CloseCode, ConfigId, Event, Fleet, FleetError, Key, Reason, Timestamp};

use crate::{Args, CONFIG, DARK, FLOOD, INTERVAL, MUTE, SCRIPT, SLEEP, STALL, STRICT, Scene, TALK, TICK};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Live,
    /// Neither answers nor talks. What it had sent before is lost.
    Dark,
    /// Talks, but answers no ping.
    Mute,
    Flooder,
    Gone,
}

/// Everything that is kept about a peer, beside its key.
#[derive(Clone)]
pub(crate) struct Peer {
    kind: Kind,
    suspect: bool,
    pinged: bool,
}

impl Peer {
    const NEW: Self = Self { kind: Kind::Live, suspect: false, pinged: false };
}

/// The peers that must be detected for the same reason.
pub(crate) struct Group {
    pub(crate) size: u32,
    pub(crate) reason: Reason,
    pub(crate) began: Option<Timestamp>,
    pub(crate) found: u32,
    pub(crate) slowest: Duration,
}

impl Group {
    const fn new(size: usize, reason: Reason) -> Self {
        Self { size: size as u32, reason, began: None, found: 0, slowest: Duration::ZERO }
    }

    /// The outcome of the group. `closed` is the moment at which everything was closed.
    pub(crate) fn outcome(&self, closed: Option<Timestamp>) -> Outcome {
        let Some(began) = self.began else { return Outcome::NotPlayed };
        if self.found == self.size && self.slowest <= bound() {
            Outcome::Right
        } else if self.slowest <= bound() && closed.is_some_and(|closed| closed <= began + bound()) {
            Outcome::CutShort
        } else {
            Outcome::Wrong
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Outcome {
    NotPlayed,
    CutShort,
    Right,
    Wrong,
}

/// The fleet is less than a tick late, and this driver polls when the fleet asks for it.
pub(crate) fn bound() -> Duration {
    CONFIG.detection_bound(TICK)
}

#[derive(Clone, Copy)]
enum Answer {
    Pong([u8; 8]),
    Close,
}

/// What is on its way to the server: a bucket for each tick of the next four seconds.
struct Wire {
    buckets: Vec<Vec<(Key, Answer)>>,
    /// Everything up to this tick has arrived.
    read: u64,
}

impl Wire {
    const AHEAD: u64 = 1_024;

    fn send(&mut self, key: Key, answer: Answer, arrives: Timestamp) {
        let tick = ticks(arrives).clamp(self.read + 1, self.read + Self::AHEAD - 1);
        self.buckets[(tick % Self::AHEAD) as usize].push((key, answer));
    }

    /// When something arrives next, if that is within so many ticks.
    fn next(&self, within: u64) -> Option<Timestamp> {
        let mut ahead = self.read + 1..=self.read + within;
        let tick = ahead.find(|tick| !self.buckets[(tick % Self::AHEAD) as usize].is_empty())?;
        Some(Timestamp::ZERO + Duration::from_nanos(tick * TICK.as_nanos() as u64))
    }
}

fn ticks(at: Timestamp) -> u64 {
    at.as_nanos() / TICK.as_nanos() as u64
}

/// What was counted since the beginning.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) pings: u64,
    pub(crate) answers: u64,
    pub(crate) messages: u64,
    /// Events in, and actions out.
    pub(crate) events: u64,
    /// The time that the fleet took for them.
    pub(crate) busy: Duration,
    pub(crate) polls: u64,
    /// Polls that took longer than 20 us. The machine may have been busy with something else.
    pub(crate) long_polls: u64,
    pub(crate) longest_poll: Duration,
}

pub(crate) struct Simulation {
    pub(crate) clock: Clock,
    pub(crate) fleet: Fleet,
    pub(crate) now: Timestamp,
    rng: Rng,
    pub(crate) peers: Vec<Peer>,
    keys: Vec<Key>,
    wire: Wire,
    /// The peer that talks next, and how much talk is due, in nanoseconds times peers.
    talker: u64,
    talk_due: u128,
    talked_at: Timestamp,
    /// The number of the next scene, and when each scene began.
    pub(crate) scene: usize,
    pub(crate) began: [Option<Timestamp>; SCRIPT.len()],
    pub(crate) slept: Duration,
    pub(crate) dark: Group,
    pub(crate) mute: Group,
    pub(crate) flood: Group,
    pub(crate) counts: Counts,
    pub(crate) online: u32,
    pub(crate) suspect: u32,
    /// By reason: ping timeout, ping flood, local, any other.
    pub(crate) verdicts: [u32; 4],
    /// Peers that only our close ended, and how many of them were mute.
    pub(crate) lived: u32,
    pub(crate) mute_lived: u32,
    /// Verdicts that should not have come, or not for this reason.
    pub(crate) wrong: u32,
    /// First pings, by the hundredth of the interval.
    pub(crate) spread: [u32; 100],
    pub(crate) probed: u32,
    pub(crate) probe_took: Duration,
    pub(crate) bytes: Option<u64>,
    /// How late a server in real time would be with so much to do, and the most that it was late.
    pub(crate) behind: Duration,
    pub(crate) most_behind: Duration,
    /// Pings in each second.
    pub(crate) pings_by_second: Vec<u32>,
    batch: Vec<(Key, Action)>,
    heard: Vec<(Key, Answer)>,
}

impl Simulation {
    pub(crate) fn new(args: &Args) -> Self {
        let count = args.connections as usize;
        Self {
            clock: Clock::new(),
            fleet: Fleet::with_tick(CONFIG, args.seed, TICK),
            now: Timestamp::ZERO,
            rng: Rng::new(args.seed),
            peers: vec![Peer::NEW; count],
            keys: vec![Key::from_bits(u64::MAX); count],
            wire: Wire { buckets: vec![Vec::new(); Wire::AHEAD as usize], read: 0 },
            talker: 0,
            talk_due: 0,
            talked_at: Timestamp::ZERO,
            scene: 0,
            began: [None; SCRIPT.len()],
            slept: Duration::ZERO,
            dark: Group::new(count / DARK, Reason::PingTimeout),
            // Of the peers that go mute, only those with the strict settings must be detected. The others talk, and are
            // alive.
            mute: Group::new(
                (count / DARK..count / DARK + count / MUTE).filter(|index| is_strict(*index)).count(),
                Reason::PingTimeout,
            ),
            flood: Group::new(count / FLOOD, Reason::PingFlood),
            counts: Counts::default(),
            online: 0,
            suspect: 0,
            verdicts: [0; 4],
            lived: 0,
            mute_lived: 0,
            wrong: 0,
            spread: [0; 100],
            probed: 0,
            probe_took: Duration::ZERO,
            bytes: None,
            behind: Duration::ZERO,
            most_behind: Duration::ZERO,
            pings_by_second: Vec::new(),
            batch: Vec::with_capacity(256),
            heard: Vec::new(),
        }
    }

    /// Simulated time, without the host's sleep.
    pub(crate) fn awake(&self) -> Duration {
        self.now.saturating_duration_since(Timestamp::ZERO).saturating_sub(self.slept)
    }

    fn next_scene(&self) -> Option<(Scene, Duration)> {
        SCRIPT.get(self.scene).map(|(scene, second)| (*scene, Duration::from_secs(*second)))
    }

    /// The scene to begin now. When real time is up, that is the last one.
    pub(crate) fn due_scene(&self, over: bool) -> Option<Scene> {
        let (scene, at) = self.next_scene()?;
        if over { Some(Scene::Close) } else { (self.awake() >= at).then_some(scene) }
    }

    /// Every peer of the groups is gone, or should have been long ago.
    pub(crate) fn is_over(&self) -> bool {
        let closed = self.began[Scene::Close as usize];
        closed.is_some_and(|at| self.fleet.is_empty() || self.now > at + CONFIG.close_timeout() * 5)
    }

    /// One moment: what is due, and what has arrived. The order is the worst one, timers before sockets. So an answer
    /// that has arrived is unread when the deadline of its ping is looked at.
    pub(crate) fn turn(&mut self) {
        let busy = self.counts.busy;
        self.arrive();
        self.poll();
        if self.began[Scene::Probe as usize] == Some(self.now) {
            self.probe_took = self.counts.busy - busy;
        }
        self.read();
        self.talk();
        self.poll();
        self.behind += self.counts.busy - busy;
        self.most_behind = self.most_behind.max(self.behind);
    }

    /// Moves on to the moment at which something happens next.
    pub(crate) fn jump(&mut self) {
        // Peers talk at least this often, whatever else happens.
        let mut next = self.now + Duration::from_millis(100);
        next = next.min(self.fleet.poll_timeout().unwrap_or(next));
        next = next.min(self.wire.next(25).unwrap_or(next)).max(self.now);
        if let Some((_, at)) = self.next_scene() {
            next = next.min(Timestamp::ZERO.saturating_add(at.saturating_add(self.slept))).max(self.now);
        }
        self.let_pass(next.saturating_duration_since(self.now));
    }

    fn let_pass(&mut self, time: Duration) {
        self.now += time;
        self.behind = self.behind.saturating_sub(time);
    }

    /// Polls until nothing is left to do, and times each poll.
    fn poll(&mut self) {
        loop {
            let mut batch = std::mem::take(&mut self.batch);
            let start = self.clock.now();
            let mut before = start;
            let mut is_over = false;
            while batch.len() < batch.capacity() && !is_over {
                match self.fleet.poll(self.now) {
                    Some(action) => batch.push(action),
                    None => is_over = self.fleet.poll_timeout().is_none_or(|next| next > self.now),
                }
                let after = self.clock.now();
                let took = after.saturating_duration_since(before);
                self.counts.polls += 1;
                self.counts.long_polls += u64::from(took > Duration::from_micros(20));
                self.counts.longest_poll = self.counts.longest_poll.max(took);
                before = after;
            }
            self.counts.busy += before.saturating_duration_since(start);
            self.counts.events += batch.len() as u64;
            batch.drain(..).for_each(|(key, action)| self.carry_out(key, action));
            self.batch = batch;
            if is_over {
                return;
            }
        }
    }

    /// What was on its way has arrived, and can be read.
    fn arrive(&mut self) {
        let present = ticks(self.now);
        let last = present.min(self.wire.read + Wire::AHEAD - 1);
        for tick in self.wire.read + 1..=last {
            self.heard.append(&mut self.wire.buckets[(tick % Wire::AHEAD) as usize]);
        }
        self.wire.read = present;
        let peers = &self.peers;
        self.heard.retain(|(key, answer)| match (peers[key.index()].kind, answer) {
            (Kind::Dark | Kind::Gone, _) | (Kind::Mute, Answer::Pong(_)) => false,
            (Kind::Live | Kind::Mute | Kind::Flooder, _) => true,
        });
    }

    /// Reports it to the fleet.
    fn read(&mut self) {
        let counts = &mut self.counts;
        let start = self.clock.now();
        for (key, answer) in &self.heard {
            // The connection ended while this was on its way, so it is dropped.
            let _ = match answer {
                Answer::Pong(payload) => self.fleet.handle(*key, Event::Pong(payload), self.now),
                Answer::Close => self.fleet.handle(*key, Event::Close(None), self.now),
            };
        }
        counts.busy += self.clock.now().saturating_duration_since(start);
        counts.events += self.heard.len() as u64;
        counts.answers +=
            self.heard.iter().filter(|(_, answer)| matches!(answer, Answer::Pong(_))).count() as u64;
        self.heard.clear();
    }

    /// Reports what the peers send by themselves, each in its turn. The order jumps through the memory.
    fn talk(&mut self) {
        // A prime, so that each peer comes once in a round.
        const STRIDE: u64 = 2_654_435_761;
        let count = self.peers.len() as u64;
        let elapsed = self.now.saturating_duration_since(self.talked_at).min(TALK);
        self.talked_at = self.now;
        self.talk_due += elapsed.as_nanos() * u128::from(count);
        let words = self.talk_due / TALK.as_nanos();
        self.talk_due %= TALK.as_nanos();
        let mut keys = Vec::new();
        for _ in 0..words {
            let index = (self.talker * STRIDE % count) as usize;
            self.talker = (self.talker + 1) % count;
            if matches!(self.peers[index].kind, Kind::Live | Kind::Mute) {
                keys.push(self.keys[index]);
            }
        }
        self.hand_in(&keys, Event::Data);
        self.counts.messages += keys.len() as u64;
        if self.flood.began.is_some() && self.flood.found < self.flood.size {
            let flooders = self.peers.iter().zip(&self.keys).filter(|(peer, _)| peer.kind == Kind::Flooder);
            let keys: Vec<Key> = flooders.map(|(_, key)| *key).collect();
            (0..elapsed.as_nanos() / TICK.as_nanos()).for_each(|_| self.hand_in(&keys, Event::Ping));
        }
    }

    fn hand_in(&mut self, keys: &[Key], event: Event<'_>) {
        let start = self.clock.now();
        for key in keys {
            let _ = self.fleet.handle(*key, event, self.now);
        }
        self.counts.busy += self.clock.now().saturating_duration_since(start);
        self.counts.events += keys.len() as u64;
    }

    fn carry_out(&mut self, key: Key, action: Action) {
        let index = key.index();
        match action {
            Action::MarkOnline => {
                self.suspect -= u32::from(std::mem::take(&mut self.peers[index].suspect));
                self.online += 1;
            }
            Action::MarkSuspect => {
                self.online -= 1;
                self.suspect += 1;
                self.peers[index].suspect = true;
            }
            Action::SendPing(payload) => self.ping(key, *payload.as_bytes()),
            Action::MarkOffline(reason) => {
                let was_suspect = std::mem::take(&mut self.peers[index].suspect);
                let from = if was_suspect { &mut self.suspect } else { &mut self.online };
                *from -= 1;
                self.judge(index, reason);
            }
            Action::Close(_) => {
                let arrives = self.now + Duration::from_millis(20 + self.rng.below(160));
                self.wire.send(key, Answer::Close, arrives);
            }
            Action::Disconnect => self.peers[index].kind = Kind::Gone,
        }
    }

    fn ping(&mut self, key: Key, payload: [u8; 8]) {
        self.counts.pings += 1;
        let second = self.awake().as_secs() as usize;
        if self.pings_by_second.len() <= second {
            self.pings_by_second.resize(second + 1, 0);
        }
        self.pings_by_second[second] += 1;
        self.probed += u32::from(self.began[Scene::Probe as usize] == Some(self.now));
        let peer = &mut self.peers[key.index()];
        if !std::mem::replace(&mut peer.pinged, true) {
            let hundredth = self.now.as_nanos().saturating_sub(1) / (INTERVAL.as_nanos() as u64 / 100);
            self.spread[hundredth.min(99) as usize] += 1;
        }
        if peer.kind == Kind::Live {
            // One peer in a thousand is so late that it is suspected.
            let millis = if self.rng.below(1_000) == 0 {
                2_000 + self.rng.below(500)
            } else {
                20 + self.rng.below(160)
            };
            self.wire.send(key, Answer::Pong(payload), self.now + Duration::from_millis(millis));
        }
    }

    fn judge(&mut self, index: usize, reason: Reason) {
        let told = [Reason::PingTimeout, Reason::PingFlood, Reason::LocalClosed];
        self.verdicts[told.iter().position(|told| *told == reason).unwrap_or(3)] += 1;
        let group = match self.peers[index].kind {
            Kind::Dark => &mut self.dark,
            Kind::Mute if is_strict(index) => &mut self.mute,
            Kind::Flooder => &mut self.flood,
            kind @ (Kind::Live | Kind::Mute | Kind::Gone) => {
                let at_the_end = reason == Reason::LocalClosed;
                self.wrong += u32::from(!at_the_end);
                self.lived += u32::from(at_the_end);
                self.mute_lived += u32::from(at_the_end && kind == Kind::Mute);
                return;
            }
        };
        if reason == group.reason {
            group.found += 1;
            let took = self.now.saturating_duration_since(group.began.unwrap_or(Timestamp::ZERO));
            group.slowest = group.slowest.max(took);
        } else {
            self.wrong += u32::from(reason != Reason::LocalClosed);
        }
    }

    /// The next scene of the script begins.
    pub(crate) fn begin(&mut self, scene: Scene) -> Result<(), FleetError> {
        self.scene = scene as usize + 1;
        self.began[scene as usize] = Some(self.now);
        let count = self.peers.len();
        match scene {
            Scene::Herd => self.let_in()?,
            Scene::Dark => self.befall(0, count / DARK, Kind::Dark),
            Scene::Mute => self.befall(count / DARK, count / MUTE, Kind::Mute),
            Scene::Flood => self.befall(count / 2, count / FLOOD, Kind::Flooder),
            Scene::Stall => self.let_pass(STALL),
            Scene::Sleep => {
                self.slept = SLEEP;
                self.let_pass(SLEEP);
            }
            Scene::Probe => self.fleet.probe_all(self.now),
            Scene::Close => self.fleet.close_all(CloseCode::GOING_AWAY, self.now),
        }
        Ok(())
    }

    fn let_in(&mut self) -> Result<(), FleetError> {
        let strict = self.fleet.add_config(STRICT)?;
        let before = resident();
        for index in 0..self.peers.len() {
            let config = if is_strict(index) { strict } else { ConfigId::default() };
            let key = self.fleet.insert_with(config, self.now)?;
            self.keys[key.index()] = key;
        }
        let grown = resident().zip(before).map(|(after, before)| after.saturating_sub(before));
        self.bytes = grown.map(|bytes| bytes / self.peers.len() as u64);
        Ok(())
    }

    fn befall(&mut self, from: usize, count: usize, kind: Kind) {
        self.peers[from..from + count].iter_mut().for_each(|peer| peer.kind = kind);
        let group = match kind {
            Kind::Dark => &mut self.dark,
            Kind::Mute => &mut self.mute,
            Kind::Flooder | Kind::Live | Kind::Gone => &mut self.flood,
        };
        group.began = Some(self.now);
    }
}

/// Whether this connection has the strict settings.
const fn is_strict(index: usize) -> bool {
    index % 4 == 3
}

/// Memory of this process in bytes, if the system says it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}
