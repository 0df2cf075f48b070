//! A presence and its rules by definition get the same inputs. The world of `tests/core/presence/world.rs` compares
//! everything that can be asked.
#![no_main]

#[path = "../../tests/core/presence/reference.rs"]
mod reference;
#[path = "../../tests/core/presence/world.rs"]
mod world;

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::Status;
use reference::Input;
use world::{CONNECTIONS, Step, USERS, World};

const MILLI: u64 = 1_000_000;

#[derive(Arbitrary, Debug)]
enum Happening {
    Connect(u8, u8),
    Online(u8),
    Suspect(u8),
    Offline(u8),
    Disconnect(u8),
    RemoveUser(u8),
}

impl Happening {
    fn input(&self) -> Input {
        match *self {
            Self::Connect(connection, user) => Input::Connect(connection % CONNECTIONS, user % USERS),
            Self::Online(connection) => Input::SetStatus(connection % CONNECTIONS, Status::Online),
            Self::Suspect(connection) => Input::SetStatus(connection % CONNECTIONS, Status::Suspect),
            Self::Offline(connection) => Input::SetStatus(connection % CONNECTIONS, Status::Offline),
            Self::Disconnect(connection) => Input::Disconnect(connection % CONNECTIONS),
            Self::RemoveUser(user) => Input::RemoveUser(user % USERS),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Turn {
    Input(Happening),
    Late(Happening, u32),
    Poll,
    Wait(u8),
    WaitNanos(u64),
    Sleep(u8),
    SleepNanos(u64),
}

impl Turn {
    fn step(&self) -> Step {
        match self {
            Self::Input(input) => Step::Input(input.input()),
            Self::Late(input, by) => Step::Late(input.input(), (*by).into()),
            Self::Poll => Step::Poll,
            Self::Wait(millis) => Step::Wait(u64::from(*millis) * MILLI),
            Self::WaitNanos(nanos) => Step::Wait(*nanos),
            Self::Sleep(millis) => Step::Sleep(u64::from(*millis) * MILLI),
            Self::SleepNanos(nanos) => Step::Sleep(*nanos),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Life {
    /// In milliseconds. The largest value means never.
    linger: u8,
    start: u64,
    turns: Vec<Turn>,
}

/// The reference reads its whole history for each answer.
const TURNS: usize = 80;

fuzz_target!(|life: Life| {
    let linger =
        if life.linger == u8::MAX { Duration::MAX } else { Duration::from_millis(life.linger.into()) };
    let mut world = World::new(linger, life.start);
    life.turns.iter().take(TURNS).for_each(|turn| world.step(turn.step()));
    world.finish();
});
