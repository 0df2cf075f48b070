//! A fleet and as many single machines get the same inputs. The world of `tests/core/fleet/world.rs` compares them bit by
//! bit.
#![no_main]

#[path = "../../tests/core/mirror.rs"]
mod mirror;
#[path = "../../tests/core/fleet/world.rs"]
mod world;

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::{CloseCode, Config, Event, Timestamp};
use world::{Step, World};

/// From a nanosecond, with which a turn of the wheel is shorter than any wait, to seconds, with which it is longer than
/// many.
#[derive(Arbitrary, Debug)]
enum Tick {
    Nanos(u8),
    Micros(u16),
    Millis(u16),
}

impl Tick {
    fn length(&self) -> Duration {
        match self {
            Self::Nanos(nanos) => Duration::from_nanos((*nanos).into()),
            Self::Micros(micros) => Duration::from_micros((*micros).into()),
            Self::Millis(millis) => Duration::from_millis((*millis % 8_192).into()),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Start {
    Millis(u16),
    /// A time that counts from 1970.
    Seconds(u32),
    /// This many nanoseconds, or milliseconds, before the far end of time.
    NanosLeft(u32),
    MillisLeft(u32),
}

impl Start {
    fn at(&self) -> Timestamp {
        match self {
            Self::Millis(millis) => Timestamp::from_millis((*millis).into()),
            Self::Seconds(seconds) => Timestamp::from_secs((*seconds).into()),
            Self::NanosLeft(nanos) => Timestamp::from_nanos(u64::MAX - u64::from(*nanos)),
            Self::MillisLeft(millis) => Timestamp::from_nanos(u64::MAX - u64::from(*millis) * 1_000_000),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Happening {
    Insert(u8),
    Remove(u8),
    Data(u8),
    Progress(u8),
    Ping(u8),
    Forged(u8),
    Answer(u8, u8),
    Wrote(u8),
    PingSent(u8),
    ReadPaused(u8),
    ReadResumed(u8),
    Unread(u8),
    PeerClose(u8, Option<u16>),
    Violation(u8, CloseCode),
    Eof(u8),
    Probe(u8),
    /// A probe for each keystroke of a person who types this much.
    Typing(u8, u8),
    Close(u8),
    Reconfigure(u8, u8),
    ProbeAll,
    CloseAll,
    Stale(u8),
    Wait(u16),
    WaitNanos(u32),
    Sleep(u16),
    SleepHours(u8),
    SleepYears(u8),
    TurnBack(u32),
}

impl Happening {
    fn steps(&self) -> impl Iterator<Item = Step> {
        let times = if let Self::Typing(_, keystrokes) = self { 1 + keystrokes % 8 } else { 1 };
        std::iter::repeat_n(self.step(), times.into())
    }

    fn step(&self) -> Step {
        const MILLI: u64 = 1_000_000;
        const HOUR: u64 = 3_600_000 * MILLI;
        let event = |which: u8, event| Step::Event { which, event };
        match *self {
            Self::Insert(config) => Step::Insert { config },
            Self::Remove(which) => Step::Remove { which },
            Self::Data(which) => event(which, Event::Data),
            Self::Progress(which) => event(which, Event::Progress),
            Self::Ping(which) => event(which, Event::Ping),
            Self::Forged(which) => event(which, Event::Pong(b"forged")),
            Self::Answer(which, back) => Step::Answer { which, back: back % 4 },
            Self::Wrote(which) => event(which, Event::Wrote),
            Self::PingSent(which) => event(which, Event::PingSent),
            Self::ReadPaused(which) => event(which, Event::ReadPaused),
            Self::ReadResumed(which) => event(which, Event::ReadResumed),
            Self::Unread(which) => event(which, Event::Unread),
            Self::PeerClose(which, code) => event(which, Event::Close(code)),
            Self::Violation(which, code) => event(which, Event::Violation(code)),
            Self::Eof(which) => event(which, Event::Eof),
            Self::Probe(which) | Self::Typing(which, _) => Step::Probe { which },
            Self::Close(which) => Step::Close { which },
            Self::Reconfigure(which, config) => Step::Reconfigure { which, config },
            Self::ProbeAll => Step::ProbeAll,
            Self::CloseAll => Step::CloseAll,
            Self::Stale(which) => Step::Stale { which },
            Self::Wait(millis) => Step::Wait { nanos: u64::from(millis) * MILLI },
            Self::WaitNanos(nanos) => Step::Wait { nanos: nanos.into() },
            Self::Sleep(millis) => Step::Sleep { nanos: u64::from(millis) * MILLI },
            Self::SleepHours(hours) => Step::Sleep { nanos: u64::from(hours) * HOUR },
            Self::SleepYears(years) => Step::Sleep { nanos: (u64::from(years) * 8_766).saturating_mul(HOUR) },
            Self::TurnBack(nanos) => Step::TurnBack { nanos: nanos.into() },
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Life {
    configs: [Config; 3],
    seed: u64,
    tick: Tick,
    start: Start,
    /// How many connections there are at the start: sometimes more than one poll looks at.
    crowd: u8,
    happenings: Vec<Happening>,
}

/// Every step compares every connection. With a short tick, so does every wake-up.
const STEPS: usize = 60;
const WAKES: usize = 20;

fuzz_target!(|life: Life| {
    let mut world = World::new(&life.configs, life.seed, life.tick.length(), life.start.at());
    world.observed = life.seed % 2 == 1;
    world.patience = WAKES;
    let crowd = (0..life.crowd % 100).map(|config| Step::Insert { config });
    for step in crowd.chain(life.happenings.iter().flat_map(Happening::steps).take(STEPS)) {
        world.step(step);
    }
    world.finish(WAKES);
});
