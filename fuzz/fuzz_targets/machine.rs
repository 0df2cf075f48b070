//! The machine under any steps and settings, with the laws of `tests/core/world.rs` as oracle.
#![no_main]

#[path = "../../tests/core/world.rs"]
#[expect(dead_code, reason = "the tests ask for more of it")]
mod world;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::transcript::Transcript;
use liveness::{CloseCode, Config, Event, Timestamp};
use world::{Step, What, World};

#[derive(Arbitrary, Debug)]
enum Happening<'a> {
    Event(Event<'a>),
    Answer(u8),
    Probe,
    Close(CloseCode),
    StepBack(u32),
    Nothing,
}

impl<'a> Happening<'a> {
    fn what(&self) -> What<'a> {
        match self {
            Self::Event(event) => What::Event(*event),
            Self::Answer(back) => What::Answer(u32::from(*back % 4)),
            Self::Probe => What::Probe,
            Self::Close(code) => What::Close(*code),
            Self::StepBack(by) => What::StepBack((*by).into()),
            Self::Nothing => What::Nothing,
        }
    }
}

/// A life: how long after the last each thing happens, in nanoseconds, microseconds or milliseconds, and when the driver
/// polls.
type Life<'a> = (Config, u8, Vec<(Gap, Happening<'a>, Option<bool>)>);

#[derive(Arbitrary, Debug)]
enum Gap {
    None,
    Nanos(u8),
    Micros(u32),
    Millis(u16),
}

impl Gap {
    fn nanos(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Nanos(nanos) => (*nanos).into(),
            Self::Micros(micros) => u64::from(*micros) * 1_000,
            Self::Millis(millis) => u64::from(*millis) * 1_000_000,
        }
    }
}

fuzz_target!(|life: Life<'_>| {
    let (config, start, happenings) = life;
    let steps: Vec<Step<'_>> = happenings
        .iter()
        .take(400)
        .map(|(after, happening, poll)| Step { after: after.nanos(), what: happening.what(), poll: *poll })
        .collect();
    let start = Timestamp::from_secs(start.into());
    let calm = World::live(config, start, &steps, false);
    let nervous = World::live(config, start, &steps, true);
    assert_eq!(calm.actions(), nervous.actions(), "extra polls changed a life:\n{}", calm.transcript);
    let judged = world::justified(&config, &calm).and(world::fresh(&config, &calm));
    let laws = world::once(&calm).and(judged).and(world::bounded_chatter(&calm)).and(world::complete(&calm));
    if let Err(broken) = laws {
        panic!("{broken}");
    }
    let recorded: Transcript = calm.transcript.parse().expect("a record can be read");
    let replay = recorded.replay().expect("a record can be replayed");
    assert!(replay.agrees(), "{}\n{}", calm.transcript, replay.diff());
});
