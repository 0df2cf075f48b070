//! The lives as they happen: strips in a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use anstyle::{AnsiColor, Style};
use liveness::Timestamp;
use terminal_size::{Height, Width, terminal_size};

use crate::board::{Board, Change, Life, Recipe};
use crate::cases::{CASES, Case, END, Right};

/// The column of the faults.
const FAULT: usize = 28;
/// Half a second each, where there is room.
const MOST_CELLS: u16 = 32;
/// More than a second each would hide what happens.
const FEWEST_CELLS: u16 = 16;
const LEGEND: [&str; 2] = [
    "━ online     ~ suspect               ! here is the fault",
    "■ given up   ✗ given up, wrongly     ░ the server is stopped",
];

/// This style where stdout shows styles, and none where it goes elsewhere or its user wants none (<https://no-color.org>).
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

/// What shows the lives.
pub(crate) enum Screen {
    /// A strip for each case and recipe, drawn over and over.
    Strips {
        /// How long a strip is.
        cells: u16,
        /// How many lines to go up.
        drawn: usize,
    },
    /// A line for each change.
    Lines {
        /// How many changes of each life are out.
        printed: Vec<usize>,
    },
}

impl Screen {
    /// Strips where there is room to draw them, lines where not.
    pub(crate) fn new() -> Self {
        let cells = terminal_size().map_or(0, |(Width(width), Height(height))| {
            let fits = usize::from(height) > CASES.len() + 1 + LEGEND.len();
            if fits { (width.saturating_sub(FAULT as u16) / 2).saturating_sub(2) } else { 0 }
        });
        if io::stdout().is_terminal() && cells >= FEWEST_CELLS && !is_dumb() {
            Self::Strips { cells: cells.min(MOST_CELLS), drawn: 0 }
        } else {
            Self::Lines { printed: Vec::new() }
        }
    }

    /// Brings it up to date.
    pub(crate) fn show(&mut self, board: &Board) -> io::Result<()> {
        let lives = board.lives();
        match self {
            Self::Strips { cells, drawn } => *drawn = draw(&lives, board.clock.now(), *cells, *drawn)?,
            Self::Lines { printed } => print_news(&lives, printed)?,
        }
        io::stdout().flush()
    }
}

fn draw(lives: &[Life], now: Timestamp, cells: u16, drawn: usize) -> io::Result<usize> {
    if drawn > 0 {
        write!(io::stdout(), "\x1b[{drawn}A")?;
    }
    let mut out = io::stdout().lock();
    let bold = painted(Style::new().bold());
    let [now_s, end_s] = [now.min(END), END].map(|at| at.as_nanos() / 1_000_000_000);
    let (clock, width) = (format!("{now_s} of {end_s} s"), usize::from(cells) + 2);
    writeln!(out, "{bold}{clock:FAULT$} {:width$}liveness{bold:#}", "textbook")?;
    for (index, case) in CASES.iter().enumerate() {
        write!(out, "{:FAULT$}", case.fault)?;
        for recipe in [Recipe::Textbook, Recipe::Liveness] {
            let lives: Vec<&Life> =
                lives.iter().filter(|life| life.case == index && life.recipe == recipe).collect();
            write!(out, " ")?;
            draw_strip(&mut out, case, &lives, now, cells)?;
            write!(out, " ")?;
        }
        writeln!(out)?;
    }
    for line in LEGEND {
        writeln!(out, "{line}")?;
    }
    Ok(1 + CASES.len() + LEGEND.len())
}

fn draw_strip(
    out: &mut impl Write,
    case: &Case,
    lives: &[&Life],
    now: Timestamp,
    cells: u16,
) -> io::Result<()> {
    let lasts = END.saturating_duration_since(Timestamp::ZERO) / u32::from(cells);
    for number in 0..u32::from(cells) {
        let from = Timestamp::ZERO + lasts * number;
        let shown = if from > now { &[] } else { lives };
        let cell = shown.iter().map(|life| Cell::of(life, case, from, from + lasts)).max();
        let cell = cell.unwrap_or(Cell::Nothing);
        let (style, sign) = cell.look();
        let style = painted(style);
        write!(out, "{style}{sign}{style:#}")?;
    }
    Ok(())
}

/// A moment of a life. Of a crowd, the worst is shown: the last of these.
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

    /// What remains of a moment in the cells after it.
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
            Self::Gone => (Style::new().dimmed(), '·'),
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
        let recipe = match life.recipe {
            Recipe::Textbook => "textbook",
            Recipe::Liveness => "liveness",
        };
        let case = &CASES[life.case];
        let fault =
            if case.crowd > 1 { format!("{} #{}", case.fault, life.number + 1) } else { case.fault.into() };
        let (style, what) = describe(change, case);
        let style = painted(style);
        writeln!(out, "{seconds:6.2} s  {recipe}  {fault:27}  {style}{what}{style:#}")?;
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
