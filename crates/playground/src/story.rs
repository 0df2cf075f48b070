//! A transcript's life as rows for a page: what the crate's own picture says, and each action's reason in words.

use std::time::Duration;

use liveness::transcript::{ParseError, Replay, Row, Transcript};
use liveness::{Config, Evidence, Schedule, Status, Suspicion, Timestamp};
use serde_json::{Value, json};

/// One row of the picture, and why its action was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The row.
    pub row: Row,
    /// Why; empty where nothing was done.
    pub why: String,
}

/// Reads and replays a text.
///
/// # Errors
///
/// What is wrong with the text, by its line.
pub fn tell(text: &str) -> Result<(Vec<Told>, bool), ParseError> {
    let life: Transcript = text.parse()?;
    let replay = life.replay()?;
    Ok((rows(&replay, life.config()), replay.agrees()))
}

/// Rows of a replay, in the order of its picture.
#[must_use]
pub fn rows(replay: &Replay<'_>, config: &Config) -> Vec<Told> {
    let mut before = (Some(Status::Online), false);
    let told = replay.rows().into_iter().map(|row| {
        let why = why(&row, before, config);
        before = (row.status, row.ping_awaited);
        Told { row, why }
    });
    told.collect()
}

fn why(row: &Row, (status, ping_awaited): (Option<Status>, bool), config: &Config) -> String {
    let word = row.output.split(' ').next().unwrap_or_default();
    let waited = |length: Duration| format!("{} s", length.as_secs_f64());
    match word {
        "online" if status == Some(Status::Suspect) => "An answer came. The suspicion is over.".to_owned(),
        "online" => "The connection is open.".to_owned(),
        "ping" if ping_awaited => {
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
        _ if matches!(row.waits_for, Some(("last look", _))) => "The time is up. One last look: has anything arrived that we have not read?".to_owned(),
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
            "A ping waited to be written, and the transport took no byte for {}: nobody reads at the other end.",
            length(config.write_timeout())
        ),
        "silent" => format!("Nothing at all was received for {}.", length(config.silence_timeout())),
        "idle" => format!("No data was received for {}.", length(config.idle_timeout())),
        "ping-flood" => "The peer sent more control frames than it may.".to_owned(),
        "protocol-error" => "What was received breaks the protocol.".to_owned(),
        "peer-closed" => "The peer closed.".to_owned(),
        "transport-closed" => "The transport ended, and no Close came.".to_owned(),
        "local-closed" => "We closed.".to_owned(),
        other => other.to_owned(),
    }
}

/// The rows as JSON; times in seconds.
#[must_use]
pub fn json(rows: &[Told]) -> Value {
    let seconds = |at: Timestamp| at.as_duration().as_secs_f64();
    let row = |Told { row, why }: &Told| {
        json!({
            "at": seconds(row.at),
            "in": row.input,
            "state": row.status.map_or_else(String::new, |status| status.to_string()),
            "out": row.output,
            "next": row.waits_for.map_or("", |(what, _)| what),
            "by": row.waits_for.map(|(_, at)| seconds(at)),
            "awaited": row.ping_awaited,
            "why": why,
        })
    };
    rows.iter().map(row).collect()
}
