//! A client with any policy, any backoff and any caller, compared with a second opinion. The world of
//! `tests/core/reconnect/world.rs` compares what follows, and when.
#![no_main]

#[path = "../../tests/core/reconnect/reference.rs"]
mod reference;
#[path = "../../tests/core/reconnect/world.rs"]
mod world;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use reference::{NEVER, Settings, Then};
use world::{Step, What, World};

#[derive(Arbitrary, Debug)]
enum Happening {
    Nothing,
    Connected(u8),
    Failed(u8, Option<Decision>),
    Closed(u8, u16, Option<Decision>),
    NetworkChanged,
    NetworkLost,
    DialNow,
    HandOver(u64),
    Stop,
}

impl Happening {
    fn what(&self) -> What {
        match *self {
            Self::Nothing => What::Nothing,
            Self::Connected(older) => What::Connected(older.into()),
            Self::Failed(older, then) => What::Failed(older.into(), then.map(decided)),
            Self::Closed(older, code, then) => What::Closed(older.into(), code, then.map(decided)),
            Self::NetworkChanged => What::NetworkChanged,
            Self::NetworkLost => What::NetworkLost,
            Self::DialNow => What::DialNow,
            Self::HandOver(over) => What::HandOver(over),
            Self::Stop => What::Stop,
        }
    }
}

/// The least wait and the width of the draw; `None` means no more dials.
type Decision = Option<(Length, Length)>;

fn decided(decision: Decision) -> Then {
    decision.map(|(at_least, spread)| (at_least.unwrap_or(NEVER), spread.unwrap_or(NEVER)))
}

#[derive(Arbitrary, Debug)]
struct Turn {
    /// Nanoseconds after the last event, or before it.
    after: i64,
    happening: Happening,
    poll: bool,
}

impl Turn {
    fn step(&self) -> Step {
        let what = self.happening.what();
        Step { after: self.after.unsigned_abs(), back: self.after < 0, what, poll: self.poll }
    }
}

/// Nanoseconds, or never.
type Length = Option<u64>;

#[derive(Arbitrary, Debug)]
struct Life {
    stable_after: Length,
    dial_timeout: Length,
    max_spread: Length,
    max_attempts: Option<u8>,
    max_elapsed: Length,
    delays: Vec<Length>,
    forever: bool,
    seed: u64,
    start: u64,
    turns: Vec<Turn>,
}

/// The second opinion reads the whole story for each answer.
const TURNS: usize = 80;

fuzz_target!(|life: Life| {
    let nanos = |length: Length| length.unwrap_or(NEVER);
    let settings = Settings {
        stable_after: nanos(life.stable_after),
        dial_timeout: nanos(life.dial_timeout),
        max_spread: nanos(life.max_spread),
        max_attempts: life.max_attempts.map_or(u32::MAX, u32::from),
        max_elapsed: nanos(life.max_elapsed),
        delays: life.delays.into_iter().map(nanos).collect(),
        forever: life.forever,
        seed: life.seed,
    };
    let steps: Vec<Step> = life.turns.iter().take(TURNS).map(Turn::step).collect();
    World::live(&settings, life.start, &steps, false);
});
