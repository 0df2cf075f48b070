//! Draws a connection's life as a picture.

use std::string::{String, ToString};
use std::vec::Vec;

use core::fmt::Write as _;

use super::format::Output;
use super::replay::{Moment, Replay};
use crate::state::Due;
use crate::time::{Seconds, Timestamp};

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
        let width = |cell: fn(&Row) -> &str, least: usize| {
            rows.iter().map(|row| cell(row).chars().count()).fold(least, usize::max)
        };
        let (time, input, output) =
            (width(|row| &row.time, 5), width(|row| &row.input, 2), width(|row| &row.output, 3));
        let mut picture = String::new();
        // Writing to a `String` never fails.
        let _ = writeln!(picture, " {:>time$}  {:input$}     {:output$}   next", "time", "in", "out");
        for Row { time: at, input: heard, state, output: did, wait, next } in &rows {
            let (came, went) = (arrow(heard), arrow(did));
            let line = std::format!(
                " {at:>time$}  {heard:input$} {came} {state} {went} {did:output$} {wait} {next}"
            );
            let _ = writeln!(picture, "{}", line.trim_end());
        }
        picture
    }

    fn rows(&self) -> Vec<Row> {
        let (mut rows, mut done, mut state, mut before) = (Vec::new(), 0, ONLINE, None);
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

/// One line of the picture.
struct Row {
    time: String,
    input: String,
    state: char,
    output: String,
    /// The mark of the wait for an answer.
    wait: char,
    next: String,
}

const ONLINE: char = '┃';
const SUSPECT: char = '┇';
const OFFLINE: char = '░';

/// Draws a row for each input and each output. An input and its first output share a row.
fn draw_moment(
    rows: &mut Vec<Row>,
    state: &mut char,
    moment: &Moment<'_>,
    outputs: &[(Timestamp, Output)],
    awaited: bool,
) {
    let count = moment.inputs.len().max(outputs.len()).max(1);
    let pinged = outputs.iter().any(|(_, output)| matches!(output, Output::Ping(_)));
    for index in 0..count {
        let (first, last) = (index == 0, index.saturating_add(1) == count);
        let output = outputs.get(index).map(|(_, output)| output);
        *state = output.map_or(*state, |output| after(*state, output));
        rows.push(Row {
            time: if first { moment.at.to_string() } else { String::new() },
            input: moment.inputs.get(index).map_or_else(String::new, |(dated, input)| {
                if *dated < moment.at { std::format!("{input} (since {dated})") } else { input.to_string() }
            }),
            state: *state,
            output: output.map_or_else(String::new, Output::to_string),
            wait: match (awaited, moment.ping_awaited) {
                (true, true) if pinged && first => '├',
                (true, true) => '│',
                (false, true) if last => '╷',
                (true, false) if first => '╵',
                (false, true) | (true, false) | (false, false) => ' ',
            },
            next: if last { next(moment.next) } else { String::new() },
        });
    }
}

const fn after(state: char, output: &Output) -> char {
    match output {
        Output::Online => ONLINE,
        Output::Suspect => SUSPECT,
        Output::Offline(_) => OFFLINE,
        Output::Disconnect => ' ',
        Output::Ping(_) | Output::Close(_) => state,
    }
}

const fn arrow(text: &str) -> char {
    if text.is_empty() { ' ' } else { '▶' }
}

fn next((due, at): (Due, Timestamp)) -> String {
    let what = match due {
        Due::Nothing => return String::new(),
        Due::Data => "data by",
        Due::Sound => "anything by",
        Due::Write => "written by",
        Due::Answer => "answer by",
        Due::Suspicion => "suspect at",
        Due::Ping => "ping at",
        Due::LastLook => "last look at",
        Due::End => "closed by",
    };
    std::format!("{what} {}", Seconds(at.as_nanos()))
}
