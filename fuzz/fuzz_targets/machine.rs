//! The machine under any steps and settings, with the laws of `tests/it/world.rs` as oracle.
#![no_main]

#[path = "../settings.rs"]
mod settings;
#[path = "../../tests/it/world.rs"]
mod world;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::transcript::Transcript;
use liveness::{CloseCode, Event, Timestamp};
use settings::Settings;
use world::{Step, What, World};

#[derive(Arbitrary, Debug)]
enum Happening {
    Data,
    Progress,
    Ping,
    Pong,
    Answer(u8),
    Wrote,
    PingSent,
    ReadPaused,
    ReadResumed,
    Probe,
    Close,
    Eof,
    PeerClose(Option<u16>),
    StepBack(u32),
    Nothing,
}

impl Happening {
    fn what(&self) -> What {
        What::Event(match self {
            Self::Data => Event::Data,
            Self::Progress => Event::Progress,
            Self::Ping => Event::Ping,
            Self::Pong => Event::Pong(b"forged"),
            Self::Wrote => Event::Wrote,
            Self::PingSent => Event::PingSent,
            Self::ReadPaused => Event::ReadPaused,
            Self::ReadResumed => Event::ReadResumed,
            Self::Eof => Event::Eof,
            Self::PeerClose(code) => Event::Close(*code),
            Self::Answer(back) => return What::Answer(u32::from(*back % 4)),
            Self::Probe => return What::Probe,
            Self::Close => return What::Close(CloseCode::NORMAL),
            Self::StepBack(by) => return What::StepBack((*by).into()),
            Self::Nothing => return What::Nothing,
        })
    }
}

/// A life: how long after the last each thing happens, in microseconds, and when the driver polls.
type Life = (Settings, u8, Vec<(u32, Happening, Option<bool>)>);

fuzz_target!(|life: Life| {
    let (settings, start, happenings) = life;
    let config = settings.config();
    let steps: Vec<Step> = happenings
        .iter()
        .take(400)
        .map(|(after, happening, poll)| Step {
            after: u64::from(*after) * 1_000,
            what: happening.what(),
            poll: *poll,
        })
        .collect();
    let start = Timestamp::from_secs(start.into());
    let calm = World::live(config, start, &steps, false);
    let nervous = World::live(config, start, &steps, true);
    assert_eq!(calm.actions(), nervous.actions(), "extra polls changed a life:\n{}", calm.transcript);
    let laws = world::once(&calm).and_then(|()| world::justified_and_fresh(&config, &calm));
    if let Err(broken) = laws.and_then(|()| world::bounded_chatter(&calm)) {
        panic!("{broken}");
    }
    let recorded: Transcript = calm.transcript.parse().expect("a record can be read");
    let replay = recorded.replay().expect("a record can be replayed");
    assert!(replay.agrees(), "{}\n{}", calm.transcript, replay.diff());
});
