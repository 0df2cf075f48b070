//! What happened in many lives, counted by kind, to see that the interesting does happen.

use std::collections::BTreeMap;

use liveness::Reason;

use super::history::{Fact, History, Input, Output, Overdue, What, is_ping};

/// What must happen many times, beside each reason of an end.
pub(super) const KINDS: [&str; 14] = [
    "suspected",
    "suspicion survived",
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
    "write stalled in a pause",
    "round trip",
];

#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, usize>);

impl Tally {
    pub(super) fn of(&self, kind: &str) -> usize {
        self.0.get(kind).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, history: &History) {
        for (index, fact) in history.facts().iter().enumerate() {
            if let Some(kind) = kind(history, fact, index) {
                *self.0.entry(kind).or_default() += 1;
            }
        }
    }
}

fn kind(history: &History, fact: &Fact, index: usize) -> Option<String> {
    let after = &history.facts()[index + 1..];
    Some(match fact.what {
        What::Polled(Some(Output::Offline(Reason::PeerClosed(_)))) => "peer-closed".into(),
        What::Polled(Some(Output::Offline(Reason::WriteStalled))) if history.was_paused(index) => {
            "write stalled in a pause".into()
        }
        What::Polled(Some(Output::Offline(reason))) => reason.to_string(),
        What::Polled(Some(Output::Suspect)) => "suspected".into(),
        What::Polled(Some(Output::Online)) if was_online(history, index) => "suspicion survived".into(),
        What::SilenceForgiven => "silence forgiven".into(),
        What::Answered(Some(_)) => "round trip".into(),
        What::Saw(overdue, _) => format!("{} {}", name(overdue), fate(overdue, after)?),
        What::Opened
        | What::In(_)
        | What::Answered(None)
        | What::Decided(_)
        | What::Held
        | What::Fell(_)
        | What::Polled(_) => return None,
    })
}

const fn name(overdue: Overdue) -> &'static str {
    match overdue {
        Overdue::Idle => "idle",
        Overdue::Silence => "silence",
        Overdue::Write => "write",
        Overdue::Answer => "answer",
    }
}

/// What became of a verdict that was seen due.
fn fate(overdue: Overdue, after: &[Fact]) -> Option<&'static str> {
    // Polls that gave nothing waited with it.
    let still = [What::Polled(None), What::Held];
    let mut after = after.iter().map(|fact| fact.what).filter(|what| !still.contains(what));
    let next = after.next()?;
    let pings = matches!(overdue, Overdue::Write | Overdue::Answer);
    if pings && is_ping(&next) {
        Some("forgiven")
    } else if next == What::In(Input::ReadPaused) {
        Some("paused in its last look")
    } else if matches!(next, What::In(_)) {
        // While it waits nothing else is handed out or seen.
        let other = after.find(|what| matches!(what, What::Saw(..) | What::Polled(_)))?;
        (!matches!(other, What::Polled(Some(Output::Offline(_))))).then_some("reprieved")
    } else {
        None
    }
}

/// The first `MarkOnline` greets, the others tell of a suspicion that was survived.
fn was_online(history: &History, index: usize) -> bool {
    history.facts()[..index].iter().any(|fact| fact.what == What::Polled(Some(Output::Online)))
}
