//! The closing table.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use terminal_size::{Width, terminal_size};

use crate::cases::{CASES, Case, INTERVAL, Right, TIMEOUT};
use crate::judgement::{Judgement, bound, limit};
use crate::screen::painted;

/// The place of a row.
const WIDTH: u16 = 100;
const RIGHT: Style = AnsiColor::Green.on_default();
const WRONG: Style = AnsiColor::Red.on_default().bold();

/// Prints the table, or only its last lines if the lives on the screen show the rest.
pub(crate) fn print(verdicts: &[[Judgement; 2]], is_shown: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if !is_shown {
        let gap = gap();
        let bold = painted(Style::new().bold());
        let (fault, right) = ("the fault", "what is right");
        writeln!(
            out,
            "\n{bold}{fault:27}  {right:16}{gap}{:22} {:18} verdict in{bold:#}",
            "gorilla's chat", "liveness"
        )?;
        for (case, [gorilla, liveness]) in CASES.iter().zip(verdicts) {
            print_row(&mut out, case, gorilla, liveness)?;
        }
        writeln!(out)?;
    }
    let score = [0, 1].map(|rule| verdicts.iter().filter(|both| both[rule].right).count());
    print_footnotes(&mut out, score)
}

/// Between what is right and what was done: a new line if a row does not fit into one.
fn gap() -> &'static str {
    let is_narrow =
        io::stdout().is_terminal() && terminal_size().is_some_and(|(Width(width), _)| width < WIDTH);
    if is_narrow { "\n    " } else { "  " }
}

fn print_row(out: &mut impl Write, case: &Case, gorilla: &Judgement, liveness: &Judgement) -> io::Result<()> {
    let right = match case.right {
        Right::Online => "online".into(),
        Right::Timeout(reason) | Right::Deed(reason) => reason.to_string(),
    };
    let took = match (liveness.took, limit(case.right)) {
        (Some(took), Some(limit)) => format!("{:.2}/{:.2} s", took.as_secs_f64(), limit.as_secs_f64()),
        (Some(took), None) => format!("{:.2} s", took.as_secs_f64()),
        (None, _) => "-".into(),
    };
    write!(out, "{:27}  {right:16}{}", case.fault, gap())?;
    // Its time is beside it, because the last column is that of `liveness`.
    let did = match gorilla.took {
        Some(took) if gorilla.right => format!("{} {:.2} s", gorilla.did, took.as_secs_f64()),
        Some(_) | None => gorilla.did.clone(),
    };
    print_did(out, gorilla.right, &did, 20)?;
    print_did(out, liveness.right, &liveness.did, 16)?;
    writeln!(out, "{took}")
}

fn print_did(out: &mut impl Write, right: bool, did: &str, width: usize) -> io::Result<()> {
    let (style, mark) = if right { (RIGHT, '✓') } else { (WRONG, '✗') };
    let style = painted(style);
    write!(out, "{style}{mark} {did:width$}{style:#} ")
}

fn print_footnotes(out: &mut impl Write, [gorilla, liveness]: [usize; 2]) -> io::Result<()> {
    let (all, interval, timeout) = (CASES.len(), INTERVAL.as_secs_f64(), TIMEOUT.as_secs_f64());
    let bound = bound().as_secs_f64();
    writeln!(out, "Right: gorilla's chat in {gorilla} of {all} rows, liveness in {liveness} of {all}.")?;
    writeln!(out, "gorilla's chat: gorilla/websocket's example. Only a pong moves its deadline.")?;
    writeln!(
        out,
        "Both: a ping after {interval} s, {timeout} s for its answer. A verdict by the clock is right"
    )?;
    writeln!(
        out,
        "{timeout} s to {bound:.2} s after the last sign of life; one on a deed, within {interval} s."
    )
}
