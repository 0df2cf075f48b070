//! What no life can break: a property for each promise and named after it, over arbitrary settings, drivers and peers.
//!
//! A failure prints the life as a transcript.

mod bounds;
mod lives;
mod waits;

use std::time::Duration;

use liveness::{Action, Config, Event, Liveness, Reason, Schedule, Timestamp};
use proptest::prelude::*;

use self::lives::{DRIVERS, PEERS, Peer, SECOND, changing_stories, stories};
pub(crate) use self::lives::{settings, steps};
use crate::samples::samples;
use crate::world::{self, Early, World, is_offline};
use liveness_testing::REASONS;
use liveness_testing::assert_replays;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// `PingTimeout` comes only if a ping was handed out, its `timeout` (a probe's: `probe_timeout`) passed without
    /// evidence, and two polls at least `last_look` apart came after the deadline.
    #[test]
    fn justified(config in settings(), story in stories()) {
        let broken = world::justified(&config, &story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }

    /// `MarkOnline` and `MarkSuspect` alternate. There is one `MarkOffline`. There is one `Disconnect`, which is last.
    #[test]
    fn once(config in settings(), story in changing_stories()) {
        let broken = world::once(&story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }

    /// When `poll(now)` has returned `None`, `poll_timeout()` is later than `now`. A burst has at most 4 actions. The
    /// world watches each poll; this test checks that there were some.
    #[test]
    fn no_spin(config in settings(), story in changing_stories()) {
        prop_assert!(!story.live(config, Timestamp::ZERO, false).actions().is_empty());
    }

    /// A poll before `poll_timeout()` returns `None` (the world checks that). Extra polls never change the sequence of
    /// actions.
    #[test]
    fn exact_wake_ups(config in settings(), story in changing_stories()) {
        let calm = story.live(config, Timestamp::ZERO, false);
        let nervous = story.live(config, Timestamp::ZERO, true);
        prop_assert_eq!(calm.actions(), nervous.actions(), "{}", calm.transcript);
    }

    /// `PingTimeout` never falls within `timeout` (`probe_timeout`) of the latest evidence.
    #[test]
    fn fresh(config in settings(), story in stories()) {
        let broken = world::fresh(&config, &story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }

    /// Once a ping is out, events of our side never make a verdict later, except while a ping is being written. With the
    /// Steady schedule they never do. With Quiet, what we write before the ping makes the ping unnecessary.
    #[test]
    fn fresh_events_of_our_side_buy_no_time(config in settings(), ours in ours(&[Ours::Wrote, Ours::PingSent])) {
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
            prop_assert!(busy <= quiet, "{config}: {quiet} without our events, {busy} with {ours:?}");
        }
    }

    /// A probe does not either, because it can only shorten a wait.
    #[test]
    fn fresh_probes_buy_no_time(config in settings(), ours in ours(&[Ours::Probe])) {
        let config = config.to_builder().write_timeout(Duration::MAX).build().unwrap();
        let quiet = Liveness::new(config, 3, Timestamp::ZERO);
        let busy = verdict_at(quiet.clone(), &ours);
        let quiet = verdict_at(quiet, &[]);
        prop_assert!(busy <= quiet, "{config}: {quiet} without a probe, {busy} with {ours:?}");
    }

    /// Adding a constant to all times changes nothing.
    #[test]
    fn shift(config in settings(), story in changing_stories(), by in 0..u64::MAX / 4) {
        let by = Duration::from_nanos(by);
        let here = story.live(config, Timestamp::ZERO + Duration::from_secs(60), false);
        let there = story.live(config, Timestamp::ZERO + Duration::from_secs(60) + by, false);
        let moved: Vec<_> = here.actions().iter().map(|(at, action)| (*at + by, *action)).collect();
        prop_assert_eq!(moved, there.actions(), "{}", here.transcript);
    }

    /// The same config, seed and inputs give the same outputs. So a recording replays exactly, however the driver polled.
    #[test]
    fn deterministic(config in settings(), story in changing_stories()) {
        assert_replays(&story.live(config, Timestamp::from_secs(1000), false).transcript);
    }

    /// No settings, no events and no times break anything, not even the far end of time.
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

    /// Pings are at least a shortest wait apart (`interval` less `jitter`). The exceptions are the first ping, one of
    /// rule 6 between two pieces of evidence, and pings that `probe` brought, which are a second apart.
    #[test]
    fn bounded_chatter(config in settings(), story in stories()) {
        let broken = world::bounded_chatter(&story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }

    /// While no verdict and no write phase prevents it, no `interval` passes without a ping or, with Quiet, without a
    /// write, whatever the peer does, and even in a pause.
    #[test]
    fn kept_alive(config in settings(), story in stories()) {
        let broken = world::kept_alive(&story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }
}

/// The longest burst: online, offline, close and disconnect in one poll.
#[test]
fn no_spin_a_burst_of_four_happens() {
    let mut machine = Liveness::new(Config::DEFAULT, 1, Timestamp::ZERO);
    machine.handle(Event::Close(None), Timestamp::ZERO);
    machine.handle(Event::Eof, Timestamp::ZERO);
    assert_eq!(std::iter::from_fn(|| machine.poll(Timestamp::ZERO)).count(), 4);
}

/// The state of a connection without its config is at most 128 bytes. Traffic touches one cache line of it, at whatever
/// address the machine lies. A test beside the state says which line.
#[test]
fn small() {
    assert!(size_of::<Liveness>() <= (128 + size_of::<Config>()).next_multiple_of(64));
    assert_eq!(align_of::<Liveness>(), 64);
}

/// A poll without an action leaves the machine as it was, for every question and for `==`.
#[test]
fn exact_wake_ups_change_nothing() {
    let config =
        Config::builder().interval(Duration::from_secs(5)).timeout(Duration::from_secs(10)).jitter(0);
    let mut machine = Liveness::new(config.build().unwrap(), 1, Timestamp::ZERO);
    for now in [0, 5] {
        while machine.poll(Timestamp::from_secs(now)).is_some() {}
    }
    // So late that the next ping could be due if we had written nothing meanwhile. So the machine must look.
    machine.handle(Event::Wrote, Timestamp::from_secs(11));
    machine.handle(Event::Data, Timestamp::from_secs(12));
    let before = machine.clone();
    assert_eq!((machine.poll(Timestamp::from_secs(12)), &machine), (None, &before));
    assert_ne!(machine, Liveness::new(config.build().unwrap(), 1, Timestamp::ZERO));
}

/// Events of our side. None of them may delay a verdict.
#[derive(Clone, Copy, Debug)]
enum Ours {
    Wrote,
    PingSent,
    Probe,
}

fn ours(kinds: &'static [Ours]) -> impl Strategy<Value = Vec<(u64, Ours)>> {
    prop::collection::vec((0..10 * SECOND, prop::sample::select(kinds)), 1..20)
}

/// When a machine that hears nothing any more gives its verdict, while these events happen on our side, each this long
/// after the last.
fn verdict_at(mut machine: Liveness, ours: &[(u64, Ours)]) -> Timestamp {
    let mut ours = ours.iter().scan(Timestamp::ZERO, |at, (after, what)| {
        *at += Duration::from_nanos(*after);
        Some((*at, *what))
    });
    let mut next = ours.next();
    for _ in 0..300 {
        let Some(due) = machine.poll_timeout() else { break };
        let now = match next {
            Some((at, what)) if at <= due => {
                match what {
                    Ours::Wrote => machine.handle(Event::Wrote, at),
                    Ours::PingSent => machine.handle(Event::PingSent, at),
                    Ours::Probe => machine.probe(at),
                }
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

/// The budget changes during a life. A peer that keeps within the new budget is not refused, whatever the clock says.
#[test]
fn a_peer_within_the_budget_that_it_was_reconfigured_to_is_not_refused() {
    let config = |burst, per_second| Config::builder().control_budget(burst, per_second).build().unwrap();
    let budgets = [(2, 0), (2, 1), (2, 1_000_000)];
    for (old, new) in budgets.into_iter().flat_map(|old| budgets.map(|new| (old, new))) {
        for opened in [Timestamp::ZERO, Timestamp::from_secs(1_000_000)] {
            let mut machine = Liveness::new(config(old.0, old.1), 1, opened);
            machine.handle(Event::Ping, opened);
            machine.reconfigure(config(new.0, new.1), opened);
            machine.handle(Event::Ping, opened);
            assert_eq!(machine.verdict(), None, "{old:?} and then {new:?}, opened at {opened}");
        }
    }
}

/// The twin of the laws: they would all hold in a world where nothing happens.
#[test]
fn lives_of_every_kind_are_lived() {
    let (mut reasons, mut suspected, mut forgiven) = (Vec::new(), 0, 0);
    let (mut judged, mut waited) = (0, 0);
    for (config, steps) in samples((settings(), steps()), 600) {
        let life = World::live(config, Timestamp::ZERO, &steps, false);
        for (_, action) in life.actions() {
            match action {
                Action::MarkOffline(reason) => reasons.push(reason.to_string()),
                Action::MarkSuspect => suspected += 1,
                Action::MarkOnline | Action::SendPing(_) | Action::Close(_) | Action::Disconnect => {}
            }
        }
        forgiven += u32::from(life.forgiven);
        judged += life.asked.judged;
        waited += life.asked.waited;
    }
    for reason in REASONS.into_iter().chain(["protocol-error"]) {
        let count = reasons.iter().filter(|ended| ended.starts_with(reason)).count();
        assert!(count >= 3, "{reason} is rare: {reasons:?}");
    }
    assert!(suspected >= 20 && forgiven >= 20, "suspected {suspected}, forgiven {forgiven}");
    assert!(judged >= 100 && waited >= 100, "judged {judged}, waited {waited}");
}

/// The twin of Justified, Fresh, Bounded chatter and Kept alive. In some lives a wait lasts to its end, and in others a
/// probe shortens it. Pings come early for either reason, overlap, and go on in pauses.
#[test]
fn pings_of_every_kind_are_sent() {
    let (mut whole, mut shortened, mut probes, mut fresh, mut overlapping, mut paused) = (0, 0, 0, 0, 0, 0);
    for (config, story) in samples((settings(), stories()), 2000) {
        let life = story.live(config, Timestamp::ZERO, false);
        match life.shortened() {
            Some(true) => shortened += 1,
            Some(false) => whole += 1,
            None => {}
        }
        let early = world::early_pings(&life).concat();
        probes += early.iter().filter(|early| **early == Early::Probe).count();
        fresh += early.iter().filter(|early| **early == Early::Unasked).count();
        overlapping += life.overlapping();
        let lines = life.transcript.lines();
        let pauses = lines.scan(false, |paused, line| {
            *paused = line.contains("< read-paused") || *paused && !line.contains("< read-resumed");
            Some(*paused && line.contains("> ping"))
        });
        paused += pauses.filter(|ping| *ping).count();
    }
    let seen = format!(
        "timed out after {whole} whole waits, {shortened} shortened; {probes} pings of a probe, {fresh} of rule 6, \
         {overlapping} while another was awaited, {paused} in pauses"
    );
    assert!(whole >= 20 && shortened >= 5 && probes >= 20 && fresh >= 10, "{seen}");
    assert!(overlapping >= 100 && paused >= 100, "{seen}");
}

/// The twin of the meetings: each kind of peer is pinged, and ends as its kind must end.
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
