//! `cargo run --release --example fleet`: a million connections on one thread, all on one `Fleet`.
//!
//! The peers are simulated. They connect all at once, answer pings and talk. Then one fault after another happens to them
//! and to the server. The clock is simulated too, and jumps from moment to moment as fast as the machine allows, until
//! the real time is up. What is shown about the fleet is counted and measured. Exit status: 0 if every dead peer was
//! found in time and no other was dropped, 1 if not.

mod picture;
mod simulation;

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Duration;

use liveness::{Config, Evidence, Suspicion, Timestamp};

use picture::{Screen, grouped};
use simulation::{Outcome, Simulation};

const HELP: &str = "\
Many connections, some faults.

usage: fleet [--connections N] [--seconds N | --simulated N] [--seed N]

  --connections N  how many connections, 200 to 16000000; 1000000 in an optimised build, otherwise 50000
  --seconds N      seconds of real time, more or less, 1 to 86400; 20 if not given
  --simulated N    seconds of simulated time instead, 60 to 86400, however long that takes
  --seed N         the seed of all random choices; 7 if not given";

struct Args {
    connections: u32,
    ends: Ends,
    seed: u64,
}

/// The real time after which the last scene begins.
#[derive(Clone, Copy)]
enum Ends {
    Real(Duration),
    Simulated(Duration),
}

impl Args {
    /// `None` if help is asked for.
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let connections = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
        let mut args = Self { connections, ends: Ends::Real(Duration::from_secs(20)), seed: 7 };
        while let Some(flag) = words.next() {
            let mut number = |range: RangeInclusive<u64>| {
                let value = words.next().ok_or(format!("`{flag}` wants a number behind it"))?;
                let number = value.parse().ok().filter(|number| range.contains(number));
                let (first, last) = (range.start(), range.end());
                number.ok_or(format!(
                    "`{flag}` is `{value}`, but must be a whole number from {first} to {last}"
                ))
            };
            match flag.as_str() {
                "--help" | "-h" => return Ok(None),
                "--connections" => args.connections = number(200..=16_000_000)? as u32,
                "--seconds" => args.ends = Ends::Real(Duration::from_secs(number(1..=86_400)?)),
                "--simulated" => args.ends = Ends::Simulated(Duration::from_secs(number(60..=86_400)?)),
                "--seed" => args.seed = number(0..=u64::MAX)?,
                _ => return Err(format!("`{flag}` is no flag of this program")),
            }
        }
        Ok(Some(args))
    }
}

const TICK: Duration = Duration::from_millis(4);
const INTERVAL: Duration = Duration::from_secs(5);
/// Short, so that the server's stall is longer than everything that it allows its peers.
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
/// One connection in this many goes dark, mute, or floods.
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

/// When each scene begins, in seconds of simulated time without the host's sleep. The last begins when the real time is
/// up.
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
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => {
            eprintln!("fleet: {error}\n\n{HELP}");
            return Ok(ExitCode::from(2));
        }
    };
    let mut sim = Simulation::new(&args);
    let mut screen = Screen::new(args.ends);
    while !sim.is_over() {
        let over = match args.ends {
            // The last tenth is left for saying goodbye.
            Ends::Real(limit) => sim.clock.now() >= Timestamp::ZERO + limit * 9 / 10,
            Ends::Simulated(limit) => sim.awake() >= limit,
        };
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

/// The last lines. Returns true if every dead peer was found in time, and no other was dropped.
fn conclude(sim: &Simulation) -> io::Result<bool> {
    let mut out = io::stdout().lock();
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
