//! The machine with any steps and settings, and the laws of `tests/core/world.rs` as the oracle.
#![no_main]

#[path = "../../tests/core/questions.rs"]
mod questions;
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
    /// Many probes, each this many milliseconds after the last.
    Typing(u8, u8),
    Close(CloseCode),
    Reconfigure(Config),
    StepBack(u32),
    Nothing,
}

impl<'a> Happening<'a> {
    /// How often it happens, and the nanoseconds in between.
    fn times(&self) -> (usize, u64) {
        match self {
            Self::Typing(keystrokes, apart) => {
                (1 + usize::from(*keystrokes % 16), u64::from(*apart) * 1_000_000)
            }
            Self::Event(_)
            | Self::Answer(_)
            | Self::Probe
            | Self::Close(_)
            | Self::Reconfigure(_)
            | Self::StepBack(_)
            | Self::Nothing => (1, 0),
        }
    }

    fn what(&self) -> What<'a> {
        match self {
            Self::Event(event) => What::Event(*event),
            Self::Answer(back) => What::Answer(u32::from(*back % 4)),
            Self::Probe | Self::Typing(..) => What::Probe,
            Self::Close(code) => What::Close(*code),
            Self::Reconfigure(config) => What::Reconfigure(*config),
            Self::StepBack(by) => What::StepBack((*by).into()),
            Self::Nothing => What::Nothing,
        }
    }
}

/// A life. For each event: how long after the last one it happens, in nanoseconds, microseconds or milliseconds, and when
/// the driver polls.
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

fn steps<'a>(happenings: &[(Gap, Happening<'a>, Option<bool>)]) -> Vec<Step<'a>> {
    let steps = happenings.iter().flat_map(|(after, happening, poll)| {
        let (times, apart) = happening.times();
        let step = |after| Step { after, what: happening.what(), poll: *poll };
        std::iter::once(step(after.nanos())).chain((1..times).map(move |_| step(apart)))
    });
    steps.take(400).collect()
}

fuzz_target!(|life: Life<'_>| {
    let (config, start, happenings) = life;
    let steps = steps(&happenings);
    let start = Timestamp::from_secs(start.into());
    let calm = World::live(config, start, &steps, false);
    let nervous = World::live(config, start, &steps, true);
    assert_eq!(calm.actions(), nervous.actions(), "extra polls changed a life:\n{}", calm.transcript);
    // The other laws are about lengths, so they need a life with one config.
    let mut laws = world::once(&calm);
    if !steps.iter().any(|step| matches!(step.what, What::Reconfigure(_))) {
        let judged = world::justified(&config, &calm).and(world::fresh(&config, &calm));
        let pinged = world::bounded_chatter(&calm).and(world::kept_alive(&calm));
        laws = laws.and(judged).and(pinged).and(world::complete(&calm));
    }
    if let Err(broken) = laws {
        panic!("{broken}");
    }
    let recorded: Transcript = calm.transcript.parse().expect("a record can be read");
    let replay = recorded.replay().expect("a record can be replayed");
    assert!(replay.agrees(), "{}\n{}", calm.transcript, replay.diff());
});
