//! The whole history of one connection: what went in and came out, and when, in order. It can be searched.

use liveness::{CloseCode, Config, Evidence, Reason};

/// An input. A pong names the ping whose payload it carries, if there was such a ping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Input {
    Data,
    Progress,
    Ping,
    Pong(Option<u32>),
    Close(Option<u16>),
    Violation(CloseCode),
    Eof,
    Wrote,
    PingSent,
    ReadPaused,
    ReadResumed,
    Unread,
    Probe,
    LocalClose(CloseCode),
    /// New settings. They are in force for this fact and all that follow.
    Reconfigure,
}

/// What is handed out: an action. Its ping is given by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Output {
    Online,
    Ping(u32),
    Suspect,
    Offline(Reason),
    Close(Option<CloseCode>),
    Disconnect,
}

/// The verdicts that come from time alone, in the order of rule 13.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Overdue {
    Idle,
    Silence,
    Answer,
    Write,
}

/// One entry of the history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Opened,
    In(Input),
    /// The pong before this was an answer. The value is its round trip, if that is a sample.
    Answered(Option<u64>),
    /// The input before this decided the verdict.
    Decided(Reason),
    /// A poll first saw this verdict, which was due at that time.
    Saw(Overdue, u64),
    /// Rule 6: the poll saw it so late that the driver suspects itself. Silence begins again, or the fresh ping goes out
    /// in this poll.
    Forgave(Overdue),
    /// The verdict that was seen last waits for its last look, which begins here.
    Held,
    /// The verdict fell in the poll that follows, although that poll handed out something else.
    Fell(Reason),
    Polled(Option<Output>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    pub(super) at: u64,
    pub(super) what: What,
    /// The index of the settings in force.
    settings: usize,
}

#[derive(Clone, Debug)]
pub(super) struct History {
    facts: Vec<Fact>,
    /// All settings that were ever in force.
    settings: Vec<Config>,
}

impl History {
    pub(super) fn new(config: Config, opened: u64) -> Self {
        Self { facts: vec![Fact { at: opened, what: What::Opened, settings: 0 }], settings: vec![config] }
    }

    pub(super) fn push(&mut self, at: u64, what: What) {
        self.facts.push(Fact { at, what, settings: self.settings.len() - 1 });
    }

    pub(super) fn reconfigure(&mut self, config: Config, at: u64) {
        self.settings.push(config);
        self.push(at, What::In(Input::Reconfigure));
    }

    /// All of it.
    pub(super) fn past(&self) -> Past<'_> {
        Past { facts: &self.facts, settings: &self.settings }
    }
}

/// The history up to some fact: all that can be known then. The rules' questions are asked about a past. So "when it went
/// out" is the same question as "now", about a shorter past.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past<'a> {
    facts: &'a [Fact],
    settings: &'a [Config],
}

impl<'a> Past<'a> {
    pub(super) fn facts(self) -> &'a [Fact] {
        self.facts
    }

    /// What was known just before this fact.
    pub(super) fn before(self, index: usize) -> Self {
        Self { facts: &self.facts[..index], ..self }
    }

    pub(super) fn at(self, index: usize) -> u64 {
        self.facts[index].at
    }

    pub(super) fn latest(self) -> u64 {
        self.facts[self.facts.len() - 1].at
    }

    /// The settings in force.
    pub(super) fn config(self) -> &'a Config {
        self.config_of(&self.facts[self.facts.len() - 1])
    }

    pub(super) fn config_of(self, fact: &Fact) -> &'a Config {
        &self.settings[fact.settings]
    }

    /// The last such fact.
    pub(super) fn last(self, is: impl Fn(&Fact) -> bool) -> Option<usize> {
        self.facts.iter().rposition(is)
    }

    /// The first such fact after `start`.
    pub(super) fn first_after(self, start: usize, is: impl Fn(&Fact) -> bool) -> Option<usize> {
        let later = self.facts[start + 1..].iter().position(is)?;
        Some(start + 1 + later)
    }

    pub(super) fn any_after(self, start: usize, is: impl Fn(&Fact) -> bool) -> bool {
        self.first_after(start, is).is_some()
    }

    /// The last such fact, or the opening if there was none.
    pub(super) fn last_or_opening(self, is: impl Fn(&Fact) -> bool) -> usize {
        self.last(is).unwrap_or(0)
    }

    pub(super) fn did(self, output: Output) -> bool {
        self.last(|fact| fact.what == What::Polled(Some(output))).is_some()
    }
}

/// Questions that need no rule to answer.
impl Past<'_> {
    /// Rule 3, by the settings of that time: `reconfigure` turns nothing into evidence afterwards.
    pub(super) fn is_evidence(self, fact: &Fact) -> bool {
        match self.config_of(fact).evidence() {
            Evidence::AnyTraffic => is_heard(fact),
            Evidence::PongOnly => matches!(fact.what, What::Answered(_)),
            other => panic!("the reference does not know {other:?}"),
        }
    }

    /// The latest evidence, or the opening if there was none.
    pub(super) fn latest_evidence(self) -> usize {
        self.last_or_opening(|fact| self.is_evidence(fact))
    }

    pub(super) fn newest_ping(self) -> Option<usize> {
        self.last(is_ping)
    }

    /// How many pings were handed out.
    pub(super) fn pings(self) -> u32 {
        u32::try_from(self.facts.iter().filter(|fact| is_ping(fact)).count()).unwrap()
    }

    pub(super) fn is_paused(self) -> bool {
        self.last(is_turn).is_some_and(|turn| self.facts[turn].what == What::In(Input::ReadPaused))
    }

    /// The end of the last pause: the first resumption after it. More resumptions mean nothing (rule 9).
    pub(super) fn resumption(self) -> Option<usize> {
        let paused = self.last(|fact| fact.what == What::In(Input::ReadPaused))?;
        self.first_after(paused, is_turn)
    }

    pub(super) fn last_mark(self) -> Option<usize> {
        self.last(|fact| matches!(fact.what, What::Polled(Some(Output::Online | Output::Suspect))))
    }

    /// The last mark handed out was `MarkSuspect`.
    pub(super) fn is_suspect(self) -> bool {
        self.last_mark().is_some_and(|mark| self.facts[mark].what == What::Polled(Some(Output::Suspect)))
    }

    /// Whether this input decided the verdict. Such an input refutes no suspicion, because it says nothing about life
    /// after it.
    pub(super) fn decides(self, index: usize) -> bool {
        self.facts.get(index + 1).is_some_and(|next| matches!(next.what, What::Decided(_)))
    }

    /// The fact by which the verdict fell, and the reason.
    pub(super) fn verdict_at(self) -> Option<(usize, Reason)> {
        let verdicts = self.facts.iter().enumerate();
        verdicts.filter_map(|(index, fact)| Some((index, fact.what.verdict()?))).next()
    }

    pub(super) fn verdict(self) -> Option<Reason> {
        self.verdict_at().map(|(_, reason)| reason)
    }

    /// The code that the first `close()` gave.
    pub(super) fn local_close(self) -> Option<CloseCode> {
        self.facts.iter().find_map(|fact| {
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

pub(super) fn is_heard(fact: &Fact) -> bool {
    use Input::{Close, Data, Eof, Ping, Pong, Progress, Violation};
    matches!(fact.what, What::In(Data | Progress | Ping | Pong(_) | Close(_) | Violation(_) | Eof))
}

pub(super) fn is_ping(fact: &Fact) -> bool {
    matches!(fact.what, What::Polled(Some(Output::Ping(_))))
}

/// Rule 1: a ping and `PingSent` count as written.
pub(super) fn is_write(fact: &Fact) -> bool {
    is_ping(fact) || matches!(fact.what, What::In(Input::Wrote | Input::PingSent))
}

/// Rule 6: the fresh ping goes out in this poll.
pub(super) fn is_mercy(fact: &Fact) -> bool {
    matches!(fact.what, What::Forgave(Overdue::Answer | Overdue::Write))
}

fn is_turn(fact: &Fact) -> bool {
    matches!(fact.what, What::In(Input::ReadPaused | Input::ReadResumed))
}
