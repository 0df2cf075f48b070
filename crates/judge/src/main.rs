//! Plays every fault against a server from outside, and says for each whether its verdict is right.
//!
//! `judge target/debug/server_tokio` starts that server twice. `judge --list` shows what is played. `judge --url
//! ws://127.0.0.1:8080/chat` judges a running server by what its peers see. Start that server with the flags that
//! `--list` shows.
//!
//! `judge --client target/debug/client` plays the server to a client.
//!
//! Exit status: 0 if all is right, or known to be impossible for the stack; 1 if a case is wrong; 2 if nothing could be
//! judged.

use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use liveness_judge::{
    ANY_TRAFFIC, CLIENT_CASES, CLIENT_SETTINGS, Case, ClientCase, Group, Outcome, PONG_ONLY, Server, cannot,
    judge, judge_client, play,
};

/// Plays every fault against a server, and says for each whether its verdict is right.
#[derive(Parser)]
struct Args {
    /// The program: a server that takes `--listen`, `--interval`, `--timeout`, `--suspect-after` and `--evidence`.
    #[arg(required_unless_present_any = ["url", "list"], conflicts_with = "url")]
    program: Option<PathBuf>,
    /// A running server.
    #[arg(long, value_name = "ws://HOST:PORT/PATH")]
    url: Option<String>,
    /// What that server counts as a sign of life.
    #[arg(long, requires = "url", default_value = "any-traffic", value_parser = ["any-traffic", "pong-only"])]
    evidence: String,
    /// The program is a client: it takes `ws://HOST:PORT/` and settings such as `interval=500ms`.
    #[arg(long, conflicts_with = "url")]
    client: bool,
    /// Play only this case; may be given again.
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
        println!("{}", CLIENT_SETTINGS.join(" "));
        for case in CLIENT_CASES {
            println!("  {:12}  {}: {}", case.name, case.sentence, case.reason);
        }
        return ExitCode::SUCCESS;
    }
    // The line already says what each case saw.
    panic::set_hook(Box::new(|_| ()));
    let judged = panic::catch_unwind(|| outcomes(&args));
    let rows = match judged {
        Ok(Ok(rows)) => rows,
        Ok(Err(error)) => return fail(&error),
        Err(_) => return fail("the program does not start, or does not say where it listens"),
    };
    let (name, mut wrong) = (name(&args), 0);
    for row in &rows {
        let (mark, words) = row.verdict(cannot(&name, row.case));
        wrong += usize::from(mark == "wrong");
        println!("{mark:6} {:11} {:12}  {}{words}", row.group, row.case, row.sentence);
    }
    println!("{name}: {} cases, {wrong} wrong", rows.len());
    ExitCode::from(u8::from(wrong > 0))
}

/// A line of the result.
struct Row {
    group: &'static str,
    case: &'static str,
    sentence: &'static str,
    reason: &'static str,
    outcome: Outcome,
}

impl From<(Group, &'static Case, Outcome)> for Row {
    fn from((group, case, outcome): (Group, &'static Case, Outcome)) -> Self {
        Self { group: group.evidence, case: case.name, sentence: case.sentence, reason: case.reason, outcome }
    }
}

impl From<(&'static ClientCase, Outcome)> for Row {
    fn from((case, outcome): (&'static ClientCase, Outcome)) -> Self {
        Self { group: "client", case: case.name, sentence: case.sentence, reason: case.reason, outcome }
    }
}

impl Row {
    fn verdict(&self, impossible: Option<&str>) -> (&'static str, String) {
        match (&self.outcome, impossible) {
            (Outcome::Right, None) => ("right", String::new()),
            // The kernel happened to allow it this time.
            (Outcome::Right, Some(_)) => {
                ("right", "; by luck, because it is declared to be impossible".into())
            }
            (Outcome::Unseen, _) => ("unseen", "; only the server's lines would tell".into()),
            (Outcome::Wrong(seen), None) => ("wrong", format!("; expected {}; {seen}", self.reason)),
            (Outcome::Wrong(_), Some(why)) => ("cannot", format!("; {why}")),
        }
    }
}

fn outcomes(args: &Args) -> Result<Vec<Row>, String> {
    let groups = match &args.url {
        Some(_) if args.evidence == PONG_ONLY.evidence => &[PONG_ONLY][..],
        Some(_) => &[ANY_TRAFFIC],
        None => &[ANY_TRAFFIC, PONG_ONLY],
    };
    let names: Vec<&str> = if args.client {
        CLIENT_CASES.iter().map(|case| case.name).collect()
    } else {
        groups.iter().flat_map(|group| group.cases).map(|case| case.name).collect()
    };
    if let Some(other) = args.only.iter().find(|only| !names.contains(&only.as_str())) {
        return Err(format!("no case is called `{other}`; `--list` shows them all"));
    }
    if let Some(url) = &args.url {
        return Ok(play(&Server::at(url)?, groups[0], &args.only).into_iter().map(Row::from).collect());
    }
    let program = args.program.as_deref().ok_or("no program")?;
    if args.client {
        return Ok(judge_client(program, &args.only).into_iter().map(Row::from).collect());
    }
    Ok(judge(program, &args.only).into_iter().map(Row::from).collect())
}

/// The program's name in the table of the impossible.
fn name(args: &Args) -> String {
    let file = args.program.as_ref().and_then(|program| program.file_stem());
    file.map(|name| name.to_string_lossy().into_owned()).or_else(|| args.url.clone()).unwrap_or_default()
}

fn fail(what: &str) -> ExitCode {
    eprintln!("{what}");
    ExitCode::from(2)
}
