//! What no life of the world can break. The world itself watches, at each step, that the session does as the reference; that
//! nothing is written after a Close or a failed write; that what is kept is bounded; that pauses and resumptions alternate,
//! and nothing is read in between; that a ping is said to be sent once, when it has left and not before; and that a turn
//! which changed nothing waits for somebody.

use liveness::Reason;
use proptest::prelude::*;

use super::calls;
use super::choices::Choices;
use super::world::{Kind, Life, Seen, World, ends, in_order, noticed, spared};
use crate::samples::samples;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 20..800)
}

fn live(bytes: &[u8], kind: Kind) -> Life {
    World::live(&mut Choices::new(bytes), kind)
}

fn live_busily(bytes: &[u8], kind: Kind) -> Life {
    World::live_busily(&mut Choices::new(bytes), kind)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_in_any_order_are_answered_as_the_reference_answers_them(bytes in bytes()) {
        calls::live(&mut Choices::new(&bytes));
    }

    #[test]
    fn every_message_reaches_the_caller_once_and_in_order(bytes in bytes()) {
        let life = live(&bytes, Kind::Any);
        prop_assert!(in_order(&life), "{life:?}");
    }

    #[test]
    fn every_life_ends_within_the_close_timeout_of_its_verdict(bytes in bytes()) {
        let life = live(&bytes, Kind::Any);
        prop_assert!(ends(&life), "{life:?}");
    }

    #[test]
    fn a_live_peer_that_answers_is_never_given_up(bytes in bytes()) {
        let life = live(&bytes, Kind::Live);
        prop_assert!(spared(&life), "{life:?}");
        prop_assert!(in_order(&life), "{life:?}");
    }

    #[test]
    fn a_dead_peer_is_found_within_the_bound(bytes in bytes()) {
        let life = live(&bytes, Kind::Dies);
        prop_assert!(noticed(&life), "{life:?}");
        prop_assert!(in_order(&life), "{life:?}");
    }

    #[test]
    fn on_a_busy_machine_every_life_ends_and_every_message_reaches_the_caller(bytes in bytes()) {
        let life = live_busily(&bytes, Kind::Any);
        prop_assert!(ends(&life) && in_order(&life), "{life:?}");
    }

    #[test]
    fn on_a_busy_machine_a_live_peer_that_answers_is_never_given_up(bytes in bytes()) {
        let life = live_busily(&bytes, Kind::Live);
        prop_assert!(spared(&life), "{life:?}");
        prop_assert!(in_order(&life), "{life:?}");
    }

    #[test]
    fn on_a_busy_machine_a_dead_peer_is_found_later_by_no_more_than_the_thread_was_away(bytes in bytes()) {
        let life = live_busily(&bytes, Kind::Dies);
        prop_assert!(noticed(&life), "{life:?}");
        prop_assert!(in_order(&life), "{life:?}");
    }
}

fn sum(kind: Kind, live: fn(&[u8], Kind) -> Life, lives: usize) -> (Seen, [usize; 6]) {
    let (mut all, mut ends) = (Seen::default(), [0; 6]);
    for bytes in samples(bytes(), lives) {
        let life = live(&bytes, kind);
        all.add(&life.seen);
        let reason = life.offline.map(|(_, reason)| reason);
        let counts = [
            life.given.len(),
            life.taken.len(),
            usize::from(matches!(reason, Some(Reason::PingTimeout))),
            usize::from(matches!(reason, Some(Reason::WriteStalled))),
            usize::from(matches!(reason, Some(Reason::PeerClosed(_)))),
            usize::from(matches!(reason, Some(Reason::LocalClosed))),
        ];
        ends.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    (all, ends)
}

#[test]
fn calls_of_every_kind_are_made() {
    let mut all = [0; 10];
    for bytes in samples(bytes(), 200) {
        let seen = calls::live(&mut Choices::new(&bytes));
        let flags = [seen.paused, seen.offline, seen.shut, seen.discarded, seen.broken, seen.disconnected];
        let counts = [seen.closes, seen.pings, seen.answers, seen.beats];
        let all_counts = flags.map(usize::from).into_iter().chain(counts);
        all.iter_mut().zip(all_counts).for_each(|(sum, count)| *sum += count);
    }
    let [paused, offline, shut, discarded, broken, disconnected, closes, pings, answers, beats] = all;
    assert!(paused > 10 && offline > 100 && shut > 5 && discarded > 10, "{all:?}");
    assert!(broken > 40 && disconnected > 60 && closes > 5 && pings > 60 && answers > 150, "{all:?}");
    assert!(beats > 100, "{all:?}");
}

/// A law proves nothing of what its lives never reach.
#[test]
fn lives_of_every_kind_are_lived() {
    let (seen, [given, taken, timeouts, stalls, peer_closed, local_closed]) = sum(Kind::Any, live, 200);
    assert!(given > taken && taken > 3_000 && seen.lost > 500, "{given} {taken} {seen:?}");
    assert!(timeouts > 15 && stalls > 10 && peer_closed > 20 && local_closed > 10, "{seen:?}");
    assert!(
        seen.pauses > 60 && seen.rests > 40 && seen.discarded > 300 && seen.failed_writes > 10,
        "{seen:?}"
    );
    assert!(seen.full_shares > 900 && seen.blocked_writes > 2_000 && seen.unread > 1_000, "{seen:?}");
    assert!(seen.closes > 40 && seen.causes > 10 && seen.answers > 90, "{seen:?}");

    let (seen, [given, taken, ..]) = sum(Kind::Live, live, 200);
    assert!(given == taken && given > 20_000 && seen.pings_sent > 3_000, "{given} {taken} {seen:?}");
    assert!(seen.pauses > 300 && seen.full_shares > 4_000 && seen.answers > 1_000, "{seen:?}");
    assert!(seen.blocked_writes > 3_000 && seen.unread > 7_000 && seen.read_ahead > 0, "{seen:?}");

    let (seen, [.., timeouts, stalls, _, _]) = sum(Kind::Dies, live, 200);
    assert!(timeouts > 50 && stalls > 40 && seen.pauses > 150, "{timeouts} {stalls} {seen:?}");
}

#[test]
fn on_a_busy_machine_deadlines_pass_within_turns() {
    for kind in [Kind::Any, Kind::Live, Kind::Dies] {
        let (seen, _) = sum(kind, live_busily, 300);
        assert!(seen.passed > 4 && seen.late > 100, "{kind:?}: {seen:?}");
    }
}
