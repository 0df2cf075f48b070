//! How soon and how late a verdict falls, to the nanosecond: the promises Complete and Accurate, and lives at their
//! limits.

use std::collections::BTreeSet;
use std::time::Duration;

use liveness::{Action, Config, Event, Evidence, Liveness, Reason, Schedule, Timestamp};
use proptest::prelude::*;

use super::lives::{DRIVERS, Driver, Peer, SECOND, meetings, settings, stories};
use crate::samples::samples;
use crate::world::{self, is_offline};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A peer that is silent since `t0` is offline by `t0` + `detection_bound`, for the lateness that the driver really
    /// had since.
    #[test]
    fn complete(config in settings(), story in stories()) {
        let broken = world::complete(&story.live(config, Timestamp::ZERO, false));
        prop_assert!(broken.is_ok(), "{}", broken.unwrap_err());
    }

    /// The same for peers that were silent from the start, and drivers that are never in time.
    #[test]
    fn complete_from_the_start(
        config in settings(),
        late in 0..20 * SECOND,
        lates in prop::collection::vec(0..=100_u64, 1..50),
    ) {
        let bound = config.detection_bound(Duration::from_nanos(late));
        let offline = silent_life(config, lates.iter().map(|share| late / 100 * share).cycle());
        if bound < Duration::MAX {
            prop_assert!(offline.is_some_and(|offline| offline <= Timestamp::ZERO + bound), "{offline:?}: {bound:?}");
        }
    }

    /// Each ping's answer reaches our input buffer within `timeout` (a probe's within `probe_timeout`). The driver reads
    /// everything that is readable between two polls, or reports `Unread`. Then no peer times out, however late the
    /// driver is.
    #[test]
    fn accurate(config in settings(), meeting in meetings(&DRIVERS, &[Peer::Live, Peer::Flooding])) {
        prop_assume!(!needs_a_last_look(meeting.driver) || config.last_look() > Duration::ZERO);
        let life = meeting.live(with_answers_alone(config), Timestamp::ZERO, false);
        let mut actions = life.actions_before_the_silence().into_iter();
        prop_assert!(!actions.any(|(_, action)| is_offline(&action)), "{}", life.transcript);
    }
}

/// This driver polls before it has read what is readable. It needs a last look.
const fn needs_a_last_look(driver: Driver) -> bool {
    matches!(driver, Driver::TimersFirst | Driver::Piecemeal)
}

/// Only ping timeouts are tested here.
fn with_answers_alone(config: Config) -> Config {
    let config = config.to_builder().write_timeout(Duration::MAX).unlimited_control_frames();
    config.idle_timeout(Duration::MAX).silence_timeout(Duration::MAX).build().unwrap()
}

/// The twin of Accurate: verdicts are noted, and data that was unread refutes them.
#[test]
fn live_peers_are_reprieved() {
    for driver in DRIVERS.iter().filter(|driver| needs_a_last_look(**driver)) {
        let meetings = meetings(std::slice::from_ref(driver), &[Peer::Live]);
        let lives = samples((settings(), meetings), 200);
        let lives =
            lives.map(|(config, meeting)| meeting.live(with_answers_alone(config), Timestamp::ZERO, false));
        let reprieves: usize = lives.map(|life| life.reprieves()).sum();
        assert!(reprieves >= 20, "{driver:?}: {reprieves}");
    }
}

/// When a peer that never sends anything is offline, for these latenesses of the polls; `None` if it never is, or not
/// soon.
fn silent_life(config: Config, mut late: impl Iterator<Item = u64>) -> Option<Timestamp> {
    let mut machine = Liveness::new(config, 11, Timestamp::ZERO);
    let mut now = Timestamp::ZERO;
    for _ in 0..1000 {
        while let Some(action) = machine.poll(now) {
            if is_offline(&action) {
                return Some(now);
            }
        }
        let due = machine.poll_timeout()?;
        now = due + Duration::from_nanos(late.next().unwrap_or(0));
    }
    None
}

/// The lateness of each poll in the tests of tight bounds, in milliseconds. Two are just below and just above the default
/// `stall_tolerance` of a `timeout` of ten seconds.
const LATENESSES: [u64; 5] = [0, 300, 2_500, 2_501, 60_000];

#[test]
fn the_detection_bound_is_tight() {
    for (late, schedule) in
        LATENESSES.into_iter().flat_map(|late| [(late, Schedule::Quiet), (late, Schedule::Steady)])
    {
        // A poll for the next ping would see the deadline too, and the driver would not be so late. So the interval is
        // longer.
        let config = Config::builder()
            .interval(Duration::from_secs(15))
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

/// Pings that go out meanwhile delay nothing.
#[test]
fn the_detection_bound_is_tight_where_pings_overlap() {
    for late in [0, 300, 2_500] {
        let config =
            Config::builder().interval(Duration::from_secs(4)).timeout(Duration::from_secs(10)).jitter(0);
        let config = config.build().unwrap();
        let late = Duration::from_millis(late);
        let offline = silent_life(config, std::iter::repeat(late.as_nanos() as u64));
        assert_eq!(offline, Some(Timestamp::ZERO + config.detection_bound(late)), "{late:?}");
    }
}

/// The longest life has both clocks: the ping's last byte is written at its deadline, and no answer follows.
#[test]
fn the_detection_bound_is_tight_in_the_write_phase() {
    for late in LATENESSES {
        let late = Duration::from_millis(late);
        let config = Config::builder().interval(Duration::from_secs(15)).timeout(Duration::from_secs(10));
        let config = config.write_timeout(Duration::from_secs(3)).jitter(0).build().unwrap();
        let mut machine = Liveness::new(config, 1, Timestamp::ZERO);
        let offline = loop {
            let due = machine.poll_timeout().unwrap();
            // At the very start there is nothing to be late for.
            let now = if due == Timestamp::ZERO { due } else { due + late };
            let actions: Vec<_> = std::iter::from_fn(|| machine.poll(now)).collect();
            if actions.iter().any(is_offline) {
                break now;
            }
            if actions.iter().any(|action| matches!(action, Action::SendPing(_))) {
                machine.handle(Event::PingSent, now + config.write_timeout());
            }
        };
        assert_eq!(offline, Timestamp::ZERO + config.detection_bound(late), "{late:?}");
    }
}

/// In a pause no wait for the peer runs. But a transport that takes nothing is found by the ping that cannot be written.
#[test]
fn the_bound_of_a_transport_that_takes_nothing_is_tight_in_a_pause() {
    for late in [0, 300, 2_500] {
        let late = Duration::from_millis(late);
        let config = Config::builder().interval(Duration::from_secs(5)).timeout(Duration::from_secs(10));
        let config = config.write_timeout(Duration::from_secs(8)).jitter(0).build().unwrap();
        let mut machine = Liveness::new(config, 1, Timestamp::ZERO);
        machine.handle(Event::Wrote, Timestamp::ZERO);
        machine.handle(Event::ReadPaused, Timestamp::ZERO);
        let mut now = Timestamp::ZERO;
        for _ in 0..20 {
            while machine.poll(now).is_some() {}
            if machine.verdict().is_some() {
                break;
            }
            now = machine.poll_timeout().unwrap() + late;
        }
        let bound = config.interval() + config.write_timeout() + config.last_look() + late * 3;
        assert_eq!(
            (machine.verdict(), now),
            (Some(Reason::WriteStalled), Timestamp::ZERO + bound),
            "{late:?}"
        );
    }
}

/// Unread data may refute a verdict for as long as the verdict's clock took, and then until the end of the last look.
#[test]
fn a_driver_that_leaves_some_unread_for_ever_spares_a_peer_for_one_more_timeout_and_last_look() {
    for (last_look, spared) in [(1, 10), (3, 12), (4, 12), (6, 12), (7, 14)] {
        let config =
            Config::builder().interval(Duration::from_secs(5)).timeout(Duration::from_secs(10)).jitter(0);
        let config = config.last_look(Duration::from_secs(last_look)).build().unwrap();
        let mut machine = Liveness::new(config, 1, Timestamp::ZERO);
        let mut now = Timestamp::ZERO;
        for _ in 0..100 {
            now = now.max(machine.poll_timeout().unwrap());
            machine.handle(Event::Unread, now);
            while machine.poll(now).is_some() {}
            if machine.verdict().is_some() {
                break;
            }
        }
        let verdict = (machine.verdict(), now);
        assert_eq!(verdict, (Some(Reason::PingTimeout), Timestamp::from_secs(15 + spared)), "{last_look}");
    }
}

#[test]
fn the_detection_bound_of_silence_is_tight() {
    for late in LATENESSES {
        let late = Duration::from_millis(late);
        let config = Config::builder().interval(Duration::MAX).silence_timeout(Duration::from_secs(5));
        let config = config.stall_tolerance(Duration::from_millis(2_500)).jitter(0).build().unwrap();
        let offline = silent_life(config, std::iter::repeat(late.as_nanos() as u64));
        assert_eq!(offline, Some(Timestamp::ZERO + config.detection_bound(late)), "{late:?}");
    }
}

#[test]
fn silence_bounds_the_detection_only_where_every_event_is_evidence() {
    let config = Config::builder().silence_timeout(Duration::from_secs(5));
    let bound = |evidence| config.evidence(evidence).build().unwrap().detection_bound(Duration::ZERO);
    assert_eq!(bound(Evidence::AnyTraffic), Duration::from_millis(5_010));
    // A peer may send data, which ends its silence, but give no evidence.
    assert_eq!(bound(Evidence::PongOnly), Duration::from_millis(45_010));
}

#[test]
fn a_peer_that_answers_a_nanosecond_after_the_last_look_is_dead_and_one_before_lives() {
    let config = Config::builder().jitter(0).build().unwrap();
    let pinged = Timestamp::ZERO + config.interval();
    let seen = pinged + config.timeout();
    let last = (seen + config.last_look()).as_nanos();
    for (answered, verdict) in [(last - 1, None), (last, None), (last + 1, Some(Reason::PingTimeout))] {
        let mut machine = Liveness::new(config, 1, Timestamp::ZERO);
        assert_eq!(machine.poll(pinged), Some(Action::MarkOnline));
        let Some(Action::SendPing(ping)) = machine.poll(pinged) else { panic!("no ping") };
        assert_eq!(machine.poll(seen), None);
        // A driver in time: it wakes for both, and reads before it polls.
        for now in BTreeSet::from([answered, last]) {
            if now == answered {
                machine.handle(Event::Pong(ping.as_bytes()), Timestamp::from_nanos(now));
            }
            while machine.poll(Timestamp::from_nanos(now)).is_some() {}
        }
        assert_eq!(machine.verdict(), verdict);
    }
}
