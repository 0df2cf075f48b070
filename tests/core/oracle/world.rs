//! One life that is lived twice, by the machine and by the reference, and compared after every call.

use std::time::Duration;

use liveness::transcript::{Page, Recorder};
use liveness::{Action, Config, Event, Liveness, Observed, Payload, Timestamp};

use super::history::{History, Input, Output};
use super::lives::{Gap, Life, Polls, Step, What};
use super::reference::{Counts, Reference, RoundTrip};

const SEED: u64 = 7;

/// Lives the life. Returns the history that both agree on, or the first difference.
pub(super) fn live(life: &Life) -> Result<History, String> {
    let page = Page::default();
    World::live(life, &page).map_err(|difference| format!("{}{difference}", page.text()))
}

struct World<'a> {
    machine: Observed,
    reference: Reference,
    /// Settings that it may be reconfigured to.
    others: &'a [Config],
    unit: u64,
    payloads: Vec<Payload>,
    now: u64,
}

impl<'a> World<'a> {
    fn live(life: &'a Life, page: &Page) -> Result<History, String> {
        let opened = Timestamp::from_nanos(life.opened);
        let mut machine = Observed::new(Liveness::new(life.config, SEED, opened));
        machine.observe(Recorder::new(page.clone()), opened);
        let mut world = World {
            machine,
            reference: Reference::new(life.config, opened),
            others: &life.others,
            unit: life.unit,
            payloads: Vec::new(),
            now: life.opened,
        };
        world.compare("opening")?;
        let mut after_the_end = 0;
        for step in &life.steps {
            world.step(*step)?;
            after_the_end += u32::from(world.reference.is_finished());
            if after_the_end == 3 {
                break;
            }
        }
        // Then everybody is silent: some pings follow, a verdict and its end.
        world.keep_time(Reference::is_finished)?;
        Ok(world.reference.history().clone())
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        self.now = self.after(step.gap);
        match step.polls {
            Polls::Never => self.hand_in(step.what),
            Polls::After => self.hand_in(step.what).and_then(|()| self.poll_all()),
            Polls::Before => self.poll_all().and_then(|()| self.hand_in(step.what)),
            Polls::Once => self.hand_in(step.what).and_then(|()| self.poll().map(|_| ())),
        }
    }

    /// Polls when it is due, and at no other time, until the condition holds. The number of polls is limited.
    fn keep_time(&mut self, is_over: impl Fn(&Reference) -> bool) -> Result<(), String> {
        for _ in 0..20 {
            let Some(due) = self.reference.poll_timeout().filter(|_| !is_over(&self.reference)) else {
                break;
            };
            self.now = due;
            self.poll_all()?;
        }
        Ok(())
    }

    fn after(&self, gap: Gap) -> u64 {
        let due = || self.reference.poll_timeout().unwrap_or(self.now);
        let latest = self.now.max(self.reference.past().latest());
        let config = self.reference.past().config();
        match gap {
            Gap::None => self.now,
            Gap::Units(thousandths) => latest.saturating_add(self.units(thousandths)),
            Gap::Setting(setting, off) => {
                latest.saturating_add(setting.of(config)).saturating_add_signed(off)
            }
            Gap::Due(off) => due().saturating_add_signed(off),
            Gap::DueAnd(setting, off) => due().saturating_add(setting.of(config)).saturating_add_signed(off),
            Gap::Back(thousandths) => self.now.saturating_sub(self.units(thousandths)),
            Gap::Century => latest.saturating_add(100 * 365 * 24 * 3600 * 1_000_000_000),
        }
    }

    fn units(&self, thousandths: u64) -> u64 {
        let nanos = u128::from(thousandths) * u128::from(self.unit) / 1000;
        u64::try_from(nanos).unwrap()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.now)
    }

    fn hand_in(&mut self, what: What) -> Result<(), String> {
        match what {
            What::Nothing => Ok(()),
            What::Silence => self.keep_time(|reference| reference.is_noted()),
            What::Data => self.handle(Event::Data, Input::Data),
            What::Progress => self.handle(Event::Progress, Input::Progress),
            What::Ping => self.handle(Event::Ping, Input::Ping),
            What::Answer(back) => self.answer(back),
            What::Prophecy => {
                let payload = payload_of(self.payloads.len() + 1);
                self.handle(Event::Pong(payload.as_bytes()), Input::Pong(None))
            }
            What::Forged => self.handle(Event::Pong(b"forged"), Input::Pong(None)),
            What::Wrote => self.handle(Event::Wrote, Input::Wrote),
            What::PingSent => self.handle(Event::PingSent, Input::PingSent),
            What::ReadPaused => self.handle(Event::ReadPaused, Input::ReadPaused),
            What::ReadResumed => self.handle(Event::ReadResumed, Input::ReadResumed),
            What::Unread => self.handle(Event::Unread, Input::Unread),
            What::Violation(code) => self.handle(Event::Violation(code), Input::Violation(code)),
            What::PeerClose(code) => self.handle(Event::Close(code), Input::Close(code)),
            What::Eof => self.handle(Event::Eof, Input::Eof),
            What::Probe => {
                self.machine.probe(self.now());
                self.reference.handle(Input::Probe, self.now());
                self.compare("probe")
            }
            What::LocalClose(code) => {
                self.machine.close(code, self.now());
                self.reference.handle(Input::LocalClose(code), self.now());
                self.compare("local-close")
            }
            What::Reconfigure(other) => {
                let Some(config) = self.others.get(other) else { return Ok(()) };
                self.machine.reconfigure(*config, self.now());
                self.reference.reconfigure(*config, self.now());
                self.compare("reconfigure")
            }
        }
    }

    /// A pong to the ping `back` before the newest, if there were so many.
    fn answer(&mut self, back: usize) -> Result<(), String> {
        let Some(index) = self.payloads.len().checked_sub(back + 1) else { return Ok(()) };
        let payload = self.payloads[index];
        let number = u32::try_from(index + 1).unwrap();
        self.handle(Event::Pong(payload.as_bytes()), Input::Pong(Some(number)))
    }

    fn handle(&mut self, event: Event<'_>, input: Input) -> Result<(), String> {
        self.machine.handle(event, self.now());
        self.reference.handle(input, self.now());
        self.compare("event")
    }

    fn poll_all(&mut self) -> Result<(), String> {
        for _ in 0..5 {
            if self.poll()?.is_none() {
                return Ok(());
            }
        }
        Err(self.difference("poll", "a burst of more than 4 actions", "an end of it"))
    }

    fn poll(&mut self) -> Result<Option<Output>, String> {
        let action = self.machine.poll(self.now());
        let output = action.map(|action| self.numbered(action));
        let expected = self.reference.poll(self.now());
        if output != expected {
            return Err(self.difference("poll", output, expected));
        }
        self.compare("poll")?;
        Ok(output)
    }

    fn numbered(&mut self, action: Action) -> Output {
        match action {
            Action::MarkOnline => Output::Online,
            Action::SendPing(payload) => {
                self.payloads.push(payload);
                Output::Ping(u32::try_from(self.payloads.len()).unwrap())
            }
            Action::MarkSuspect => Output::Suspect,
            Action::MarkOffline(reason) => Output::Offline(reason),
            Action::Close(code) => Output::Close(code),
            Action::Disconnect => Output::Disconnect,
        }
    }

    /// Compares the answers to every question.
    fn compare(&self, call: &str) -> Result<(), String> {
        let (machine, reference) = (self.machine.liveness(), &self.reference);
        // What is overdue counts as due now. It does not matter when exactly it fell due.
        let due = machine.poll_timeout().map(|due| due.as_nanos().max(reference.past().latest()));
        let rtt = machine.rtt().map(|rtt| RoundTrip {
            latest: rtt.latest,
            smoothed: rtt.smoothed,
            variation: rtt.variation,
            min: rtt.min,
        });
        let stats = machine.stats();
        let counts = Counts {
            pings: stats.pings,
            answers: stats.answers,
            stalls_forgiven: stats.stalls_forgiven,
            suspicions_survived: stats.suspicions_survived,
        };
        self.same(call, "poll_timeout", due.filter(|due| *due < u64::MAX), reference.poll_timeout())?;
        self.same(call, "status", machine.status(), reference.status())?;
        self.same(call, "verdict", machine.verdict(), reference.past().verdict())?;
        self.same(call, "is_finished", machine.is_finished(), reference.is_finished())?;
        self.same(
            call,
            "awaited",
            machine.awaited().map(|ping| self.number_of(ping)),
            reference.past().awaited(),
        )?;
        self.same(call, "rtt", rtt, reference.rtt())?;
        self.same(call, "stats", counts, reference.counts())
    }

    /// The number of a ping that was handed out; 0 if there was no such ping.
    fn number_of(&self, ping: Payload) -> u32 {
        let index = self.payloads.iter().position(|payload| payload.as_bytes() == ping.as_bytes());
        index.map_or(0, |index| u32::try_from(index + 1).unwrap())
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &self,
        call: &str,
        question: &str,
        machine: T,
        reference: T,
    ) -> Result<(), String> {
        if machine == reference {
            return Ok(());
        }
        Err(self.difference(&format!("{question} after {call}"), machine, reference))
    }

    fn difference(
        &self,
        what: &str,
        machine: impl std::fmt::Debug,
        reference: impl std::fmt::Debug,
    ) -> String {
        let since = Duration::from_nanos(self.now.saturating_sub(self.reference.past().at(0)));
        format!("{what} at {since:?}: the machine says {machine:?}, the reference {reference:?}")
    }
}

/// The payload of ping `number`, learned from another machine with the same seed.
fn payload_of(number: usize) -> Payload {
    let config = Config::builder().interval(Duration::MAX).build().unwrap();
    let mut machine = Liveness::new(config, SEED, Timestamp::ZERO);
    let mut payloads = Vec::new();
    for second in 0.. {
        let now = Timestamp::from_secs(second);
        machine.handle(Event::Data, now);
        machine.probe(now);
        while let Some(action) = machine.poll(now) {
            if let Action::SendPing(payload) = action {
                payloads.push(payload);
            }
        }
        if payloads.len() >= number {
            break;
        }
    }
    payloads[number - 1]
}
