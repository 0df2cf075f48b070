//! The whole history of one connection: what was handed in and out, and when, in order. And searches in it.

use liveness::{CloseCode, Reason};

/// What is handed in. A pong names the ping whose payload it carries, if there was such a ping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Input {
    Data,
    Progress,
    Ping,
    Pong(Option<u32>),
    Close(Option<u16>),
    Eof,
    Wrote,
    PingSent,
    ReadPaused,
    ReadResumed,
    Probe,
    LocalClose(CloseCode),
}

/// What is handed out: an action, its ping by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Output {
    Online,
    Ping(u32),
    Suspect,
    Offline(Reason),
    Close(Option<CloseCode>),
    Disconnect,
}

/// The verdicts that fall by time alone, in the order of rule 13.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Overdue {
    Idle,
    Silence,
    Write,
    Answer,
}

/// One entry of the history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Opened,
    In(Input),
    /// The pong before it answered; the round trip, where it is a sample.
    Answered(Option<u64>),
    /// The input before it decided.
    Decided(Reason),
    /// A poll saw this verdict due since then.
    Saw(Overdue, u64),
    /// A poll saw silence so late that it starts anew.
    SilenceForgiven,
    /// The verdict just seen waits for its last look.
    Held,
    /// A verdict fell in the poll that follows, which gave something else.
    Fell(Reason),
    Polled(Option<Output>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    pub(super) at: u64,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) struct History(Vec<Fact>);

impl History {
    pub(super) fn new(opened: u64) -> Self {
        Self(vec![Fact { at: opened, what: What::Opened }])
    }

    pub(super) fn facts(&self) -> &[Fact] {
        &self.0
    }

    pub(super) fn at(&self, index: usize) -> u64 {
        self.0[index].at
    }

    /// Where the last such fact stands.
    pub(super) fn last(&self, is: impl Fn(&What) -> bool) -> Option<usize> {
        self.0.iter().rposition(|fact| is(&fact.what))
    }

    /// Where the first such fact after `start` stands.
    pub(super) fn first_after(&self, start: usize, is: impl Fn(&What) -> bool) -> Option<usize> {
        let later = self.0[start + 1..].iter().position(|fact| is(&fact.what))?;
        Some(start + 1 + later)
    }

    pub(super) fn any_after(&self, start: usize, is: impl Fn(&What) -> bool) -> bool {
        self.first_after(start, is).is_some()
    }

    /// When the last such fact was; if there was none, the opening.
    pub(super) fn last_at(&self, is: impl Fn(&What) -> bool) -> u64 {
        self.0[self.last(is).unwrap_or(0)].at
    }

    pub(super) fn latest(&self) -> u64 {
        self.0[self.0.len() - 1].at
    }

    pub(super) fn push(&mut self, at: u64, what: What) {
        self.0.push(Fact { at, what });
    }

    pub(super) fn did(&self, output: Output) -> bool {
        self.last(|what| *what == What::Polled(Some(output))).is_some()
    }

    pub(super) fn newest_ping(&self) -> Option<usize> {
        self.last(is_ping)
    }

    /// How many pings were handed out.
    pub(super) fn pings(&self) -> u32 {
        let pings = self.0.iter().filter(|fact| is_ping(&fact.what)).count();
        u32::try_from(pings).unwrap()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.was_paused(self.0.len())
    }

    /// Whether reading was paused just before the fact that stands there.
    pub(super) fn was_paused(&self, index: usize) -> bool {
        let turn = self.0[..index].iter().rfind(|fact| is_pause(&fact.what));
        turn.is_some_and(|fact| fact.what == What::In(Input::ReadPaused))
    }

    pub(super) fn last_mark(&self) -> Option<usize> {
        self.last(is_mark)
    }

    /// The last mark handed out was `MarkSuspect`.
    pub(super) fn is_suspect(&self) -> bool {
        self.last_mark().is_some_and(|mark| self.0[mark].what == What::Polled(Some(Output::Suspect)))
    }

    /// Whether the input that stands there decided. Such a one refutes no suspicion: it tells of no life to come.
    pub(super) fn decides(&self, index: usize) -> bool {
        matches!(self.0.get(index + 1), Some(Fact { what: What::Decided(_), .. }))
    }

    /// Where the verdict fell, and why.
    pub(super) fn verdict_at(&self) -> Option<(usize, Reason)> {
        let verdicts = self.0.iter().enumerate();
        verdicts.filter_map(|(index, fact)| Some((index, fact.what.verdict()?))).next()
    }

    /// The code that the first `close()` gave.
    pub(super) fn local_close(&self) -> Option<CloseCode> {
        self.0.iter().find_map(|fact| {
            if let What::In(Input::LocalClose(code)) = fact.what { Some(code) } else { None }
        })
    }
}

impl What {
    fn verdict(self) -> Option<Reason> {
        use What::{Decided, Fell, Polled};
        let (Decided(reason) | Fell(reason) | Polled(Some(Output::Offline(reason)))) = self else {
            return None;
        };
        Some(reason)
    }

    pub(super) fn sample(self) -> Option<u64> {
        if let Self::Answered(sample) = self { sample } else { None }
    }
}

pub(super) fn is_heard(what: &What) -> bool {
    use Input::{Close, Data, Eof, Ping, Pong, Progress};
    matches!(what, What::In(Data | Progress | Ping | Pong(_) | Close(_) | Eof))
}

pub(super) fn is_answer(what: &What) -> bool {
    matches!(what, What::Answered(_))
}

pub(super) fn is_ping(what: &What) -> bool {
    matches!(what, What::Polled(Some(Output::Ping(_))))
}

/// Rule 1: a ping and `PingSent` count as written.
pub(super) fn is_written(what: &What) -> bool {
    is_ping(what) || matches!(what, What::In(Input::Wrote | Input::PingSent))
}

pub(super) fn is_pause(what: &What) -> bool {
    matches!(what, What::In(Input::ReadPaused | Input::ReadResumed))
}

fn is_mark(what: &What) -> bool {
    matches!(what, What::Polled(Some(Output::Online | Output::Suspect)))
}
