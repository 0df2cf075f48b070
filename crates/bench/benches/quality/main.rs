//! How good is the verdict? It compares detection time and mistakes of this crate and of what people use instead, on the
//! same simulated lives. `docs/detection-quality.md` explains the worlds, the rules and the columns.
//!
//! ```text
//! cargo bench -p liveness-bench --bench quality                        a quick look: a minute
//! cargo bench -p liveness-bench --bench quality -- --full              more than a million connection-hours
//! cargo bench -p liveness-bench --bench quality -- --full --write      and the tables and plots in docs/
//! cargo bench -p liveness-bench --bench quality -- --seed 2            other lives
//! ```

mod plot;
mod report;
mod study;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use liveness::Config;
use liveness_quality::{Network, Ours, Score, WORLDS, World};
use study::Study;

/// Detection time and mistakes, of this crate and of what people use instead.
#[derive(Parser)]
struct Args {
    /// The seed of the lives. Another seed gives other lives.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Hours of a live connection for each rule, setting and world.
    #[arg(long, default_value_t = 60.0)]
    hours: f64,
    /// Use so many hours that all cells have more than a million together.
    #[arg(long, conflicts_with = "hours")]
    full: bool,
    /// Rewrite the tables and plots in docs/.
    #[arg(long)]
    write: bool,
    /// Only print what to expect from these settings, written as in a transcript, on a network of `--latency`, `--jitter`
    /// and `--loss`, or in a `--world`.
    #[arg(long, value_name = "SETTINGS")]
    predict: Option<Config>,
    /// A world of the report, such as `mobile`.
    #[arg(long, requires = "predict", conflicts_with_all = ["latency", "jitter", "loss"], value_parser = named)]
    world: Option<World>,
    /// The latency one way, in seconds.
    #[arg(long, default_value_t = 0.000_1, requires = "predict")]
    latency: f64,
    /// The median of what is added to the latency, in seconds.
    #[arg(long, default_value_t = 0.000_1, requires = "predict")]
    jitter: f64,
    /// The share of segments that are lost.
    #[arg(long, default_value_t = 0.0, requires = "predict")]
    loss: f64,
    /// `cargo bench` adds this.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    if let Some(config) = args.predict {
        let network = Network {
            latency: args.latency,
            jitter: args.jitter,
            spread: 0.5,
            loss: args.loss,
            outages: None,
        };
        let world = args.world.unwrap_or(World { network, life: 300.0, ..WORLDS[0] });
        println!("{}", prediction(config, &world, args.seed));
        return Ok(ExitCode::SUCCESS);
    }
    let study = Study::run(args.seed, if args.full { 400.0 } else { args.hours });
    let report = report::text(&study);
    println!("{report}");
    if args.write {
        report::write(&report)?;
        plot::write(&study)?;
    }
    // A comparison in which no rule can fail would say nothing.
    let holds = study.inexcusable().is_empty() && study.beaten().is_empty() && study.telling().len() >= 9;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn named(name: &str) -> Result<World, String> {
    let names = || WORLDS.iter().map(|world| world.name).collect::<Vec<_>>().join("; ");
    WORLDS
        .iter()
        .find(|world| world.name == name)
        .copied()
        .ok_or_else(|| format!("no such world; there are: {}", names()))
}

/// Closes for each hour while the peer lives, and the time until it is found dead.
fn prediction(config: Config, world: &World, seed: u64) -> String {
    const HOURS: f64 = 480.0;
    let lives = (HOURS * 3600.0 / world.life).ceil() as u64;
    let score = Score::of(world, |seed, now| Ours::new(config, seed, now), seed, lives);
    format!(
        "closes an hour {:.2}, a day {:.1}; found after {:.2} s on average, half within {:.2}, 99 % within {:.2}, all within {:.2}",
        score.mistakes_a_day().mean / 24.0,
        score.mistakes_a_day().mean,
        score.detection().unwrap_or(f64::INFINITY),
        score.quantile(0.5),
        score.quantile(0.99),
        score.quantile(1.0)
    )
}
