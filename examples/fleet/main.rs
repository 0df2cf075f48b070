//! `cargo run --release --example fleet`: a million connections on one thread, all of them on one `Fleet`.
//!
//! The peers are simulated: they connect all at once, answer pings, talk, and then one fault after another befalls them, and
//! the server too. The clock is simulated and jumps from moment to moment as fast as the machine allows, until the real time
//! is up; what is shown of the fleet is counted and measured. Exit status: 0 where everyone who died was found out in time
//! and nobody else was dropped, 1 where not.

mod picture;
mod simulation;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use liveness::{Config, Evidence, Suspicion, Timestamp};

use picture::{Screen, grouped};
use simulation::{Outcome, Simulation};

/// Many connections, some faults.
#[derive(Parser)]
struct Args {
    /// How many connections.
    #[arg(long, default_value_t = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 })]
    #[arg(value_parser = clap::value_parser!(u32).range(200..=16_000_000))]
    connections: u32,
    /// Seconds of real time, more or less.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// What all chances are drawn from.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

const TICK: Duration = Duration::from_millis(4);
const INTERVAL: Duration = Duration::from_secs(5);
/// Short, so that the server's stall is longer than all that it grants its peers.
const CONFIG: Config = Config::builder()
    .interval(INTERVAL)
    .timeout(Duration::from_secs(4))
    .suspicion(Suspicion::After(Duration::from_secs(2)))
    .close_timeout(Duration::from_secs(2))
    .build_const();
/// Every fourth connection is judged by its answers alone.
const STRICT: Config = CONFIG.to_builder().evidence(Evidence::PongOnly).build_const();
/// Every peer says something this often.
const TALK: Duration = Duration::from_secs(3);
/// Of how many connections one goes dark, mute, or floods us.
const DARK: usize = 20;
const MUTE: usize = 50;
const FLOOD: usize = 100;
const STALL: Duration = Duration::from_secs(6);
const SLEEP: Duration = Duration::from_secs(3 * 3_600);

#[derive(Clone, Copy, PartialEq)]
enum Scene {
    Herd,
    Dark,
    Mute,
    Flood,
    Stall,
    Sleep,
    Probe,
    Close,
}

/// When each begins, in seconds of simulated time, that of the host's sleep not counted; the last when real time is up.
const SCRIPT: [(Scene, u64); 8] = [
    (Scene::Herd, 0),
    (Scene::Dark, 6),
    (Scene::Mute, 16),
    (Scene::Flood, 26),
    (Scene::Stall, 28),
    (Scene::Sleep, 40),
    (Scene::Probe, 47),
    (Scene::Close, u64::MAX),
];

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let args = Args::parse();
    let mut sim = Simulation::new(&args);
    let mut screen = Screen::new(Duration::from_secs(args.seconds));
    // The last tenth is for saying goodbye.
    let end = Timestamp::ZERO + Duration::from_secs(args.seconds) * 9 / 10;
    while !sim.is_over() {
        let over = sim.clock.now() >= end;
        if let Some(scene) = sim.due_scene(over) {
            sim.begin(scene)?;
        }
        sim.turn();
        screen.show(&sim, false)?;
        sim.jump();
    }
    screen.show(&sim, true)?;
    Ok(if conclude(&sim)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The last word. True where everyone who died was found out in time, and nobody else was dropped.
fn conclude(sim: &Simulation) -> io::Result<bool> {
    let mut out = anstream::stdout().lock();
    let (mut right, mut whole) = (sim.wrong == 0 && sim.fleet.is_empty(), true);
    writeln!(out)?;
    for (name, group) in [("dark", &sim.dark), ("mute", &sim.mute), ("flooding", &sim.flood)] {
        let outcome = group.outcome(sim.began[Scene::Close as usize]);
        right &= outcome != Outcome::Wrong;
        whole &= outcome == Outcome::Right;
        let what = match outcome {
            Outcome::NotPlayed => "real time was up before".into(),
            Outcome::CutShort => format!("{}; real time was up before the bound", group.tell()),
            Outcome::Right => group.tell(),
            Outcome::Wrong => format!("{}: WRONG", group.tell()),
        };
        writeln!(out, "{name:9} {what}")?;
    }
    let [lived, mute, wrong] = [sim.lived, sim.mute_lived, sim.wrong].map(grouped);
    writeln!(out, "others    {lived} lived, {mute} of them mute but talking; {wrong} dropped wrongly")?;
    let (events, busy) = (sim.counts.events, sim.counts.busy);
    let real = sim.clock.now().saturating_duration_since(Timestamp::ZERO).as_secs_f64();
    writeln!(
        out,
        "in all    {} events and actions, {} ns each; {} s simulated in {real:.1} s",
        grouped(events),
        busy.as_nanos() / u128::from(events.max(1)),
        sim.awake().as_secs(),
    )?;
    let word = match (right, whole) {
        (true, true) => "right: all who died were found in time, nobody else was dropped",
        (true, false) => "right as far as it went: the machine was too slow for the whole script",
        (false, _) => "WRONG: somebody who died was not found in time, or somebody else was dropped",
    };
    writeln!(out, "{word}")?;
    Ok(right)
}
