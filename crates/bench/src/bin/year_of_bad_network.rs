//! A chat server lives through a year of bad network, in seconds of real time.
//!
//! `cargo run --release -p liveness-bench --bin year_of_bad_network -- [SEED]`
//!
//! Two hundred people come and go, on telephones and at home. They go through tunnels and close lids. Connections are cut
//! in one direction or both, and nobody is told. The server itself is stopped a few times a day. All of it happens in a
//! simulated network with the given seed, so every failure can be repeated.
//!
//! Prints what happened. Exit status: 1 if a promise was broken: a live client was dropped, a dead one was kept too long,
//! or a message was lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use liveness::sim::{ConnectionId, Frame, LinkProfile, Network, Rng, SimEvent};
use liveness::{Action, Clock, CloseCode, Config, Event, Liveness, Reason, Timestamp};

const PEOPLE: usize = 200;
const ROOMS: usize = 20;
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

const CONFIG: Config =
    Config::builder().interval(Duration::from_secs(60)).timeout(Duration::from_secs(30)).build_const();

/// Longer than any ping and its answer take on any of the paths while the path works.
const ROUND_TRIP: Duration = Duration::from_secs(1);
const LONGEST_STALL: Duration = Duration::from_secs(45);

fn main() -> ExitCode {
    let seed = match std::env::args().nth(1).map(|seed| seed.parse()) {
        None => 1,
        Some(Ok(seed)) => seed,
        Some(Err(_)) => {
            eprintln!("usage: year_of_bad_network [SEED]");
            return ExitCode::from(2);
        }
    };
    let real = Clock::new();
    let mut world = World::new(seed);
    world.live(YEAR);
    println!("a year in {:.1} s, seed {seed}\n{}", real.now().as_nanos() as f64 / 1e9, world.judge);
    if world.judge.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The server: which members are in which room, and what they say. It opens no socket and reads no clock. `handle`,
/// `poll` and `poll_timeout` have the shape of `Liveness`, because they call it once for each member.
#[derive(Default)]
struct Chat {
    members: BTreeMap<ConnectionId, Member>,
    rooms: [Room; ROOMS],
    /// When each member must be polled.
    due: BTreeSet<(Timestamp, ConnectionId)>,
    outputs: VecDeque<Output>,
}

struct Member {
    room: usize,
    peer: Liveness,
    due: Option<Timestamp>,
}

#[derive(Default)]
struct Room {
    online: BTreeSet<ConnectionId>,
    /// Messages are numbered, so that a member can tell if one is missing.
    said: u32,
}

enum Output {
    Send(ConnectionId, Frame<u32>),
    Offline(ConnectionId, Reason),
}

impl Chat {
    fn join(&mut self, id: ConnectionId, room: usize, seed: u64, now: Timestamp) {
        self.members.insert(id, Member { room, peer: Liveness::new(CONFIG, seed, now), due: None });
        self.arm(id);
    }

    /// Something was read from a member's socket.
    fn handle(&mut self, id: ConnectionId, frame: Frame<u32>, now: Timestamp) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.peer.handle(frame.event(), now);
        let room = member.room;
        self.arm(id);
        if let Frame::Data(..) = frame {
            self.say(room, now);
        }
    }

    fn say(&mut self, room: usize, now: Timestamp) {
        let room = &mut self.rooms[room];
        room.said += 1;
        let (said, listeners) = (room.said, room.online.clone());
        for id in listeners {
            self.outputs.push_back(Output::Send(id, Frame::Data(said, 200)));
            self.members.get_mut(&id).expect("everybody online is a member").peer.handle(Event::Wrote, now);
            self.arm(id);
        }
    }

    fn poll(&mut self, now: Timestamp) -> Option<Output> {
        while self.outputs.is_empty() {
            let (_, id) = *self.due.first().filter(|(due, _)| *due <= now)?;
            self.attend(id, now);
        }
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Carries out what a member's machine asks for. Nothing else is needed.
    fn attend(&mut self, id: ConnectionId, now: Timestamp) {
        while let Some(member) = self.members.get_mut(&id) {
            let Some(action) = member.peer.poll(now) else { break };
            let online = &mut self.rooms[member.room].online;
            match action {
                Action::MarkOnline => drop(online.insert(id)),
                Action::MarkOffline(reason) => {
                    online.remove(&id);
                    self.outputs.push_back(Output::Offline(id, reason));
                }
                Action::Disconnect => {
                    if let Some(due) = member.due {
                        self.due.remove(&(due, id));
                    }
                    self.members.remove(&id);
                }
                Action::SendPing(_) | Action::MarkSuspect | Action::Close(_) => {}
            }
            self.outputs.extend(Frame::from_action(action).map(|frame| Output::Send(id, frame)));
        }
        self.arm(id);
    }

    fn arm(&mut self, id: ConnectionId) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let due = member.peer.poll_timeout();
        if due != member.due {
            let old = std::mem::replace(&mut member.due, due);
            old.map(|at| self.due.remove(&(at, id)));
            due.map(|at| self.due.insert((at, id)));
        }
    }
}

/// What people do, and what happens to them.
enum Plan {
    Connect(usize),
    Speak(usize, ConnectionId),
    Trouble(usize, ConnectionId),
    /// Closes the page properly, or loads it again if the connection was lost.
    Leave(usize, ConnectionId),
    Reload(usize, ConnectionId),
    Stall,
    TheEnd,
}

/// A person at a page. The page reads messages, and connects again when it sees the end of the connection.
#[derive(Clone, Copy)]
struct Person {
    room: usize,
    profile: LinkProfile,
    connection: Option<ConnectionId>,
    /// The number of the last message seen.
    seen: Option<u32>,
}

struct World {
    net: Network<u32, Plan>,
    rng: Rng,
    chat: Chat,
    people: Vec<Person>,
    judge: Judge,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl World {
    fn new(seed: u64) -> Self {
        let person = |index| Person {
            room: index % ROOMS,
            profile: [LinkProfile::HOME, LinkProfile::MOBILE, LinkProfile::SATELLITE][index % 3],
            connection: None,
            seen: None,
        };
        Self {
            net: Network::new(seed),
            rng: Rng::new(!seed),
            chat: Chat::default(),
            people: (0..PEOPLE).map(person).collect(),
            judge: Judge::default(),
        }
    }

    fn live(&mut self, lasts: Duration) {
        self.net.plan(Timestamp::ZERO + lasts, Plan::TheEnd);
        self.plan_within(6 * HOUR, Plan::Stall);
        for person in 0..PEOPLE {
            self.plan_within(24 * HOUR, Plan::Connect(person));
        }
        while let Some(event) = self.net.next_event(self.chat.poll_timeout()) {
            match event {
                SimEvent::Server => self.serve(),
                SimEvent::Client(id, frame) => self.page_sees(id, &frame),
                SimEvent::Planned(Plan::TheEnd) => break,
                SimEvent::Planned(plan) => self.carry_out(plan),
            }
        }
        self.judge.the_end(&self.chat, self.net.now());
    }

    /// One turn of the server's loop, as over sockets: read everything, poll, write.
    fn serve(&mut self) {
        let now = self.net.now();
        while let Some((id, frame)) = self.net.read() {
            self.judge.heard(id, now);
            self.chat.handle(id, frame, now);
        }
        while let Some(output) = self.chat.poll(now) {
            match output {
                Output::Send(id, frame) => {
                    self.judge.sent(id, &frame, now);
                    self.net.to_client(id, frame);
                }
                Output::Offline(id, reason) => self.judge.verdict(id, reason, now),
            }
        }
    }

    fn page_sees(&mut self, id: ConnectionId, frame: &Frame<u32>) {
        let Some(index) = self.people.iter().position(|person| person.connection == Some(id)) else { return };
        let person = &mut self.people[index];
        match frame {
            Frame::Data(number, _) => {
                self.judge.delivered(person.seen, *number);
                person.seen = Some(*number);
            }
            Frame::Fin => {
                person.connection = None;
                self.plan_within(10 * MINUTE, Plan::Connect(index));
            }
            Frame::Close(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Part(_) => {}
        }
    }

    fn carry_out(&mut self, plan: Plan) {
        match plan {
            Plan::Connect(person) => self.connect(person),
            Plan::Speak(person, id) if self.is_on(person, id) => {
                self.judge.said += 1;
                self.net.to_server(id, Frame::Data(0, 200));
                self.plan_within(20 * MINUTE, Plan::Speak(person, id));
            }
            Plan::Trouble(person, id) if self.is_on(person, id) => self.trouble(person, id),
            Plan::Leave(person, id) if self.is_on(person, id) => {
                self.net.to_server(id, Frame::Close(Some(CloseCode::GOING_AWAY.get())));
                self.leave(person, id, 24 * HOUR);
            }
            Plan::Reload(person, id) if self.is_on(person, id) => self.leave(person, id, MINUTE),
            // It belongs to a connection that is over.
            Plan::Speak(..) | Plan::Trouble(..) | Plan::Leave(..) | Plan::Reload(..) => {}
            Plan::Stall => {
                let lasts = self.rng.duration(LONGEST_STALL);
                self.net.stall(lasts);
                self.judge.stalled(self.net.now() + lasts);
                self.plan_within(6 * HOUR, Plan::Stall);
            }
            Plan::TheEnd => {}
        }
    }

    fn connect(&mut self, index: usize) {
        let person = &mut self.people[index];
        let id = self.net.connect(person.profile, person.profile);
        person.connection = Some(id);
        person.seen = None;
        self.chat.join(id, person.room, self.rng.next_u64(), self.net.now());
        self.judge.connected(id, self.net.now());
        self.plan_within(10 * MINUTE, Plan::Speak(index, id));
        self.plan_within(HOUR, Plan::Trouble(index, id));
        self.plan_within(2 * HOUR, Plan::Leave(index, id));
    }

    /// The network does something to a connection, in one direction or both.
    fn trouble(&mut self, person: usize, id: ConnectionId) {
        let now = self.net.now();
        let (kind, rng) = (self.rng.below(8), &mut self.rng);
        let tunnel = rng.duration(MINUTE);
        let lid = rng.duration(8 * HOUR);
        let Some(link) = self.net.link_mut(id) else { return };
        match kind {
            0..=4 => {
                link.outage(now, tunnel);
                self.judge.outage(id, now, now + tunnel);
            }
            5 | 6 => {
                link.outage(now, lid);
                self.judge.outage(id, now, now + lid);
            }
            _ => {
                match rng.below(3) {
                    0 => link.up.cut(now),
                    1 => link.down.cut(now),
                    _ => link.cut(now),
                }
                self.judge.cut(id, now);
                self.plan_within(10 * MINUTE, Plan::Reload(person, id));
            }
        }
        self.plan_within(HOUR, Plan::Trouble(person, id));
    }

    fn leave(&mut self, person: usize, id: ConnectionId, back_within: Duration) {
        self.net.to_server(id, Frame::Fin);
        self.people[person].connection = None;
        self.plan_within(back_within, Plan::Connect(person));
    }

    fn is_on(&self, person: usize, id: ConnectionId) -> bool {
        self.people[person].connection == Some(id)
    }

    fn plan_within(&mut self, longest: Duration, plan: Plan) {
        self.net.plan(self.rng.moment(self.net.now(), longest), plan);
    }
}

/// Knows what really happened, and checks the server against it.
#[derive(Default)]
struct Judge {
    truths: BTreeMap<ConnectionId, Truth>,
    connections: u64,
    pings: u64,
    said: u64,
    delivered: u64,
    outages: u64,
    cuts: u64,
    stalls: u64,
    stalled_until: Timestamp,
    left: u64,
    timeouts: u64,
    false_timeouts: u64,
    /// The longest time that a silent client was shown as online: while the server was awake, and across a stall.
    longest: [Duration; 2],
    broken: Vec<String>,
}

/// What happened to one connection.
#[derive(Default)]
struct Truth {
    heard_at: Timestamp,
    pinged_at: Timestamp,
    cut_at: Option<Timestamp>,
    outages: Vec<(Timestamp, Timestamp)>,
}

impl Truth {
    /// How long the connection worked between two moments.
    fn worked(&self, from: Timestamp, until: Timestamp) -> Duration {
        let until = until.min(self.cut_at.unwrap_or(Timestamp::MAX));
        let out = self
            .outages
            .iter()
            .map(|(begins, ends)| until.min(*ends).saturating_duration_since(from.max(*begins)));
        until.saturating_duration_since(from).saturating_sub(out.sum())
    }
}

impl Judge {
    fn connected(&mut self, id: ConnectionId, now: Timestamp) {
        self.connections += 1;
        self.truths.insert(id, Truth { heard_at: now, ..Truth::default() });
    }

    fn heard(&mut self, id: ConnectionId, now: Timestamp) {
        self.truths.entry(id).or_default().heard_at = now;
    }

    fn sent(&mut self, id: ConnectionId, frame: &Frame<u32>, now: Timestamp) {
        if let Frame::Ping(_) = frame {
            self.pings += 1;
            self.truths.entry(id).or_default().pinged_at = now;
        }
    }

    fn delivered(&mut self, before: Option<u32>, number: u32) {
        self.delivered += 1;
        if before.is_some_and(|before| before + 1 != number) {
            self.broken.push(format!("message {number} came after message {before:?}"));
        }
    }

    fn outage(&mut self, id: ConnectionId, begins: Timestamp, ends: Timestamp) {
        self.outages += 1;
        self.truths.entry(id).or_default().outages.push((begins, ends));
    }

    fn cut(&mut self, id: ConnectionId, now: Timestamp) {
        self.cuts += 1;
        self.truths.entry(id).or_default().cut_at.get_or_insert(now);
    }

    fn stalled(&mut self, until: Timestamp) {
        self.stalls += 1;
        self.stalled_until = self.stalled_until.max(until);
    }

    fn verdict(&mut self, id: ConnectionId, reason: Reason, now: Timestamp) {
        let truth = self.truths.remove(&id).unwrap_or_default();
        if let Reason::PeerClosed(_) | Reason::TransportClosed = reason {
            self.left += 1;
        } else if reason == Reason::PingTimeout {
            self.timed_out(id, &truth, now);
        } else {
            self.broken.push(format!("{now}: {id:?} is offline for {reason}, which nobody did"));
        }
    }

    /// Accurate: a client is never dropped if its answer could reach the server in time. Complete: a dead client is not
    /// kept longer than promised.
    fn timed_out(&mut self, id: ConnectionId, truth: &Truth, now: Timestamp) {
        self.timeouts += 1;
        if truth.worked(truth.pinged_at, truth.pinged_at + CONFIG.timeout()) >= ROUND_TRIP {
            self.false_timeouts += 1;
            self.broken.push(format!("{now}: {id:?} was dropped though its answer came in time"));
        }
        self.shown_for(id, truth.heard_at, now);
    }

    fn shown_for(&mut self, id: ConnectionId, heard_at: Timestamp, now: Timestamp) {
        let stalled = self.stalled_until > heard_at;
        let lateness = if stalled { LONGEST_STALL } else { Duration::ZERO };
        let shown = now.saturating_duration_since(heard_at);
        let longest = &mut self.longest[usize::from(stalled)];
        *longest = shown.max(*longest);
        if shown > CONFIG.detection_bound(lateness) {
            self.broken.push(format!("{now}: {id:?} was kept for {shown:?}"));
        }
    }

    /// Everybody who is still shown as online was heard lately.
    fn the_end(&mut self, chat: &Chat, now: Timestamp) {
        for id in chat.rooms.iter().flat_map(|room| &room.online) {
            let heard_at = self.truths.get(id).map_or(Timestamp::ZERO, |truth| truth.heard_at);
            self.shown_for(*id, heard_at, now);
        }
    }
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |lateness| CONFIG.detection_bound(lateness).as_secs_f64();
        let longest = self.longest.map(|longest| longest.as_secs_f64());
        writeln!(f, "  {PEOPLE} people, {} connections", self.connections)?;
        writeln!(f, "  {} messages said, {} delivered, {} pings", self.said, self.delivered, self.pings)?;
        writeln!(f, "  {} outages, {} cuts, {} server stalls", self.outages, self.cuts, self.stalls)?;
        writeln!(
            f,
            "  {} left, {} timed out, {} of them wrongly",
            self.left, self.timeouts, self.false_timeouts
        )?;
        let [awake, stalled] = longest;
        writeln!(f, "  longest detection {awake:.2} s, promised {:.2} s", bound(Duration::ZERO))?;
        write!(f, "  across a stall   {stalled:.2} s, promised {:.2} s", bound(LONGEST_STALL))?;
        for broken in self.broken.iter().take(10) {
            write!(f, "\nbroken: {broken}")?;
        }
        Ok(())
    }
}

// The same simulation in a test of your own: a shorter life, and a proof that the judge can see.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_keeps_its_promises_for_a_few_days() {
        let lived = |seed| {
            let mut world = World::new(seed);
            world.live(Duration::from_secs(3 * 24 * 3600));
            assert_eq!(world.judge.broken, Vec::<String>::new(), "seed {seed}");
            world.judge.to_string()
        };
        assert_eq!(lived(1), lived(1));
        assert_ne!(lived(2), lived(3));
    }

    #[test]
    fn the_judge_sees_through_a_server_that_drops_the_living_or_keeps_the_dead() {
        let mut net = Network::<u32>::new(7);
        let id = net.connect(LinkProfile::HOME, LinkProfile::HOME);
        let at = Timestamp::from_secs;
        let ping = Frame::Ping([0; 8]);
        let judged = |out: bool, heard: u64, verdict: u64| {
            let mut judge = Judge::default();
            judge.connected(id, at(0));
            judge.heard(id, at(heard));
            judge.sent(id, &ping, at(60));
            if out {
                judge.outage(id, at(60), at(200));
            }
            judge.verdict(id, Reason::PingTimeout, at(verdict));
            judge.broken.len()
        };
        assert_eq!(judged(false, 1, 90), 1, "its answer would have come");
        assert_eq!(judged(true, 1, 90), 0);
        assert_eq!(judged(true, 0, 91), 1, "a second too long");
        let mut judge = Judge::default();
        judge.delivered(Some(3), 4);
        judge.delivered(None, 9);
        assert_eq!(judge.broken.len(), 0);
        judge.delivered(Some(3), 5);
        judge.verdict(id, Reason::Idle, at(1));
        assert_eq!(judge.broken.len(), 2);
    }
}
