//! Plays every fault against a server from outside, and says for each whether its verdict is right.
//!
//! `judge target/debug/server_tokio` starts it, twice: `judge --list` shows what is played. `judge --url ws://127.0.0.1:8080/chat` judges a
//! server that runs, by what its peers see; it must have been started with the flags that `--list` shows.
//!
//! Exit status: 0 where all is right, or known to be beyond the stack; 1 where a case is wrong; 2 where nothing could be judged.

use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use liveness_judge::{ANY_TRAFFIC, Case, Group, Outcome, PONG_ONLY, Server, cannot, judge, play};

/// Plays every fault against a server, and says for each whether its verdict is right.
#[derive(Parser)]
struct Args {
    /// The server: a program that takes `--listen`, `--interval`, `--timeout`, `--suspect-after` and `--evidence`.
    #[arg(required_unless_present_any = ["url", "list"], conflicts_with = "url")]
    program: Option<PathBuf>,
    /// A server that runs.
    #[arg(long, value_name = "ws://HOST:PORT/PATH")]
    url: Option<String>,
    /// What that server counts as a sign of life.
    #[arg(long, requires = "url", default_value = "any-traffic", value_parser = ["any-traffic", "pong-only"])]
    evidence: String,
    /// Play this case alone; may be given again.
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// Show the cases, and play none.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.list {
        for group in [ANY_TRAFFIC, PONG_ONLY] {
            println!("{}", group.flags().join(" "));
            for case in group.cases {
                println!("  {:12}  {}: {}", case.name, case.sentence, case.reason);
            }
        }
        return ExitCode::SUCCESS;
    }
    // What a case saw is in its line.
    panic::set_hook(Box::new(|_| ()));
    let judged = panic::catch_unwind(|| outcomes(&args));
    let (outcomes, name) = match judged {
        Ok(Ok(outcomes)) => (outcomes, name(&args)),
        Ok(Err(error)) => return fail(&error),
        Err(_) => return fail("the server does not say where it listens"),
    };
    let mut wrong = 0;
    for (group, case, outcome) in &outcomes {
        let (mark, words) = line(case, outcome, cannot(&name, case.name));
        wrong += usize::from(mark == "wrong");
        println!("{mark:6} {:11} {:12}  {}{words}", group.evidence, case.name, case.sentence);
    }
    println!("{name}: {} cases, {wrong} wrong", outcomes.len());
    if outcomes.is_empty() {
        return fail("no case of that name");
    }
    ExitCode::from(u8::from(wrong > 0))
}

fn outcomes(args: &Args) -> Result<Vec<(Group, &'static Case, Outcome)>, String> {
    if let Some(url) = &args.url {
        let group = if args.evidence == PONG_ONLY.evidence { PONG_ONLY } else { ANY_TRAFFIC };
        return Ok(play(&Server::at(url)?, group, &args.only));
    }
    let program = args.program.as_deref().ok_or("no server")?;
    Ok(judge(program, &args.only))
}

/// What the table of the impossible knows it by.
fn name(args: &Args) -> String {
    let file = args.program.as_ref().and_then(|program| program.file_stem());
    file.map(|name| name.to_string_lossy().into_owned()).or_else(|| args.url.clone()).unwrap_or_default()
}

fn line(case: &Case, outcome: &Outcome, impossible: Option<&str>) -> (&'static str, String) {
    match (outcome, impossible) {
        (Outcome::Right, None) => ("right", String::new()),
        (Outcome::Unseen, _) => ("unseen", "; only the server's lines would tell".into()),
        (Outcome::Wrong(seen), None) => ("wrong", format!("; expected {}; {seen}", case.reason)),
        (Outcome::Wrong(_), Some(why)) => ("cannot", format!("; {why}")),
        (Outcome::Right, Some(_)) => {
            ("wrong", "; it is right, although it is declared to be impossible".into())
        }
    }
}

fn fail(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::from(2)
}
