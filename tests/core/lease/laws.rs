//! The promises, each checked over the log of a life by a few lines of its own. None of them asks the lease or the
//! reference.

use std::collections::{BTreeMap, BTreeSet};

use liveness::Timestamp;
use liveness::lease::{LeaseChange, Loss};

use super::world::{Line, Step};

type Log = [(Timestamp, Line)];
type Law = Result<(), String>;

fn broken<T>(at: Timestamp, what: impl std::fmt::Debug) -> Result<T, String> {
    Err(format!("at {at}: {what:?}"))
}

/// It is granted only when nobody holds it, and only its holder loses it. In between, frozen and thawed alternate.
pub(crate) fn one_holder(log: &Log) -> Law {
    let mut holder = None;
    let mut frozen = false;
    for (at, line) in log {
        let Line::Out(change) = line else { continue };
        let good = match change {
            LeaseChange::Granted { user, token } => {
                frozen = false;
                holder.replace((*user, *token)).is_none()
            }
            LeaseChange::Lost { user, token, .. } => holder.take() == Some((*user, *token)),
            LeaseChange::Frozen { user, token, .. } => {
                holder == Some((*user, *token)) && !std::mem::replace(&mut frozen, true)
            }
            LeaseChange::Thawed { user, token } => {
                holder == Some((*user, *token)) && std::mem::replace(&mut frozen, false)
            }
            LeaseChange::Returned { token, .. } => holder.is_none_or(|(_, newer)| newer > *token),
        };
        if !good {
            return broken(*at, change);
        }
    }
    Ok(())
}

pub(crate) fn tokens_grow(log: &Log, mut last: u64) -> Law {
    for (at, line) in log {
        if let Line::Out(change @ LeaseChange::Granted { token, .. }) = line {
            if token.get() <= last {
                return broken(*at, change);
            }
            last = token.get();
        }
    }
    Ok(())
}

/// Who waits and who is suspect, from the inputs and the outputs.
#[derive(Default)]
struct Desk {
    queue: Vec<u8>,
    suspects: BTreeMap<u8, Timestamp>,
    holder: Option<u8>,
    /// The last moment when somebody looked. And the suspicion whose grace began again because nobody had looked, and
    /// when it did.
    looked: Timestamp,
    anew: Option<(Timestamp, Timestamp)>,
}

impl Desk {
    fn take_in(&mut self, at: Timestamp, line: &Line) {
        match line {
            Line::In(Step::Online(user)) => drop(self.suspects.remove(user)),
            Line::In(Step::Suspect(user)) => drop(self.suspects.entry(*user).or_insert(at)),
            Line::In(Step::Offline(user)) => {
                self.suspects.remove(user);
                self.leave(*user);
            }
            Line::In(Step::Release(user)) => self.leave(*user),
            Line::In(Step::Revoke) => self.holder = None,
            Line::In(Step::Request(user)) => {
                if self.holder != Some(*user) && !self.queue.contains(user) {
                    self.queue.push(*user);
                }
            }
            Line::Out(LeaseChange::Granted { user, .. }) => {
                self.queue.retain(|waiting| waiting != user);
                self.holder = Some(*user);
                self.anew = None;
            }
            Line::Out(LeaseChange::Lost { reason: Loss::GraceExpired, .. }) => self.holder = None,
            Line::In(_) | Line::Out(_) | Line::Silence => {}
        }
    }

    fn leave(&mut self, user: u8) {
        self.queue.retain(|waiting| *waiting != user);
        self.holder = self.holder.filter(|holder| *holder != user);
    }

    fn first(&self) -> Option<u8> {
        self.queue.iter().find(|user| !self.suspects.contains_key(user)).copied()
    }

    fn since(&self) -> Option<Timestamp> {
        self.suspects.get(&self.holder?).copied()
    }

    fn grace_over(&self, grace: u64) -> Option<Timestamp> {
        let since = self.since()?;
        let begun = self.anew.filter(|(of, _)| *of == since).map_or(since, |(_, at)| at);
        begun.as_nanos().checked_add(grace).filter(|over| *over < u64::MAX).map(Timestamp::from_nanos)
    }

    /// A late look does not count.
    fn look(&mut self, at: Timestamp, grace: u64) {
        if let (Some(over), Some(since), Some(_)) = (self.grace_over(grace), self.since(), self.first()) {
            let late = (at - over.max(self.looked)).as_nanos() > u128::from(grace / 4);
            if late && self.anew.is_none_or(|(of, _)| of != since) {
                self.anew = Some((since, at));
            }
        }
        self.looked = self.looked.max(at);
    }
}

/// It is granted to the user who has waited longest of those who stayed. Suspects are passed over.
pub(crate) fn first_come_first_served(log: &Log) -> Law {
    let mut desk = Desk::default();
    for (at, line) in log {
        if let Line::Out(change @ LeaseChange::Granted { user, .. }) = line {
            if desk.first() != Some(*user) {
                return broken(*at, (change, desk.queue));
            }
        }
        desk.take_in(*at, line);
    }
    Ok(())
}

/// When nothing is left to report, nobody holds it only if nobody could hold it.
pub(crate) fn handed_over_at_once(log: &Log) -> Law {
    let mut desk = Desk::default();
    for (at, line) in log {
        desk.take_in(*at, line);
        if matches!(line, Line::Silence) && desk.holder.is_none() && desk.first().is_some() {
            return broken(*at, desk.queue);
        }
    }
    Ok(())
}

/// It is lost because of suspicion exactly when the grace is over and somebody waits.
pub(crate) fn grace_is_exact(log: &Log, grace: u64) -> Law {
    let mut desk = Desk::default();
    for (at, line) in log {
        desk.look(*at, grace);
        let over = desk.grace_over(grace).is_some_and(|over| over <= *at) && desk.first().is_some();
        let lost = matches!(line, Line::Out(LeaseChange::Lost { reason: Loss::GraceExpired, .. }));
        if lost && !over || matches!(line, Line::Silence) && over {
            return broken(*at, (line, desk.queue, desk.suspects));
        }
        desk.take_in(*at, line);
    }
    Ok(())
}

/// When nothing is left to report, it was reported as frozen exactly if its holder is suspect, with the right start.
pub(crate) fn frozen_while_suspect(log: &Log) -> Law {
    let (mut desk, mut told) = (Desk::default(), None);
    for (at, line) in log {
        desk.take_in(*at, line);
        match line {
            Line::Out(LeaseChange::Frozen { since, .. }) => told = Some(*since),
            Line::Out(LeaseChange::Thawed { .. } | LeaseChange::Lost { .. }) => told = None,
            Line::Silence => {
                let suspect = desk.holder.and_then(|holder| desk.suspects.get(&holder).copied());
                if told != suspect {
                    return broken(*at, (told, suspect));
                }
            }
            Line::In(_) | Line::Out(_) => {}
        }
    }
    Ok(())
}

/// Each holding ends with one loss, which is reported. A user who could not be reached is told once, when they are back.
pub(crate) fn every_loss_is_told(log: &Log) -> Law {
    let (mut held, mut away, mut missed) = (None, BTreeSet::new(), Vec::new());
    let mut desk = Desk::default();
    for (at, line) in log {
        desk.take_in(*at, line);
        match line {
            Line::In(Step::Online(user)) => drop(away.remove(user)),
            Line::In(Step::Request(user)) if !desk.suspects.contains_key(user) => drop(away.remove(user)),
            Line::In(Step::Suspect(user) | Step::Offline(user)) => drop(away.insert(*user)),
            Line::Out(LeaseChange::Granted { token, .. }) => held = Some(*token),
            Line::Out(LeaseChange::Lost { user, token, reason }) => {
                if held.take() != Some(*token) {
                    return broken(*at, line);
                }
                if away.contains(user) && *reason != Loss::Released {
                    missed.push((*user, *token));
                }
            }
            Line::Out(LeaseChange::Returned { user, token, .. }) => {
                let known = missed.iter().position(|missed| *missed == (*user, *token));
                let Some(known) = known.filter(|_| !away.contains(user)) else { return broken(*at, line) };
                missed.remove(known);
            }
            Line::Silence => {
                if desk.holder.is_some() != held.is_some()
                    || missed.iter().any(|(user, _)| !away.contains(user))
                {
                    return broken(*at, (desk.holder, held, missed, away));
                }
            }
            Line::In(_) | Line::Out(_) => {}
        }
    }
    Ok(())
}
