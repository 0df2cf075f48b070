//! How the process finds out that it slept: what is a sleep, what is none, and what cannot be known.

use std::time::Duration;

use liveness::{SleepDetector, Timestamp};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
/// November 2026.
const TODAY: u64 = 1_795_000_000 * SECOND;

/// Two clocks and a detector. The `i64` values are nanoseconds, forward or back.
struct Machine {
    sleep: SleepDetector,
    monotonic: u64,
    wall: u64,
    /// The monotonic clock goes on during a suspend.
    counts: bool,
}

impl Machine {
    fn new(sleep: SleepDetector, counts: bool) -> Self {
        let mut machine = Self { sleep, monotonic: 5 * SECOND, wall: TODAY, counts };
        assert_eq!(machine.look(), None);
        machine
    }

    fn look(&mut self) -> Option<Duration> {
        self.sleep.observe(Timestamp::from_nanos(self.monotonic), Timestamp::from_nanos(self.wall))
    }

    fn run(&mut self, nanos: u64) {
        self.monotonic += nanos;
        self.wall += nanos;
    }

    fn suspend(&mut self, nanos: u64) {
        self.wall += nanos;
        self.monotonic += if self.counts { nanos } else { 0 };
    }

    fn step(&mut self, nanos: i64) {
        self.wall = self.wall.saturating_add_signed(nanos);
    }
}

#[test]
fn a_sleep_shows_as_clocks_that_part_or_as_a_look_that_is_late() {
    for (counts, slept) in [(false, 3_600), (true, 3_600)] {
        let mut machine = Machine::new(SleepDetector::DEFAULT, counts);
        machine.run(2 * SECOND);
        assert_eq!(machine.look(), None);
        machine.run(SECOND);
        machine.suspend(3_600 * SECOND);
        machine.run(SECOND);
        assert_eq!(machine.look(), Some(Duration::from_secs(slept)));
        machine.run(2 * SECOND);
        assert_eq!(machine.look(), None, "it is told once");
    }
}

#[test]
fn a_process_that_stood_still_slept_too() {
    let mut machine = Machine::new(SleepDetector::DEFAULT, false);
    machine.run(62 * SECOND);
    assert_eq!(machine.look(), Some(Duration::from_secs(60)));
    // Both together: stopped for a minute, during which the machine was suspended for an hour.
    machine.run(62 * SECOND);
    machine.suspend(3_600 * SECOND);
    assert_eq!(machine.look(), Some(Duration::from_secs(3_660)));
}

#[test]
fn up_to_the_tolerance_nobody_slept() {
    let detector = SleepDetector::new(Duration::from_secs(5), Duration::from_secs(3));
    for (late, step, slept) in [
        (0, 3 * SECOND, None),
        (0, 3 * SECOND + 1, Some(3 * SECOND + 1)),
        (3 * SECOND, 3 * SECOND, None),
        (3 * SECOND + 1, 3 * SECOND, Some(3 * SECOND + 1)),
        (3 * SECOND + 1, 4 * SECOND, Some(7 * SECOND + 1)),
    ] {
        let mut machine = Machine::new(detector, false);
        machine.run(5 * SECOND + late);
        machine.suspend(step);
        assert_eq!(machine.look(), slept.map(Duration::from_nanos), "{late} {step}");
    }
    let mut strict = Machine::new(SleepDetector::new(Duration::from_secs(5), Duration::ZERO), false);
    strict.run(5 * SECOND);
    assert_eq!(strict.look(), None);
    strict.suspend(1);
    assert_eq!(strict.look(), Some(Duration::from_nanos(1)));
}

#[test]
fn it_says_when_to_look_next() {
    let at = Timestamp::from_secs;
    let mut sleep = SleepDetector::default();
    assert_eq!((sleep, sleep.poll_timeout()), (SleepDetector::DEFAULT, None));
    assert_eq!(sleep.observe(at(7), at(100)), None);
    assert_eq!(sleep.poll_timeout(), Some(at(9)));
    // Time does not go back.
    assert_eq!(sleep.observe(at(6), at(100)), None);
    assert_eq!(sleep.poll_timeout(), Some(at(9)));
    let mut free = SleepDetector::new(Duration::MAX, Duration::from_secs(2));
    assert_eq!((free.observe(at(7), at(100)), free.poll_timeout()), (None, None));
    assert_eq!(free.observe(at(7_000), at(7_093)), None, "a late look is none");
    assert_eq!(free.observe(at(7_000), at(7_100)), Some(Duration::from_secs(7)));
}

#[test]
fn a_calendar_that_is_set_forward_looks_like_a_sleep_and_one_that_is_set_back_in_a_sleep_hides_it() {
    let mut machine = Machine::new(SleepDetector::DEFAULT, false);
    machine.step(3_600 * SECOND as i64);
    assert_eq!(machine.look(), Some(Duration::from_secs(3_600)), "it costs a ping");
    machine.suspend(600 * SECOND);
    machine.step(-3_600 * SECOND as i64);
    assert_eq!(machine.look(), None, "nobody can know");
}

/// Between two looks that come in time: how long it runs, and by how much the calendar steps.
fn quiet() -> impl Strategy<Value = Vec<(u64, i64)>> {
    let tolerance = 2 * SECOND as i64;
    let step = prop_oneof![3 => Just(0), 3 => -tolerance..=tolerance, 1 => -4_000 * tolerance..=0, 1 => Just(tolerance)];
    prop::collection::vec((0..=4 * SECOND, step), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No false alarm: looks come in time, with any number of small steps forward, and steps back of any size.
    #[test]
    fn who_did_not_sleep_is_not_told_so(quiet in quiet(), counts in any::<bool>()) {
        let mut machine = Machine::new(SleepDetector::DEFAULT, counts);
        for (runs, step) in quiet {
            machine.run(runs);
            machine.step(step);
            prop_assert_eq!(machine.look(), None);
        }
    }

    /// The twin: whatever came before, a sleep is found at the first look after it, with either kind of monotonic clock.
    #[test]
    fn who_slept_is_told_at_the_first_look(
        quiet in quiet(),
        counts in any::<bool>(),
        before in 0..=2 * SECOND,
        slept in 4 * SECOND + 1..1_000_000 * SECOND,
    ) {
        let mut machine = Machine::new(SleepDetector::DEFAULT, counts);
        for (runs, step) in quiet {
            machine.run(runs);
            machine.step(step);
            prop_assert_eq!(machine.look(), None);
        }
        machine.run(before);
        machine.suspend(slept);
        let told = machine.look().map(|told| u64::try_from(told.as_nanos()).unwrap());
        if counts {
            // The part of it that was planned was not late.
            prop_assert_eq!(told, Some(slept - (2 * SECOND - before)));
        } else {
            prop_assert_eq!(told, Some(slept));
        }
        prop_assert_eq!(machine.look(), None);
    }

    /// Total: no two moments break it.
    #[test]
    fn any_two_clocks_will_do(looks in prop::collection::vec((any::<u64>(), any::<u64>()), 1..40), every: u64, tolerance: u64) {
        let mut sleep = SleepDetector::new(Duration::from_nanos(every), Duration::from_nanos(tolerance));
        for (monotonic, wall) in looks {
            let slept = sleep.observe(Timestamp::from_nanos(monotonic), Timestamp::from_nanos(wall));
            prop_assert!(slept.is_none_or(|slept| slept > Duration::from_nanos(tolerance)));
        }
    }
}
