//! A live machine, written down as it lives.

use core::fmt;
use core::time::Duration;

use super::format::{Input, Output};
use crate::config::Config;
use crate::event::{Action, CloseCode, Event};
use crate::liveness::{Liveness, Monitor};
use crate::time::{Seconds, Timestamp};

/// Wraps a [`Liveness`] and writes its life as a transcript: what production records, a replay reproduces exactly.
///
/// A real driver polls late and sometimes reads after it polled; the transcript says so with `stall` and `stall-deaf`.
/// The driver must poll until `None`, as every driver must. Dropped before the life has ended, the recorder writes `end`.
///
/// ```
/// use liveness::transcript::{Recorder, Transcript};
/// use liveness::{Config, Event, Monitor, Timestamp};
///
/// let mut text = String::new();
/// let mut peer = Recorder::new(Config::DEFAULT, 7, Timestamp::from_secs(100), &mut text);
/// while peer.poll(Timestamp::from_secs(100)).is_some() {}
/// peer.handle(Event::Eof, Timestamp::from_secs(103));
/// while peer.poll(Timestamp::from_secs(104)).is_some() {}
/// drop(peer);
///
/// let life: Transcript = text.parse()?;
/// assert!(life.replay()?.agrees());
/// assert!(text.ends_with("4s            > disconnect\n"));
/// # Ok::<(), liveness::transcript::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Recorder<W: fmt::Write> {
    machine: Liveness,
    sink: W,
    result: fmt::Result,
    opened: Timestamp,
    /// The latest moment that the machine has seen, and so the replay.
    latest: Timestamp,
    /// A poll that had something to do happened at `latest`: an event there came too late for it.
    polled: bool,
}

impl<W: fmt::Write> Recorder<W> {
    /// A recorded machine, and the first lines of its transcript. Times are written from `now` on.
    pub fn new(config: Config, seed: u64, now: Timestamp, mut sink: W) -> Self {
        let result = writeln!(sink, "config {config} seed={seed}");
        let machine = Liveness::new(config, seed, now);
        let mut recorder = Self { machine, sink, result, opened: now, latest: now, polled: false };
        recorder.write(now, '<', &Input::Open);
        recorder
    }

    /// How the writing went: the first error of the sink, after which nothing more was written.
    ///
    /// # Errors
    ///
    /// That error. The machine itself goes on regardless.
    pub const fn result(&self) -> fmt::Result {
        self.result
    }

    fn write(&mut self, at: Timestamp, arrow: char, what: &dyn fmt::Display) {
        let at = Seconds(at.since(self.opened));
        if self.result.is_ok() {
            self.result = writeln!(self.sink, "{at:<13} {arrow} {what}");
        }
    }

    /// Writes what the driver did between the latest moment and `now` if it was late: nothing.
    ///
    /// The replay polls at every deadline. One that passed unpolled was a stall, from the deadline, or from the latest
    /// moment where that is later.
    fn record_stall(&mut self, now: Timestamp) {
        let now = now.max(self.latest);
        if let Some(due) = self.machine.poll_timeout() {
            let from = due.max(self.latest);
            if from < now {
                let stall = Input::Stall { lasting: now.saturating_duration_since(from), deaf: false };
                self.write(from, '<', &stall);
            }
        }
        if now > self.latest {
            self.polled = false;
        }
        self.latest = now;
    }

    fn record_input(&mut self, input: &Input, now: Timestamp) {
        if self.machine.is_finished() {
            return;
        }
        self.record_stall(now);
        if self.polled {
            self.polled = false;
            self.write(self.latest, '<', &Input::Stall { lasting: Duration::ZERO, deaf: true });
        }
        self.write(self.latest, '<', input);
    }

    fn input_of(&self, event: Event<'_>) -> Input {
        match event {
            Event::Data => Input::Data,
            Event::Progress => Input::Progress,
            Event::Ping => Input::Ping,
            Event::Pong(payload) => match self.machine.state().number_of(payload) {
                Some(number) => Input::PongTo(number),
                None => Input::Pong(payload.into()),
            },
            Event::Close(code) => Input::Close(code),
            Event::Eof => Input::Eof,
            Event::Wrote => Input::Wrote,
            Event::PingSent => Input::PingSent,
            Event::ReadPaused => Input::ReadPaused,
            Event::ReadResumed => Input::ReadResumed,
        }
    }
}

impl<W: fmt::Write> Monitor for Recorder<W> {
    fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        self.record_input(&self.input_of(event), now);
        self.machine.handle(event, now);
    }

    fn poll(&mut self, now: Timestamp) -> Option<Action> {
        let due = self.machine.poll_timeout();
        self.record_stall(now);
        self.polled |= due.is_some_and(|due| due <= self.latest);
        let action = self.machine.poll(now)?;
        self.write(self.latest, '>', &Output::of(action, self.machine.stats().pings));
        Some(action)
    }

    fn probe(&mut self, now: Timestamp) {
        self.record_input(&Input::Probe, now);
        self.machine.probe(now);
    }

    fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.record_input(&Input::LocalClose(code), now);
        self.machine.close(code, now);
    }

    fn liveness(&self) -> &Liveness {
        &self.machine
    }
}

impl<W: fmt::Write> Drop for Recorder<W> {
    fn drop(&mut self) {
        if !self.machine.is_finished() {
            self.write(self.latest, '<', &Input::End);
        }
    }
}
