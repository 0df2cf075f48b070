//! What no life can break, compared with a second opinion.

use std::collections::BTreeSet;

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{GiveUpReason, ReconnectAction};
use proptest::prelude::*;

use super::reference::{Fact, NEVER, Settings, Then};
use super::world::{Step, What, World, machine};
use crate::samples::samples;

const SECOND: u64 = 1_000_000_000;

fn lengths() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0..=40_u64).prop_map(|seconds| seconds * SECOND),
        1 => Just(1),
        1 => Just(NEVER - 1),
        2 => Just(NEVER),
        1 => Just(0),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let attempts = prop_oneof![3 => Just(u32::MAX), 2 => 0..6_u32];
    let backoff = (prop::collection::vec(lengths(), 0..6), any::<bool>());
    let spread = prop_oneof![1 => Just(NEVER), 1 => lengths()];
    (lengths(), lengths(), spread, attempts, lengths(), backoff, any::<u64>()).prop_map(
        |(stable_after, dial_timeout, max_spread, max_attempts, max_elapsed, (delays, forever), seed)| {
            Settings {
                stable_after,
                dial_timeout,
                max_spread,
                max_attempts,
                max_elapsed,
                delays,
                forever,
                seed,
            }
        },
    )
}

/// What the caller decides: mostly nothing, then the policy decides. Seldom to stop.
fn decisions() -> impl Strategy<Value = Option<Then>> {
    let asked = || prop_oneof![6 => (0..=40_u64).prop_map(|seconds| seconds * SECOND), 1 => Just(NEVER)];
    prop_oneof![
        6 => Just(None),
        3 => (asked(), asked()).prop_map(|asked| Some(Some(asked))),
        2 => prop::bool::ANY.prop_map(|stop| Some((!stop).then_some((0, 0)))),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let older = || prop_oneof![4 => Just(0_usize), 2 => 1..3_usize];
    let codes = prop_oneof![
        8 => prop::sample::select(vec![1001, 1005, 1006, 1011, 1012, 1013, 3008, 4000, 4001]),
        1 => prop::sample::select(vec![1000, 1002, 1008]),
        1 => any::<u16>(),
    ];
    let what = prop_oneof![
        6 => Just(What::Nothing),
        6 => older().prop_map(What::Connected),
        5 => (older(), decisions()).prop_map(|(older, then)| What::Failed(older, then)),
        6 => (older(), codes, decisions()).prop_map(|(older, code, then)| What::Closed(older, code, then)),
        3 => Just(What::NetworkChanged),
        1 => Just(What::NetworkLost),
        1 => Just(What::DialNow),
        6 => prop_oneof![3 => Just(0), 1 => lengths()].prop_map(What::HandOver),
    ];
    let gaps = prop_oneof![
        2 => Just(0),
        2 => 0..SECOND,
        6 => (0..=40_u64).prop_map(|seconds| seconds * SECOND),
        1 => 0..100 * SECOND,
    ];
    let step = (gaps, prop::bool::weighted(0.05), what, prop::bool::weighted(0.85))
        .prop_map(|(after, back, what, poll)| Step { after, back, what, poll });
    let stop = Step { after: 0, back: false, what: What::Stop, poll: true };
    (prop::collection::vec(step, 1..120), any::<bool>()).prop_map(move |(mut steps, stops)| {
        if stops {
            steps.extend([stop; 3]);
        }
        steps
    })
}

/// What most clients live through: dials that fail, then a connection that stands for a while, and all of that again.
fn rounds() -> impl Strategy<Value = Vec<Step>> {
    let step = |after: u64, what| Step { after: after * SECOND, back: false, what, poll: true };
    let end = prop_oneof![
        3 => Just(What::Closed(0, 1006, Some(Some((0, 0))))),
        1 => Just(What::NetworkChanged),
        2 => Just(What::HandOver(0)),
    ];
    let round =
        (prop::collection::vec(1..40_u64, 0..4), 0..60_u64, end).prop_map(move |(fails, stands, end)| {
            let fails = fails.into_iter().map(move |after| step(after, What::Failed(0, None)));
            fails.chain([step(40, What::Connected(0)), step(stands, end)])
        });
    prop::collection::vec(round, 3..9).prop_map(|rounds| rounds.into_iter().flatten().collect())
}

/// A backoff whose waits show how often it was asked, and a connection that is stable after half a minute.
fn growing() -> impl Strategy<Value = Settings> {
    any::<u64>().prop_map(|seed| Settings {
        stable_after: 30 * SECOND,
        dial_timeout: NEVER,
        max_spread: 0,
        max_attempts: u32::MAX,
        max_elapsed: NEVER,
        delays: [1, 2, 4, 8, 16].map(|seconds| seconds * SECOND).to_vec(),
        forever: true,
        seed,
    })
}

/// How often a dial failed after this many stable connections were lost or handed over.
fn failed_after_stable(story: &[(u64, Fact)], stable: usize) -> usize {
    let (mut since, mut seen, mut failed) = (None, 0, 0);
    for (at, fact) in story {
        match fact {
            Fact::Connected(number) => since = since.or(Some((*number, *at))),
            Fact::Failed(..) if since.is_none() => failed += usize::from(seen >= stable),
            Fact::Closed(..) | Fact::HandOver(_) => {
                seen += usize::from(since.take().is_some_and(|(_, from)| at - from >= 30 * SECOND));
            }
            Fact::Failed(..) | Fact::Dialled(_) | Fact::Abandoned(_) | Fact::GaveUp(_) | Fact::Retired(_) => {
            }
            Fact::NetworkChanged | Fact::NetworkLost | Fact::Asked | Fact::Stopped => {}
            Fact::Looked | Fact::Drawn(..) => {}
        }
    }
    failed
}

/// What a caller has: the dial that is under way, and the connections that stand.
#[derive(Default)]
struct Hands {
    under_way: Option<u64>,
    newest: u64,
    open: BTreeSet<u64>,
    handed_over: usize,
    /// Lost or given up before another one had replaced it.
    in_vain: usize,
}

impl Hands {
    /// There are never two dials under way, and each has the next number. There are never more than two connections, and
    /// one is retired only if another stands. After the end there is nothing.
    fn live(story: &[(u64, Fact)]) -> Self {
        let (mut hands, mut wanted, mut over) = (Self::default(), false, false);
        for (_, fact) in story {
            match fact {
                Fact::Dialled(number) => {
                    assert_eq!(
                        (hands.under_way, *number, over),
                        (None, hands.newest + 1, false),
                        "{story:?}"
                    );
                    assert!(hands.open.is_empty() || hands.open.len() == 1 && wanted, "{story:?}");
                    (hands.under_way, hands.newest) = (Some(*number), *number);
                }
                Fact::Abandoned(number) => assert_eq!(hands.under_way.take(), Some(*number), "{story:?}"),
                Fact::Connected(number) => {
                    if hands.under_way == Some(*number) {
                        (hands.under_way, wanted) = (None, false);
                        hands.open.insert(*number);
                        assert!(hands.open.len() <= 2, "{story:?}");
                    }
                }
                Fact::Failed(number, _) | Fact::Closed(number, ..) => {
                    hands.under_way = hands.under_way.filter(|dialled| dialled != number);
                    let lost = hands.open.remove(number);
                    hands.in_vain += usize::from(lost && hands.under_way.is_some());
                    // The new connection is lost before the old one was retired. So the hand-over goes on.
                    wanted |= lost && !hands.open.is_empty();
                }
                Fact::Retired(number) => {
                    assert!(hands.open.remove(number) && hands.open.len() == 1 && !over, "{story:?}");
                    hands.handed_over += 1;
                }
                Fact::GaveUp(_) => {
                    assert_eq!((hands.under_way, over), (None, false), "{story:?}");
                    over = true;
                }
                Fact::HandOver(_) => wanted = true,
                Fact::NetworkChanged | Fact::NetworkLost | Fact::Asked | Fact::Stopped => {}
                Fact::Looked | Fact::Drawn(..) => {}
            }
        }
        hands
    }
}

/// What happened, without the looks that found nothing.
fn happened(world: World<'_>) -> Vec<(u64, Fact)> {
    world.story.into_iter().filter(|(_, fact)| *fact != Fact::Looked).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// What comes, and when, agrees with the second opinion, for any caller.
    #[test]
    fn two_opinions_agree(settings in settings(), steps in steps(), start in 0..100 * SECOND) {
        Hands::live(&World::live(&settings, start, &steps, false).story);
    }

    /// The same in long lives of one kind: each stable connection makes the backoff begin again, the second as well as
    /// the first.
    #[test]
    fn round_after_round_two_opinions_agree(settings in growing(), steps in rounds()) {
        Hands::live(&World::live(&settings, 0, &steps, false).story);
    }

    /// Exact wake-ups: extra polls change nothing.
    #[test]
    fn extra_polls_change_nothing(settings in settings(), steps in steps()) {
        let calm = World::live(&settings, 0, &steps, false);
        let nervous = World::live(&settings, 0, &steps, true);
        prop_assert_eq!(happened(calm), happened(nervous));
    }

    /// Shift: adding a constant to all times changes nothing. Deterministic: the same life gives the same result again.
    #[test]
    fn shifted_lives_are_the_same(settings in settings(), steps in steps(), by in 0..NEVER / 4) {
        let here = World::live(&settings, 1000 * SECOND, &steps, false);
        let there = World::live(&settings, 1000 * SECOND + by, &steps, false);
        // A longest wait that is longer than the rest of time never ends.
        let Settings { stable_after, dial_timeout, max_spread, max_elapsed, .. } = settings;
        let endless = [stable_after, dial_timeout, max_spread, max_elapsed];
        prop_assume!(endless.iter().chain(&settings.delays).all(|length| *length != NEVER - 1));
        // For a dial in progress, only the server's minimum was drawn.
        let later = |at: u64| if at == 0 { 0 } else { at.saturating_add(by) };
        let moved = |fact: &Fact| {
            let Fact::Drawn(dial_at, owed_until) = fact else { return *fact };
            Fact::Drawn(later(*dial_at), later(*owed_until))
        };
        let moved: Vec<_> = here.story.iter().map(|(at, fact)| (at + by, moved(fact))).collect();
        prop_assert_eq!(moved, there.story);
    }

    /// Total: no times break anything, not even the far end of time.
    #[test]
    fn anything_at_all(
        settings in settings(),
        start: u64,
        inputs in prop::collection::vec((any::<u64>(), 0..9_u8, any::<u16>()), 1..100),
    ) {
        let mut machine = machine(&settings, start);
        let mut newest = None;
        for (at, what, code) in inputs {
            let at = Timestamp::from_nanos(at);
            match (what, newest) {
                (0, Some(attempt)) => drop(machine.connected(attempt, at)),
                (1, Some(attempt)) => machine.failed(attempt, at),
                (2 | 3, Some(attempt)) => machine.closed(attempt, code, at),
                (4, _) => machine.network_changed(at),
                (5, _) => machine.dial_now(at),
                (6, _) => machine.network_lost(at),
                (7, _) => machine.hand_over(Duration::from_nanos(at.as_nanos()), at),
                _ => {}
            }
            for _ in 0..2 {
                if let Some(ReconnectAction::Dial(attempt)) = machine.poll(at) {
                    newest = Some(attempt);
                }
            }
            prop_assert_eq!(machine.poll(at), None);
            prop_assert!(machine.poll_timeout().is_none_or(|due| due > at));
        }
    }
}

#[test]
fn dials_fail_after_the_second_stable_connection_too() {
    // The twin of `round_after_round_two_opinions_agree`.
    let lives = samples((growing(), rounds()), 100);
    let failed = lives
        .map(|(settings, steps)| failed_after_stable(&World::live(&settings, 0, &steps, false).story, 2));
    assert!(failed.filter(|failed| *failed > 0).count() > 30);
}

#[test]
fn lives_of_every_kind_are_lived() {
    // The twin of the laws: they would all hold in a world where nothing happens.
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    let (mut dials, mut abandoned, mut refused, mut handed_over, mut in_vain) = (0, 0, 0, 0, 0);
    for (settings, steps) in samples((settings(), steps()), 1000) {
        let world = World::live(&settings, 0, &steps, false);
        refused += world.refused;
        let hands = Hands::live(&world.story);
        (handed_over, in_vain) = (handed_over + hands.handed_over, in_vain + hands.in_vain);
        for (_, fact) in world.story {
            match fact {
                Fact::Dialled(_) => dials += 1,
                Fact::Abandoned(_) => abandoned += 1,
                Fact::GaveUp(GiveUpReason::Closed(_)) => *ends.entry("closed".into()).or_default() += 1,
                Fact::GaveUp(reason) => *ends.entry(reason.to_string()).or_default() += 1,
                Fact::Connected(_) | Fact::Failed(..) | Fact::Closed(..) | Fact::Looked | Fact::Drawn(..) => {
                }
                Fact::NetworkChanged | Fact::NetworkLost | Fact::Asked | Fact::Stopped => {}
                Fact::HandOver(_) | Fact::Retired(_) => {}
            }
        }
    }
    assert_eq!(ends.len(), 6, "{ends:?}");
    assert!(ends.values().all(|count| *count >= 5), "{ends:?}");
    assert!(dials > 1000 && abandoned > 100 && refused > 100, "{dials}, {abandoned}, {refused}");
    assert!(handed_over > 30 && in_vain > 5, "{handed_over}, {in_vain}");
}
