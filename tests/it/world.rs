//! One life of a machine: a driver that does as it is told, a watcher, and the laws that no life can break.
//!
//! Where the steps come from is somebody else's affair: proptest in `laws`, a fuzzer's bytes in `fuzz`.

use std::time::Duration;

use liveness::transcript::Recorder;
use liveness::{Action, CloseCode, Config, Event, Evidence, Machine, Reason, Timestamp};

/// Something that happens to a machine, `after` the last.
#[derive(Clone, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) after: u64,
    pub(crate) what: What<'a>,
    /// How the driver polls then: not, before it hands the input in, or after.
    pub(crate) poll: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    Event(Event<'a>),
    /// A pong to the ping this many before the newest.
    Answer(u32),
    Probe,
    Close(CloseCode),
    /// The clock says an earlier time.
    StepBack(u64),
    Nothing,
}

/// What a watcher notes down of a life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Note {
    Did(Action),
    Evidence,
    PolledInVain,
}

/// A life and all that was seen of it.
pub(crate) struct Life {
    notes: Vec<(Timestamp, Note)>,
    pub(crate) transcript: String,
}

impl Life {
    fn broken(&self, how: &str) -> Result<(), String> {
        Err(format!("this life {how}:\n{}", self.transcript))
    }

    pub(crate) fn actions(&self) -> Vec<(Timestamp, Action)> {
        let actions = self.notes.iter().filter_map(|(at, note)| match note {
            Note::Did(action) => Some((*at, *action)),
            Note::Evidence | Note::PolledInVain => None,
        });
        actions.collect()
    }
}

/// A machine, a driver that does as the steps say, and a watcher.
pub(crate) struct World<'a> {
    config: Config,
    machine: Recorder<&'a mut String>,
    payloads: Vec<Vec<u8>>,
    answered: usize,
    now: Timestamp,
    latest: Timestamp,
    notes: Vec<(Timestamp, Note)>,
    /// Poll as often as anyone could: at every hand-in, twice, and just before.
    nervous: bool,
}

impl World<'_> {
    pub(crate) fn live(config: Config, start: Timestamp, steps: &[Step<'_>], nervous: bool) -> Life {
        let mut transcript = String::new();
        match Self::notes(config, start, steps, nervous, &mut transcript) {
            Ok(notes) => Life { notes, transcript },
            Err(how) => panic!("{how}:\n{transcript}"),
        }
    }

    fn notes(
        config: Config,
        start: Timestamp,
        steps: &[Step<'_>],
        nervous: bool,
        transcript: &mut String,
    ) -> Result<Vec<(Timestamp, Note)>, String> {
        let machine = Recorder::new(config, 7, start, transcript);
        let (payloads, notes) = (Vec::new(), Vec::new());
        let mut world =
            World { config, machine, payloads, answered: 0, now: start, latest: start, notes, nervous };
        world.poll()?;
        steps.iter().try_for_each(|step| world.step(step))?;
        // Then nobody says anything any more, and the driver keeps time. What is left of a life is short: a ping and one of
        // rule 6, a verdict or two that are noted, and the end.
        for _ in 0..20 {
            let Some(due) = world.machine.liveness().poll_timeout() else { return Ok(world.notes) };
            world.now = due.max(world.latest);
            world.poll()?;
        }
        Err("this life does not end".to_owned())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        self.now = self.now.max(self.latest) + Duration::from_nanos(step.after);
        if step.poll == Some(true) {
            self.poll()?;
        }
        self.hand_in(step.what);
        if step.poll == Some(false) { self.poll() } else { Ok(()) }
    }

    fn hand_in(&mut self, what: What<'_>) {
        let open = self.machine.liveness().verdict().is_none();
        let any = self.config.evidence() == Evidence::AnyTraffic;
        let mut evidence = false;
        match what {
            What::Event(event) => {
                let theirs = matches!(event, Event::Data | Event::Progress | Event::Ping | Event::Pong(_));
                self.machine.handle(event, self.now);
                evidence = any && theirs;
            }
            What::Answer(back) => {
                let Some(number) = self.payloads.len().checked_sub(back as usize + 1) else { return };
                let payload = self.payloads[number].clone();
                self.machine.handle(Event::Pong(&payload), self.now);
                evidence = any || number >= self.answered;
                self.answered = self.answered.max(number + 1);
            }
            What::Probe => self.machine.probe(self.now),
            What::Close(code) => self.machine.close(code, self.now),
            What::StepBack(by) => {
                self.now = self.now.saturating_sub(Duration::from_nanos(by));
                return;
            }
            // What the machine is not told of it does not know.
            What::Nothing => return,
        }
        self.latest = self.latest.max(self.now);
        if evidence && open && self.machine.liveness().verdict().is_none() {
            self.notes.push((self.latest, Note::Evidence));
        }
    }

    fn poll(&mut self) -> Result<(), String> {
        let unless = |broken: bool, how: &str| if broken { Err(how.to_owned()) } else { Ok(()) };
        self.latest = self.latest.max(self.now);
        let due = self.machine.liveness().poll_timeout();
        let early = due.is_none_or(|due| due > self.latest);
        let mut burst = 0;
        while let Some(action) = self.machine.poll(self.now) {
            unless(early, "a poll before poll_timeout gave an action")?;
            if let Action::SendPing(payload) = action {
                self.payloads.push(payload.as_bytes().to_vec());
            }
            self.notes.push((self.latest, Note::Did(action)));
            burst += 1;
            unless(burst > 4, "a burst of more than 4 actions")?;
        }
        self.notes.push((self.latest, Note::PolledInVain));
        let next = self.machine.liveness().poll_timeout();
        unless(next.is_some_and(|next| next <= self.latest), "poll would spin")?;
        if self.nervous {
            unless(self.machine.poll(self.now).is_some(), "a second poll gave an action")?;
            if let Some(next) = self.machine.liveness().poll_timeout() {
                let just_before = next.saturating_sub(Duration::from_nanos(1));
                // On a copy: time passes for nobody else.
                let early = self.machine.liveness().clone().poll(just_before);
                unless(early.is_some(), "a poll just before poll_timeout gave an action")?;
            }
        }
        Ok(())
    }
}

/// A deadline that would be later than the end of time is never: so from here on a life may end without its end.
const LATE: Timestamp = Timestamp::from_nanos(u64::MAX / 2);

/// Once: `MarkOnline` and `MarkSuspect` alternate; one `MarkOffline`; one `Disconnect`, last; then silence.
pub(crate) fn once(life: &Life) -> Result<(), String> {
    let actions: Vec<Action> = life.actions().iter().map(|(_, action)| *action).collect();
    if actions.first() != Some(&Action::MarkOnline) {
        return life.broken("does not begin online");
    }
    let marks: Vec<_> =
        actions.iter().filter(|action| matches!(action, Action::MarkOnline | Action::MarkSuspect)).collect();
    if marks.windows(2).any(|pair| pair[0] == pair[1]) {
        return life.broken("is marked the same twice");
    }
    let offline = actions.iter().position(is_offline);
    let end = offline.map_or(&[][..], |offline| &actions[offline + 1..]);
    match (offline, end) {
        (Some(_), [Action::Disconnect] | [Action::Close(_), Action::Disconnect]) => Ok(()),
        (Some(_), [Action::Close(_)]) if life.actions().last().is_some_and(|(at, _)| *at > LATE) => Ok(()),
        (None, _) if !actions.contains(&Action::Disconnect) => Ok(()),
        _ => life.broken("does not end as every life ends"),
    }
}

/// Justified and Fresh: a ping timeout only after a ping, its whole `timeout` without evidence, and two polls
/// `last_look` apart after the deadline.
pub(crate) fn justified_and_fresh(config: &Config, life: &Life) -> Result<(), String> {
    let timed_out = Note::Did(Action::MarkOffline(Reason::PingTimeout));
    let Some(verdict) = life.notes.iter().position(|(_, note)| *note == timed_out) else { return Ok(()) };
    let (at, before) = (life.notes[verdict].0, &life.notes[..verdict]);
    let is_ping = |(_, note): &(_, Note)| matches!(note, Note::Did(Action::SendPing(_)));
    let Some(ping) = before.iter().rposition(is_ping) else { return life.broken("times out without a ping") };
    let deadline = before[ping].0 + config.timeout();
    if at < deadline {
        return life.broken("times out early");
    }
    if before[ping..].iter().any(|(_, note)| *note == Note::Evidence) {
        return life.broken("times out in spite of evidence");
    }
    let first_sight = before[ping..].iter().any(|(seen, note)| {
        *note == Note::PolledInVain && *seen >= deadline && *seen + config.last_look() <= at
    });
    if !first_sight && !config.last_look().is_zero() {
        return life.broken("times out at first sight");
    }
    match before.iter().rfind(|(_, note)| *note == Note::Evidence) {
        Some((heard, _)) if at.saturating_duration_since(*heard) < config.timeout() => {
            life.broken("times out though it was just heard")
        }
        Some(_) | None => Ok(()),
    }
}

/// Bounded chatter: between two pieces of evidence at most one ping and one of rule 6.
pub(crate) fn bounded_chatter(life: &Life) -> Result<(), String> {
    let mut pings = 0;
    for (_, note) in &life.notes {
        match note {
            Note::Evidence => pings = 0,
            Note::Did(Action::SendPing(_)) => pings += 1,
            Note::Did(_) | Note::PolledInVain => {}
        }
        if pings > 2 {
            return life.broken("is pinged a third time without evidence");
        }
    }
    Ok(())
}

pub(crate) fn is_offline(action: &Action) -> bool {
    matches!(action, Action::MarkOffline(_))
}
