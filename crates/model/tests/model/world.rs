//! The modelled world: two ends with a real machine each, the two directions of the link between them, and time.
//!
//! It is generic over the machine, so that a path that the checker found can be replayed with recorders instead.

use std::time::Duration;

use liveness::{Action, CloseCode, Event, Evidence, Liveness, Observed, Reason, Schedule, Timestamp};

use super::end::{Clock, End, Frame, News, Promise, Question, Stage, Unwritten, Wire};
use super::key;
use super::plan::Plan;

/// One step of the world. Ends and directions have the same numbers: direction 0 is what end 0 sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next tick begins. Just before, this many frames reach the input buffer of each end. The drivers sleep on.
    Tick([usize; 2]),
    /// This many frames reach the input buffer of this end. Its driver wakes, reads everything that has arrived, and
    /// polls (or polls, reads and polls).
    Turn(usize, usize),
    /// This direction dies. This many frames that are under way still arrive. Everything later is lost.
    Cut(usize, usize),
    /// The application at this end closes.
    Leave(usize),
    /// The application at this end sends a message, and the transport takes it.
    Say(usize),
    /// The application at this end asks whether the peer is still there.
    Probe(usize),
    /// The driver of this end stops to read.
    Pause(usize),
    /// This many frames reach the input buffer of this end. Its driver starts to read again, and reads everything that
    /// has arrived.
    Resume(usize, usize),
    /// The transport takes bytes of this end, but not yet the last of its ping.
    Write(usize),
    /// The transport takes the last byte of the ping that waits at this end.
    SendPing(usize),
}

/// What an end runs: a machine to compare and copy while the checker searches, a recorder when a path is replayed.
pub(super) trait Machine {
    fn handle(&mut self, event: Event<'_>, now: Timestamp);
    fn poll(&mut self, now: Timestamp) -> Option<Action>;
    fn probe(&mut self, now: Timestamp);
    fn close(&mut self, code: CloseCode, now: Timestamp);
    fn liveness(&self) -> &Liveness;
}

macro_rules! machine {
    ($machine:ty, $liveness:expr) => {
        impl Machine for $machine {
            fn handle(&mut self, event: Event<'_>, now: Timestamp) {
                self.handle(event, now);
            }
            fn poll(&mut self, now: Timestamp) -> Option<Action> {
                self.poll(now)
            }
            fn probe(&mut self, now: Timestamp) {
                self.probe(now);
            }
            fn close(&mut self, code: CloseCode, now: Timestamp) {
                self.close(code, now);
            }
            fn liveness(&self) -> &Liveness {
                $liveness(self)
            }
        }
    };
}

machine!(Liveness, |machine| machine);
machine!(Observed, Observed::liveness);

#[derive(Clone, Debug)]
pub(super) struct World<M> {
    pub(super) plan: Plan,
    /// How many ticks the server opened before the client.
    pub(super) earlier: u64,
    pub(super) now: u64,
    pub(super) ends: [End<M>; 2],
    pub(super) wires: [Wire; 2],
    pub(super) news: News,
}

/// The first tick. It is long after zero, so that a moment may lie before it.
pub(super) const START: u64 = 100;

pub(super) fn at(tick: u64) -> Timestamp {
    Timestamp::from_secs(tick)
}

impl<M: Machine> World<M> {
    /// Both ends have opened, the second this many ticks before the first, and their drivers have polled once.
    pub(super) fn new(plan: Plan, machines: [M; 2], earlier: u64) -> Self {
        let end = |machine: M, since| End {
            machine,
            inbox: Vec::new(),
            stage: Stage::Unborn,
            since,
            lateness: 0,
            wait: None,
            unwritten: None,
            pinged: None,
            fed: since,
            forgiven: false,
            probing: false,
            paused: None,
            may_pause: true,
            stalled: 0,
            broken: None,
            key: 0,
        };
        let opened = START - earlier;
        let [client, server] = machines;
        let ends = [end(client, START), end(server, opened)];
        let mut world =
            Self { plan, earlier, now: opened, ends, wires: <[Wire; 2]>::default(), news: News::default() };
        world.poll(1);
        world.now = START;
        world.poll(0);
        (0..2).for_each(|who| world.look(who));
        world.wires.iter_mut().for_each(|wire| wire.cut = plan.dead);
        world
    }

    pub(super) fn steps(&self, steps: &mut Vec<Step>) {
        if self.broken().is_some() {
            return;
        }
        for who in 0..2 {
            if self.has_work(who) {
                steps.push(Step::Turn(who, 0));
            }
            if self.ends[who].paused.is_some() {
                steps.push(Step::Resume(who, 0));
                steps.extend(self.arriving(who).map(|frames| Step::Resume(who, frames)));
            } else {
                steps.extend(self.arriving(who).map(|frames| Step::Turn(who, frames)));
            }
            if self.is_open(who) {
                self.own_steps(who, steps);
                if self.plan.leaves {
                    steps.push(Step::Leave(who));
                }
                // One message at a time. Another one beside it would be no other evidence.
                let wire = &self.wires[who];
                if self.plan.talks[who] && !wire.cut && !wire.frames.contains(&Frame::Data) {
                    steps.push(Step::Say(who));
                }
            }
            if self.plan.cuts && !self.wires[who].cut && self.ends[1 - who].stage != Stage::Gone {
                steps.extend((0..=self.wires[who].frames.len()).map(|keep| Step::Cut(who, keep)));
            }
        }
        if self.ends.iter().all(|end| end.stage == Stage::Gone) {
            return;
        }
        let awake = |who: usize| self.ends[who].stalled == self.plan.longest_stall[who];
        let reads_again = |who: usize| self.ends[who].paused == Some(self.plan.longest_pause[who]);
        if (0..2).any(|who| self.has_work(who) && awake(who) || reads_again(who)) {
            return;
        }
        // What arrives during a pause might as well arrive at the pause's end.
        let deaf = |who: usize| awake(who) || self.ends[who].paused.is_some();
        let sleeping = |who| (0..1).chain(if deaf(who) { 0..0 } else { self.arriving(who) });
        for first in sleeping(0) {
            steps.extend(sleeping(1).map(|second| Step::Tick([first, second])));
        }
    }

    /// What an end may do by itself, beside closing and talking.
    fn own_steps(&self, who: usize, steps: &mut Vec<Step>) {
        let end = &self.ends[who];
        if self.plan.probes[who] && !end.probing {
            steps.push(Step::Probe(who));
        }
        if self.plan.longest_pause[who] > 0 && end.paused.is_none() && end.may_pause {
            steps.push(Step::Pause(who));
        }
        if end.unwritten.is_some() {
            steps.extend([Step::Write(who), Step::SendPing(who)]);
        }
    }

    /// How many frames may arrive at this end now. An arrival may leave only a few behind.
    fn arriving(&self, who: usize) -> std::ops::Range<usize> {
        let under_way = self.wires[1 - who].frames.len();
        under_way.saturating_sub(self.plan.behind).max(1)..under_way + 1
    }

    pub(super) fn step(&mut self, step: Step) {
        self.news = News::default();
        match step {
            Step::Tick(frames) => {
                (0..2).for_each(|who| self.deliver(who, frames[who]));
                self.tick();
            }
            Step::Turn(who, frames) => {
                self.deliver(who, frames);
                self.turn(who);
            }
            Step::Cut(direction, keep) => {
                self.wires[direction].frames.truncate(keep);
                self.wires[direction].cut = true;
            }
            Step::Leave(who) => {
                self.ends[who].machine.close(CloseCode::NORMAL, at(self.now));
                self.poll(who);
            }
            Step::Say(who) => {
                self.ends[who].machine.handle(Event::Wrote, at(self.now));
                self.feed(who);
                self.send(who, Frame::Data);
                self.turn(who);
            }
            Step::Probe(who) => {
                self.ends[who].machine.probe(at(self.now));
                self.ends[who].probing = true;
                self.turn(who);
            }
            Step::Pause(who) => {
                self.ends[who].machine.handle(Event::ReadPaused, at(self.now));
                (self.ends[who].paused, self.ends[who].may_pause) = (Some(0), false);
                self.poll(who);
            }
            Step::Resume(who, frames) => {
                self.resume(who);
                self.deliver(who, frames);
                self.turn(who);
            }
            Step::Write(who) => {
                self.write(who, Event::Wrote);
                self.turn(who);
            }
            Step::SendPing(who) => {
                self.write(who, Event::PingSent);
                self.sent(who);
                self.turn(who);
            }
        }
        match step {
            Step::Tick(_) => (0..2).for_each(|who| self.look(who)),
            Step::Turn(who, _)
            | Step::Leave(who)
            | Step::Say(who)
            | Step::Probe(who)
            | Step::Pause(who)
            | Step::Resume(who, _)
            | Step::Write(who)
            | Step::SendPing(who) => self.look(who),
            Step::Cut(..) => {}
        }
    }

    /// The driver reads again. The wait for the peer starts again (rule 9).
    fn resume(&mut self, who: usize) {
        self.ends[who].machine.handle(Event::ReadResumed, at(self.now));
        let end = &mut self.ends[who];
        end.paused = None;
        if self.plan.write_timeout[who].is_none() || end.unwritten.is_none() {
            (end.since, end.lateness) = (self.now, 0);
        }
        if let Some(wait) = &mut end.wait {
            wait.clock = Clock::new(self.now, wait.clock.length);
            (wait.answered_in_time, wait.over) = (false, false);
        }
    }

    /// The driver reports our write while a ping waits to be written.
    fn write(&mut self, who: usize, event: Event<'_>) {
        self.ends[who].machine.handle(event, at(self.now));
        self.feed(who);
        let end = &mut self.ends[who];
        (end.since, end.lateness) = (self.now, 0);
        if let Some(unwritten) = &mut end.unwritten {
            unwritten.clock = Clock::new(self.now, unwritten.clock.length);
        }
    }

    /// Our write keeps the path alive. With Steady only a ping does.
    fn feed(&mut self, who: usize) {
        if self.plan.schedule == Schedule::Quiet {
            self.ends[who].fed = self.now;
        }
    }

    /// The ping that waited is under way now.
    fn sent(&mut self, who: usize) {
        let (now, plan) = (self.now, self.plan);
        let end = &mut self.ends[who];
        let Some(unwritten) = end.unwritten.take() else { return };
        if unwritten.refuted {
            self.news.written_after_evidence = true;
        } else {
            end.await_answer(unwritten.probe, now, &plan);
        }
        self.send(who, Frame::Ping(unwritten.question));
    }

    fn turn(&mut self, who: usize) {
        if self.plan.timers_first[who] {
            self.poll(who);
        }
        if self.ends[who].paused.is_none() {
            self.read(who);
            if let Some(wait) = &mut self.ends[who].wait {
                wait.over = self.plan.timers_first[who] && self.now >= wait.clock.end();
            }
        }
        self.poll(who);
        self.ends[who].stalled = 0;
    }

    pub(super) fn broken(&self) -> Option<Promise> {
        self.ends[0].broken.or(self.ends[1].broken)
    }

    pub(super) fn machine(&self, who: usize) -> &Liveness {
        self.ends[who].machine.liveness()
    }

    fn is_open(&self, who: usize) -> bool {
        matches!(self.ends[who].stage, Stage::Online | Stage::Suspect)
    }

    /// True if there is something to read, or a poll is due.
    fn has_work(&self, who: usize) -> bool {
        let due = self.machine(who).poll_timeout().is_some_and(|due| due <= at(self.now));
        let end = &self.ends[who];
        end.stage != Stage::Gone && (due || end.paused.is_none() && !end.inbox.is_empty())
    }

    fn tick(&mut self) {
        for who in 0..2 {
            if self.has_work(who) {
                self.ends[who].stalled += 1;
            }
            let due = self.machine(who).poll_timeout();
            // Polled on a copy: a poll before its time must give nothing and change nothing.
            if due.is_none_or(|due| due > at(self.now))
                && self.machine(who).clone().poll(at(self.now)).is_some()
            {
                self.ends[who].broken = Some(Promise::ExactWakeUps);
            }
            self.ends[who].paused = self.ends[who].paused.map(|ticks| ticks + 1);
        }
        self.now += 1;
        (0..2).for_each(|who| self.hold_to_the_bounds(who));
    }

    /// Checks Complete, Kept alive, and Let go, with the lateness that this driver really had.
    fn hold_to_the_bounds(&mut self, who: usize) {
        let late = match self.machine(who).poll_timeout() {
            Some(due) => at(self.now).saturating_duration_since(due).as_secs(),
            None => 0,
        };
        let (config, interval, now) = (self.plan.config(who), self.plan.interval, self.now);
        let end = &mut self.ends[who];
        end.lateness = end.lateness.max(late);
        let lateness = Duration::from_secs(end.lateness);
        let (bound, promise) = match end.stage {
            Stage::Unborn | Stage::Online | Stage::Suspect => {
                if end.may_ping(now) && now - end.fed > interval + late {
                    end.broken = end.broken.or(Some(Promise::KeptAlive));
                }
                if end.paused.is_some() {
                    return;
                }
                (config.detection_bound(lateness), Promise::Complete)
            }
            Stage::Offline | Stage::Closing => (config.close_timeout() + lateness, Promise::LetGo),
            Stage::Gone => return,
        };
        if now - end.since > bound.as_secs() {
            end.broken = end.broken.or(Some(promise));
        }
    }

    fn deliver(&mut self, who: usize, frames: usize) {
        let end = &mut self.ends[who];
        for frame in self.wires[1 - who].frames.drain(..frames) {
            // On an honest stream each pong is an answer, and comes once.
            if let (Frame::Pong(_), Some(wait)) = (frame, &mut end.wait) {
                let in_time = self.now <= wait.clock.end() && !wait.over;
                wait.answered_in_time |= in_time;
                self.news.healed |= in_time && self.now == wait.clock.end();
            }
            end.inbox.push(frame);
        }
    }

    fn send(&mut self, from: usize, frame: Frame) {
        let nobody_reads = self.ends[1 - from].stage == Stage::Gone;
        if !self.wires[from].cut && !nobody_reads {
            self.wires[from].frames.push(frame);
        }
    }

    fn read(&mut self, who: usize) {
        let now = at(self.now);
        for frame in std::mem::take(&mut self.ends[who].inbox) {
            let open = self.machine(who).verdict().is_none();
            let machine = &mut self.ends[who].machine;
            match frame {
                Frame::Ping(question) => {
                    machine.handle(Event::Ping, now);
                    // RFC 6455 5.5.2: a ping is answered, unless this end has closed already.
                    if !matches!(self.ends[who].stage, Stage::Closing | Stage::Gone) {
                        self.send(who, Frame::Pong(question));
                    }
                }
                Frame::Pong(question) => machine.handle(Event::Pong(&question.payload), now),
                Frame::Data => machine.handle(Event::Data, now),
                Frame::Close(code) => machine.handle(Event::Close(code), now),
                Frame::Fin => machine.handle(Event::Eof, now),
            }
            let evidence = match frame {
                // As above: each pong is an answer.
                Frame::Pong(_) => true,
                Frame::Ping(_) | Frame::Data => self.plan.evidence == Evidence::AnyTraffic,
                Frame::Close(_) | Frame::Fin => false,
            };
            if open && evidence {
                self.news.answered |= matches!(frame, Frame::Pong(_));
                self.ends[who].hear(self.now);
            }
        }
    }

    /// Polls until there is nothing to do, as every driver must.
    fn poll(&mut self, who: usize) {
        let end = &mut self.ends[who];
        if end.paused.is_none() {
            end.wait.iter_mut().for_each(|wait| wait.clock.see(self.now));
        }
        end.unwritten.iter_mut().for_each(|unwritten| unwritten.clock.see(self.now));
        let mut burst = 0;
        loop {
            let forgiven = self.machine(who).stats().stalls_forgiven;
            let Some(action) = self.ends[who].machine.poll(at(self.now)) else { break };
            burst += 1;
            let fresh = self.machine(who).stats().stalls_forgiven > forgiven;
            self.news.forgiven |= fresh;
            let broken = if burst > 4 { Some(Promise::NoSpin) } else { self.act(who, action, fresh) };
            if broken.is_some() {
                self.ends[who].broken = broken;
                return;
            }
        }
        if self.machine(who).poll_timeout().is_some_and(|due| due <= at(self.now)) {
            self.ends[who].broken = Some(Promise::NoSpin);
        }
    }

    /// The driver carries out an action. The watcher says which promise that breaks.
    fn act(&mut self, who: usize, action: Action, fresh: bool) -> Option<Promise> {
        use Stage::{Closing, Gone, Offline, Online, Suspect, Unborn};
        let stage = self.ends[who].stage;
        let verdict = self.machine(who).verdict();
        match (action, stage) {
            (Action::MarkOnline, Unborn) => self.ends[who].stage = Online,
            (Action::MarkOnline, Suspect) => {
                self.ends[who].stage = Online;
                self.news.recovered = true;
            }
            (Action::MarkSuspect, Online) => self.ends[who].stage = Suspect,
            (Action::SendPing(payload), Online | Suspect) => {
                return self.ask(who, *payload.as_bytes(), fresh);
            }
            (Action::MarkOffline(reason), Online | Suspect) => {
                let end = &mut self.ends[who];
                let broken = end.unjust(reason, self.now, &self.plan);
                let short = end.wait.is_some_and(|wait| wait.clock.length < self.plan.timeout);
                (end.stage, end.since, end.lateness) = (Offline, self.now, 0);
                (end.unwritten, end.paused) = (None, None);
                self.news.timed_out |= reason == Reason::PingTimeout;
                self.news.probed_in_vain |= reason == Reason::PingTimeout && short;
                self.news.write_stalled |= reason == Reason::WriteStalled;
                return broken;
            }
            (Action::Close(code), Offline) if verdict != Some(Reason::TransportClosed) => {
                self.ends[who].stage = Closing;
                self.send(who, Frame::Close(code.map(CloseCode::get)));
            }
            (Action::Disconnect, Closing) => self.disconnect(who),
            (Action::Disconnect, Offline) if verdict == Some(Reason::TransportClosed) => self.disconnect(who),
            (_, Unborn | Online | Suspect | Offline | Closing | Gone) => return Some(Promise::Once),
        }
        None
    }

    /// A ping is handed out. `fresh` if it is the ping of rule 6.
    fn ask(&mut self, who: usize, payload: [u8; 8], fresh: bool) -> Option<Promise> {
        let (now, plan) = (self.now, self.plan);
        let question = Question { number: self.machine(who).stats().pings, payload };
        let end = &mut self.ends[who];
        let probe = std::mem::take(&mut end.probing);
        let spaced = end.pinged.is_none_or(|pinged| now - pinged >= if probe { 1 } else { plan.interval });
        let broken = !(spaced || fresh && !end.forgiven);
        let unwritten = end.unwritten.is_some();
        (end.pinged, end.fed) = (Some(now), now);
        self.news.overlapped |= end.wait.is_some() && !fresh;
        self.news.pinged_in_a_pause |= end.paused.is_some();
        let mut probe = probe;
        if fresh {
            // The wait starts again with this ping. If it was the wait of a probe, it stays one.
            let short = end.wait.is_some_and(|wait| wait.clock.length < plan.timeout);
            probe |= short || end.unwritten.is_some_and(|unwritten| unwritten.probe);
            (end.wait, end.unwritten, end.forgiven) = (None, None, true);
        }
        if let Some(length) = plan.write_timeout[who] {
            let clock = Clock::new(now, length);
            end.unwritten = Some(Unwritten { question, clock, refuted: false, probe });
        } else {
            end.await_answer(probe, now, &plan);
            self.send(who, Frame::Ping(question));
        }
        // A ping that waits to be written holds back the next one, except a fresh one.
        (broken || unwritten && !fresh).then_some(Promise::BoundedChatter)
    }

    fn disconnect(&mut self, who: usize) {
        self.send(who, Frame::Fin);
        self.ends[who].stage = Stage::Gone;
        self.ends[who].inbox.clear();
        self.wires[1 - who].frames.clear();
    }

    /// Call this when time or the driver has changed this machine.
    fn look(&mut self, who: usize) {
        self.ends[who].key = key::of(self.machine(who), &self.plan, at(self.now));
    }
}
