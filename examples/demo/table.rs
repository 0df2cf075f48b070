//! The closing table.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use terminal_size::{Width, terminal_size};

use crate::board::{Life, Recipe};
use crate::cases::{CASES, Case, INTERVAL, LATENESS, Right, TIMEOUT};
use crate::judgement::{Judgement, bound, judge, limit};
use crate::screen::painted;

/// Of a row.
const WIDTH: u16 = 100;
const RIGHT: Style = AnsiColor::Green.on_default();
const WRONG: Style = AnsiColor::Red.on_default().bold();

/// Prints it, and says whether `liveness` was right in every row.
pub(crate) fn print(lives: &[Life]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let gap = gap();
    let bold = painted(Style::new().bold());
    let (fault, right, textbook) = ("the fault", "what is right", "the textbook");
    writeln!(out, "\n{bold}{fault:27}  {right:16}{gap}{textbook:22} {:18} verdict in{bold:#}", "liveness")?;
    let mut score = [0, 0];
    for (index, case) in CASES.iter().enumerate() {
        let [textbook, liveness] = [Recipe::Textbook, Recipe::Liveness].map(|recipe| {
            let lives: Vec<&Life> =
                lives.iter().filter(|life| life.case == index && life.recipe == recipe).collect();
            judge(case, recipe, &lives)
        });
        score[0] += usize::from(textbook.right);
        score[1] += usize::from(liveness.right);
        print_row(&mut out, case, &textbook, &liveness)?;
    }
    print_footnotes(&mut out, score)?;
    Ok(score[1] == CASES.len())
}

/// Between what is right and what was done: a new line where a row does not fit into one.
fn gap() -> &'static str {
    let is_narrow =
        io::stdout().is_terminal() && terminal_size().is_some_and(|(Width(width), _)| width < WIDTH);
    if is_narrow { "\n    " } else { "  " }
}

fn print_row(
    out: &mut impl Write,
    case: &Case,
    textbook: &Judgement,
    liveness: &Judgement,
) -> io::Result<()> {
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
    // A textbook's verdict shows its time beside it: the last column is liveness's.
    let did = match textbook.took {
        Some(took) => format!("{} {:.2} s", textbook.did, took.as_secs_f64()),
        None => textbook.did.clone(),
    };
    print_did(out, textbook.right, &did, 20)?;
    print_did(out, liveness.right, &liveness.did, 16)?;
    writeln!(out, "{took}")
}

fn print_did(out: &mut impl Write, right: bool, did: &str, width: usize) -> io::Result<()> {
    let (style, mark) = if right { (RIGHT, '✓') } else { (WRONG, '✗') };
    let style = painted(style);
    write!(out, "{style}{mark} {did:width$}{style:#} ")
}

fn print_footnotes(out: &mut impl Write, [textbook, liveness]: [usize; 2]) -> io::Result<()> {
    let (all, interval, timeout) = (CASES.len(), INTERVAL.as_secs_f64(), TIMEOUT.as_secs_f64());
    let (lateness, bound) = (LATENESS.as_millis(), bound().as_secs_f64());
    writeln!(out, "\nRight: the textbook in {textbook} of {all} rows, liveness in {liveness} of {all}.")?;
    writeln!(
        out,
        "Both: a ping after {interval} s, {timeout} s for its answer. A verdict by the clock is right"
    )?;
    writeln!(
        out,
        "from {timeout} s after the last sign of life to detection_bound({lateness} ms) = {bound:.2} s,"
    )?;
    writeln!(
        out,
        "which counts {lateness} ms for a busy scheduler thrice; one on a deed, within {interval} s."
    )
}
