//! Replays transcripts and compares what comes out with what they expect.
//!
//! `cargo run --example replay -- tests/transcripts/*.txt`
//!
//! Exit status: 0 where all agree, 1 with a unified diff where not, 2 with FILE:LINE where one cannot be read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use liveness::transcript::Transcript;

/// Replays transcripts: each file's inputs are lived again, and the outputs compared.
#[derive(Parser)]
struct Args {
    /// Transcripts to replay.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Rewrite the outputs in each file to what came out.
    #[arg(long)]
    bless: bool,
    /// Draw each life as a picture.
    #[arg(long)]
    draw: bool,
}

/// What became of one file, worst last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Agrees,
    Differs,
    Unreadable,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut worst = Outcome::Agrees;
    let mut agreed = 0;
    for file in &args.files {
        let outcome = replay(file, &args).unwrap_or_else(|error| {
            eprintln!("{}:{error}", file.display());
            Outcome::Unreadable
        });
        agreed += usize::from(outcome == Outcome::Agrees);
        worst = worst.max(outcome);
    }
    println!("{agreed} of {} transcripts agree", args.files.len());
    ExitCode::from(worst as u8)
}

fn replay(file: &Path, args: &Args) -> Result<Outcome, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("1: cannot be read: {error}"))?;
    let transcript: Transcript = text.parse().map_err(|error| format!("{error}"))?;
    let replay = transcript.replay().map_err(|error| format!("{error}"))?;
    if args.draw {
        println!("{}\n{}", file.display(), replay.picture());
    }
    if args.bless {
        let blessed = replay.blessed();
        if blessed != text {
            fs::write(file, blessed).map_err(|error| format!("1: cannot be written: {error}"))?;
            println!("{}: blessed", file.display());
        }
        return Ok(Outcome::Agrees);
    }
    if replay.agrees() {
        return Ok(Outcome::Agrees);
    }
    print!("{}\n{}", file.display(), replay.diff());
    Ok(Outcome::Differs)
}
