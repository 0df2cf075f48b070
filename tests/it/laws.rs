//! What no life can break: a property for each promise, over arbitrary settings, drivers and peers.
//!
//! A failure prints the life as a transcript.

use std::time::Duration;

use liveness::strategy::configs;
use liveness::transcript::{Recorder, Transcript};
use liveness::{Action, CloseCode, Config, Event, Evidence, Liveness, Machine, Reason, Schedule, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::world::{self, Step, What, World, is_offline};

const SECOND: u64 = 1_000_000_000;

fn whats() -> impl Strategy<Value = What<'static>> {
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

fn steps() -> impl Strategy<Value = Vec<Step<'static>>> {
    let step = (gaps(), whats(), prop::option::weighted(0.8, any::<bool>()));
    let life = prop::collection::vec(step.prop_map(|(after, what, poll)| Step { after, what, poll }), 1..200);
    let last = prop_oneof![
        6 => Just(What::Nothing),
        1 => Just(What::Close(CloseCode::NORMAL)),
        1 => Just(What::Event(Event::Close(Some(1000)))),
        1 => Just(What::Event(Event::Eof)),
    ];
    (life, last).prop_map(|(mut life, what)| {
        life.push(Step { after: 0, what, poll: Some(false) });
        life
    })
}

/// Some seconds each, as the gaps are.
pub(crate) fn settings() -> impl Strategy<Value = Config> {
    configs(Duration::from_secs(1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_life_ends_once_is_judged_justly_and_chats_little(config in settings(), steps in steps()) {
        let life = World::live(config, Timestamp::ZERO, &steps, false);
        let laws = world::once(&life).and_then(|()| world::justified_and_fresh(&config, &life));
        let laws = laws.and_then(|()| world::bounded_chatter(&life));
        prop_assert!(laws.is_ok(), "{}", laws.unwrap_err());
    }

    /// Exact wake-ups: extra polls never change the sequence of actions (and no poll spins: the world asserts it).
    #[test]
    fn extra_polls_change_nothing(config in settings(), steps in steps()) {
        let calm = World::live(config, Timestamp::ZERO, &steps, false);
        let nervous = World::live(config, Timestamp::ZERO, &steps, true);
        prop_assert_eq!(calm.actions(), nervous.actions(), "{}", calm.transcript);
    }

    /// Shift: adding a constant to all times changes nothing. Deterministic: nor does living again.
    #[test]
    fn shifted_lives_are_the_same(config in settings(), steps in steps(), by in 0..u64::MAX / 4) {
        let by = Duration::from_nanos(by);
        let here = World::live(config, Timestamp::ZERO + Duration::from_secs(60), &steps, false);
        let there = World::live(config, Timestamp::ZERO + Duration::from_secs(60) + by, &steps, false);
        let moved: Vec<_> = here.actions().iter().map(|(at, action)| (*at + by, *action)).collect();
        prop_assert_eq!(moved, there.actions(), "{}", here.transcript);
    }

    /// What is recorded replays exactly, however the driver polled.
    #[test]
    fn a_recorded_life_replays_exactly(config in settings(), steps in steps()) {
        let life = World::live(config, Timestamp::from_secs(1000), &steps, false);
        let transcript: Transcript = life.transcript.parse().unwrap();
        let replay = transcript.replay().unwrap();
        prop_assert!(replay.agrees(), "{}\n{}", life.transcript, replay.diff());
    }

    /// Total: no settings, no events and no times break anything, the far end of time neither.
    #[test]
    fn anything_at_all(
        config: Config,
        opened: Timestamp,
        inputs in prop::collection::vec(any::<(Timestamp, Event<'static>)>(), 1..100),
    ) {
        let mut machine = Liveness::new(config, 3, opened);
        for (at, event) in inputs {
            machine.handle(event, at);
            for _ in 0..5 {
                let _ = machine.poll(at);
            }
            prop_assert_eq!(machine.poll(at), None);
            let _ = machine.report(at).to_string();
        }
    }

    /// Complete: a silent peer is offline within `detection_bound`, for any lateness.
    #[test]
    fn complete(config in settings(), late in 0..20 * SECOND, lates in prop::collection::vec(0..=100_u64, 1..50)) {
        let bound = config.detection_bound(Duration::from_nanos(late));
        let offline = silent_life(config, lates.iter().map(|share| late / 100 * share).cycle());
        if bound < Duration::MAX {
            prop_assert!(offline.is_some_and(|offline| offline <= Timestamp::ZERO + bound), "{offline:?}: {bound:?}");
        }
    }

    /// Accurate: if each answer is in our buffer within `timeout`, and the driver reads what is readable between two
    /// polls, nobody is timed out, however late the driver is.
    #[test]
    fn accurate(
        config in settings(),
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Jitter: a wait is never longer than `interval`, nor shorter than its share allows; the first is any part of it.
    #[test]
    fn jitter_only_shortens(jitter in 0..=100_u8, seed: u64) {
        let config = Config::builder().interval(Duration::from_secs(5)).jitter(jitter).build().unwrap();
        let mut text = String::new();
        let mut machine = Recorder::new(config, seed, Timestamp::ZERO, &mut text);
        let mut waits = Vec::new();
        let mut pinged_at = 0;
        while waits.len() < 20 {
            let Some(now) = machine.liveness().poll_timeout() else { break };
            while let Some(action) = machine.poll(now) {
                if let Action::SendPing(payload) = action {
                    waits.push(now.as_nanos() - std::mem::replace(&mut pinged_at, now.as_nanos()));
                    machine.handle(Event::Pong(payload.as_bytes()), now);
                }
            }
        }
        drop(machine);
        let shortest = 5 * SECOND / 100 * u64::from(100 - jitter);
        let first = if jitter == 0 { 5 * SECOND..=5 * SECOND } else { 1..=5 * SECOND };
        let kept = first.contains(&waits[0]) && waits[1..].iter().all(|wait| (shortest..=5 * SECOND).contains(wait));
        prop_assert!(kept, "waits of {waits:?} ns:\n{text}");
        let varied = waits[1..].windows(2).any(|pair| pair[0] != pair[1]);
        prop_assert!(varied == (jitter > 0), "waits of {waits:?} ns:\n{text}");
    }
}

/// When a peer that never says anything is offline, given how late each poll is; `None`: never.
fn silent_life(config: Config, mut late: impl Iterator<Item = u64>) -> Option<Timestamp> {
    let mut machine = Liveness::new(config, 11, Timestamp::ZERO);
    let mut now = Timestamp::ZERO;
    loop {
        while let Some(action) = machine.poll(now) {
            if is_offline(&action) {
                return Some(now);
            }
        }
        let due = machine.poll_timeout()?;
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
        assert_eq!(offline, Some(Timestamp::ZERO + config.detection_bound(late)), "{late:?}");
    }
}

#[test]
fn silence_bounds_the_detection_only_where_every_event_is_evidence() {
    let config = Config::builder().silence_timeout(Duration::from_secs(5));
    let bound = |evidence| config.evidence(evidence).build().unwrap().detection_bound(Duration::ZERO);
    assert_eq!(bound(Evidence::AnyTraffic), Duration::from_millis(5_010));
    // A peer may talk, and so break its silence, and give no evidence all the while.
    assert_eq!(bound(Evidence::PongOnly), Duration::from_millis(40_010));
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
        let config = settings().new_tree(&mut runner).unwrap().current();
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
fn the_first_waits_of_many_machines_cover_the_whole_interval() {
    let config = Config::DEFAULT;
    let mut tenths = [0; 10];
    for seed in 0..10_000 {
        let mut machine = Liveness::new(config, seed, Timestamp::ZERO);
        assert_eq!(machine.poll(Timestamp::ZERO), Some(Action::MarkOnline));
        let first = machine.poll_timeout().unwrap().as_nanos();
        assert!((1..=20 * SECOND).contains(&first));
        tenths[usize::try_from((first - 1) / (2 * SECOND)).unwrap()] += 1;
    }
    // In the last tenth some have been pinged already, as if they had been pinged for ever.
    assert!(tenths[..9].iter().all(|count| (900..=1_200).contains(count)), "{tenths:?}");
    assert!((400..=600).contains(&tenths[9]), "{tenths:?}");
}

/// Everybody reconnects in one instant: no hundredth of any of the intervals that follow has more than 1.3 % of its pings,
/// those of the second round that meet the last of the first included.
#[test]
fn a_herd_that_comes_at_once_is_pinged_evenly_from_the_first_interval_on() {
    const HUNDREDTH: u64 = 20 * SECOND / 100;
    let mut pings = [[0_u32; 100]; 4];
    for seed in 0..30_000 {
        let mut machine = Liveness::new(Config::DEFAULT, seed, Timestamp::ZERO);
        while let Some(now) = machine.poll_timeout() {
            let hundredth = usize::try_from(now.as_nanos() / HUNDREDTH).unwrap();
            let Some(interval) = pings.get_mut(hundredth / 100) else { break };
            while let Some(action) = machine.poll(now) {
                if let Action::SendPing(payload) = action {
                    interval[hundredth % 100] += 1;
                    machine.handle(Event::Pong(payload.as_bytes()), now);
                }
            }
        }
    }
    for interval in pings {
        let (busiest, all) = (interval.iter().max().unwrap(), interval.iter().sum::<u32>());
        assert!(busiest * 1_000 <= all * 13, "{busiest} of {all} in one hundredth");
    }
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
