//! Draws a connection's life as a picture.

use std::string::{String, ToString};
use std::vec::Vec;

use core::fmt::Write as _;

use super::format::Output;
use super::replay::{Moment, Replay};
use crate::event::Status;
use crate::state::Due;
use crate::time::Timestamp;

impl Replay<'_> {
    /// The connection's life as a picture: its inputs and outputs, the state between them, how long the machine waited for a
    /// pong, and what it waits for next at each moment.
    ///
    /// ```
    /// use liveness::transcript::Transcript;
    ///
    /// let life: Transcript = "
    /// config interval=5s timeout=10s jitter=0 suspicion=after:4s
    /// 0s    < open
    /// 5.2s  < pong #1
    /// "
    /// .parse()?;
    /// let picture = "
    ///    time  in          out                    next
    ///      0s  open    ▶ ┃ ▶ online                 ping at 5s
    ///      5s            ┃ ▶ ping #1              ╷ suspect at 9s
    ///    5.2s  pong #1 ▶ ┃                        ╵ ping at 10s
    ///     10s            ┃ ▶ ping #2              ╷ suspect at 14s
    ///     14s            ┇ ▶ suspect              │ ping at 15s
    ///     15s            ┇ ▶ ping #3              ├ answer by 20s
    ///     20s            ┇                        │ last look at 20.01s
    ///  20.01s            ░ ▶ offline ping-timeout ╵
    ///                    ░ ▶ close 3008             closed by 25.01s
    ///  25.01s              ▶ disconnect
    /// ";
    /// assert_eq!(life.replay()?.picture(), picture.trim_start_matches('\n'));
    /// # Ok::<(), liveness::transcript::ParseError>(())
    /// ```
    #[must_use]
    pub fn picture(&self) -> String {
        let rows = self.rows();
        let width = |cell: fn(&Row) -> String, least: usize| {
            rows.iter().map(|row| cell(row).chars().count()).fold(least, usize::max)
        };
        let time = width(Row::time, 5);
        let (input, output) = (width(|row| row.input.clone(), 2), width(|row| row.output.clone(), 3));
        let mut picture = String::new();
        // Writing to a `String` never fails.
        let _ = writeln!(picture, " {:>time$}  {:input$}     {:output$}   next", "time", "in", "out");
        for row in &rows {
            let (heard, did) = (&row.input, &row.output);
            let line = std::format!(
                " {:>time$}  {heard:input$} {} {} {} {did:output$} {} {}",
                row.time(),
                arrow(heard),
                row.line(),
                arrow(did),
                row.wait,
                row.next()
            );
            let _ = writeln!(picture, "{}", line.trim_end());
        }
        picture
    }

    /// The rows of the [`picture`](Self::picture), for a program that draws its own.
    ///
    /// ```
    /// use liveness::{Status, transcript::Transcript};
    ///
    /// let life: Transcript = "config interval=5s timeout=10s jitter=0\n0s < open\n5.2s < eof".parse()?;
    /// let replay = life.replay()?;
    /// let rows = replay.rows();
    /// assert_eq!(rows[1].output, "ping #1");
    /// assert_eq!(rows[1].waits_for.map(|(what, _)| what), Some("ping"));
    /// assert_eq!(rows[2].status, Some(Status::Offline));
    /// # Ok::<(), liveness::transcript::ParseError>(())
    /// ```
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let (mut rows, mut done, mut state, mut before) = (Vec::new(), 0, Some(Status::Online), None);
        for moment in &self.moments {
            let outputs = self.outputs.get(done..moment.outputs).unwrap_or(&[]);
            done = moment.outputs;
            let looked = before.is_some_and(|(next, _)| next != moment.next.0);
            if !moment.inputs.is_empty() || !outputs.is_empty() || looked {
                let awaited = before.is_some_and(|(_, awaited)| awaited);
                draw_moment(&mut rows, &mut state, moment, outputs, awaited);
            }
            before = Some((moment.next.0, moment.ping_awaited));
        }
        rows
    }
}

/// One row of the [`picture`](Replay::picture) of a life: an input, an output, or both if the output follows from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it happened.
    pub at: Timestamp,
    /// The input as a transcript writes it; empty if there is none.
    pub input: String,
    /// The state of the peer after this row; `None` after the transport is closed.
    pub status: Option<Status>,
    /// The output as a transcript writes it; empty if there is none.
    pub output: String,
    /// Whether a ping waits for its answer after this moment.
    pub ping_awaited: bool,
    /// What is due next, in one or two words (`ping`, `answer`, `last look`), and when. `None` if nothing is due. Of the rows of
    /// one moment, only the last has it.
    pub waits_for: Option<(&'static str, Timestamp)>,
    /// The mark of the wait for an answer.
    wait: char,
    is_first: bool,
}

impl Row {
    fn time(&self) -> String {
        if self.is_first { self.at.to_string() } else { String::new() }
    }

    const fn line(&self) -> char {
        match self.status {
            Some(Status::Online) => '┃',
            Some(Status::Suspect) => '┇',
            Some(Status::Offline) => '░',
            None => ' ',
        }
    }

    fn next(&self) -> String {
        self.waits_for.map_or_else(String::new, |(what, at)| {
            let word = if matches!(what, "suspect" | "ping" | "last look") { "at" } else { "by" };
            std::format!("{what} {word} {at}")
        })
    }
}

/// Draws a row for each input and each output. An input and its first output share a row.
fn draw_moment(
    rows: &mut Vec<Row>,
    status: &mut Option<Status>,
    moment: &Moment<'_>,
    outputs: &[(Timestamp, Output)],
    awaited: bool,
) {
    let count = moment.inputs.len().max(outputs.len()).max(1);
    let pinged = outputs.iter().any(|(_, output)| matches!(output, Output::Ping(_)));
    for index in 0..count {
        let (first, last) = (index == 0, index.saturating_add(1) == count);
        let output = outputs.get(index).map(|(_, output)| output);
        *status = output.map_or(*status, |output| after(*status, output));
        rows.push(Row {
            at: moment.at,
            input: moment.inputs.get(index).map_or_else(String::new, |(dated, input)| {
                if *dated < moment.at { std::format!("{input} (since {dated})") } else { input.to_string() }
            }),
            status: *status,
            output: output.map_or_else(String::new, Output::to_string),
            ping_awaited: moment.ping_awaited,
            waits_for: if last { waits_for(moment.next) } else { None },
            wait: match (awaited, moment.ping_awaited) {
                (true, true) if pinged && first => '├',
                (true, true) => '│',
                (false, true) if last => '╷',
                (true, false) if first => '╵',
                (false, true) | (true, false) | (false, false) => ' ',
            },
            is_first: first,
        });
    }
}

const fn after(before: Option<Status>, output: &Output) -> Option<Status> {
    match output {
        Output::Online => Some(Status::Online),
        Output::Suspect => Some(Status::Suspect),
        Output::Offline(_) => Some(Status::Offline),
        Output::Disconnect => None,
        Output::Ping(_) | Output::Close(_) => before,
    }
}

const fn waits_for((due, at): (Due, Timestamp)) -> Option<(&'static str, Timestamp)> {
    let what = match due {
        Due::Nothing => return None,
        Due::Data => "data",
        Due::Sound => "anything",
        Due::Write => "written",
        Due::Answer => "answer",
        Due::Suspicion => "suspect",
        Due::Ping => "ping",
        Due::LastLook => "last look",
        Due::End => "closed",
    };
    Some((what, at))
}

const fn arrow(text: &str) -> char {
    if text.is_empty() { ' ' } else { '▶' }
}
