//! The lines of a transcript.

use std::format;
use std::string::String;
use std::vec::Vec;

use core::fmt;
use core::time::Duration;

use crate::config::Config;
use crate::event::{Action, CloseCode, Reason};
use crate::time::Timestamp;

/// A parsed transcript: the settings, the inputs, and the expected outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    pub(super) config: Config,
    pub(super) seed: u64,
    pub(super) lines: Vec<Line>,
}

impl Transcript {
    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn inputs(&self) -> Vec<(usize, Timestamp, &Input)> {
        let inputs = self.lines.iter().enumerate().filter_map(|(index, line)| match &line.kind {
            Kind::Input(at, input) => Some((index.saturating_add(1), *at, input)),
            Kind::Output(..) | Kind::Other => None,
        });
        inputs.collect()
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = (Timestamp, Output)> {
        self.lines.iter().filter_map(|line| match line.kind {
            Kind::Output(at, output) => Some((at, output)),
            Kind::Input(..) | Kind::Other => None,
        })
    }
}

/// The text, as it was written.
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{}", line.text))
    }
}

/// A line as a recorder writes it.
pub(super) fn line(at: Timestamp, arrow: char, what: &dyn fmt::Display) -> String {
    format!("{at:<13} {arrow} {what}\n")
}

/// One line as it was written, and its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Input(Timestamp, Input),
    Output(Timestamp, Output),
    /// Settings, a comment, or an empty line.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    Data,
    Progress,
    Ping,
    Pong(Vec<u8>),
    PongTo(u64),
    Wrote,
    PingSent,
    Close(Option<u16>),
    Violation(CloseCode),
    Eof,
    Probe,
    ReadPaused,
    ReadResumed,
    Unread,
    LocalClose(CloseCode),
    /// Settings as `KEY=VALUE`. The others stay.
    Reconfigure(Vec<String>),
    Stall {
        lasting: Duration,
        deaf: bool,
    },
    End,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Data => "data",
            Self::Progress => "progress",
            Self::Ping => "ping",
            Self::Pong(payload) => return write_pong(f, payload),
            Self::PongTo(number) => return write!(f, "pong #{number}"),
            Self::Wrote => "wrote",
            Self::PingSent => "ping-sent",
            Self::Close(Some(code)) => return write!(f, "close {code}"),
            Self::Close(None) => "close",
            Self::Violation(code) => return write!(f, "violation {code}"),
            Self::Eof => "eof",
            Self::Probe => "probe",
            Self::ReadPaused => "read-paused",
            Self::ReadResumed => "read-resumed",
            Self::Unread => "unread",
            Self::Reconfigure(settings) => {
                f.write_str("reconfigure")?;
                return settings.iter().try_for_each(|setting| write!(f, " {setting}"));
            }
            Self::LocalClose(code) => return write!(f, "local-close {code}"),
            Self::Stall { lasting, deaf: false } => return write!(f, "stall {}", Timestamp::from(*lasting)),
            Self::Stall { lasting, deaf: true } => {
                return write!(f, "stall-deaf {}", Timestamp::from(*lasting));
            }
            Self::End => "end",
        })
    }
}

/// Writes a payload as a word if the word can be read back, otherwise in hexadecimal.
fn write_pong(f: &mut fmt::Formatter<'_>, payload: &[u8]) -> fmt::Result {
    f.write_str("pong")?;
    let word =
        !payload.starts_with(b"0x") && payload.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    match core::str::from_utf8(payload) {
        Ok("") => Ok(()),
        Ok(text) if word => write!(f, " {text}"),
        Ok(_) | Err(_) => {
            f.write_str(" 0x")?;
            payload.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
}

/// An [`Action`] as transcripts write it. A ping has its number, because its payload depends on the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Online,
    Ping(u64),
    Suspect,
    Offline(Reason),
    Close(Option<CloseCode>),
    Disconnect,
}

impl Output {
    /// `sent` is the number of the newest ping, which is the ping of an [`Action::SendPing`].
    pub(super) const fn of(action: Action, sent: u32) -> Self {
        match action {
            Action::MarkOnline => Self::Online,
            Action::SendPing(_) => Self::Ping(sent as u64),
            Action::MarkSuspect => Self::Suspect,
            Action::MarkOffline(reason) => Self::Offline(reason),
            Action::Close(code) => Self::Close(code),
            Action::Disconnect => Self::Disconnect,
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Online => Action::MarkOnline.fmt(f),
            Self::Ping(number) => write!(f, "ping #{number}"),
            Self::Suspect => Action::MarkSuspect.fmt(f),
            Self::Offline(reason) => Action::MarkOffline(reason).fmt(f),
            Self::Close(code) => Action::Close(code).fmt(f),
            Self::Disconnect => Action::Disconnect.fmt(f),
        }
    }
}

/// A transcript that cannot be parsed or cannot happen: the line, its text, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    line: usize,
    reason: String,
}

impl ParseError {
    pub(super) const fn new(line: usize, reason: String) -> Self {
        Self { line, reason }
    }

    /// The number of the line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

/// `LINE: reason`, so that a program can print it after `FILE:`.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}

impl core::error::Error for ParseError {}
