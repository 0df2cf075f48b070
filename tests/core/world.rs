//! One life of a machine: a driver that does what the steps say, a watcher, and the laws that no life can break.
//!
//! The steps come from the caller: proptest in `laws`, a driver and a peer of some kind there, a fuzzer's bytes in
//! `fuzz`.

use std::time::Duration;

use liveness::transcript::{Page, Recorder};
use liveness::{Action, CloseCode, Config, Event, Evidence, Liveness, Observed, Reason, Schedule, Timestamp};

use super::questions;

/// Something that happens to a machine, this long after the last step.
#[derive(Clone, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) after: u64,
    pub(crate) what: What<'a>,
    /// When the driver polls: not at all, before it reports the input, or after.
    pub(crate) poll: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    Event(Event<'a>),
    /// A pong to the ping this many before the newest.
    Answer(u32),
    /// A pong to the ping of this number, from 0.
    AnswerTo(usize),
    Probe,
    Close(CloseCode),
    /// New settings. The laws about lengths do not apply to a life that was reconfigured.
    Reconfigure(Config),
    /// The clock goes back.
    StepBack(u64),
    Nothing,
}

/// How many polls the driver makes in time when everybody has fallen silent.
const POLLS_TO_THE_END: u32 = 200;

/// What a watcher notes about a life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Note {
    Did(Action),
    Evidence,
    Probed,
    PolledInVain,
    /// A poll without an action, in which a verdict was noted or waited for its last look.
    Noted,
}

/// A life, and everything that was seen of it.
pub(crate) struct Life {
    config: Config,
    notes: Vec<(Timestamp, Note)>,
    /// How many of the notes were made before the steps ended and everybody fell silent.
    before_the_silence: usize,
    faults: Faults,
    /// Stalls that were forgiven.
    pub(crate) forgiven: u16,
    pub(crate) asked: Asked,
    pub(crate) transcript: String,
}

/// How often a poll held something against the peer that unread input could refute, and how often a ping waited for a
/// line of the grid.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) judged: usize,
    pub(crate) waited: usize,
}

/// What still held after some poll: the first time, with how long it lasted and how long it may last.
#[derive(Clone, Copy, Default)]
struct Faults {
    /// The peer had been silent, and was online.
    overlooked: Option<(Duration, Duration)>,
    /// The transport had taken nothing, and the peer was online.
    stuck: Option<(Duration, Duration)>,
    /// We had neither pinged nor, with the Quiet schedule, written.
    neglected: Option<(Duration, Duration)>,
}

impl Life {
    /// The config's `interval` less its `jitter`.
    fn shortest_wait(&self) -> Duration {
        let interval = self.config.interval();
        if interval == Duration::MAX {
            interval
        } else {
            interval - interval / 100 * self.config.jitter().into()
        }
    }

    /// The moment of a ping timeout, and the notes before it; `None` if there was no ping timeout.
    fn until_ping_timeout(&self) -> Option<(Timestamp, &[(Timestamp, Note)])> {
        let timed_out = Note::Did(Action::MarkOffline(Reason::PingTimeout));
        let verdict = self.notes.iter().position(|(_, note)| *note == timed_out)?;
        Some((self.notes[verdict].0, &self.notes[..verdict]))
    }

    /// The pings in these notes since the latest evidence, and how long each may stay unanswered. For a ping that `probe`
    /// brought that is at most `probe_timeout`.
    fn awaited(&self, notes: &[(Timestamp, Note)]) -> Vec<(Timestamp, Duration)> {
        let mut pings = Vec::new();
        let mut patience = self.config.timeout();
        for (at, note) in notes {
            match note {
                Note::Evidence => pings.clear(),
                Note::Probed => patience = patience.min(self.config.probe_timeout()),
                Note::Did(Action::SendPing(_)) => {
                    pings.push((*at, std::mem::replace(&mut patience, self.config.timeout())));
                }
                Note::Did(_) | Note::PolledInVain | Note::Noted => {}
            }
        }
        pings
    }

    /// Whether a probe made it time out before `timeout` had passed since the first awaited ping.
    pub(crate) fn shortened(&self) -> Option<bool> {
        let (at, before) = self.until_ping_timeout()?;
        let (first, _) = self.awaited(before)[0];
        Some(at < first + self.config.timeout())
    }

    /// How many pings went out while another ping was awaited.
    pub(crate) fn overlapping(&self) -> usize {
        let (mut awaited, mut overlapping) = (false, 0);
        for (_, note) in &self.notes {
            match note {
                Note::Evidence => awaited = false,
                Note::Did(Action::SendPing(_)) => {
                    overlapping += usize::from(std::mem::replace(&mut awaited, true))
                }
                Note::Did(_) | Note::Probed | Note::PolledInVain | Note::Noted => {}
            }
        }
        overlapping
    }

    /// How often a verdict that waited for its last look was refuted.
    pub(crate) fn reprieves(&self) -> usize {
        let looks: Vec<_> = self.notes.iter().map(|(_, note)| *note).filter(is_look).collect();
        looks.windows(2).filter(|pair| pair[0] == Note::Noted && pair[1] == Note::PolledInVain).count()
    }

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
        Note::Evidence | Note::Probed | Note::PolledInVain | Note::Noted => None,
    });
    actions.collect()
}

/// A machine, a driver that does as the steps say, and a watcher.
pub(crate) struct World {
    config: Config,
    machine: Observed,
    payloads: Vec<Vec<u8>>,
    answered: usize,
    now: Timestamp,
    latest: Timestamp,
    notes: Vec<(Timestamp, Note)>,
    before_the_silence: usize,
    /// How long the peer has been silent, counted as `detection_bound` counts.
    silence: Watch,
    /// How long the transport has taken nothing.
    stillness: Watch,
    /// When we last pinged or, with the Quiet schedule, wrote.
    spoke_at: Timestamp,
    /// We do not read, so it is not silence.
    paused: bool,
    /// A ping is being written.
    writing: bool,
    faults: Faults,
    asked: Asked,
    /// Poll as often as possible: twice at every input, and just before it.
    nervous: bool,
}

/// How long something has lasted, how late the driver was meanwhile, and whether it reported `Unread`.
#[derive(Clone, Copy)]
struct Watch {
    since: Timestamp,
    late: Duration,
    unread: bool,
}

impl Watch {
    const fn new(since: Timestamp) -> Self {
        Self { since, late: Duration::ZERO, unread: false }
    }
}

impl World {
    pub(crate) fn live(config: Config, start: Timestamp, steps: &[Step<'_>], nervous: bool) -> Life {
        let mut steps = steps.iter();
        Self::live_by(config, start, nervous, |_| steps.next().cloned())
    }

    /// A life whose next step is chosen when it is taken.
    pub(crate) fn live_by<'b>(
        config: Config,
        start: Timestamp,
        nervous: bool,
        next: impl FnMut(&World) -> Option<Step<'b>>,
    ) -> Life {
        let page = Page::default();
        match Self::watch(config, start, nervous, &page, next) {
            Ok(life) => Life { transcript: page.text(), ..life },
            Err(how) => panic!("{how}:\n{}", page.text()),
        }
    }

    /// The life, without its transcript.
    fn watch<'b>(
        config: Config,
        start: Timestamp,
        nervous: bool,
        page: &Page,
        next: impl FnMut(&World) -> Option<Step<'b>>,
    ) -> Result<Life, String> {
        let mut machine = Observed::new(Liveness::new(config, 7, start));
        machine.observe(Recorder::new(page.clone()), start);
        let mut world = Self {
            config,
            machine,
            payloads: Vec::new(),
            answered: 0,
            now: start,
            latest: start,
            notes: Vec::new(),
            before_the_silence: 0,
            silence: Watch::new(start),
            stillness: Watch::new(start),
            spoke_at: start,
            paused: false,
            writing: false,
            faults: Faults::default(),
            asked: Asked::default(),
            nervous,
        };
        world.lives_to_its_end(next)?;
        let forgiven = world.machine.liveness().stats().stalls_forgiven;
        let Self { notes, before_the_silence, faults, asked, .. } = world;
        Ok(Life { config, notes, before_the_silence, faults, forgiven, asked, transcript: String::new() })
    }

    fn lives_to_its_end<'b>(
        &mut self,
        mut next: impl FnMut(&World) -> Option<Step<'b>>,
    ) -> Result<(), String> {
        self.poll()?;
        while let Some(step) = next(self) {
            self.step(&step)?;
        }
        self.before_the_silence = self.notes.len();
        // Then everybody is silent, and the driver polls in time: some pings follow, a verdict or two that are noted, and
        // the end.
        for _ in 0..POLLS_TO_THE_END {
            let Some(due) = self.due() else { return Ok(()) };
            self.now = due.max(self.latest);
            self.poll()?;
        }
        // Each interval takes a ping, and a few polls.
        let config = self.machine.liveness().config();
        let bound = config.detection_bound(Duration::ZERO);
        let endless =
            bound == Duration::MAX || bound > config.interval().saturating_mul(POLLS_TO_THE_END / 8);
        if self.paused || endless { Ok(()) } else { Err("this life does not end".to_owned()) }
    }

    /// What the driver knows: when to poll next.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.machine.liveness().poll_timeout()
    }

    /// The latest moment that was reported.
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

    /// The driver should have polled before this moment, and has not.
    fn note_lateness(&mut self) {
        let late = self.due().map_or(Duration::ZERO, |due| self.latest().saturating_duration_since(due));
        for watch in [&mut self.silence, &mut self.stillness] {
            watch.late = watch.late.max(late);
        }
    }

    fn hand_in(&mut self, what: What<'_>) {
        self.note_lateness();
        let open = self.machine.liveness().verdict().is_none();
        let any = self.config.evidence() == Evidence::AnyTraffic;
        let mut evidence = false;
        match what {
            What::Event(event) => {
                self.machine.handle(event, self.now);
                evidence =
                    any && matches!(event, Event::Data | Event::Progress | Event::Ping | Event::Pong(_));
            }
            What::Answer(back) => {
                let Some(number) = self.payloads.len().checked_sub(back as usize + 1) else { return };
                evidence = self.answer(number) || any;
            }
            What::AnswerTo(number) => evidence = self.answer(number) || any,
            What::Probe => self.machine.probe(self.now),
            What::Close(code) => self.machine.close(code, self.now),
            What::Reconfigure(config) => self.machine.reconfigure(config, self.now),
            What::StepBack(by) => {
                self.now = self.now.saturating_sub(Duration::from_nanos(by));
                return;
            }
            // The machine does not know what nobody reports.
            What::Nothing => return,
        }
        self.latest = self.latest.max(self.now);
        if matches!(what, What::Probe) {
            self.notes.push((self.latest, Note::Probed));
        }
        if evidence && open && self.machine.liveness().verdict().is_none() {
            self.notes.push((self.latest, Note::Evidence));
        }
        if evidence {
            self.silence = Watch::new(self.latest);
            // A late driver is forgiven once more.
            if self.stillness.late > self.config.stall_tolerance() {
                self.stillness = Watch::new(self.latest);
            }
        }
        if let What::Event(event) = what {
            self.note_ours(event);
        }
    }

    /// Sends a pong to that ping. Returns true if it is an answer.
    fn answer(&mut self, number: usize) -> bool {
        let payload = self.payloads[number].clone();
        self.machine.handle(Event::Pong(&payload), self.now);
        let answers = number >= self.answered;
        self.answered = self.answered.max(number + 1);
        answers
    }

    /// What our side did. While a ping may be waiting to be written, each of our bytes begins the bounds again. So do
    /// both ends of a pause.
    fn note_ours(&mut self, event: Event<'_>) {
        if matches!(event, Event::Wrote | Event::PingSent) {
            if self.config.write_timeout() < Duration::MAX {
                self.silence = Watch::new(self.latest);
            }
            self.stillness = Watch::new(self.latest);
            if self.config.schedule() == Schedule::Quiet {
                self.spoke_at = self.latest;
            }
            self.writing &= event != Event::PingSent;
        }
        if matches!(event, Event::ReadPaused | Event::ReadResumed) {
            self.silence = Watch::new(self.latest);
            self.paused = event == Event::ReadPaused;
        }
        self.silence.unread |= event == Event::Unread;
    }

    /// Polls half-way to the next input, if nothing falls due before.
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
        let judges = questions::judges_as_it_says(self.machine.liveness(), self.now, self.latest)?;
        self.asked.judged += usize::from(judges);
        let mut burst = 0;
        while let Some(action) = self.machine.poll(self.now) {
            unless(early, "a poll before poll_timeout gave an action")?;
            if let Action::SendPing(payload) = action {
                self.payloads.push(payload.as_bytes().to_vec());
                self.spoke_at = self.latest;
                self.writing = self.config.write_timeout() < Duration::MAX;
            }
            self.notes.push((self.latest, Note::Did(action)));
            burst += 1;
            unless(burst > 4, "a burst of more than 4 actions")?;
        }
        let noted = self.is_verdict_noted();
        self.notes.push((self.latest, if noted { Note::Noted } else { Note::PolledInVain }));
        self.look_for_faults(noted);
        let next = self.due();
        unless(next.is_some_and(|next| next <= self.latest), "poll would spin")?;
        self.asked.waited += usize::from(questions::wakes_as_it_says(self.machine.liveness())?);
        if self.nervous {
            unless(self.machine.poll(self.now).is_some(), "a second poll gave an action")?;
            if let Some(next) = self.due() {
                let just_before = next.saturating_sub(Duration::from_nanos(1));
                // On a copy, so that time does not pass for the machine.
                let early = self.machine.liveness().clone().poll(just_before);
                unless(early.is_some(), "a poll just before poll_timeout gave an action")?;
            }
        }
        Ok(())
    }
}

impl World {
    /// True if a verdict waits for its last look. `reconfigure` would forget it, and then its deadline would be due
    /// again.
    fn is_verdict_noted(&self) -> bool {
        let mut copy = self.machine.liveness().clone();
        copy.reconfigure(*copy.config(), self.latest);
        copy.verdict().is_none() && copy.poll_timeout().is_some_and(|due| due <= self.latest)
    }

    fn look_for_faults(&mut self, noted: bool) {
        if self.machine.liveness().verdict().is_some() {
            return;
        }
        let (config, now) = (&self.config, self.latest);
        let longer = |since: Timestamp, bound: Duration| {
            let lasting = now.saturating_duration_since(since);
            (lasting > bound).then_some((lasting, bound))
        };
        let overlooked = longer(self.silence.since, self.silence_bound()).filter(|_| !self.paused);
        let stuck = longer(self.stillness.since, self.stillness_bound()).filter(|_| self.paused);
        // At the end of an interval, at the latest.
        let interval = config.interval().saturating_sub(Duration::from_nanos(1));
        let neglected = longer(self.spoke_at, interval).filter(|_| !noted && !self.writing);
        let faults = &mut self.faults;
        faults.overlooked = faults.overlooked.or(overlooked);
        faults.stuck = faults.stuck.or(stuck);
        faults.neglected = faults.neglected.or(neglected);
    }

    /// Complete: unread data may refute each verdict for as long as its clock took.
    fn silence_bound(&self) -> Duration {
        let bound = self.config.detection_bound(self.silence.late);
        if !self.silence.unread {
            return bound;
        }
        let silence = Some(self.config.silence_timeout()).filter(|timeout| *timeout < Duration::MAX);
        let again = silence.unwrap_or(Duration::ZERO).max(self.config.timeout());
        bound.saturating_add(again).saturating_add(self.config.last_look())
    }

    /// Complete, in a pause: `interval + write_timeout + last_look + 3d` after the last byte. If the driver was so late
    /// that it was forgiven, `write_timeout + d` more.
    fn stillness_bound(&self) -> Duration {
        let (config, late) = (&self.config, self.stillness.late);
        let stalled = late > config.stall_tolerance();
        let times = if stalled { 2 } else { 1 };
        let writing = config.write_timeout().saturating_mul(times);
        let lateness = late.saturating_mul(2 + times);
        config.interval().saturating_add(writing).saturating_add(config.last_look()).saturating_add(lateness)
    }
}

/// A deadline beyond the end of time is never. So a life that begins later than this may have no end.
const LATE: Timestamp = Timestamp::from_nanos(u64::MAX / 2);

/// Once: `MarkOnline` and `MarkSuspect` alternate. There is one `MarkOffline`. There is one `Disconnect`, which is last.
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

/// Justified: a ping timeout comes only after a ping, after its whole `timeout` (a probe's: `probe_timeout`) without
/// evidence, and after two polls `last_look` apart that follow the deadline.
pub(crate) fn justified(config: &Config, life: &Life) -> Result<(), String> {
    let Some((at, before)) = life.until_ping_timeout() else { return Ok(()) };
    let pings = life.awaited(before);
    if pings.is_empty() {
        return life.broken("times out without a ping since the latest evidence");
    }
    let deadlines: Vec<_> = pings.iter().map(|(ping, patience)| *ping + *patience).collect();
    if deadlines.iter().all(|deadline| *deadline > at) {
        return life.broken("times out early");
    }
    let seen = |deadline: &Timestamp| {
        before.iter().any(|(seen, note)| {
            matches!(note, Note::PolledInVain | Note::Noted)
                && seen >= deadline
                && *seen + config.last_look() <= at
        })
    };
    if !deadlines.iter().any(seen) && !config.last_look().is_zero() {
        return life.broken("times out at first sight");
    }
    Ok(())
}

/// Fresh: a ping timeout never comes within `timeout` (`probe_timeout`) of the latest evidence.
pub(crate) fn fresh(config: &Config, life: &Life) -> Result<(), String> {
    let Some((at, before)) = life.until_ping_timeout() else { return Ok(()) };
    let Some((heard, _)) = before.iter().rfind(|(_, note)| *note == Note::Evidence) else { return Ok(()) };
    let patience = life.awaited(before).iter().map(|(_, patience)| *patience).min();
    if at.saturating_duration_since(*heard) < patience.unwrap_or(config.timeout()) {
        return life.broken("times out although it was just heard");
    }
    Ok(())
}

/// Why a ping came sooner than a shortest wait after the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Early {
    /// `probe`, and the ping before was a second ago.
    Probe,
    /// Nothing that a watcher can see: rule 6.
    Unasked,
}

/// The pings that came sooner than a shortest wait after the one before, in a list for each piece of evidence.
pub(crate) fn early_pings(life: &Life) -> Vec<Vec<Early>> {
    let mut early = vec![Vec::new()];
    let (mut latest, mut probed) = (None, false);
    for (at, note) in &life.notes {
        match note {
            Note::Probed => probed = true,
            Note::Evidence => early.push(Vec::new()),
            Note::Did(Action::SendPing(_)) => {
                let asked = std::mem::replace(&mut probed, false);
                let Some(latest) = latest.replace(*at) else { continue };
                let wait = at.saturating_duration_since(latest);
                if wait < life.shortest_wait() {
                    let spaced = asked && wait >= Duration::from_secs(1);
                    early.last_mut().unwrap().push(if spaced { Early::Probe } else { Early::Unasked });
                }
            }
            Note::Did(_) | Note::PolledInVain | Note::Noted => {}
        }
    }
    early
}

/// Bounded chatter: pings are at least a shortest wait apart. The exceptions are the first ping, one of rule 6 between
/// two pieces of evidence, and pings that `probe` brought, which are a second apart.
pub(crate) fn bounded_chatter(life: &Life) -> Result<(), String> {
    let unasked = |early: Vec<Early>| early.iter().filter(|early| **early == Early::Unasked).count();
    if early_pings(life).into_iter().map(unasked).any(|unasked| unasked > 1) {
        return life.broken("is pinged too soon twice without evidence");
    }
    Ok(())
}

/// Kept alive: while no verdict and no write phase prevents it, no `interval` passes without a ping or, with Quiet,
/// without a write on our side.
pub(crate) fn kept_alive(life: &Life) -> Result<(), String> {
    match life.faults.neglected {
        Some((lasting, interval)) => {
            life.broken(&format!("hears nothing of us for {lasting:?}, beyond {interval:?}"))
        }
        None => Ok(()),
    }
}

/// Complete: after every poll, a peer that is online was heard within `detection_bound` of the lateness that its driver
/// had since. In a pause, the transport took something within its own bound.
pub(crate) fn complete(life: &Life) -> Result<(), String> {
    match (life.faults.overlooked, life.faults.stuck) {
        (Some((silent, bound)), _) => {
            life.broken(&format!("overlooks a silence of {silent:?}, beyond {bound:?}"))
        }
        (None, Some((still, bound))) => {
            life.broken(&format!("overlooks that nothing was written for {still:?}, beyond {bound:?}"))
        }
        (None, None) => Ok(()),
    }
}

/// True for a poll that noted a verdict, gave one, or did nothing.
fn is_look(note: &Note) -> bool {
    matches!(note, Note::PolledInVain | Note::Noted | Note::Did(Action::MarkOffline(_)))
}

pub(crate) fn is_offline(action: &Action) -> bool {
    matches!(action, Action::MarkOffline(_))
}
