//! Decides whether a server was right about the clients of a case. Both rules have the same judge.

use std::time::Duration;

use liveness::{Evidence, Reason, Timestamp};

use crate::board::{Change, Life, Rule};
use crate::cases::{CASES, Case, INTERVAL, LATENESS, Place, Right, STALL_LASTS, TIMEOUT, config};

/// What a server did, and whether that was right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// It was right.
    pub(crate) right: bool,
    /// The outcome, in at most 20 letters.
    pub(crate) did: String,
    /// The time from the last sign of life, or from the deed, to the verdict.
    pub(crate) took: Option<Duration>,
}

impl Judgement {
    fn right(did: String, took: Option<Duration>) -> Self {
        Self { right: true, did, took }
    }

    fn wrong(did: impl Into<String>, took: Option<Duration>) -> Self {
        Self { right: false, did: did.into(), took }
    }
}

/// How long a verdict by the clock may take, counted from the last sign of life.
pub(crate) fn bound() -> Duration {
    config(Evidence::AnyTraffic).detection_bound(LATENESS)
}

/// The longest time that a verdict of this kind may take; `None` if there should be none.
pub(crate) fn limit(right: Right) -> Option<Duration> {
    match right {
        Right::Online => None,
        Right::Timeout(_) => Some(bound()),
        Right::Deed(_) => Some(INTERVAL),
    }
}

/// What both rules did in each case, and whether it was right.
pub(crate) fn judge_all(lives: &[Life]) -> Vec<[Judgement; 2]> {
    let judge_case = |(index, case)| {
        [Rule::Gorilla, Rule::Liveness].map(|rule| {
            let is_of_it = |life: &&Life| life.case == index && life.rule == rule;
            judge(case, rule, &lives.iter().filter(is_of_it).collect::<Vec<_>>())
        })
    };
    CASES.iter().enumerate().map(judge_case).collect()
}

/// Judges what a rule did with all clients of a case.
fn judge(case: &Case, rule: Rule, lives: &[&Life]) -> Judgement {
    let online = lives.iter().filter(|life| life.when(&Change::Online).is_some()).count();
    if online < case.crowd {
        return Judgement::wrong(format!("{online} of {} came", case.crowd), None);
    }
    match (case.right, lives) {
        (Right::Timeout(reason), [life]) => judge_verdict(life, rule, reason, TIMEOUT..=bound()),
        (Right::Deed(reason), [life]) => judge_verdict(life, rule, reason, Duration::ZERO..=INTERVAL),
        (Right::Online, [life]) if matches!(case.place, Place::Here(_)) => judge_online(life),
        (Right::Online | Right::Timeout(_) | Right::Deed(_), _) => judge_crowd(lives),
    }
}

fn judge_online(life: &Life) -> Judgement {
    let born = life.when(&Change::Online).unwrap_or(Timestamp::ZERO);
    if let Some((at, _)) = life.verdict() {
        let age = at.saturating_duration_since(born);
        return Judgement::wrong(format!("killed, {:.1} s old", age.as_secs_f64()), None);
    }
    match life.loss() {
        Some(_) => Judgement::wrong("client gave up", None),
        None => Judgement::right("online".into(), None),
    }
}

fn judge_crowd(lives: &[&Life]) -> Judgement {
    if lives.iter().any(|life| life.stalled_for() < STALL_LASTS) {
        return Judgement::wrong("was not stopped", None);
    }
    let kept = lives.iter().filter(|life| judge_online(life).right).count();
    let did = format!("kept {kept} of {}", lives.len());
    if kept == lives.len() { Judgement::right(did, None) } else { Judgement::wrong(did, None) }
}

fn judge_verdict(
    life: &Life,
    rule: Rule,
    reason: Reason,
    limits: std::ops::RangeInclusive<Duration>,
) -> Judgement {
    let Some(fault) = life.when(&Change::Fault) else {
        return Judgement::wrong("gone too early", None);
    };
    let Some((at, given)) = life.verdict() else { return Judgement::wrong("still online", None) };
    let took = Some(at.saturating_duration_since(fault));
    // Gorilla's rule has other names for its reasons. It is enough that it noticed.
    if rule == Rule::Liveness && given != reason.to_string() {
        return Judgement::wrong(given, took);
    }
    if at < fault || !took.is_some_and(|took| limits.contains(&took)) {
        let is_late = took.is_some_and(|took| took > *limits.end());
        return Judgement::wrong(format!("{given}, {}", if is_late { "late" } else { "early" }), took);
    }
    if !is_disconnected(life, at) {
        return Judgement::wrong("socket leaked", took);
    }
    Judgement::right(given.into(), took)
}

/// If the socket stays open after a verdict, it leaks.
fn is_disconnected(life: &Life, verdict: Timestamp) -> bool {
    let patience = config(Evidence::AnyTraffic).close_timeout() + LATENESS * 3;
    life.when(&Change::Gone).is_some_and(|gone| gone <= verdict + patience)
}
