//! A transcript lived again: what the crate's own picture says, each action's reason in words, and how it would have gone with
//! other settings.

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

/// Changed settings in the first line, a transcript below it. Without a change it is the replay itself.
///
/// # Errors
///
/// What is wrong with either.
pub fn replay(text: &str) -> Result<Value, String> {
    let (changes, text) = text.split_once('\n').unwrap_or((text, ""));
    let wrong = |why: ParseError| format!("Line {why}");
    let life: Transcript = text.parse().map_err(wrong)?;
    let replay = life.replay().map_err(wrong)?;
    let other = match changes.trim() {
        "" => Value::Null,
        changes => {
            let changed = life.config().to_builder().parse(changes).and_then(|changed| Ok(changed.build()?));
            let other = life.what_if(changed.map_err(|why| why.to_string())?).map_err(wrong)?;
            let rows = rows(&other.replay().map_err(wrong)?, other.config());
            json!({ "rows": json(&rows), "text": other.to_string() })
        }
    };
    Ok(json!({ "rows": json(&rows(&replay, life.config())), "agrees": replay.agrees(), "other": other }))
}

/// Rows of a text that is read and replayed, and whether it expects them.
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
    let seconds = |length: Duration| format!("{} s", length.as_secs_f64());
    let interval = seconds(config.interval());
    match *row.output.split(' ').collect::<Vec<_>>() {
        ["online"] if status == Some(Status::Suspect) => "An answer came. The suspicion is over.".into(),
        ["online"] => "The connection is open.".into(),
        ["ping", _] if ping_awaited => {
            "There is no answer yet. Another ping goes out, because a program may lose one.".into()
        }
        ["ping", _] if config.schedule() == Schedule::Steady => {
            format!("A ping is due every {interval}, less a share drawn at random.")
        }
        ["ping", _] => {
            format!("One side was silent for up to {interval}: time to ask, and to show a proxy some life.")
        }
        ["suspect"] => {
            let adaptive = matches!(config.suspicion(), Suspicion::Adaptive { .. });
            let long = if adaptive { "longer than this peer's answers did" } else { "long" };
            format!("The answer takes {long}. The peer is greyed out, and nothing is taken away.")
        }
        ["offline", "ping-timeout"] => {
            let pongs_only = config.evidence() == Evidence::PongOnly;
            let nothing = if pongs_only { "No answer to a ping" } else { "No answer and no other byte" };
            let timeout = seconds(config.timeout());
            format!("{nothing} came within {timeout} of a ping, and the last look found nothing.")
        }
        ["offline", "write-stalled"] => {
            let timeout = seconds(config.write_timeout());
            format!(
                "A ping waits, and the transport took no byte for {timeout}: nobody reads at the other end."
            )
        }
        ["offline", "silent"] => format!("Nothing was received for {}.", seconds(config.silence_timeout())),
        ["offline", "idle"] => format!("No data was received for {}.", seconds(config.idle_timeout())),
        ["offline", "ping-flood"] => "The peer sent more control frames than it may.".into(),
        ["offline", "protocol-error", ..] => "What was received breaks the protocol.".into(),
        ["offline", "peer-closed", ..] => "The peer closed.".into(),
        ["offline", "transport-closed"] => "The transport ended, and no Close came.".into(),
        ["offline", "local-closed"] => "We closed.".into(),
        ["close", ..] => "The peer is told, in case that it hears.".into(),
        ["disconnect"] => "The transport is closed, and everything is freed. Nothing more will come.".into(),
        _ if matches!(row.waits_for, Some(("last look", _))) => {
            "The time is up. One last look: has anything arrived that we have not read?".into()
        }
        _ => String::new(),
    }
}

/// The rows as JSON; times in seconds.
pub(crate) fn json(rows: &[Told]) -> Value {
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
