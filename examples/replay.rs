//! Replays transcripts, and compares the result with what they expect.
//!
//! `cargo run --example replay -- tests/transcripts/*.txt`
//!
//! `cargo run --example replay -- --what-if "timeout=60s" FILE` shows how a recorded life would have gone with another setting.
//!
//! Exit status: 0 if all agree, 1 with a unified diff if not, 2 with FILE:LINE if one cannot be read.

use std::ffi::OsString;
use std::fmt::Arguments;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use liveness::transcript::Transcript;

const HELP: &str = "\
Replays transcripts: repeats each file's inputs, and compares the outputs.

usage: replay [--bless] [--draw] [--what-if SETTINGS] FILE...

  --bless             write the new outputs into each file
  --draw              draw each life as a picture
  --what-if SETTINGS  show how each life would have gone with these settings in place of its own,
                      such as \"timeout=60s suspicion=never\"; compares nothing, and writes nothing";

#[derive(Default)]
struct Args {
    files: Vec<PathBuf>,
    bless: bool,
    draw: bool,
    what_if: Option<String>,
}

impl Args {
    /// `None` if help is asked for.
    fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Option<Self>, String> {
        let mut args = Self::default();
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--help" | "-h") => return Ok(None),
                Some("--bless") => args.bless = true,
                Some("--draw") => args.draw = true,
                Some("--what-if") => {
                    let settings = words.next().and_then(|word| word.into_string().ok());
                    args.what_if =
                        Some(settings.ok_or("`--what-if` needs settings, such as \"timeout=60s\"")?);
                }
                Some(flag) if flag.starts_with('-') => {
                    return Err(format!(
                        "`{flag}` is no flag of this program; there are `--bless`, `--draw` and `--what-if`"
                    ));
                }
                _ => args.files.push(word.into()),
            }
        }
        if args.files.is_empty() { Err("no file is named".into()) } else { Ok(Some(args)) }
    }
}

/// The outcome of one file. The worst comes last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Agrees,
    Differs,
    Unreadable,
}

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            say(format_args!("{HELP}\n"));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("replay: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
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
    if args.what_if.is_none() {
        say(format_args!("{agreed} of {} transcripts agree\n", args.files.len()));
    }
    ExitCode::from(worst as u8)
}

/// Prints. The reader may stop early, as `head` does. Then the work goes on, because the exit status and `--bless` still count.
fn say(text: Arguments<'_>) {
    let failed = std::io::stdout().write_fmt(text).err();
    if let Some(error) = failed.filter(|error| error.kind() != ErrorKind::BrokenPipe) {
        eprintln!("replay: the output cannot be written: {error}");
        std::process::exit(2);
    }
}

fn replay(file: &Path, args: &Args) -> Result<Outcome, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("1: cannot be read: {error}"))?;
    let transcript: Transcript = text.parse().map_err(|error| format!("{error}"))?;
    if let Some(settings) = &args.what_if {
        let changed =
            transcript.config().to_builder().parse(settings).and_then(|changed| Ok(changed.build()?));
        let changed = changed.map_err(|error| format!("1: `--what-if {settings}`: {error}"))?;
        let other = transcript.what_if(changed).map_err(|error| format!("{error}"))?;
        let replay = other.replay().map_err(|error| format!("{error}"))?;
        let shown = if args.draw { replay.picture() } else { other.to_string() };
        say(format_args!("# {}, if {settings}\n{shown}\n", file.display()));
        return Ok(Outcome::Agrees);
    }
    let replay = transcript.replay().map_err(|error| format!("{error}"))?;
    if args.draw {
        say(format_args!("{}\n{}\n", file.display(), replay.picture()));
    }
    if args.bless {
        let blessed = replay.blessed();
        if blessed != text {
            fs::write(file, blessed).map_err(|error| format!("1: cannot be written: {error}"))?;
            say(format_args!("{}: blessed\n", file.display()));
        }
        return Ok(Outcome::Agrees);
    }
    if replay.agrees() {
        return Ok(Outcome::Agrees);
    }
    say(format_args!("{}\n{}", file.display(), replay.diff()));
    Ok(Outcome::Differs)
}
