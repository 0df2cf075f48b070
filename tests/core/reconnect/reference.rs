//! A second opinion that is told the whole story each time, and reckons in plain numbers.

use std::time::Duration;

use liveness::reconnect::{GiveUpReason, OnClose};

pub(crate) const NEVER: u64 = u64::MAX;

/// Codes with every kind of answer, one the caller's own.
pub(crate) fn on_close(code: u16) -> OnClose {
    match code {
        4000 => OnClose::Redial { at_least: Duration::MAX, spread: Duration::ZERO },
        4001 => OnClose::Redial { at_least: Duration::ZERO, spread: Duration::MAX },
        _ => OnClose::by_code(code),
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) stable_after: u64,
    pub(crate) dial_timeout: u64,
    pub(crate) max_spread: u64,
    pub(crate) max_attempts: u32,
    pub(crate) max_elapsed: u64,
    /// Nanoseconds each; `forever`: the last again and again.
    pub(crate) delays: Vec<u64>,
    pub(crate) forever: bool,
    pub(crate) seed: u64,
}

/// All that happened, as the caller saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fact {
    Dialled(u64),
    Abandoned(u64),
    GaveUp(GiveUpReason),
    Connected(u64),
    Failed(u64),
    Closed(u64, u16),
    NetworkChanged,
    Asked,
    Stopped,
}

/// What must come next, and from when to when it may fall due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    Nothing,
    Dial(u64, u64),
    Abandon(u64),
    GiveUp(GiveUpReason, u64),
    /// By then; or what was drawn is longer, and it ends then.
    DialOrEnd(u64, u64),
}

/// The second opinion: reads the story from the start, and says what must follow.
pub(crate) fn next(settings: &Settings, start: u64, story: &[(u64, Fact)]) -> Next {
    let mut opinion = Opinion {
        settings,
        used: 0,
        dials: 0,
        since: start,
        dialling: None,
        connected: None,
        changed: false,
        newest: 0,
        wait: Some(Wait { owed: start, earliest: start, latest: start }),
        end: (settings.max_attempts == 0).then_some((GiveUpReason::Attempts, start)),
        stopping: None,
        over: false,
    };
    for (now, fact) in story {
        opinion.hear(*now, *fact);
    }
    opinion.next()
}

struct Opinion<'a> {
    settings: &'a Settings,
    /// Waits of the backoff that are used up; dials made, and since when they count.
    used: usize,
    dials: u32,
    since: u64,
    dialling: Option<u64>,
    connected: Option<u64>,
    /// The network changed since the dial.
    changed: bool,
    newest: u64,
    wait: Option<Wait>,
    end: Option<(GiveUpReason, u64)>,
    /// Since when a dial is under way that is wanted no more.
    stopping: Option<u64>,
    over: bool,
}

#[derive(Clone, Copy)]
struct Wait {
    owed: u64,
    earliest: u64,
    latest: u64,
}

impl Opinion<'_> {
    fn hear(&mut self, now: u64, fact: Fact) {
        let of_newest = match fact {
            Fact::Abandoned(of) | Fact::Connected(of) | Fact::Failed(of) | Fact::Closed(of, _) => {
                of == self.newest
            }
            Fact::Dialled(_) | Fact::GaveUp(_) | Fact::NetworkChanged | Fact::Asked | Fact::Stopped => true,
        };
        if let Fact::GaveUp(_) = fact {
            self.over = true;
        }
        if self.over || self.end.is_some() || !of_newest {
            return;
        }
        if self.stopping.is_some() {
            match fact {
                Fact::Abandoned(_) | Fact::Connected(_) | Fact::Failed(_) | Fact::Closed(..) => {
                    (self.stopping, self.end) = (None, Some((GiveUpReason::Stopped, now)));
                }
                Fact::Dialled(_) | Fact::GaveUp(_) | Fact::NetworkChanged | Fact::Asked | Fact::Stopped => {}
            }
            return;
        }
        match fact {
            Fact::Dialled(number) => {
                (self.newest, self.dialling, self.wait, self.changed) = (number, Some(now), None, false);
                self.dials += 1;
            }
            Fact::Connected(_) if self.dialling.is_some() => {
                (self.connected, self.dialling, self.changed) = (Some(now), None, false);
            }
            Fact::Abandoned(_) => self.trouble(now, 0, 0),
            Fact::Failed(_) if self.dialling.is_some() => self.trouble(now, 0, 0),
            Fact::Failed(_) if self.connected.is_some() => self.lost(now, 1006),
            Fact::Closed(_, code) if self.dialling.or(self.connected).is_some() => self.lost(now, code),
            Fact::Connected(_) | Fact::Failed(_) | Fact::Closed(..) | Fact::GaveUp(_) => {}
            Fact::NetworkChanged => self.network_changed(now),
            Fact::Asked if self.wait.is_some() => {
                (self.used, self.dials, self.since) = (0, 0, now);
                self.wait = Some(Wait { owed: now, earliest: now, latest: now });
            }
            Fact::Asked => {}
            Fact::Stopped if self.dialling.is_some() => self.stopping = Some(now),
            Fact::Stopped => self.end = Some((GiveUpReason::Stopped, now)),
        }
    }

    fn network_changed(&mut self, now: u64) {
        self.changed = self.dialling.is_some();
        if let Some(wait) = &mut self.wait {
            let at = now.max(wait.owed);
            (wait.earliest, wait.latest) = (wait.earliest.min(at), wait.latest.min(at));
            self.used = 0;
        }
    }

    fn lost(&mut self, now: u64, code: u16) {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(NEVER);
        match on_close(code) {
            OnClose::Stop => self.end = Some((GiveUpReason::Closed(code), now)),
            OnClose::Redial { at_least, spread } => {
                self.trouble(now, nanos(at_least), nanos(spread).min(self.settings.max_spread));
            }
            other => panic!("the reference knows no {other:?}"),
        }
    }

    fn trouble(&mut self, now: u64, owed: u64, spread: u64) {
        let settings = self.settings;
        let stable = self.connected.is_some_and(|at| {
            let stable_at = at.saturating_add(settings.stable_after);
            stable_at < NEVER && now >= stable_at
        });
        (self.dialling, self.connected) = (None, None);
        let delay = if stable {
            (self.used, self.dials, self.since) = (0, 0, now);
            0
        } else if self.dials >= settings.max_attempts && settings.max_attempts < u32::MAX {
            return self.end = Some((GiveUpReason::Attempts, now));
        } else if self.changed {
            self.used = 0;
            0
        } else {
            self.used += 1;
            let last = settings.delays.last().filter(|_| settings.forever);
            match settings.delays.get(self.used - 1).or(last) {
                Some(delay) => *delay,
                None => return self.end = Some((GiveUpReason::Backoff, now)),
            }
        };
        let earliest = now.saturating_add(delay.max(owed));
        let latest = earliest.saturating_add(spread);
        self.wait = Some(Wait { owed: now.saturating_add(owed), earliest, latest });
    }

    fn next(&self) -> Next {
        if self.over {
            return Next::Nothing;
        }
        if let Some((reason, at)) = self.end {
            return Next::GiveUp(reason, at);
        }
        if let Some(at) = self.stopping {
            return Next::Abandon(at);
        }
        let over = self.since.saturating_add(self.settings.max_elapsed);
        match (self.dialling, self.wait) {
            (Some(at), _) => Next::Abandon(at.saturating_add(self.settings.dial_timeout.max(1))),
            (None, Some(Wait { earliest, latest, .. })) if latest < over => Next::Dial(earliest, latest),
            (None, Some(Wait { earliest, .. })) if earliest >= over => {
                Next::GiveUp(GiveUpReason::Elapsed, over)
            }
            // What was drawn decides whether it comes before the end.
            (None, Some(Wait { earliest, .. })) => Next::DialOrEnd(earliest, over),
            (None, None) => Next::Nothing,
        }
    }
}
