//! How good is the verdict? Detection time against mistakes, of this crate and of what people use instead, on the same
//! simulated lives. `docs/detection-quality.md` explains the worlds, the rules and the columns.
//!
//! ```text
//! cargo bench --bench quality                        a quick look: a minute
//! cargo bench --bench quality -- --full              more than a million connection-hours
//! cargo bench --bench quality -- --full --write      and the tables and plots in docs/
//! cargo bench --bench quality -- --seed 2            other lives
//! ```

mod chance;
mod families;
mod ours;
mod pipe;
mod plot;
mod recipes;
mod report;
mod rule;
mod score;
mod simulate;
mod spells;
mod study;
#[allow(dead_code, reason = "the other bench counts connections")]
#[path = "../fleet/table.rs"]
mod table;
mod world;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use study::Study;

/// Detection time against mistakes, of this crate and of what people use instead.
#[derive(Parser)]
struct Args {
    /// Whose lives: another seed, other lives.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Hours of a live connection for each rule, setting and world.
    #[arg(long, default_value_t = 60.0)]
    hours: f64,
    /// As many as make more than a million in all.
    #[arg(long, conflicts_with = "hours")]
    full: bool,
    /// Rewrite the tables and plots in docs/.
    #[arg(long)]
    write: bool,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let study = Study::run(args.seed, if args.full { 650.0 } else { args.hours });
    let report = report::text(&study);
    println!("{report}");
    if args.write {
        report::write(&report)?;
        plot::write(&study)?;
    }
    // The promise, not the ranking, is what can fail.
    Ok(if study.inexcusable().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
