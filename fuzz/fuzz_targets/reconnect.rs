//! A client under any policy, any backoff and any caller: never two dials under way, none before its wait is over, one end,
//! and nothing spins.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::Timestamp;
use liveness::reconnect::{Action, Attempt, OnClose, Policy, Reconnect, Status};

#[derive(Arbitrary, Debug)]
struct Settings {
    stable_after: u64,
    dial_timeout: u64,
    max_attempts: Option<u8>,
    max_elapsed: u64,
    delays: Vec<u32>,
    forever: bool,
    seed: u64,
    start: u64,
}

#[derive(Arbitrary, Debug)]
enum What {
    Poll,
    Connected { older: u8 },
    Failed { older: u8 },
    Closed { older: u8, code: u16 },
    NetworkChanged,
    DialNow,
    Stop,
}

/// Each so many nanoseconds after the last, or before.
type Life = (Settings, Vec<(i64, What)>);

/// A code's answer may be anything.
fn on_close(code: u16) -> OnClose {
    match code {
        0..=9 => OnClose::Redial { at_least: Duration::from_nanos(code.into()), spread: Duration::MAX },
        10..=19 => OnClose::Redial { at_least: Duration::MAX, spread: Duration::from_nanos(code.into()) },
        _ => OnClose::by_code(code),
    }
}

fuzz_target!(|life: Life| {
    let (settings, steps) = life;
    let policy = Policy::DEFAULT
        .stable_after(Duration::from_nanos(settings.stable_after))
        .dial_timeout(Duration::from_nanos(settings.dial_timeout))
        .max_attempts(settings.max_attempts.map_or(u32::MAX, u32::from))
        .max_elapsed(Duration::from_nanos(settings.max_elapsed))
        .on_close(on_close);
    let delays: Vec<_> = settings.delays.iter().map(|nanos| Duration::from_nanos((*nanos).into())).collect();
    let shortest = delays.iter().min().copied().unwrap_or(Duration::MAX);
    let last = delays.last().copied().filter(|_| settings.forever);
    let backoff = || delays.iter().copied().chain(last.into_iter().cycle());
    let mut now = Timestamp::from_nanos(settings.start);
    let mut reconnect = Reconnect::new(policy, backoff, settings.seed, now);
    let mut dials: Vec<Attempt> = Vec::new();
    let (mut under_way, mut finished) = (None, false);
    // Before this moment there is no dial, unless the network changed.
    let mut not_before = Timestamp::ZERO;
    let mut changed = false;
    for (after, what) in steps {
        let at = Timestamp::from_nanos(now.as_nanos().saturating_add_signed(after));
        now = now.max(at);
        let of = |older: u8| dials.iter().rev().nth(older.into()).copied();
        match what {
            What::Poll => {}
            What::Connected { older } => {
                if let Some(attempt) = of(older) {
                    let kept = reconnect.connected(attempt, at);
                    assert_eq!(kept, reconnect.status() == Status::Connected(attempt));
                    under_way = under_way.filter(|dialled| *dialled != attempt);
                }
            }
            What::Failed { older } => {
                if let Some(attempt) = of(older) {
                    let dialling = reconnect.status() == Status::Dialling(attempt);
                    reconnect.failed(attempt, at);
                    if dialling && !changed {
                        not_before = now + shortest;
                    }
                    under_way = under_way.filter(|dialled| *dialled != attempt);
                }
            }
            What::Closed { older, code } => {
                if let Some(attempt) = of(older) {
                    reconnect.closed(attempt, code, at);
                    under_way = under_way.filter(|dialled| *dialled != attempt);
                }
            }
            What::NetworkChanged => {
                reconnect.network_changed(at);
                (not_before, changed) = (Timestamp::ZERO, true);
            }
            What::DialNow => {
                reconnect.dial_now(at);
                not_before = Timestamp::ZERO;
            }
            What::Stop => reconnect.stop(at),
        }
        let _ = format!("{reconnect:?}");
        let mut burst = 0;
        while let Some(action) = reconnect.poll(now) {
            burst += 1;
            assert!(burst <= 2 && !finished, "{action:?} at {now}");
            match action {
                Action::Dial(attempt) => {
                    assert_eq!(under_way.replace(attempt), None, "two dials");
                    assert_eq!(attempt.get(), dials.len() as u64 + 1);
                    assert!(now >= not_before, "too soon");
                    dials.push(attempt);
                    changed = false;
                }
                Action::Abandon(attempt) => {
                    assert_eq!(under_way.take(), Some(attempt));
                    not_before = if changed { now } else { now + shortest };
                }
                Action::GiveUp(reason) => {
                    assert_eq!((under_way, reconnect.status()), (None, Status::Finished(reason)));
                    finished = true;
                }
            }
        }
        assert!(reconnect.poll_timeout().is_none_or(|due| due > now), "it spins");
        assert_eq!(finished, reconnect.is_finished());
    }
});
