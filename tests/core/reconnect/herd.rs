//! Many clients that lose one server in the same instant.

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{DialStatus, Policy, ReconnectAction};

use super::script::{Machine, machine};

const CLIENTS: u64 = 100_000;

/// Connects, stays for this long, and is closed with this code.
fn lost(policy: Policy, seed: u64, stays: Duration, code: u16) -> (Machine, Timestamp) {
    let mut client = machine(policy, &[1, 2], seed);
    let Some(ReconnectAction::Dial(first)) = client.poll(Timestamp::ZERO) else { panic!("no dial") };
    assert!(client.connected(first, Timestamp::ZERO));
    let now = Timestamp::ZERO + stays;
    client.closed(first, code, now);
    (client, now)
}

/// No hundredth of the spread has more than 1.3 % of the clients, and none comes before or after the spread.
#[track_caller]
fn spreads(policy: Policy, stays: Duration, code: u16, at_least: Duration, spread: Duration) {
    let hundredth = spread.as_nanos() as u64 / 100;
    let mut dials = [0_u64; 100];
    for seed in 0..CLIENTS {
        let (client, now) = lost(policy, seed, stays, code);
        let DialStatus::Waiting(Some(at)) = client.status() else { panic!("{client:?}") };
        assert!(at >= now + at_least && at <= now + at_least + spread, "{client:?}");
        let within = at.saturating_duration_since(now + at_least).as_nanos() as u64;
        dials[usize::try_from(within / hundredth).unwrap().min(99)] += 1;
    }
    let (fewest, most) = (dials.iter().min().unwrap(), dials.iter().max().unwrap());
    assert!(most * 100 * 10 <= CLIENTS * 13, "{most} of {CLIENTS} in one hundredth");
    assert!(fewest * 100 * 10 >= CLIENTS * 7, "{fewest} of {CLIENTS} in one hundredth");
}

const HOUR: Duration = Duration::from_secs(3600);
const INSTANT: Duration = Duration::from_secs(1);
const FIVE: Duration = Duration::from_secs(5);

#[test]
fn a_herd_that_loses_its_server_without_a_word_comes_back_spread() {
    spreads(Policy::DEFAULT, HOUR, 1006, Duration::ZERO, FIVE);
}

#[test]
fn a_herd_that_is_dropped_as_soon_as_it_came_backs_off_and_comes_back_spread() {
    spreads(Policy::DEFAULT, INSTANT, 1006, Duration::from_secs(1), FIVE);
}

#[test]
fn a_herd_that_is_told_of_a_restart_comes_back_as_the_code_asks() {
    spreads(Policy::DEFAULT, HOUR, 1012, FIVE, Duration::from_secs(25));
    spreads(Policy::DEFAULT, INSTANT, 1013, Duration::from_secs(30), Duration::from_secs(30));
}

#[test]
fn a_herd_comes_back_in_no_more_time_than_the_policy_gives_it() {
    let half = Duration::from_millis(500);
    let policy = Policy::DEFAULT.max_spread(half);
    spreads(policy, HOUR, 1006, Duration::ZERO, half);
    // We must not shorten what the server asked for.
    spreads(policy, HOUR, 1012, FIVE, half);
    spreads(Policy::DEFAULT.max_spread(Duration::MAX), HOUR, 1006, Duration::ZERO, FIVE);
}

#[test]
fn one_client_draws_anew_for_each_loss_and_the_same_for_the_same_seed() {
    let waits = |seed| {
        let mut client = machine(Policy::DEFAULT, &[1], seed);
        let waits = (0..50).map(|round| {
            let now = Timestamp::from_secs(round * 1000);
            let Some(ReconnectAction::Dial(attempt)) = client.poll(now) else {
                panic!("no dial in round {round}")
            };
            assert!(client.connected(attempt, now));
            let now = now + Duration::from_secs(900);
            client.closed(attempt, 1006, now);
            client.poll_timeout().unwrap().saturating_duration_since(now)
        });
        waits.collect::<Vec<_>>()
    };
    let mut drawn = waits(7);
    assert_eq!(drawn, waits(7));
    assert_ne!(drawn, waits(8));
    drawn.sort_unstable();
    assert!(drawn[5] < Duration::from_millis(1500) && drawn[44] > Duration::from_millis(3500), "{drawn:?}");
    drawn.dedup();
    assert_eq!(drawn.len(), 50);
}
