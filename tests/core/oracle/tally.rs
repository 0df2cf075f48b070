//! What happened in many lives, counted by kind, to show that the interesting cases happen.

use std::collections::BTreeMap;
use std::time::Duration;

use liveness::{Reason, Suspicion};

use super::history::{Fact, History, Input, Output, Overdue, Past, What, is_mercy};

/// What must happen many times, in addition to each reason of an end.
pub(super) const KINDS: [&str; 47] = [
    "protocol-error",
    "suspected",
    "suspected while written",
    "suspected in a shortened wait",
    "suspicion survived",
    "suspicion survived while written",
    "suspicion of a writing that was over survived",
    "answer forgiven",
    "write forgiven",
    "silence forgiven",
    "answer reprieved",
    "write reprieved",
    "silence reprieved",
    "idle reprieved",
    "answer paused in its last look",
    "silence paused in its last look",
    "idle paused in its last look",
    "answer forgotten by reconfigure",
    "write forgotten by reconfigure",
    "silence forgotten by reconfigure",
    "idle forgotten by reconfigure",
    "answer looked at anew",
    "silence looked at anew",
    "idle looked at anew",
    "ping-timeout in spite of unread",
    "silent in spite of unread",
    "idle in spite of unread",
    "write-stalled in spite of unread",
    "write-stalled in a pause",
    "write-stalled in spite of evidence",
    "write-stalled while an answer was awaited",
    "ping-timeout while another ping was written",
    "ping-timeout in a shortened wait",
    "ping while another was awaited",
    "ping while three were awaited",
    "ping in a pause",
    "ping though no answer is ever due",
    "ping of a probe held back by another",
    "fresh ping of a probe",
    "fresh ping in place of a probe's",
    "fresh ping in place of one unwritten while one was awaited",
    "wait shortened",
    "wait not shortened",
    "answer to an older ping",
    "round trip",
    "answer that is no sample",
    "reconfigured while awaited",
];

#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, usize>);

impl Tally {
    pub(super) fn of(&self, kind: &str) -> usize {
        self.0.get(kind).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, history: &History) {
        let past = history.past();
        for (index, fact) in past.facts().iter().enumerate() {
            for kind in kinds(past, index, fact) {
                *self.0.entry(kind).or_default() += 1;
            }
        }
    }
}

fn kinds(past: Past<'_>, index: usize, fact: &Fact) -> Vec<String> {
    let (before, then) = (past.before(index), past.before(index + 1));
    let mut kinds = Vec::new();
    let mut note = |so: bool, kind: &str| {
        if so {
            kinds.push(kind.to_owned());
        }
    };
    match fact.what {
        What::Polled(Some(Output::Offline(reason))) => note_end(before, reason, note),
        What::Polled(Some(Output::Suspect)) => {
            note(true, "suspected");
            note(before.wait().is_none(), "suspected while written");
            let shortened = before.wait().is_some_and(|wait| wait.shortened);
            note(
                shortened && before.config().suspicion() != Suspicion::Never,
                "suspected in a shortened wait",
            );
        }
        // The first `MarkOnline` greets the peer. The others end a suspicion that was survived.
        What::Polled(Some(Output::Online)) if before.did(Output::Online) => {
            note(true, "suspicion survived");
            note(before.unwritten().is_some(), "suspicion survived while written");
            let then = before.before(before.last_mark().unwrap());
            let over = before.unwritten() != then.unwritten();
            note(then.wait().is_none() && over, "suspicion of a writing that was over survived");
        }
        What::Polled(Some(Output::Ping(_))) => note_ping(past, index, note),
        What::Forgave(overdue) => note(true, &format!("{} forgiven", name(overdue))),
        What::Saw(overdue, _) => {
            if let Some(fate) = fate(&past.facts()[index + 1..]) {
                note(true, &format!("{} {fate}", name(overdue)));
            }
        }
        What::Held => {
            // The first look begins when the deadline is first seen.
            let saw = before.last(|fact| matches!(fact.what, What::Saw(..))).unwrap();
            if let (What::Saw(overdue, _), true) = (before.facts()[saw].what, saw + 1 < index) {
                note(true, &format!("{} looked at anew", name(overdue)));
            }
        }
        What::Answered(sample) => {
            note(sample.is_some(), "round trip");
            let newest = before.facts()[index - 1].what == What::In(Input::Pong(Some(before.pings())));
            note(!newest, "answer to an older ping");
            note(newest && sample.is_none(), "answer that is no sample");
        }
        What::In(Input::PingSent) => note_written(before, then, note),
        What::In(Input::Reconfigure) => note(before.wait().is_some(), "reconfigured while awaited"),
        What::Opened | What::In(_) | What::Decided(_) | What::Fell(_) | What::Polled(_) => {}
    }
    kinds
}

fn note_end(before: Past<'_>, reason: Reason, mut note: impl FnMut(bool, &str)) {
    // The reason's name without its code.
    let name = reason.to_string();
    let name = name.split(' ').next().unwrap();
    note(true, name);
    let look = before.last(|fact| fact.what == What::Held);
    let unread = look.is_some_and(|look| before.any_after(look, |fact| fact.what == What::In(Input::Unread)));
    note(unread, &format!("{name} in spite of unread"));
    if reason == Reason::WriteStalled {
        note(before.is_paused(), "write-stalled in a pause");
        let heard = before.newest_ping().is_some_and(|ping| ping < before.latest_evidence());
        note(heard, "write-stalled in spite of evidence");
        note(before.wait().is_some(), "write-stalled while an answer was awaited");
    } else if reason == Reason::PingTimeout {
        note(before.unwritten().is_some(), "ping-timeout while another ping was written");
        note(before.wait().is_some_and(|wait| wait.shortened), "ping-timeout in a shortened wait");
    }
}

fn note_ping(past: Past<'_>, index: usize, mut note: impl FnMut(bool, &str)) {
    let (then, after) = (past.when_sent(index), past.before(index + 1));
    if is_mercy(&past.facts()[index - 1]) {
        note(after.is_of_a_probe(index), "fresh ping of a probe");
        let replaced = then.unwritten().filter(|replaced| *replaced > then.latest_evidence());
        let passed_on =
            replaced.is_some_and(|replaced| then.is_of_a_probe(replaced)) && then.wait().is_none();
        note(passed_on, "fresh ping in place of a probe's");
        let both = then.unwritten().is_some() && then.wait().is_some();
        note(both, "fresh ping in place of one unwritten while one was awaited");
    } else {
        note(then.wait().is_some(), "ping while another was awaited");
        let awaited = then.awaited().map_or(0, |first| then.pings() - first + 1);
        note(awaited >= 3, "ping while three were awaited");
        let never = then.config().timeout() == Duration::MAX;
        note(then.wait().is_some() && never, "ping though no answer is ever due");
        // It was asked for in the second after another ping.
        let asked =
            then.first_after(then.newest_ping().unwrap_or(0), |fact| fact.what == What::In(Input::Probe));
        note(
            asked.is_some_and(|probe| then.at(probe) < after.latest())
                && then.ping_due(after.latest()) == after.latest(),
            "ping of a probe held back by another",
        );
    }
    note(then.is_paused(), "ping in a pause");
    note_written(then, after, note);
}

/// If this was the writing of a probe's ping: whether it shortened the wait.
fn note_written(before: Past<'_>, then: Past<'_>, mut note: impl FnMut(bool, &str)) {
    let index = before.facts().len();
    if then.facts().len() > index && then.is_writing_of_a_probe(then.facts().len() - 1) {
        let shortened =
            then.wait().is_some_and(|wait| wait.shortened && wait.since == then.facts().len() - 1);
        note(shortened, "wait shortened");
        note(then.wait().is_some() && !shortened, "wait not shortened");
    }
}

const fn name(overdue: Overdue) -> &'static str {
    match overdue {
        Overdue::Idle => "idle",
        Overdue::Silence => "silence",
        Overdue::Answer => "answer",
        Overdue::Write => "write",
    }
}

/// What became of a verdict that was seen as due, and noted.
fn fate(after: &[Fact]) -> Option<&'static str> {
    // Polls that gave nothing waited with it.
    let still = [What::Polled(None), What::Held];
    let mut after = after.iter().map(|fact| fact.what).filter(|what| !still.contains(what));
    match after.next()? {
        What::In(Input::ReadPaused) => Some("paused in its last look"),
        What::In(Input::Reconfigure) => Some("forgotten by reconfigure"),
        What::In(_) => {
            // While it waits, nothing else is handed out or seen.
            let other = after.find(|what| matches!(what, What::Saw(..) | What::Polled(_)))?;
            (!matches!(other, What::Polled(Some(Output::Offline(_))))).then_some("reprieved")
        }
        What::Opened
        | What::Answered(_)
        | What::Decided(_)
        | What::Saw(..)
        | What::Forgave(_)
        | What::Held
        | What::Fell(_)
        | What::Polled(_) => None,
    }
}
