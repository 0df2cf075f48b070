//! Replays a transcript with a simulated driver, and compares the outputs with the expected ones.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use core::fmt;

use super::config_text::ConfigParser;
use super::format::{Input, Kind, Output, ParseError, Transcript};
use super::what_if::Answer;
use crate::config::Config;
use crate::event::{Action, Event};
use crate::liveness::Liveness;
use crate::state::{Due, Ping};
use crate::time::Timestamp;

impl Transcript {
    /// Passes the inputs to a machine, polls it exactly at its `poll_timeout`, and keeps its outputs.
    ///
    /// # Errors
    ///
    /// An input that cannot happen, such as a pong to a ping that was not handed out yet; or a life that is too long to
    /// write down.
    pub fn replay(&self) -> Result<Replay<'_>, ParseError> {
        let mut driver = Driver::new(self, self.config, self.inputs());
        driver.run()?;
        Ok(Replay { transcript: self, outputs: driver.outputs, moments: driver.moments })
    }
}

/// The result of [`Transcript::replay`].
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    pub(super) transcript: &'a Transcript,
    pub(super) outputs: Vec<(Timestamp, Output)>,
    pub(super) moments: Vec<Moment<'a>>,
}

/// A moment at which the driver did something, for the picture.
#[derive(Clone, Debug)]
pub(super) struct Moment<'a> {
    pub(super) at: Timestamp,
    /// The inputs that were read, and when each had arrived.
    pub(super) inputs: Vec<(Timestamp, Cow<'a, Input>)>,
    /// The number of outputs up to and including this moment.
    pub(super) outputs: usize,
    pub(super) next: (Due, Timestamp),
    pub(super) ping_awaited: bool,
}

impl Replay<'_> {
    /// Whether the outputs and their times are exactly those that the transcript expects.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.transcript.outputs().eq(self.outputs.iter().copied())
    }

    /// The transcript with these outputs in place of the expected ones. Each output comes before the first later input.
    /// Comments, inputs and correct output lines stay as they were.
    #[must_use]
    pub fn blessed(&self) -> String {
        let mut text = String::new();
        let mut outputs = self.outputs.iter().peekable();
        for line in &self.transcript.lines {
            if let Kind::Input(at, _) | Kind::Output(at, _) = &line.kind {
                while let Some((due, output)) = outputs.next_if(|(due, _)| due < at) {
                    text.push_str(&output_line(*due, output));
                }
            }
            if let Kind::Output(at, expected) = &line.kind {
                let Some((due, output)) = outputs.next_if(|(due, _)| due == at) else { continue };
                if output != expected {
                    text.push_str(&output_line(*due, output));
                    continue;
                }
            }
            text.push_str(&line.text);
            text.push('\n');
        }
        for (due, output) in outputs {
            text.push_str(&output_line(*due, output));
        }
        text
    }

    /// The differences as a unified diff; empty if [`agrees`](Self::agrees).
    #[must_use]
    pub fn diff(&self) -> String {
        let canonical = |kind: &Kind| match kind {
            Kind::Input(at, input) => Some(input_line(*at, input)),
            Kind::Output(at, output) => Some(output_line(*at, output)),
            Kind::Other => None,
        };
        // Sorted by time, so that the place of a line within one moment makes no difference.
        let mut expected: Vec<_> = self.transcript.lines.iter().map(|line| &line.kind).collect();
        expected.sort_by_key(|kind| match kind {
            Kind::Input(at, _) => (*at, 0),
            Kind::Output(at, _) => (*at, 1),
            Kind::Other => (Timestamp::ZERO, 0),
        });
        let expected: String = expected.into_iter().filter_map(canonical).collect();
        let mut actual: Vec<_> =
            self.transcript.inputs().iter().map(|(_, at, input)| (*at, 0, input_line(*at, input))).collect();
        actual.extend(self.outputs.iter().map(|(at, output)| (*at, 1, output_line(*at, output))));
        actual.sort_by_key(|(at, order, _)| (*at, *order));
        let actual: String = actual.into_iter().map(|(.., line)| line).collect();
        let diff = similar::TextDiff::from_lines(&expected, &actual);
        diff.unified_diff().context_radius(3).header("expected", "replayed").to_string()
    }
}

/// The differences.
impl fmt::Display for Replay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diff())
    }
}

fn input_line(at: Timestamp, input: &Input) -> String {
    format!("{at:<5} < {input}\n")
}

fn output_line(at: Timestamp, output: &Output) -> String {
    format!("{at:<5} > {output}\n")
}

/// No machine hands out this many actions at one moment.
const LARGEST_BURST: usize = 8;

/// How many moments a replay may have in addition to those of its lines: more than a readable life needs.
///
/// Without this bound, a short text with a ping every nanosecond and an input an hour later would fill the memory.
const UNWRITTEN_MOMENTS: usize = 10_000;

/// One line causes fewer moments than this: the line itself, the deadline that it moves, and the last look after that.
const MOMENTS_A_LINE: usize = 4;

/// A driver without sockets: time jumps to the next event or deadline.
pub(super) struct Driver<'a> {
    pub(super) machine: Liveness,
    /// Each with the number of its line, in the order of time.
    pub(super) inputs: VecDeque<(usize, Timestamp, Cow<'a, Input>)>,
    /// How pings are answered, if the inputs do not say it.
    pub(super) answers: Vec<Answer>,
    pub(super) now: Timestamp,
    ended: bool,
    /// How many moments more this life may have.
    left: usize,
    /// The inputs that were read since the last moment.
    heard: Vec<(Timestamp, Cow<'a, Input>)>,
    pub(super) outputs: Vec<(Timestamp, Output)>,
    pub(super) moments: Vec<Moment<'a>>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(life: &Transcript, config: Config, inputs: Vec<(usize, Timestamp, &'a Input)>) -> Self {
        let start = inputs.first().map_or(Timestamp::ZERO, |(_, at, _)| *at);
        Self {
            machine: Liveness::new(config, life.seed, start),
            inputs: inputs.into_iter().map(|(line, at, input)| (line, at, Cow::Borrowed(input))).collect(),
            answers: Vec::new(),
            now: start,
            ended: false,
            left: life.lines.len().saturating_mul(MOMENTS_A_LINE).saturating_add(UNWRITTEN_MOMENTS),
            heard: Vec::new(),
            outputs: Vec::new(),
            moments: Vec::new(),
        }
    }

    /// Runs to the end of the life, or to `end`. Pings to a peer without a verdict may go on for ever: such a life needs an
    /// `end`.
    pub(super) fn run(&mut self) -> Result<(), ParseError> {
        let mut last_line = 1;
        while !self.ended && !self.machine.is_finished() {
            let due = self.machine.poll_timeout();
            let input = self.inputs.front().map(|(_, at, _)| *at);
            if let Some((line, ..)) = self.inputs.front() {
                last_line = last_line.max(*line);
            }
            self.left = self.left.checked_sub(1).ok_or_else(|| self.too_long(last_line))?;
            self.now = match (due, input) {
                (Some(due), Some(input)) => due.min(input).max(self.now),
                (Some(next), None) | (None, Some(next)) => next.max(self.now),
                // Nothing more will happen: the life has no end, and the transcript is complete.
                (None, None) => break,
            };
            self.read()?;
            self.poll();
        }
        Ok(())
    }

    fn too_long(&self, line: usize) -> ParseError {
        let until = self.now;
        let expected = if self.inputs.is_empty() { "`end` behind it" } else { "the lines in between" };
        ParseError::new(
            line,
            format!(
                "read a life of more than {UNWRITTEN_MOMENTS} moments that no line describes, up to {until}; expected {expected}, or longer intervals"
            ),
        )
    }

    /// Reads the inputs up to now. A stall moves now, so that the inputs within the stall are read at its end.
    fn read(&mut self) -> Result<(), ParseError> {
        while self.inputs.front().is_some_and(|(_, at, _)| *at <= self.now) && !self.ended {
            let Some((line, at, input)) = self.inputs.pop_front() else { break };
            self.heard.push((at, input.clone()));
            if let Input::Stall { lasting, deaf } = *input {
                self.keep_moment();
                self.now = self.now.saturating_add(lasting);
                if deaf {
                    self.poll();
                }
            } else if *input == Input::End {
                self.ended = true;
            } else {
                self.hand_in(line, &input)?;
            }
        }
        Ok(())
    }

    fn hand_in(&mut self, line: usize, input: &Input) -> Result<(), ParseError> {
        let event = match input {
            Input::Data => Event::Data,
            Input::Progress => Event::Progress,
            Input::Ping => Event::Ping,
            Input::Pong(payload) => Event::Pong(payload),
            Input::PongTo(number) => {
                let payload = self.machine.state().payload_of(*number).ok_or_else(|| {
                    let sent = self.machine.stats().pings;
                    ParseError::new(line, format!("read `pong #{number}` when {sent} pings had been handed out; expected it later than `ping #{number}` (at one instant inputs come first)"))
                })?;
                self.machine.handle(Event::Pong(payload.as_bytes()), self.now);
                return Ok(());
            }
            Input::Wrote => Event::Wrote,
            Input::PingSent => Event::PingSent,
            Input::Close(code) => Event::Close(*code),
            Input::Violation(code) => Event::Violation(*code),
            Input::Eof => Event::Eof,
            Input::ReadPaused => Event::ReadPaused,
            Input::ReadResumed => Event::ReadResumed,
            Input::Unread => Event::Unread,
            Input::Probe => {
                self.machine.probe(self.now);
                return Ok(());
            }
            Input::LocalClose(code) => {
                self.machine.close(*code, self.now);
                return Ok(());
            }
            Input::Reconfigure(settings) => {
                let mut changed = ConfigParser::of(self.machine.config().to_builder());
                changed.set_all(settings).map_err(|reason| ParseError::new(line, reason))?;
                let config =
                    changed.builder().build().map_err(|error| ParseError::new(line, error.to_string()))?;
                self.machine.reconfigure(config, self.now);
                return Ok(());
            }
            // The machine was made at this moment. Stalls and the end concern the driver only.
            Input::Open | Input::Stall { .. } | Input::End => return Ok(()),
        };
        self.machine.handle(event, self.now);
        Ok(())
    }

    fn poll(&mut self) {
        for _ in 0..LARGEST_BURST {
            let Some(action) = self.machine.poll(self.now) else { break };
            self.outputs.push((self.now, Output::of(action, self.machine.stats().pings)));
            if matches!(action, Action::SendPing(_)) {
                self.enter_answer();
            }
        }
        self.keep_moment();
    }

    fn keep_moment(&mut self) {
        let state = self.machine.state();
        self.moments.push(Moment {
            at: self.now,
            inputs: core::mem::take(&mut self.heard),
            outputs: self.outputs.len(),
            next: state.next(self.machine.config()),
            ping_awaited: !matches!(state.ping(), Ping::Idle | Ping::WritingAnswered),
        });
    }
}
