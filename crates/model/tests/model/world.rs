//! What is modelled: two ends with a real machine each, the two directions of the link between them, and time.
//!
//! Generic over the machine, so that a path that the checker found can be lived again with recorders in their place.

use std::time::Duration;

use liveness::{Action, CloseCode, Event, Evidence, Liveness, Monitor, Reason, Timestamp};

use super::end::{Asked, End, Frame, News, Promise, Question, Stage, Wire};
use super::key;
use super::plan::Plan;

/// One step of the world. Ends and directions are numbered alike: direction 0 is what end 0 sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next tick begins. Just before, so many frames reach the input buffer of each end, whose driver sleeps on.
    Tick([usize; 2]),
    /// So many frames reach the input buffer of this end. Its driver wakes, reads all that has arrived, and polls (or
    /// polls, reads and polls).
    Turn(usize, usize),
    /// This direction dies. Of what is under way, so many frames still arrive; everything later is lost.
    Cut(usize, usize),
    /// The application at this end closes.
    Leave(usize),
    /// The application at this end sends a message.
    Say(usize),
}

#[derive(Clone, Debug)]
pub(super) struct World<M> {
    pub(super) plan: Plan,
    /// By how many ticks the server opened before the client.
    pub(super) earlier: u64,
    pub(super) now: u64,
    pub(super) ends: [End<M>; 2],
    pub(super) wires: [Wire; 2],
    pub(super) news: News,
}

/// The first tick. Long after zero, so that a moment may lie before it.
pub(super) const START: u64 = 100;

pub(super) fn at(tick: u64) -> Timestamp {
    Timestamp::from_secs(tick)
}

impl<M: Monitor> World<M> {
    /// Both ends have opened, the second so many ticks before the first, and their drivers have polled once.
    pub(super) fn new(plan: Plan, machines: [M; 2], earlier: u64) -> Self {
        let end = |machine: M, since| End {
            machine,
            inbox: Vec::new(),
            stage: Stage::Unborn,
            since,
            lateness: 0,
            asked: None,
            chatter: 0,
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
            steps.extend(self.arriving(who).map(|frames| Step::Turn(who, frames)));
            if self.is_open(who) {
                if self.plan.leaves {
                    steps.push(Step::Leave(who));
                }
                // One message at a time: a second beside it is no other evidence.
                let wire = &self.wires[who];
                if self.plan.talks && !wire.cut && !wire.frames.contains(&Frame::Data) {
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
        if (0..2).any(|who| self.has_work(who) && awake(who)) {
            return;
        }
        let sleeping = |who| (0..1).chain(if awake(who) { 0..0 } else { self.arriving(who) });
        for first in sleeping(0) {
            steps.extend(sleeping(1).map(|second| Step::Tick([first, second])));
        }
    }

    /// How many frames may arrive at this end now, if any do: they leave few behind.
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
            Step::Say(who) => self.send(who, Frame::Data),
        }
        match step {
            Step::Tick(_) => (0..2).for_each(|who| self.look(who)),
            Step::Turn(who, _) | Step::Leave(who) => self.look(who),
            Step::Cut(..) | Step::Say(_) => {}
        }
    }

    fn turn(&mut self, who: usize) {
        if self.plan.timers_first[who] {
            self.poll(who);
        }
        self.read(who);
        if let Some(asked) = &mut self.ends[who].asked {
            asked.over = self.plan.timers_first[who] && self.now >= asked.at + self.plan.timeout;
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

    /// Something to read, or a poll that is due.
    fn has_work(&self, who: usize) -> bool {
        let due = self.machine(who).poll_timeout().is_some_and(|due| due <= at(self.now));
        self.ends[who].stage != Stage::Gone && (due || !self.ends[who].inbox.is_empty())
    }

    fn tick(&mut self) {
        for who in 0..2 {
            if self.has_work(who) {
                self.ends[who].stalled += 1;
            }
            let due = self.machine(who).poll_timeout();
            // On a copy: a poll before its time would give nothing and change nothing.
            if due.is_none_or(|due| due > at(self.now))
                && self.machine(who).clone().poll(at(self.now)).is_some()
            {
                self.ends[who].broken = Some(Promise::ExactWakeUps);
            }
        }
        self.now += 1;
        (0..2).for_each(|who| self.hold_to_the_bounds(who));
    }

    /// Complete, and that nobody is kept after a verdict: with the lateness that this driver really had.
    fn hold_to_the_bounds(&mut self, who: usize) {
        let late = match self.machine(who).poll_timeout() {
            Some(due) => at(self.now).saturating_duration_since(due).as_secs(),
            None => 0,
        };
        let (config, now) = (self.plan.config(), self.now);
        let end = &mut self.ends[who];
        end.lateness = end.lateness.max(late);
        let lateness = Duration::from_secs(end.lateness);
        let (bound, promise) = match end.stage {
            Stage::Unborn | Stage::Online | Stage::Suspect => {
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
            if let (Frame::Pong(question), Some(asked)) = (frame, &mut end.asked) {
                let last_moment = asked.at + self.plan.timeout;
                let in_time = self.now <= last_moment && !asked.over && question.number == asked.number;
                asked.answered_in_time |= in_time;
                self.news.healed |= in_time && self.now == last_moment;
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
                // On an honest stream each pong answers, and once.
                Frame::Pong(_) => true,
                Frame::Ping(_) | Frame::Data => self.plan.evidence == Evidence::AnyTraffic,
                Frame::Close(_) | Frame::Fin => false,
            };
            if open && evidence {
                self.news.answered |= matches!(frame, Frame::Pong(_));
                let end = &mut self.ends[who];
                (end.since, end.lateness, end.chatter, end.asked) = (self.now, 0, 0, None);
            }
        }
    }

    /// Polls until there is nothing to do, as every driver must.
    fn poll(&mut self, who: usize) {
        self.note_first_sight(who);
        let forgiven = self.machine(who).stats().stalls_forgiven;
        let mut burst = 0;
        while let Some(action) = self.ends[who].machine.poll(at(self.now)) {
            burst += 1;
            let broken = if burst > 4 { Some(Promise::NoSpin) } else { self.act(who, action) };
            if broken.is_some() {
                self.ends[who].broken = broken;
                return;
            }
        }
        self.news.forgiven |= self.machine(who).stats().stalls_forgiven > forgiven;
        if self.machine(who).poll_timeout().is_some_and(|due| due <= at(self.now)) {
            self.ends[who].broken = Some(Promise::NoSpin);
        }
    }

    fn note_first_sight(&mut self, who: usize) {
        let Some(asked) = &mut self.ends[who].asked else { return };
        if let Some(late) = self.now.checked_sub(asked.at + self.plan.timeout) {
            asked.seen_late.get_or_insert(late > self.plan.stall_tolerance);
        }
    }

    /// The driver carries out an action; the watcher says which promise it breaks.
    fn act(&mut self, who: usize, action: Action) -> Option<Promise> {
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
            (Action::SendPing(payload), Online | Suspect) => return self.ask(who, *payload.as_bytes()),
            (Action::MarkOffline(reason), Online | Suspect) => {
                let end = &mut self.ends[who];
                let broken =
                    if reason == Reason::PingTimeout { end.unjust(self.now, &self.plan) } else { None };
                (end.stage, end.since, end.lateness) = (Offline, self.now, 0);
                self.news.timed_out |= reason == Reason::PingTimeout;
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

    fn ask(&mut self, who: usize, payload: [u8; 8]) -> Option<Promise> {
        let number = self.machine(who).stats().pings;
        self.send(who, Frame::Ping(Question { number, payload }));
        let end = &mut self.ends[who];
        end.asked =
            Some(Asked { number, at: self.now, answered_in_time: false, over: false, seen_late: None });
        end.chatter += 1;
        // One ping, and one of rule 6.
        (end.chatter > 2).then_some(Promise::BoundedChatter)
    }

    fn disconnect(&mut self, who: usize) {
        self.send(who, Frame::Fin);
        self.ends[who].stage = Stage::Gone;
        self.ends[who].inbox.clear();
        self.wires[1 - who].frames.clear();
    }

    /// Time, or its driver, has changed this machine.
    fn look(&mut self, who: usize) {
        self.ends[who].key = key::of(self.machine(who), &self.plan, at(self.now));
    }
}
