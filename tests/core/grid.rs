//! `wake_at` and `would_judge` by example: the grid at which scheduled pings ring, and what does not wait for the grid.

use std::time::Duration;

use liveness::{Action, Config, ConfigBuilder, Event, Liveness, Suspicion, Timestamp};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn machine(config: ConfigBuilder, start: Timestamp) -> Liveness {
    let mut machine = Liveness::new(config.build().unwrap(), 7, start);
    assert_eq!(machine.poll(start), Some(Action::MarkOnline));
    machine
}

/// The first line of the grid from `nanos` on, for a ping that is due then.
fn line(interval: Duration, nanos: u64) -> u64 {
    let due = Timestamp::from_nanos(nanos);
    let start = due.saturating_sub(interval);
    let config = Config::builder().interval(interval).timeout(secs(60)).jitter(0);
    let machine = machine(config, start);
    assert_eq!(machine.poll_timeout(), Some(start + interval));
    machine.wake_at().unwrap().as_nanos()
}

/// The distance of the lines is a power of two: at most 50 ms, and at most a 256th of the interval.
#[test]
fn pings_of_the_schedule_ring_on_a_grid() {
    for (interval, mesh) in
        [(secs(3_600), 1_u64 << 25), (secs(20), 1 << 25), (secs(12), 1 << 25), (secs(1), 1 << 21)]
    {
        let at = interval.as_nanos() as u64 / mesh * mesh + 100 * mesh;
        assert_eq!(line(interval, at), at, "on a line");
        assert_eq!(line(interval, at + 1), at + mesh);
        assert_eq!(line(interval, at + mesh - 1), at + mesh);
        assert_eq!(line(interval, at + mesh), at + mesh);
    }
    // 50 ms is 256 times 12.8 s.
    let at = 1_000 << 25;
    assert_eq!(line(Duration::from_millis(12_800), at + 1), at + (1 << 25));
    assert_eq!(line(Duration::from_millis(8_000), at + 1), at + (1 << 24));
}

/// A power of two exactly, and one less.
#[test]
fn a_mesh_is_the_largest_power_of_two_that_is_short_enough() {
    for (interval, mesh) in
        [(256 << 20, 1 << 20), ((256 << 20) - 1, 1 << 19), (512, 2), (511, 1), (256, 1), (1, 1)]
    {
        let at = 1_000 << 25;
        let line = line(Duration::from_nanos(interval), at + 1);
        assert_eq!(line, at + mesh, "an interval of {interval} ns");
    }
}

#[test]
fn the_lines_of_a_coarse_grid_are_lines_of_every_finer_one() {
    for due in (0..200).map(|step| 100_000_000_000 + step * 12_345_678_901) {
        let wakes = [secs(20), secs(5), secs(1)].map(|interval| line(interval, due));
        assert!(wakes[0] >= wakes[1] && wakes[1] >= wakes[2] && wakes[2] >= due, "{wakes:?}");
        // A ping on the coarse grid rings together with those of the finer grids that are due then.
        assert_eq!(line(secs(5), wakes[0]), wakes[0]);
        assert_eq!(line(secs(1), wakes[0]), wakes[0]);
    }
}

#[test]
fn at_the_end_of_time_there_are_no_more_lines() {
    let due = u64::MAX - 10;
    assert_eq!(line(secs(20), due), due);
}

#[test]
fn only_a_ping_of_the_schedule_waits_for_a_line() {
    let start = Timestamp::from_nanos(1);
    let config = Config::builder().interval(secs(20)).timeout(secs(20)).jitter(0);
    // The announcement is due at once.
    let new = Liveness::new(config.build().unwrap(), 7, start);
    assert_eq!(new.wake_at(), Some(start));

    let mut asked = machine(config, start);
    assert!(asked.wake_at() > asked.poll_timeout());
    asked.probe(Timestamp::from_nanos(5));
    assert_eq!(asked.wake_at(), Some(Timestamp::from_nanos(5)), "somebody waits for a probe");

    // The answer to the first ping is due when the second ping is.
    let mut awaited = machine(config, start);
    let due = start + secs(20);
    assert!(matches!(awaited.poll(due), Some(Action::SendPing(_))));
    assert_eq!((awaited.poll_timeout(), awaited.wake_at()), (Some(due + secs(20)), Some(due + secs(20))));

    // A moment after the ping is due, and before the line.
    for after in [1, 2] {
        let timeout = secs(20) + Duration::from_nanos(after);
        let mut awaited = machine(config.timeout(timeout), start);
        assert!(matches!(awaited.poll(due), Some(Action::SendPing(_))));
        assert_eq!(awaited.wake_at(), Some(due + timeout));
        let suspicion = Suspicion::After(secs(20) + Duration::from_nanos(after));
        let mut awaited = machine(config.timeout(secs(40)).suspicion(suspicion), start);
        assert!(matches!(awaited.poll(due), Some(Action::SendPing(_))));
        assert_eq!(awaited.wake_at(), Some(due + timeout));
        let silent = machine(config.silence_timeout(timeout), start);
        assert_eq!(silent.wake_at(), Some(start + timeout));
        let idle = machine(config.idle_timeout(timeout), start);
        assert_eq!(idle.wake_at(), Some(start + timeout));
    }

    // A ping that is being written is late at exactly that moment.
    let mut written = machine(config.write_timeout(secs(7)), start);
    assert!(matches!(written.poll(due), Some(Action::SendPing(_))));
    assert_eq!(written.wake_at(), Some(due + secs(7)));

    // After a verdict only the end is left.
    let mut closed = machine(config, start);
    closed.handle(Event::Close(None), start);
    while closed.poll(start).is_some() {}
    assert_eq!(closed.wake_at(), Some(start + secs(5)));
}

#[test]
fn what_it_would_judge_is_what_unread_input_could_refute() {
    let start = Timestamp::from_secs(1);
    let config = Config::builder().interval(secs(5)).timeout(secs(10)).jitter(0);
    let mut peer = machine(config, start);
    let due = start + secs(15);
    assert!(!peer.would_judge(due), "nothing is awaited");
    assert!(matches!(peer.poll(start + secs(5)), Some(Action::SendPing(_))));
    let just_before = due.saturating_sub(Duration::from_nanos(1));
    assert!(!peer.would_judge(just_before) && peer.would_judge(due));
    // The verdict is noted, and waits for its last look.
    while peer.poll(due).is_some() {}
    let look = due + Duration::from_millis(10);
    assert!(!peer.would_judge(look.saturating_sub(Duration::from_nanos(1))) && peer.would_judge(look));
    // The machine knows a later moment than the one in the question.
    let mut late = peer.clone();
    late.handle(Event::Wrote, look);
    assert!(late.would_judge(start), "a poll at any time is one at {look}");
    while peer.poll(look).is_some() {}
    assert!(peer.verdict().is_some() && !peer.would_judge(look + secs(60)));
}
