//! What no life can break: a property for each promise, named after it, over arbitrary settings, drivers and peers.
//!
//! A failure prints the life as a transcript.

mod bounds;
mod lives;
mod waits;

use std::time::Duration;

use liveness::{Action, Config, Event, Liveness, Reason, Schedule, Timestamp};
use proptest::prelude::*;

pub(crate) use self::lives::settings;
use self::lives::{DRIVERS, PEERS, Peer, SECOND, steps, stories};
use crate::samples::samples;
use crate::world::{self, World, is_offline};
use liveness_testing::REASONS;
use liveness_testing::assert_replays;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// `PingTimeout` only if a ping was handed out, its `timeout` passed, and no evidence was handed in since, with two
    /// polls at least `last_look` apart after the deadline.
    #[test]
    fn justified(config in settings(), story in stories()) {
        let broken = world::justified(&config, &story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }

    /// `MarkOnline` and `MarkSuspect` alternate; one `MarkOffline`; one `Disconnect`, last; then silence.
    #[test]
    fn once(config in settings(), story in stories()) {
        let broken = world::once(&story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }

    /// When `poll(now)` has returned `None`, `poll_timeout()` is later than `now`; a burst is at most 4 actions. The world
    /// watches each poll: what is left to say is that there were any.
    #[test]
    fn no_spin(config in settings(), story in stories()) {
        prop_assert!(!story.live(config, Timestamp::ZERO, false).actions().is_empty());
    }

    /// A poll before `poll_timeout()` returns `None` (the world watches it), and extra polls never change the sequence of
    /// actions.
    #[test]
    fn exact_wake_ups(config in settings(), story in stories()) {
        let calm = story.live(config, Timestamp::ZERO, false);
        let nervous = story.live(config, Timestamp::ZERO, true);
        prop_assert_eq!(calm.actions(), nervous.actions(), "{}", calm.transcript);
    }

    /// `PingTimeout` never falls within `timeout` of the latest evidence.
    #[test]
    fn fresh(config in settings(), story in stories()) {
        let broken = world::fresh(&config, &story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }

    /// Events of our side never make a verdict later, save in the write phase; under the Quiet schedule, once a ping is
    /// awaited: before that, what we write makes the ping unnecessary.
    #[test]
    fn fresh_events_of_our_side_buy_no_time(
        config in settings(),
        ours in prop::collection::vec((0..10 * SECOND, any::<bool>()), 1..20),
    ) {
        let config = config.to_builder().write_timeout(Duration::MAX);
        for (schedule, awaited) in [(Schedule::Steady, false), (Schedule::Quiet, true)] {
            let config = config.schedule(schedule).build().unwrap();
            let mut quiet = Liveness::new(config, 3, Timestamp::ZERO);
            if awaited {
                quiet.probe(Timestamp::ZERO);
                while quiet.poll(Timestamp::ZERO).is_some() {}
            }
            let busy = verdict_at(quiet.clone(), &ours);
            let quiet = verdict_at(quiet, &[]);
            prop_assert!(busy <= quiet, "{config}: {quiet} with nothing of ours, {busy} with {ours:?}");
        }
    }

    /// Adding a constant to all times changes nothing.
    #[test]
    fn shift(config in settings(), story in stories(), by in 0..u64::MAX / 4) {
        let by = Duration::from_nanos(by);
        let here = story.live(config, Timestamp::ZERO + Duration::from_secs(60), false);
        let there = story.live(config, Timestamp::ZERO + Duration::from_secs(60) + by, false);
        let moved: Vec<_> = here.actions().iter().map(|(at, action)| (*at + by, *action)).collect();
        prop_assert_eq!(moved, there.actions(), "{}", here.transcript);
    }

    /// The same config, seed and inputs give the same outputs: what is recorded replays exactly, however the driver polled.
    #[test]
    fn deterministic(config in settings(), story in stories()) {
        assert_replays(&story.live(config, Timestamp::from_secs(1000), false).transcript);
    }

    /// No settings, no events and no times break anything, the far end of time neither.
    #[test]
    fn total(
        config: Config,
        opened: Timestamp,
        inputs in prop::collection::vec(any::<(Timestamp, Event<'static>)>(), 1..300),
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

    /// Between two pieces of evidence at most one ping and one of rule 6.
    #[test]
    fn bounded_chatter(config in settings(), story in stories()) {
        let broken = world::bounded_chatter(&story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }
}

/// The per-connection state, config apart, is at most 128 bytes; what traffic touches lies in one cache line of it, wherever
/// a machine lies (which of it that is, a test beside the state says).
#[test]
fn small() {
    assert!(size_of::<Liveness>() <= (128 + size_of::<Config>()).next_multiple_of(64));
    assert_eq!(align_of::<Liveness>(), 64);
}

/// A poll in vain leaves the machine as it was: to every question, and to `==`.
#[test]
fn exact_wake_ups_change_nothing() {
    let config =
        Config::builder().interval(Duration::from_secs(5)).timeout(Duration::from_secs(10)).jitter(0);
    let mut machine = Liveness::new(config.build().unwrap(), 1, Timestamp::ZERO);
    for now in [0, 5] {
        while machine.poll(Timestamp::from_secs(now)).is_some() {}
    }
    // So late that the next ping could be due, if we had written nothing meanwhile: the machine has to look.
    machine.handle(Event::Wrote, Timestamp::from_secs(11));
    machine.handle(Event::Data, Timestamp::from_secs(12));
    let before = machine.clone();
    assert_eq!((machine.poll(Timestamp::from_secs(12)), &machine), (None, &before));
    assert_ne!(machine, Liveness::new(config.build().unwrap(), 1, Timestamp::ZERO));
}

/// When a machine that hears nothing any more is offline, while this happens on our side: how long after the last, and
/// whether it is a ping that was sent.
fn verdict_at(mut machine: Liveness, ours: &[(u64, bool)]) -> Timestamp {
    let mut ours = ours.iter().scan(Timestamp::ZERO, |at, (after, sent)| {
        *at += Duration::from_nanos(*after);
        Some((*at, if *sent { Event::PingSent } else { Event::Wrote }))
    });
    let mut next = ours.next();
    for _ in 0..100 {
        let Some(due) = machine.poll_timeout() else { break };
        let now = match next {
            Some((at, event)) if at <= due => {
                machine.handle(event, at);
                next = ours.next();
                at
            }
            Some(_) | None => due,
        };
        while let Some(action) = machine.poll(now) {
            if is_offline(&action) {
                return now;
            }
        }
    }
    Timestamp::MAX
}

#[test]
fn lives_of_every_kind_are_lived() {
    // The twin of the laws: they would all hold in a world where nothing ever happens.
    let (mut reasons, mut suspected, mut forgiven) = (Vec::new(), 0, 0);
    for (config, steps) in samples((settings(), steps()), 400) {
        let life = World::live(config, Timestamp::ZERO, &steps, false);
        for (_, action) in life.actions() {
            match action {
                Action::MarkOffline(reason) => reasons.push(reason.to_string()),
                Action::MarkSuspect => suspected += 1,
                Action::MarkOnline | Action::SendPing(_) | Action::Close(_) | Action::Disconnect => {}
            }
        }
        forgiven += usize::from(
            life.transcript.matches("> ping").count() > life.transcript.matches("< pong #").count() + 1,
        );
    }
    for reason in REASONS {
        let count = reasons.iter().filter(|ended| ended.starts_with(reason)).count();
        assert!(count >= 3, "{reason} is rare: {reasons:?}");
    }
    assert!(suspected >= 20 && forgiven >= 20, "suspected {suspected}, forgiven {forgiven}");
}

/// The twin of the meetings: each kind of peer is pinged, and comes to the end that its kind comes to.
#[test]
fn every_driver_meets_every_peer() {
    for (driver, peer) in DRIVERS.iter().flat_map(|driver| PEERS.iter().map(move |peer| (driver, peer))) {
        let meetings = lives::meetings(std::slice::from_ref(driver), std::slice::from_ref(peer));
        let (mut pinged, mut as_its_kind, mut longest) = (0, 0, 0);
        for (config, meeting) in samples((settings(), meetings), 30) {
            let life = meeting.live(config, Timestamp::ZERO, false);
            let actions: Vec<_> = life.actions().into_iter().map(|(_, action)| action).collect();
            let ends = |reason| actions.contains(&Action::MarkOffline(reason));
            pinged += usize::from(actions.iter().any(|action| matches!(action, Action::SendPing(_))));
            as_its_kind += usize::from(match peer {
                Peer::Live => life.actions_before_the_silence().iter().all(|(_, action)| !is_offline(action)),
                Peer::Dead | Peer::Late | Peer::Forging | Peer::Dribbling => ends(Reason::PingTimeout),
                Peer::Flooding => ends(Reason::PingFlood),
            });
            longest = longest.max(life.transcript.matches(" < ").count());
        }
        let seen =
            format!("{driver:?}, {peer:?}: {pinged} pinged, {as_its_kind} as their kind, {longest} inputs");
        let talks = !matches!(peer, Peer::Dead | Peer::Late);
        assert!(pinged >= 10 && as_its_kind >= 3 && (longest >= 30 || !talks), "{seen}");
    }
}
