//! A lease and a reference that is too plain to be wrong get the same inputs. The world of `tests/core/lease/world.rs`
//! compares all their outputs.
#![no_main]

#[path = "../../tests/core/lease/reference.rs"]
mod reference;
#[path = "../../tests/core/lease/world.rs"]
#[expect(dead_code, reason = "the tests ask for more of it")]
mod world;

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::Timestamp;
use liveness::lease::REMEMBERED;
use reference::PEOPLE;
use world::{Reached, Step, World};

#[derive(Arbitrary, Debug)]
enum Happening {
    Online(u8),
    Suspect(u8),
    Offline(u8),
    Request(u8),
    Release(u8),
    Revoke,
    Poll,
    Wait(u16),
    Sleep(u16),
    Pass(u16),
    TurnBack(u16),
    /// As good as never.
    Age(u64),
}

impl Happening {
    fn step(&self) -> Step {
        match *self {
            Self::Online(user) => Step::Online(user % PEOPLE),
            Self::Suspect(user) => Step::Suspect(user % PEOPLE),
            Self::Offline(user) => Step::Offline(user % PEOPLE),
            Self::Request(user) => Step::Request(user % PEOPLE),
            Self::Release(user) => Step::Release(user % PEOPLE),
            Self::Revoke => Step::Revoke,
            Self::Poll => Step::Poll,
            Self::Wait(nanos) => Step::Wait(nanos.into()),
            Self::Sleep(nanos) => Step::Sleep(nanos.into()),
            Self::Pass(nanos) => Step::Pass(nanos.into()),
            Self::TurnBack(nanos) => Step::TurnBack(nanos.into()),
            Self::Age(nanos) => Step::Wait(nanos),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Life {
    /// `None` means for ever.
    grace: Option<u16>,
    /// This many tokens before the last one, or from the first.
    last: Result<u8, u8>,
    start: Result<u16, u16>,
    happenings: Vec<Happening>,
}

fuzz_target!(|life: Life| {
    let grace = life.grace.map_or(Duration::MAX, |nanos| Duration::from_nanos(nanos.into()));
    let end = |number: Result<u64, u64>| number.unwrap_or_else(|before| u64::MAX - before);
    let last = end(life.last.map(u64::from).map_err(u64::from));
    let start = Timestamp::from_nanos(end(life.start.map(u64::from).map_err(u64::from)));
    let mut world = World::new(grace, last, start);
    for happening in life.happenings.iter().take(400) {
        world.step(happening.step());
        let newest = world.reference.last();
        for user in 0..PEOPLE {
            for token in [
                0,
                newest.saturating_sub(REMEMBERED as u64 + 1),
                newest.saturating_sub(1),
                newest,
                newest.saturating_add(1),
            ] {
                assert_eq!(
                    world.check(user, token),
                    world.expected(user, token),
                    "{user} {token}{}",
                    world.story()
                );
            }
        }
    }
    assert!(world.copies() <= 1 + 2 * usize::from(PEOPLE) + REMEMBERED);
    let mut reached = Reached::default();
    reached.count(&world.log);
    assert!(reached.released + reached.offline + reached.suspect + reached.revoked <= reached.granted);
});
