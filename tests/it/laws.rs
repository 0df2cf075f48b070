//! What no life can break: a property for each promise, over arbitrary settings, drivers and peers.
//!
//! A failure prints the life as a transcript.

use std::time::Duration;

use liveness::transcript::{Recorder, Transcript};
use liveness::{Action, Config, Event, Evidence, Liveness, Machine, Reason, Schedule, Suspicion, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

const SECOND: u64 = 1_000_000_000;

/// Something that happens to a machine, `after` the last.
#[derive(Clone, Debug)]
struct Step {
    after: u64,
    what: What,
    /// How the driver polls then: not, before it hands the input in, or after.
    poll: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Event(Event<'static>),
    /// A pong to the ping this many before the newest.
    Answer(u32),
    Probe,
    Close,
    /// The clock says an earlier time.
    StepBack(u64),
    Nothing,
}

fn whats() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => Just(What::Nothing),
        6 => (0..3_u32).prop_map(What::Answer),
        2 => Just(What::Event(Event::Data)),
        1 => Just(What::Event(Event::Progress)),
        1 => Just(What::Event(Event::Ping)),
        1 => Just(What::Event(Event::Pong(b"forged"))),
        1 => Just(What::Event(Event::Wrote)),
        2 => Just(What::Event(Event::PingSent)),
        1 => Just(What::Event(Event::ReadPaused)),
        1 => Just(What::Event(Event::ReadResumed)),
        1 => Just(What::Probe),
        1 => (0..20 * SECOND).prop_map(What::StepBack),
    ]
}

fn gaps() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0),
        2 => 0..20_000_000_u64,
        4 => 0..3 * SECOND,
        2 => 0..15 * SECOND,
        1 => Just(3600 * SECOND),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (gaps(), whats(), prop::option::weighted(0.8, any::<bool>()));
    let life = prop::collection::vec(step.prop_map(|(after, what, poll)| Step { after, what, poll }), 1..200);
    let last = prop_oneof![
        6 => Just(What::Nothing),
        1 => Just(What::Close),
        1 => Just(What::Event(Event::Close(Some(1000)))),
        1 => Just(What::Event(Event::Eof)),
    ];
    (life, last).prop_map(|(mut life, what)| {
        life.push(Step { after: 0, what, poll: Some(false) });
        life
    })
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    (range.start * 10..range.end * 10).prop_map(|tenths| Duration::from_millis(tenths * 100))
}

fn or_never(some: impl Strategy<Value = Duration>) -> impl Strategy<Value = Duration> {
    prop::option::weighted(0.4, some).prop_map(|some| some.unwrap_or(Duration::MAX))
}

fn configs() -> impl Strategy<Value = Config> {
    let suspicion = prop_oneof![
        Just(Suspicion::Never),
        seconds(1..5).prop_map(Suspicion::After),
        seconds(1..3).prop_map(|at_least| Suspicion::Adaptive { at_least }),
    ];
    let timing = (seconds(1..10), seconds(1..10), or_never(seconds(5..60)), or_never(seconds(5..60)));
    let policy = (any::<bool>(), any::<bool>(), suspicion, 0..=100_u8, or_never(seconds(1..10)));
    let fine = (0..100_u64, prop::option::of(seconds(1..5)), 1..8_u32);
    (timing, policy, fine).prop_map(|(timing, policy, (last_look, tolerance, burst))| {
        let mut builder = Config::builder()
            .interval(timing.0)
            .timeout(timing.1)
            .idle_timeout(timing.2)
            .silence_timeout(timing.3)
            .schedule(if policy.0 { Schedule::Quiet } else { Schedule::Steady })
            .evidence(if policy.1 { Evidence::AnyTraffic } else { Evidence::PongOnly })
            .suspicion(policy.2)
            .jitter(policy.3)
            .write_timeout(policy.4)
            .last_look(Duration::from_millis(last_look))
            .control_budget(burst, burst % 3);
        if let Some(tolerance) = tolerance {
            builder = builder.stall_tolerance(tolerance);
        }
        builder.build().unwrap()
    })
}

/// What a watcher notes down of a life.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Note {
    Did(Action),
    Evidence,
    PolledInVain,
}

/// A life and all that was seen of it.
struct Life {
    notes: Vec<(Timestamp, Note)>,
    transcript: String,
}

impl Life {
    fn actions(&self) -> Vec<(Timestamp, Action)> {
        let actions = self.notes.iter().filter_map(|(at, note)| match note {
            Note::Did(action) => Some((*at, *action)),
            Note::Evidence | Note::PolledInVain => None,
        });
        actions.collect()
    }
}

/// A machine, a driver that does as the steps say, and a watcher.
struct World<'a> {
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
    fn live(config: Config, start: Timestamp, steps: &[Step], nervous: bool) -> Life {
        let mut transcript = String::new();
        let notes = Self::notes(config, start, steps, nervous, &mut transcript);
        Life { notes, transcript }
    }

    fn notes(
        config: Config,
        start: Timestamp,
        steps: &[Step],
        nervous: bool,
        transcript: &mut String,
    ) -> Vec<(Timestamp, Note)> {
        let machine = Recorder::new(config, 7, start, transcript);
        let (payloads, notes) = (Vec::new(), Vec::new());
        let mut world =
            World { config, machine, payloads, answered: 0, now: start, latest: start, notes, nervous };
        world.poll();
        steps.iter().for_each(|step| world.step(step));
        // Then nobody says anything any more, and the driver keeps time.
        while let Some(due) = world.machine.liveness().poll_timeout() {
            world.now = due.max(world.latest);
            world.poll();
        }
        world.notes
    }

    fn step(&mut self, step: &Step) {
        self.now = self.now.max(self.latest) + Duration::from_nanos(step.after);
        if step.poll == Some(true) {
            self.poll();
        }
        self.hand_in(step.what);
        if step.poll == Some(false) {
            self.poll();
        }
    }

    fn hand_in(&mut self, what: What) {
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
            What::Close => self.machine.close(liveness::CloseCode::NORMAL, self.now),
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

    fn poll(&mut self) {
        self.latest = self.latest.max(self.now);
        let due = self.machine.liveness().poll_timeout();
        let early = due.is_none_or(|due| due > self.latest);
        let mut burst = 0;
        while let Some(action) = self.machine.poll(self.now) {
            assert!(!early, "a poll before poll_timeout gave {action:?}");
            if let Action::SendPing(payload) = action {
                self.payloads.push(payload.as_bytes().to_vec());
            }
            self.notes.push((self.latest, Note::Did(action)));
            burst += 1;
            assert!(burst <= 4, "a burst of more than 4 actions");
        }
        self.notes.push((self.latest, Note::PolledInVain));
        let next = self.machine.liveness().poll_timeout();
        assert!(next.is_none_or(|next| next > self.latest), "poll would spin: {next:?} at {}", self.latest);
        if self.nervous {
            assert_eq!(self.machine.poll(self.now), None);
            if let Some(next) = self.machine.liveness().poll_timeout() {
                let just_before = next.saturating_sub(Duration::from_nanos(1));
                // On a copy: time passes for nobody else.
                assert_eq!(self.machine.liveness().clone().poll(just_before), None);
            }
        }
    }
}

fn is_offline(action: &Action) -> bool {
    matches!(action, Action::MarkOffline(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Once: `MarkOnline` and `MarkSuspect` alternate; one `MarkOffline`; one `Disconnect`, last; then silence.
    #[test]
    fn once(config in configs(), steps in steps()) {
        let life = World::live(config, Timestamp::ZERO, &steps, false);
        let actions: Vec<Action> = life.actions().iter().map(|(_, action)| *action).collect();
        prop_assert_eq!(actions.first(), Some(&Action::MarkOnline));
        let marks: Vec<_> =
            actions.iter().filter(|action| matches!(action, Action::MarkOnline | Action::MarkSuspect)).collect();
        prop_assert!(marks.windows(2).all(|pair| pair[0] != pair[1]), "{}", life.transcript);
        let offline = actions.iter().position(is_offline);
        if let Some(offline) = offline {
            let after = &actions[offline + 1..];
            prop_assert!(
                matches!(after, [Action::Disconnect] | [Action::Close(_), Action::Disconnect]),
                "{}", life.transcript,
            );
        } else {
            prop_assert!(!actions.contains(&Action::Disconnect), "{}", life.transcript);
        }
    }

    /// Justified and Fresh: a ping timeout only after a ping, its whole `timeout` without evidence, and two polls
    /// `last_look` apart after the deadline.
    #[test]
    fn justified_and_fresh(config in configs(), steps in steps()) {
        let life = World::live(config, Timestamp::ZERO, &steps, false);
        let verdict = life.notes.iter().position(|(_, note)| {
            *note == Note::Did(Action::MarkOffline(Reason::PingTimeout))
        });
        let Some(verdict) = verdict else { return Ok(()) };
        let (at, _) = life.notes[verdict];
        let before = &life.notes[..verdict];
        let ping = before.iter().rposition(|(_, note)| matches!(note, Note::Did(Action::SendPing(_))));
        prop_assert!(ping.is_some(), "no ping: {}", life.transcript);
        let ping = ping.unwrap();
        let deadline = before[ping].0 + config.timeout();
        prop_assert!(at >= deadline, "early: {}", life.transcript);
        prop_assert!(
            before[ping..].iter().all(|(_, note)| *note != Note::Evidence),
            "evidence since the ping: {}", life.transcript,
        );
        let first_sight = before[ping..].iter().any(|(seen, note)| {
            *note == Note::PolledInVain && *seen >= deadline && *seen + config.last_look() <= at
        });
        prop_assert!(first_sight || config.last_look().is_zero(), "at first sight: {}", life.transcript);
        if let Some((heard, _)) = before.iter().rfind(|(_, note)| *note == Note::Evidence) {
            prop_assert!(at.saturating_duration_since(*heard) >= config.timeout(), "stale: {}", life.transcript);
        }
    }

    /// Bounded chatter: between two pieces of evidence at most one ping and one of rule 6.
    #[test]
    fn bounded_chatter(config in configs(), steps in steps()) {
        let life = World::live(config, Timestamp::ZERO, &steps, false);
        let mut pings = 0;
        for (_, note) in &life.notes {
            match note {
                Note::Evidence => pings = 0,
                Note::Did(Action::SendPing(_)) => pings += 1,
                Note::Did(_) | Note::PolledInVain => {}
            }
            prop_assert!(pings <= 2, "{}", life.transcript);
        }
    }

    /// Exact wake-ups: extra polls never change the sequence of actions (and no poll spins: the world asserts it).
    #[test]
    fn extra_polls_change_nothing(config in configs(), steps in steps()) {
        let calm = World::live(config, Timestamp::ZERO, &steps, false);
        let nervous = World::live(config, Timestamp::ZERO, &steps, true);
        prop_assert_eq!(calm.actions(), nervous.actions(), "{}", calm.transcript);
    }

    /// Shift: adding a constant to all times changes nothing. Deterministic: nor does living again.
    #[test]
    fn shifted_lives_are_the_same(config in configs(), steps in steps(), by in 0..u64::MAX / 4) {
        let by = Duration::from_nanos(by);
        let here = World::live(config, Timestamp::ZERO + Duration::from_secs(60), &steps, false);
        let there = World::live(config, Timestamp::ZERO + Duration::from_secs(60) + by, &steps, false);
        let moved: Vec<_> = here.actions().iter().map(|(at, action)| (*at + by, *action)).collect();
        prop_assert_eq!(moved, there.actions(), "{}", here.transcript);
    }

    /// What is recorded replays exactly, however the driver polled.
    #[test]
    fn a_recorded_life_replays_exactly(config in configs(), steps in steps()) {
        let life = World::live(config, Timestamp::from_secs(1000), &steps, false);
        let transcript: Transcript = life.transcript.parse().unwrap();
        let replay = transcript.replay().unwrap();
        prop_assert!(replay.agrees(), "{}\n{}", life.transcript, replay.diff());
    }

    /// Total: the far end of time, and any order of it, breaks nothing.
    #[test]
    fn any_times_at_all(config in configs(), times in prop::collection::vec((any::<u64>(), whats()), 1..100)) {
        let mut machine = Liveness::new(config, 3, Timestamp::from_nanos(times[0].0));
        for (at, what) in times {
            let at = Timestamp::from_nanos(at);
            if let What::Event(event) = what {
                machine.handle(event, at);
            }
            for _ in 0..5 {
                let _ = machine.poll(at);
            }
            prop_assert_eq!(machine.poll(at), None);
            let _ = machine.report(at).to_string();
        }
    }

    /// Complete: a silent peer is offline within `detection_bound`, for any lateness.
    #[test]
    fn complete(config in configs(), late in 0..20 * SECOND, lates in prop::collection::vec(0..=100_u64, 1..50)) {
        let bound = config.detection_bound(Duration::from_nanos(late));
        let offline = silent_life(config, lates.iter().map(|share| late / 100 * share).cycle());
        prop_assert!(offline.saturating_duration_since(Timestamp::ZERO) <= bound, "{offline} is past {bound:?}");
    }

    /// Accurate: if each answer is in our buffer within `timeout`, and the driver reads what is readable between two
    /// polls, nobody is timed out, however late the driver is.
    #[test]
    fn accurate(
        config in configs(),
        timers_first in any::<bool>(),
        waits in prop::collection::vec((gaps(), 0..=100_u64), 20..300),
    ) {
        // Without a last look, a driver that serves its timers first has asked for it.
        prop_assume!(!timers_first || config.last_look() > Duration::ZERO);
        // The other verdicts are not at issue.
        let config = config.to_builder();
        let config = config.idle_timeout(Duration::MAX).silence_timeout(Duration::MAX).write_timeout(Duration::MAX);
        let config = config.no_control_budget().build().unwrap();
        let answered = live_life(config, timers_first, &waits);
        prop_assert!(answered.is_ok(), "{}", answered.unwrap_err());
    }
}

/// When a peer that never says anything is offline, given how late each poll is.
fn silent_life(config: Config, mut late: impl Iterator<Item = u64>) -> Timestamp {
    let mut machine = Liveness::new(config, 11, Timestamp::ZERO);
    let mut now = Timestamp::ZERO;
    loop {
        while let Some(action) = machine.poll(now) {
            if is_offline(&action) {
                return now;
            }
        }
        let due = machine.poll_timeout().expect("a silent peer is found out some time");
        now = due + Duration::from_nanos(late.next().unwrap_or(0));
    }
}

/// A peer that answers each ping within its timeout, and a driver that wakes late.
fn live_life(config: Config, timers_first: bool, waits: &[(u64, u64)]) -> Result<(), String> {
    let mut text = String::new();
    let mut machine = Recorder::new(config, 5, Timestamp::ZERO, &mut text);
    let mut unread: Vec<(Timestamp, Vec<u8>)> = Vec::new();
    let mut now = Timestamp::ZERO;
    for (late, share) in waits {
        let poll = |machine: &mut Recorder<&mut String>, unread: &mut Vec<_>| {
            while let Some(action) = machine.poll(now) {
                match action {
                    Action::SendPing(payload) => {
                        let delay = Duration::from_nanos(config.timeout().as_nanos() as u64 / 100 * share);
                        unread.push((now + delay, payload.as_bytes().to_vec()));
                    }
                    Action::MarkOffline(reason) => return Some(reason),
                    Action::MarkOnline | Action::MarkSuspect | Action::Close(_) | Action::Disconnect => {}
                }
            }
            None
        };
        let first = if timers_first { poll(&mut machine, &mut unread) } else { None };
        let readable = unread.iter().filter(|(at, _)| *at <= now).count();
        unread.sort_by_key(|(at, _)| *at);
        for (_, payload) in unread.drain(..readable) {
            machine.handle(Event::Pong(&payload), now);
        }
        let verdict = first.or_else(|| poll(&mut machine, &mut unread));
        if let Some(reason) = verdict {
            drop(machine);
            return Err(format!("{reason}: {text}"));
        }
        let due = machine.liveness().poll_timeout();
        let due = due.into_iter().chain(unread.iter().map(|(at, _)| *at)).min().unwrap_or(now);
        now = due.max(now) + Duration::from_nanos(*late);
    }
    Ok(())
}

#[test]
fn the_detection_bound_is_tight() {
    for (late, schedule) in [
        (0, Schedule::Quiet),
        (300, Schedule::Quiet),
        (2500, Schedule::Steady),
        (2501, Schedule::Quiet),
        (60_000, Schedule::Steady),
    ] {
        let config = Config::builder()
            .interval(Duration::from_secs(5))
            .timeout(Duration::from_secs(10))
            .schedule(schedule)
            .jitter(0)
            .build()
            .unwrap();
        let late = Duration::from_millis(late);
        let offline = silent_life(config, std::iter::repeat(late.as_nanos() as u64));
        assert_eq!(
            offline.saturating_duration_since(Timestamp::ZERO),
            config.detection_bound(late),
            "{late:?}"
        );
    }
}

#[test]
fn a_peer_that_answers_a_nanosecond_after_the_last_look_is_dead_and_one_before_lives() {
    let config = Config::builder().jitter(0).build().unwrap();
    for (nanoseconds_late, lives) in [(0, true), (1, false)] {
        let mut machine = Liveness::new(config, 1, Timestamp::ZERO);
        let mut payload = None;
        let mut now = Timestamp::from_secs(20);
        while let Some(action) = machine.poll(now) {
            if let Action::SendPing(ping) = action {
                payload = Some(ping);
            }
        }
        now += config.timeout();
        assert_eq!(machine.poll(now), None);
        now += config.last_look();
        if nanoseconds_late == 0 {
            machine.handle(Event::Pong(payload.unwrap().as_bytes()), now);
        }
        let dead = machine.poll(now) == Some(Action::MarkOffline(Reason::PingTimeout));
        assert_eq!(dead, !lives);
    }
}

#[test]
fn lives_of_every_kind_are_lived() {
    // The twin of the laws: they would all hold in a world where nothing ever happens.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reasons = std::collections::BTreeMap::<String, usize>::new();
    let (mut suspected, mut forgiven) = (0, 0);
    for _ in 0..400 {
        let config = configs().new_tree(&mut runner).unwrap().current();
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let life = World::live(config, Timestamp::ZERO, &steps, false);
        for (_, action) in life.actions() {
            match action {
                Action::MarkOffline(reason) => *reasons.entry(reason.to_string()).or_default() += 1,
                Action::MarkSuspect => suspected += 1,
                Action::MarkOnline | Action::SendPing(_) | Action::Close(_) | Action::Disconnect => {}
            }
        }
        forgiven += usize::from(
            life.transcript.matches("> ping").count() > life.transcript.matches("< pong #").count() + 1,
        );
    }
    for reason in
        ["ping-timeout", "write-stalled", "silent", "idle", "ping-flood", "local-closed", "transport-closed"]
    {
        assert!(reasons.get(reason).is_some_and(|count| *count >= 3), "{reason} is rare: {reasons:?}");
    }
    assert!(suspected >= 20 && forgiven >= 20, "suspected {suspected}, forgiven {forgiven}");
}

#[test]
fn the_first_waits_of_many_machines_cover_the_whole_interval_evenly() {
    let config = Config::DEFAULT;
    let mut tenths = [0; 10];
    for seed in 0..10_000 {
        let mut machine = Liveness::new(config, seed, Timestamp::ZERO);
        assert_eq!(machine.poll(Timestamp::ZERO), Some(Action::MarkOnline));
        let first = machine.poll_timeout().unwrap().as_nanos();
        assert!((1..=20 * SECOND).contains(&first));
        tenths[usize::try_from((first - 1) / (2 * SECOND)).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|count| (850..=1150).contains(count)), "{tenths:?}");
}

#[test]
fn later_waits_are_shortened_by_at_most_the_jitter_and_each_by_another_share() {
    let mut machine = Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO);
    let mut sent = Vec::new();
    while sent.len() < 200 {
        let now = machine.poll_timeout().unwrap();
        while let Some(action) = machine.poll(now) {
            if let Action::SendPing(payload) = action {
                sent.push(now.as_nanos());
                machine.handle(Event::Pong(payload.as_bytes()), now);
            }
        }
    }
    let mut waits: Vec<u64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.iter().all(|wait| (18 * SECOND..=20 * SECOND).contains(wait)), "{waits:?}");
    waits.sort_unstable();
    assert!(waits[20] < 18 * SECOND + SECOND / 2 && waits[180] > 19 * SECOND + SECOND / 2, "not uniform");
    waits.dedup();
    assert!(waits.len() > 190);
}
