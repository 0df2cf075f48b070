//! Every order in which things can happen to three users.
//!
//! The walk is breadth first: everything that can happen happens once to each state, and the world compares the result
//! with the reference. States are compared relative to now. Moments become ages of at most the grace and one more,
//! because later makes no difference. Tokens and the past are left out, except who must still be told, because they
//! decide nothing. So the walk has an end, and what holds there holds for lives of any length: `LIVENESS_MODEL_DEPTH=all
//! cargo test --release --test core lease::model`.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use liveness::Timestamp;

use super::world::{Reached, Step, World};

const USERS: u8 = 3;
const GRACE: u64 = 2;

fn steps() -> Vec<Step> {
    let of = |user| {
        [
            Step::Online(user),
            Step::Suspect(user),
            Step::Offline(user),
            Step::Request(user),
            Step::Release(user),
        ]
    };
    let all = [Step::Revoke, Step::Poll, Step::Pass(1)];
    (0..USERS).flat_map(of).chain(all).collect()
}

/// The state relative to now. It is made from the lease's own debug text, so that no part of it is forgotten.
fn look(world: &World, now: u64) -> String {
    let text = format!("{:?}", world.lease);
    let (present, past) = text.split_once("history: ").expect("it has a past");
    let mut look = aged(present, now);
    for lost in past.split("Lost {").filter(|lost| lost.contains("notification") && !lost.contains("Done")) {
        let (who, _) = lost.split_once(" token").expect("it had one");
        let (_, reason) = lost.split_once("reason").expect("for a reason");
        let (reason, notification) = reason.split_once("at: ").expect("at some time");
        let (_, notification) = notification.split_once("notification").expect("as seen");
        look.extend([who, reason, notification.trim_end_matches([',', ' ', ']', ')', '}'])]);
    }
    look
}

fn aged(text: &str, now: u64) -> String {
    let mut parts = text.split("Timestamp(");
    let mut look = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (at, rest) = part.split_once(')').expect("a number");
        let at: u64 = at.parse().expect("a number");
        look += &format!("{}{rest}", now.saturating_sub(at).min(GRACE + 1));
    }
    // Without `now: 0` and without tokens.
    let mut parts = look.split("Token(");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |look, part| look + part.trim_start_matches(|digit: char| digit.is_ascii_digit()))
}

#[test]
fn every_order_of_things() {
    let depth = std::env::var("LIVENESS_MODEL_DEPTH").ok();
    let depth = depth.map_or(7, |depth| depth.parse().unwrap_or(usize::MAX));
    let (steps, mut reached) = (steps(), Reached::default());
    let mut start = World::new(Duration::from_nanos(GRACE), 0, Timestamp::ZERO);
    start.shared = true;
    let mut seen = HashSet::from([look(&start, 0)]);
    let mut ahead = VecDeque::from([(start, 0, 0)]);
    while let Some((world, now, done)) = ahead.pop_front() {
        if done == depth {
            continue;
        }
        for step in &steps {
            let mut next = world.clone();
            let before = next.log.len();
            next.step(*step);
            reached.count(&next.log[before..]);
            let now = now + u64::from(*step == Step::Pass(1));
            if seen.insert(look(&next, now)) {
                ahead.push_back((next, now, done + 1));
            }
        }
    }
    println!("{} states, {reached:?}", seen.len());
    assert!(seen.len() > 3_000, "{} states", seen.len());
    assert!(
        reached.granted > 0 && reached.frozen > 0 && reached.thawed > 0 && reached.returned > 0,
        "{reached:?}"
    );
    assert!(
        reached.released > 0 && reached.offline > 0 && reached.suspect > 0 && reached.revoked > 0,
        "{reached:?}"
    );
}
