//! One life of a machine: a driver that does as it is told, a watcher, and the laws that no life can break.
//!
//! Where the steps come from is somebody else's affair: proptest in `laws`, a driver and a peer of some kind there, a
//! fuzzer's bytes in `fuzz`.

use std::time::Duration;

use liveness::transcript::Recorder;
use liveness::{Action, CloseCode, Config, Event, Evidence, Monitor, Reason, Timestamp};

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
    /// So many of the notes were made before the steps ended, and everybody fell silent.
    before_the_silence: usize,
    /// The first poll that left a peer online who had been silent for longer than `detection_bound`: how long, and the bound.
    overlooked: Option<(Duration, Duration)>,
    pub(crate) transcript: String,
}

impl Life {
    fn broken(&self, how: &str) -> Result<(), String> {
        Err(format!("this life {how}:\n{}", self.transcript))
    }

    pub(crate) fn actions(&self) -> Vec<(Timestamp, Action)> {
        actions(&self.notes)
    }

    pub(crate) fn actions_before_the_silence(&self) -> Vec<(Timestamp, Action)> {
        actions(&self.notes[..self.before_the_silence])
    }
}

fn actions(notes: &[(Timestamp, Note)]) -> Vec<(Timestamp, Action)> {
    let actions = notes.iter().filter_map(|(at, note)| match note {
        Note::Did(action) => Some((*at, *action)),
        Note::Evidence | Note::PolledInVain => None,
    });
    actions.collect()
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
    before_the_silence: usize,
    silence: Silence,
    overlooked: Option<(Duration, Duration)>,
    /// Poll as often as anyone could: at every hand-in, twice, and just before.
    nervous: bool,
}

/// How long the peer has been silent, as `detection_bound` counts, and how late its driver was meanwhile.
#[derive(Clone, Copy)]
struct Silence {
    since: Timestamp,
    late: Duration,
    /// We do not listen: it is no silence.
    paused: bool,
}

impl World<'_> {
    pub(crate) fn live(config: Config, start: Timestamp, steps: &[Step<'_>], nervous: bool) -> Life {
        let mut steps = steps.iter();
        Self::live_by(config, start, nervous, |_| steps.next().cloned())
    }

    /// A life whose next step is chosen when it is taken.
    pub(crate) fn live_by<'b>(
        config: Config,
        start: Timestamp,
        nervous: bool,
        next: impl FnMut(&World<'_>) -> Option<Step<'b>>,
    ) -> Life {
        let mut transcript = String::new();
        let lived = Self::watch(config, start, nervous, &mut transcript, next);
        match lived {
            Ok(life) => Life { transcript, ..life },
            Err(how) => panic!("{how}:\n{transcript}"),
        }
    }

    /// The life, but for its transcript.
    fn watch<'b>(
        config: Config,
        start: Timestamp,
        nervous: bool,
        transcript: &mut String,
        next: impl FnMut(&World<'_>) -> Option<Step<'b>>,
    ) -> Result<Life, String> {
        let mut world = World {
            config,
            machine: Recorder::new(config, 7, start, transcript),
            payloads: Vec::new(),
            answered: 0,
            now: start,
            latest: start,
            notes: Vec::new(),
            before_the_silence: 0,
            silence: Silence { since: start, late: Duration::ZERO, paused: false },
            overlooked: None,
            nervous,
        };
        world.lives_to_its_end(next)?;
        let World { notes, before_the_silence, overlooked, .. } = world;
        Ok(Life { notes, before_the_silence, overlooked, transcript: String::new() })
    }

    fn lives_to_its_end<'b>(
        &mut self,
        mut next: impl FnMut(&World<'_>) -> Option<Step<'b>>,
    ) -> Result<(), String> {
        self.poll()?;
        while let Some(step) = next(self) {
            self.step(&step)?;
        }
        self.before_the_silence = self.notes.len();
        // Then nobody says anything any more, and the driver keeps time. What is left of a life is short: a ping and one of
        // rule 6, a verdict or two that are noted, and the end.
        for _ in 0..20 {
            let Some(due) = self.due() else { return Ok(()) };
            self.now = due.max(self.latest);
            self.poll()?;
        }
        Err("this life does not end".to_owned())
    }

    /// What the driver knows: when to poll next.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.machine.liveness().poll_timeout()
    }

    /// The latest moment that anybody spoke of.
    pub(crate) fn latest(&self) -> Timestamp {
        self.latest.max(self.now)
    }

    /// When each ping was handed out.
    pub(crate) fn pings(&self) -> impl Iterator<Item = Timestamp> {
        self.notes
            .iter()
            .filter_map(|(at, note)| matches!(note, Note::Did(Action::SendPing(_))).then_some(*at))
    }

    fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        self.now = self.latest() + Duration::from_nanos(step.after);
        if step.poll == Some(true) {
            if self.nervous {
                self.poll_in_vain()?;
            }
            self.poll()?;
        }
        self.hand_in(step.what);
        if step.poll == Some(false) { self.poll() } else { Ok(()) }
    }

    /// The driver was to poll before this moment, and has not yet.
    fn note_lateness(&mut self) {
        let late = self.due().map_or(Duration::ZERO, |due| self.latest().saturating_duration_since(due));
        self.silence.late = self.silence.late.max(late);
    }

    fn break_silence(&mut self, what: What<'_>) {
        let paused = match what {
            What::Event(Event::ReadPaused) => true,
            What::Event(Event::ReadResumed) => false,
            What::Event(_)
            | What::Answer(_)
            | What::Probe
            | What::Close(_)
            | What::StepBack(_)
            | What::Nothing => self.silence.paused,
        };
        self.silence = Silence { since: self.latest, late: Duration::ZERO, paused };
    }

    fn hand_in(&mut self, what: What<'_>) {
        self.note_lateness();
        let open = self.machine.liveness().verdict().is_none();
        let any = self.config.evidence() == Evidence::AnyTraffic;
        let mut evidence = false;
        let mut ours = false;
        match what {
            What::Event(event) => {
                // While the ping is being written, and while nobody is listened to, the bound begins anew.
                let bytes = matches!(event, Event::Wrote | Event::PingSent);
                ours = bytes && self.config.write_timeout() < Duration::MAX
                    || matches!(event, Event::ReadPaused | Event::ReadResumed);
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
        if evidence || ours {
            self.break_silence(what);
        }
    }

    /// Half the way to the next poll, if nothing falls due before.
    fn poll_in_vain(&mut self) -> Result<(), String> {
        let between = self.latest + self.now.saturating_duration_since(self.latest) / 2;
        let nothing_due = self.due().is_none_or(|due| due > between);
        if nothing_due && self.machine.poll(between).is_some() {
            return Err("a poll before poll_timeout gave an action".to_owned());
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<(), String> {
        let unless = |broken: bool, how: &str| if broken { Err(how.to_owned()) } else { Ok(()) };
        self.latest = self.latest.max(self.now);
        self.note_lateness();
        let due = self.due();
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
        self.look_for_the_overlooked();
        let next = self.due();
        unless(next.is_some_and(|next| next <= self.latest), "poll would spin")?;
        if self.nervous {
            unless(self.machine.poll(self.now).is_some(), "a second poll gave an action")?;
            if let Some(next) = self.due() {
                let just_before = next.saturating_sub(Duration::from_nanos(1));
                // On a copy: time passes for nobody else.
                let early = self.machine.liveness().clone().poll(just_before);
                unless(early.is_some(), "a poll just before poll_timeout gave an action")?;
            }
        }
        Ok(())
    }
}

impl World<'_> {
    fn look_for_the_overlooked(&mut self) {
        let bound = self.config.detection_bound(self.silence.late);
        let silent = self.latest.saturating_duration_since(self.silence.since);
        let online = self.machine.liveness().verdict().is_none();
        if online && !self.silence.paused && silent > bound && self.overlooked.is_none() {
            self.overlooked = Some((silent, bound));
        }
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

/// Justified: a ping timeout only after a ping, its whole `timeout` without evidence, and two polls `last_look` apart after
/// the deadline.
pub(crate) fn justified(config: &Config, life: &Life) -> Result<(), String> {
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
    Ok(())
}

/// Fresh: a ping timeout never falls within `timeout` of the latest evidence.
pub(crate) fn fresh(config: &Config, life: &Life) -> Result<(), String> {
    let timed_out = Note::Did(Action::MarkOffline(Reason::PingTimeout));
    let Some(verdict) = life.notes.iter().position(|(_, note)| *note == timed_out) else { return Ok(()) };
    let (at, before) = (life.notes[verdict].0, &life.notes[..verdict]);
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

/// Complete: after every poll, a peer that is online was heard within `detection_bound` of the lateness that its driver had
/// since.
pub(crate) fn complete(life: &Life) -> Result<(), String> {
    match life.overlooked {
        Some((silent, bound)) => life.broken(&format!("overlooks a silence of {silent:?}, beyond {bound:?}")),
        None => Ok(()),
    }
}

pub(crate) fn is_offline(action: &Action) -> bool {
    matches!(action, Action::MarkOffline(_))
}
