//! The lives as they happen: strips in a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use anstyle::{AnsiColor, Style};
use liveness::Timestamp;
use terminal_size::{Height, Width, terminal_size};

use crate::board::{Board, Change, Life, Rule};
use crate::cases::{CASES, Case, END, Right};
use crate::judgement::Judgement;

/// The column of the faults.
const FAULT: usize = 28;
/// Half a second for each cell, if there is room.
const MOST_CELLS: u16 = 32;
/// More than a second for each cell would hide what happens.
const FEWEST_CELLS: u16 = 16;
/// Shown after the end of a life.
const GONE: char = '·';
/// How many lines the table has in addition to its rows.
const FOOTNOTES: usize = 6;
const LEGEND: [&str; 2] = [
    "━ online     ~ suspect               ! here is the fault",
    "■ given up   ✗ given up, wrongly     ░ the server is stopped",
];

/// This style if stdout shows styles, and none if it goes elsewhere or if its user wants none (<https://no-color.org>).
pub(crate) fn painted(style: Style) -> Style {
    static STYLED: LazyLock<bool> = LazyLock::new(|| {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|no| !no.is_empty());
        io::stdout().is_terminal() && !refused && !is_dumb()
    });
    if *STYLED { style } else { Style::new() }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The ways to show the lives.
pub(crate) enum Screen {
    /// A strip for each case and rule, which is drawn again and again.
    Strips {
        /// How long a strip is.
        cells: u16,
        /// The lines on the screen.
        drawn: Vec<String>,
    },
    /// A line for each change.
    Lines {
        /// How many changes of each life have been printed.
        printed: Vec<usize>,
    },
}

impl Screen {
    /// Strips if there is room to draw them, otherwise lines.
    pub(crate) fn new() -> Self {
        let cells = terminal_size().map_or(0, |(Width(width), Height(height))| {
            let fits = usize::from(height) > CASES.len() + 1 + LEGEND.len();
            if fits { (width.saturating_sub(FAULT as u16) / 2).saturating_sub(3) } else { 0 }
        });
        if io::stdout().is_terminal() && cells >= FEWEST_CELLS && !is_dumb() {
            Self::Strips { cells: cells.min(MOST_CELLS), drawn: Vec::new() }
        } else {
            Self::Lines { printed: Vec::new() }
        }
    }

    /// Updates the screen.
    pub(crate) fn show(&mut self, board: &Board) -> io::Result<()> {
        let lives = board.lives();
        match self {
            Self::Strips { cells, drawn } => redraw(picture(&lives, board.clock.now(), *cells, None), drawn)?,
            Self::Lines { printed } => print_news(&lives, printed)?,
        }
        io::stdout().flush()
    }

    /// Marks the strips as right or wrong. Returns true if they already say everything, because a table would scroll them
    /// away.
    pub(crate) fn finish(&mut self, lives: &[Life], verdicts: &[[Judgement; 2]]) -> io::Result<bool> {
        let Self::Strips { cells, drawn } = self else { return Ok(false) };
        redraw(picture(lives, END, *cells, Some(verdicts)), drawn)?;
        io::stdout().flush()?;
        let both = 2 * (CASES.len() + 1) + LEGEND.len() + FOOTNOTES;
        Ok(terminal_size().is_none_or(|(_, Height(height))| usize::from(height) < both))
    }
}

/// Writes only the lines that changed. That makes it fast over a slow connection.
fn redraw(picture: Vec<String>, drawn: &mut Vec<String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut changed = false;
    for (index, line) in picture.iter().enumerate() {
        if drawn.get(index) == Some(line) {
            continue;
        }
        if drawn.is_empty() {
            writeln!(out, "{line}")?;
        } else {
            // Up to the line, over its old content, and down again.
            let up = picture.len() - index;
            write!(out, "\x1b[{up}A\x1b[2K{line}\x1b[{up}B\r")?;
        }
        changed = true;
    }
    if changed {
        *drawn = picture;
    }
    Ok(())
}

fn picture(lives: &[Life], now: Timestamp, cells: u16, verdicts: Option<&[[Judgement; 2]]>) -> Vec<String> {
    let bold = painted(Style::new().bold());
    let [now_s, end_s] = [now.min(END), END].map(|at| at.as_nanos() / 1_000_000_000);
    let (clock, width) = (format!("{now_s} of {end_s} s"), usize::from(cells) + 2);
    let mut lines = vec![format!("{bold}{clock:FAULT$}  {:width$} liveness{bold:#}", "gorilla's chat")];
    for (index, case) in CASES.iter().enumerate() {
        let mut line = format!("{:FAULT$}", case.fault);
        for (column, rule) in [Rule::Gorilla, Rule::Liveness].into_iter().enumerate() {
            let lives: Vec<&Life> =
                lives.iter().filter(|life| life.case == index && life.rule == rule).collect();
            let verdict = verdicts.and_then(|all| all.get(index)).and_then(|both| both.get(column));
            line.push_str(&strip(case, &lives, now, cells, verdict));
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.extend(LEGEND.map(str::to_owned));
    lines
}

/// One life, or a crowd's. At the end it has a mark in front, and the verdict in place of what came after it.
fn strip(case: &Case, lives: &[&Life], now: Timestamp, cells: u16, verdict: Option<&Judgement>) -> String {
    let lasts = END.saturating_duration_since(Timestamp::ZERO) / u32::from(cells);
    let mut shown: Vec<(Style, char)> = (0..u32::from(cells))
        .map(|number| {
            let from = Timestamp::ZERO + lasts * number;
            let shown = if from > now { &[] } else { lives };
            let cell = shown.iter().map(|life| Cell::of(life, case, from, from + lasts)).max();
            cell.unwrap_or(Cell::Nothing).look()
        })
        .collect();
    let mark = match verdict {
        Some(Judgement { right: true, .. }) => (AnsiColor::Green.on_default(), '✓'),
        Some(Judgement { right: false, .. }) => (AnsiColor::Red.on_default().bold(), '✗'),
        None => (Style::new(), ' '),
    };
    let gone = shown.iter().rev().take_while(|(_, sign)| *sign == GONE).count();
    let said = verdict.map_or("", |verdict| verdict.did.as_str());
    if said.chars().count() < gone {
        let from = shown.len() - gone + 1;
        let said = said.chars().chain(std::iter::repeat(' '));
        shown.splice(from.., said.take(gone - 1).map(|sign| (Style::new(), sign)));
    }
    let mut strip = String::from(" ");
    for run in std::iter::once(mark).chain(shown).collect::<Vec<_>>().chunk_by(|one, next| one.0 == next.0) {
        let style = painted(run[0].0);
        let signs: String = run.iter().map(|(_, sign)| sign).collect();
        strip.push_str(&format!("{style}{signs}{style:#}"));
    }
    strip
}

/// A moment of a life. For a crowd, the worst is shown, which is the last of these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Nothing,
    Gone,
    Online,
    Suspect,
    Fault,
    Stopped,
    Rightly,
    Wrongly,
}

impl Cell {
    fn of(life: &Life, case: &Case, from: Timestamp, to: Timestamp) -> Self {
        let mut cell = Self::Nothing;
        for (at, change) in life.history.iter().filter(|(at, _)| *at < to) {
            cell = cell.after(change, case);
            if *at < from {
                cell = cell.past();
            }
        }
        cell
    }

    /// The character for the cells after that moment.
    fn past(self) -> Self {
        match self {
            Self::Rightly | Self::Wrongly | Self::Gone => Self::Gone,
            Self::Fault | Self::Online => Self::Online,
            Self::Nothing => Self::Nothing,
            Self::Suspect => Self::Suspect,
            Self::Stopped => Self::Stopped,
        }
    }

    fn after(self, change: &Change, case: &Case) -> Self {
        match (change, self) {
            (Change::Offline { .. }, _) if matches!(case.right, Right::Online) => Self::Wrongly,
            (Change::Offline { .. }, _) => Self::Rightly,
            (_, Self::Rightly | Self::Wrongly | Self::Gone) => self,
            (Change::Fault, _) if !matches!(case.right, Right::Online) => Self::Fault,
            (Change::Online, Self::Fault) => Self::Fault,
            (Change::Online | Change::Resumed, _) => Self::Online,
            (Change::Suspect, _) => Self::Suspect,
            (Change::Stalled, _) => Self::Stopped,
            (Change::Fault | Change::Gone | Change::Lost(_), _) => self,
        }
    }

    fn look(self) -> (Style, char) {
        match self {
            Self::Nothing => (Style::new(), ' '),
            Self::Gone => (Style::new().dimmed(), GONE),
            Self::Online => (AnsiColor::Green.on_default(), '━'),
            Self::Suspect => (AnsiColor::Yellow.on_default(), '~'),
            Self::Fault => (AnsiColor::Magenta.on_default().bold(), '!'),
            Self::Stopped => (AnsiColor::Blue.on_default(), '░'),
            Self::Rightly => (AnsiColor::Green.on_default().bold(), '■'),
            Self::Wrongly => (AnsiColor::Red.on_default().bold(), '✗'),
        }
    }
}

fn print_news(lives: &[Life], printed: &mut Vec<usize>) -> io::Result<()> {
    printed.resize(lives.len(), 0);
    let mut news: Vec<(Timestamp, &Life, &Change)> = Vec::new();
    for (life, printed) in lives.iter().zip(printed) {
        news.extend(life.history[*printed..].iter().map(|(at, change)| (*at, life, change)));
        *printed = life.history.len();
    }
    news.sort_by_key(|(at, ..)| *at);
    let mut out = io::stdout().lock();
    for (at, life, change) in news {
        let seconds = at.as_duration().as_secs_f64();
        let rule = match life.rule {
            Rule::Gorilla => "gorilla",
            Rule::Liveness => "liveness",
        };
        let case = &CASES[life.case];
        let fault =
            if case.crowd > 1 { format!("{} #{}", case.fault, life.number + 1) } else { case.fault.into() };
        let (style, what) = describe(change, case);
        let style = painted(style);
        writeln!(out, "{seconds:6.2} s  {rule:8}  {fault:27}  {style}{what}{style:#}")?;
    }
    Ok(())
}

fn describe(change: &Change, case: &Case) -> (Style, String) {
    let bad = AnsiColor::Red.on_default();
    match change {
        Change::Online => (AnsiColor::Green.on_default(), "online".into()),
        Change::Suspect => (AnsiColor::Yellow.on_default(), "suspect".into()),
        Change::Fault => (AnsiColor::Magenta.on_default(), "here is the fault".into()),
        Change::Stalled => (AnsiColor::Blue.on_default(), "the server is stopped".into()),
        Change::Resumed => (AnsiColor::Blue.on_default(), "the server runs again".into()),
        Change::Offline { reason, report } => {
            let style = if matches!(case.right, Right::Online) { bad } else { AnsiColor::Green.on_default() };
            (style, format!("offline: {reason}: {report}"))
        }
        Change::Gone => (Style::new().dimmed(), "disconnected".into()),
        Change::Lost(why) => (bad, format!("the client lost it: {why}")),
    }
}
