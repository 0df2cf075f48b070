//! Records a connection's life.

use std::borrow::ToOwned;
use std::string::{String, ToString};
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::Vec;

use core::fmt;
use core::time::Duration;

use super::format;
use super::format::Output;
use crate::config::Config;
use crate::event::{Action, Event};
use crate::liveness::Liveness;
use crate::observer::{Input, Observer};
use crate::time::{Seconds, Timestamp};

/// An [`Observer`] that writes a connection's life as a transcript. A replay of the transcript gives exactly the same
/// actions.
///
/// A real driver polls late, and sometimes reads after it polled. The transcript records that as `stall` and `stall-deaf`.
/// The driver must poll until `None`, as every driver must. If the recorder is dropped before the life has ended, it writes
/// `end`.
///
/// Attach it when the connection opens, before any other call on the machine, because a replay begins there. A recorder that
/// is attached later still records for a human reader. It writes a comment that says so, and
/// [`Transcript::replay`](super::Transcript::replay) refuses such a text.
///
/// ```
/// use liveness::transcript::{Page, Recorder, Transcript};
/// use liveness::{Config, Event, Liveness, Observed, Timestamp};
///
/// let page = Page::default(); // a file, in a real program
/// let mut peer = Observed::new(Liveness::new(Config::DEFAULT, 7, Timestamp::from_secs(100)));
/// peer.observe(Recorder::new(page.clone()), Timestamp::from_secs(100));
/// while peer.poll(Timestamp::from_secs(100)).is_some() {}
/// peer.handle(Event::Eof, Timestamp::from_secs(103));
/// while peer.poll(Timestamp::from_secs(104)).is_some() {}
///
/// let life: Transcript = page.text().parse()?;
/// assert!(life.replay()?.agrees());
/// assert!(page.text().ends_with("4s            > disconnect\n"));
/// # Ok::<(), liveness::transcript::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Recorder<W: fmt::Write> {
    sink: W,
    result: fmt::Result,
    /// Times are written relative to this; `None` until the recorder is attached.
    start: Option<Timestamp>,
    /// The latest moment that the machine has seen; the replay sees the same.
    latest: Timestamp,
    /// A poll with something to do happened at `latest`: a later event at the same moment comes after that poll.
    polled: bool,
    /// The life has ended.
    finished: bool,
}

impl<W: fmt::Write> Recorder<W> {
    /// A recorder that writes to this sink after it is attached. Times count from the opening.
    pub const fn new(sink: W) -> Self {
        Self { sink, result: Ok(()), start: None, latest: Timestamp::ZERO, polled: false, finished: false }
    }

    /// The first error of the sink, if there was one. After it the recorder wrote nothing more.
    ///
    /// # Errors
    ///
    /// The sink's error. The machine is not affected.
    pub const fn result(&self) -> fmt::Result {
        self.result
    }

    fn write_line(&mut self, line: fmt::Arguments<'_>) {
        if self.result.is_ok() {
            self.result = writeln!(self.sink, "{line}");
        }
    }

    fn write(&mut self, at: Timestamp, arrow: char, what: &dyn fmt::Display) {
        if let Some(start) = self.start {
            self.write_line(format_args!("{:<13} {arrow} {what}", Seconds(at.since(start))));
        }
    }

    /// Writes a stall if the driver was late: if it did nothing between the latest moment and `now`.
    ///
    /// The replay polls at every deadline. A deadline without a poll was a stall, from the deadline or from the latest
    /// moment, whichever is later.
    fn record_stall(&mut self, peer: &Liveness, now: Timestamp) {
        let now = now.max(self.latest);
        if let Some(due) = peer.poll_timeout() {
            let from = due.max(self.latest);
            if from < now {
                let lasting = now.saturating_duration_since(from);
                self.write(from, '<', &format::Input::Stall { lasting, deaf: false });
            }
        }
        if now > self.latest {
            self.polled = false;
        }
        self.latest = now;
    }
}

/// The input as a transcript writes it.
fn in_words(input: &Input<'_>, peer: &Liveness) -> format::Input {
    match *input {
        Input::Event(event) => event_in_words(event, peer),
        Input::Probe => format::Input::Probe,
        Input::Close(code) => format::Input::LocalClose(code),
        Input::Reconfigure(config) => format::Input::Reconfigure(changed_settings(peer.config(), config)),
    }
}

fn event_in_words(event: Event<'_>, peer: &Liveness) -> format::Input {
    match event {
        Event::Data => format::Input::Data,
        Event::Progress => format::Input::Progress,
        Event::Ping => format::Input::Ping,
        Event::Pong(payload) => match peer.state().number_of(payload) {
            Some(number) => format::Input::PongTo(number),
            None => format::Input::Pong(payload.into()),
        },
        Event::Close(code) => format::Input::Close(code),
        Event::Violation(code) => format::Input::Violation(code),
        Event::Eof => format::Input::Eof,
        Event::Wrote => format::Input::Wrote,
        Event::PingSent => format::Input::PingSent,
        Event::ReadPaused => format::Input::ReadPaused,
        Event::ReadResumed => format::Input::ReadResumed,
        Event::Unread => format::Input::Unread,
    }
}

fn changed_settings(old: &Config, new: &Config) -> Vec<String> {
    let (old, new) = (old.to_string(), new.to_string());
    let changed = new.split(' ').zip(old.split(' ')).filter(|(new, old)| new != old);
    let mut changed: Vec<String> = changed.map(|(new, _)| new.to_owned()).collect();
    if changed.is_empty() {
        // Even settings without a change forget a noted verdict. So write one setting that stays as it was.
        changed.extend(new.split(' ').next().map(str::to_owned));
    }
    changed
}

impl<W: fmt::Write> Observer for Recorder<W> {
    fn attached(&mut self, peer: &Liveness, now: Timestamp) {
        self.finished = peer.is_finished();
        self.write_line(format_args!("config {} seed={}", peer.config(), peer.state().seed()));
        if let Some(opened) = peer.state().opening() {
            (self.start, self.latest) = (Some(opened), opened);
            self.write(opened, '<', &format::Input::Open);
        } else {
            let now = now.max(peer.state().latest());
            (self.start, self.latest) = (Some(now), now);
            self.write_line(format_args!("# attached in the middle of a life: this cannot be replayed"));
        }
    }

    fn input(&mut self, input: &Input<'_>, peer: &Liveness, now: Timestamp) {
        if peer.is_finished() {
            return;
        }
        self.record_stall(peer, now);
        if self.polled {
            self.polled = false;
            let deaf = format::Input::Stall { lasting: Duration::ZERO, deaf: true };
            self.write(self.latest, '<', &deaf);
        }
        self.write(self.latest, '<', &in_words(input, peer));
    }

    fn polling(&mut self, peer: &Liveness, now: Timestamp) {
        let due = peer.poll_timeout();
        self.record_stall(peer, now);
        self.polled |= due.is_some_and(|due| due <= self.latest);
    }

    fn action(&mut self, action: Action, peer: &Liveness, _: Timestamp) {
        self.finished = peer.is_finished();
        self.write(self.latest, '>', &Output::of(action, peer.stats().pings));
    }
}

impl<W: fmt::Write> Drop for Recorder<W> {
    fn drop(&mut self) {
        if !self.finished {
            self.write(self.latest, '<', &format::Input::End);
        }
    }
}

/// A text in memory that all its clones share: one clone is a recorder's sink, and another reads the text.
///
/// See [`Recorder`].
#[derive(Clone, Debug, Default)]
pub struct Page(Arc<Mutex<String>>);

impl Page {
    /// The text so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Write for Page {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }
}
