//! The machine under any steps and settings, with the laws of `tests/it/world.rs` as oracle.
#![no_main]

#[path = "../../tests/it/world.rs"]
mod world;

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::transcript::Transcript;
use liveness::{CloseCode, Config, Event, Evidence, Schedule, Suspicion, Timestamp};
use world::{Step, What, World};

/// Settings small enough that a short life reaches every deadline; in milliseconds, never where zero.
#[derive(Arbitrary, Debug)]
struct Settings {
    interval: u16,
    timeout: u16,
    idle_timeout: u16,
    silence_timeout: u16,
    write_timeout: u16,
    close_timeout: u16,
    stall_tolerance: Option<u16>,
    last_look: u8,
    suspicion: Option<(bool, u16)>,
    budget: Option<(u8, u8)>,
    jitter: u8,
    steady: bool,
    pong_only: bool,
}

fn or_never(millis: u16) -> Duration {
    if millis == 0 { Duration::MAX } else { Duration::from_millis(millis.into()) }
}

impl Settings {
    fn config(&self) -> Config {
        let mut builder = Config::builder()
            .interval(or_never(self.interval))
            .timeout(or_never(self.timeout))
            .idle_timeout(or_never(self.idle_timeout))
            .silence_timeout(or_never(self.silence_timeout))
            .write_timeout(or_never(self.write_timeout))
            .close_timeout(Duration::from_millis(self.close_timeout.into()))
            .last_look(Duration::from_millis(self.last_look.into()))
            .jitter(self.jitter % 101)
            .schedule(if self.steady { Schedule::Steady } else { Schedule::Quiet })
            .evidence(if self.pong_only { Evidence::PongOnly } else { Evidence::AnyTraffic });
        if let Some(tolerance) = self.stall_tolerance {
            builder = builder.stall_tolerance(Duration::from_millis(tolerance.into()));
        }
        if let Some((adaptive, millis)) = self.suspicion {
            let wait = Duration::from_millis(u64::from(millis) + 1);
            builder = builder.suspicion(if adaptive {
                Suspicion::Adaptive { at_least: wait }
            } else {
                Suspicion::After(wait)
            });
        }
        builder = match self.budget {
            Some((burst, per_second)) => builder.control_budget(u32::from(burst) + 1, per_second.into()),
            None => builder.no_control_budget(),
        };
        builder.build().expect("every one of these is valid")
    }
}

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
