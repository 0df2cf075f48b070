//! A transcript's life as rows for a page: what the crate's own picture says, and each action's reason in words.

use std::time::Duration;

use liveness::transcript::{ParseError, Replay, Transcript};
use liveness::{Config, Evidence, Schedule, Suspicion, parse_duration};

use crate::json;

/// One row of the picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Seconds.
    pub at: f64,
    /// What was read, as a transcript has it.
    pub input: String,
    /// `online`, `suspect`, `offline`, or nothing at the end.
    pub state: &'static str,
    /// What was done, as a transcript has it.
    pub output: String,
    /// What is waited for from here on: `answer`, `suspect`, `ping`, `last look`, ...
    pub next: String,
    /// Until when, in seconds.
    pub by: f64,
    /// A ping waits for its answer from here on.
    pub awaited: bool,
    /// Why it was done.
    pub why: String,
}

/// Reads and replays a text.
///
/// # Errors
///
/// What is wrong with the text, by its line.
pub fn tell(text: &str) -> Result<(Transcript, Vec<Row>, bool), ParseError> {
    let life: Transcript = text.parse()?;
    let replay = life.replay()?;
    let (rows, agrees) = (rows(&replay, life.config()), replay.agrees());
    Ok((life, rows, agrees))
}

/// Rows of a replay, in the order of its picture.
#[must_use]
pub fn rows(replay: &Replay<'_>, config: &Config) -> Vec<Row> {
    let picture = replay.picture();
    let mut lines = picture.lines();
    let head: Vec<char> = lines.next().unwrap_or_default().chars().collect();
    let column = |word: &str| {
        let word: Vec<char> = word.chars().collect();
        head.windows(word.len()).position(|window| window == word).unwrap_or(0)
    };
    let (input, output, next) = (column("in "), column("out"), column("next"));
    let mut rows: Vec<Row> = Vec::new();
    let mut before = Row::default();
    for line in lines {
        let letters: Vec<char> = line.chars().collect();
        let cell = |from: usize, to: usize| -> String {
            let cell: String = letters.iter().skip(from).take(to.saturating_sub(from)).collect();
            cell.trim().trim_end_matches('▶').trim_start_matches('▶').trim().to_owned()
        };
        let mut row = Row {
            at: seconds(&cell(0, input)).unwrap_or(before.at),
            input: cell(input, output.saturating_sub(2)),
            state: match letters.get(output.saturating_sub(2)) {
                Some('┃') => "online",
                Some('┇') => "suspect",
                Some('░') => "offline",
                _ => "",
            },
            output: cell(output, next),
            awaited: matches!(letters.get(next), Some('╷' | '│' | '├')),
            by: f64::INFINITY,
            ..Row::default()
        };
        let waits = cell(next + 1, usize::MAX);
        if let Some((what, until)) = waits.rsplit_once(' ') {
            row.next = what.trim_end_matches(" by").trim_end_matches(" at").to_owned();
            row.by = seconds(until).unwrap_or(f64::INFINITY);
        }
        row.why = why(&row, &before, config);
        if row.next.is_empty() && row.at == before.at {
            // More of the same moment: its last row says what is waited for.
            row.awaited |= before.awaited;
        }
        before.clone_from(&row);
        rows.push(row);
    }
    rows
}

fn seconds(text: &str) -> Option<f64> {
    parse_duration(text).ok().map(|duration| duration.as_secs_f64())
}

fn why(row: &Row, before: &Row, config: &Config) -> String {
    let word = row.output.split(' ').next().unwrap_or_default();
    let waited = |length: Duration| format!("{} s", length.as_secs_f64());
    match word {
        "online" if before.state == "suspect" => "An answer came. The suspicion is over.".to_owned(),
        "online" => "The connection is open.".to_owned(),
        "ping" if before.awaited => {
            "There is no answer yet. Another ping goes out, because a program may lose one.".to_owned()
        }
        "ping" => match config.schedule() {
            Schedule::Steady => format!("A ping is due every {}, less a share drawn at random.", waited(config.interval())),
            Schedule::Quiet | _ => format!(
                "One side had been silent for up to {}: time to ask, and to show a proxy some life.",
                waited(config.interval())
            ),
        },
        "suspect" => match config.suspicion() {
            Suspicion::Adaptive { .. } => "The answer takes longer than this peer's answers did. It is greyed out, and nothing is taken away.".to_owned(),
            Suspicion::After(_) | Suspicion::Never | _ => "The answer takes long. The peer is greyed out, and nothing is taken away.".to_owned(),
        },
        "offline" => verdict(&row.output, config),
        "close" => format!("The peer is told, in case that it hears: {}.", row.output.replace("close", "close code")),
        "disconnect" => "The transport is closed, and everything is freed. Nothing more will come.".to_owned(),
        _ if row.next == "last look" => "The time is up. One last look: has anything arrived that we have not read?".to_owned(),
        _ => String::new(),
    }
}

fn verdict(output: &str, config: &Config) -> String {
    let length = |length: Duration| format!("{} s", length.as_secs_f64());
    let counts = match config.evidence() {
        Evidence::PongOnly => "No answer to a ping",
        Evidence::AnyTraffic | _ => "No answer and no other byte",
    };
    match output.split(' ').nth(1).unwrap_or_default() {
        "ping-timeout" => format!(
            "{counts} came within {} of a ping, and the last look found nothing.",
            length(config.timeout())
        ),
        "write-stalled" => format!(
            "A ping was to be written, and the transport took no byte for {}: nobody reads at the other end.",
            length(config.write_timeout())
        ),
        "silent" => format!("Nothing at all was received for {}.", length(config.silence_timeout())),
        "idle" => format!("No data was received for {}.", length(config.idle_timeout())),
        "ping-flood" => "The peer sent more control frames than it may.".to_owned(),
        "protocol-error" => "What was received breaks the protocol.".to_owned(),
        "peer-closed" => "The peer closed.".to_owned(),
        "transport-closed" => "The transport ended without a word.".to_owned(),
        "local-closed" => "We closed.".to_owned(),
        other => other.to_owned(),
    }
}

/// The rows as JSON.
#[must_use]
pub fn json(rows: &[Row]) -> String {
    json::list(rows, |row| {
        format!(
            "{{\"at\":{},\"in\":{},\"state\":\"{}\",\"out\":{},\"next\":{},\"by\":{},\"awaited\":{},\"why\":{}}}",
            row.at,
            json::text(&row.input),
            row.state,
            json::text(&row.output),
            json::text(&row.next),
            json::number(row.by),
            row.awaited,
            json::text(&row.why)
        )
    })
}
