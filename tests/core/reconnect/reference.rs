//! A second opinion. It reads the whole story each time, and calculates in plain numbers.

use std::time::Duration;

use liveness::reconnect::{GiveUpReason, OnClose};

pub(crate) const NEVER: u64 = u64::MAX;

/// Codes with every kind of answer. One is the caller's own.
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
    /// In nanoseconds. `forever`: the last delay is repeated.
    pub(crate) delays: Vec<u64>,
    pub(crate) forever: bool,
    pub(crate) seed: u64,
}

/// Everything that happened, as the caller saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fact {
    Dialled(u64),
    Abandoned(u64),
    GaveUp(GiveUpReason),
    Connected(u64),
    Failed(u64, Option<Then>),
    Closed(u64, u16, Option<Then>),
    NetworkChanged,
    NetworkLost,
    Asked,
    /// Spread over this time.
    HandOver(u64),
    Retired(u64),
    Stopped,
    /// Somebody looked, and nothing followed.
    Looked,
    /// When the dial falls due, and until when the server's minimum holds. Only the machine knows what it drew.
    Drawn(u64, u64),
}

/// What the caller decides about a loss: the least wait and the width of the draw, or no more dials.
pub(crate) type Then = Option<(u64, u64)>;

pub(crate) fn then(then: Then) -> OnClose {
    let Some((at_least, spread)) = then else { return OnClose::Stop };
    OnClose::Redial { at_least: duration(at_least), spread: duration(spread) }
}

pub(crate) fn duration(nanos: u64) -> Duration {
    if nanos == NEVER { Duration::MAX } else { Duration::from_nanos(nanos) }
}

const SECOND: u64 = 1_000_000_000;

/// What must come next, and between which moments it may fall due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    Nothing,
    Dial(u64, u64),
    Abandon(u64),
    Retire(u64, u64),
    GiveUp(GiveUpReason, u64),
    /// A dial by the first moment. But if the draw is longer, the end at the second.
    DialOrEnd(u64, u64),
}

/// The second opinion: reads the story from the start, and says what must follow.
pub(crate) fn next(settings: &Settings, start: u64, story: &[(u64, Fact)]) -> Next {
    Opinion::of(settings, start, story).next()
}

/// The range in which the next dial may be due, and the range in which its minimum, or the next one's, may end.
pub(crate) fn wait(settings: &Settings, start: u64, story: &[(u64, Fact)]) -> Option<[(u64, u64); 2]> {
    let opinion = Opinion::of(settings, start, story);
    if opinion.end.is_some() || opinion.over || opinion.stopping.is_some() {
        return None;
    }
    let dialling = opinion.dialling.map(|dial| [(0, 0), dial.owed]);
    dialling.or_else(|| opinion.wait.map(|wait| [wait.dial, wait.owed]))
}

/// True if a success of this dial is wanted, or its connection is in use.
pub(crate) fn wanted(settings: &Settings, start: u64, story: &[(u64, Fact)], number: u64) -> bool {
    let opinion = Opinion::of(settings, start, story);
    if opinion.end.is_some() || opinion.over || opinion.stopping.is_some() {
        return false;
    }
    let stands = |one: Option<(u64, u64)>| one.is_some_and(|(of, _)| of == number);
    stands(opinion.connected) || stands(opinion.old) || opinion.dialling.is_some() && opinion.newest == number
}

struct Opinion<'a> {
    settings: &'a Settings,
    /// The latest moment of an input or a look.
    latest: u64,
    /// The waits of the backoff that are used up; then the number of dials, and since when they count.
    used: usize,
    dials: u32,
    since: u64,
    dialling: Option<Dial>,
    /// The number of the connection, and since when it stands. Below it, the old one in a hand-over.
    connected: Option<(u64, u64)>,
    old: Option<(u64, u64)>,
    newest: u64,
    wait: Option<Wait>,
    offline: bool,
    /// When the limit on dials that new networks bring is full again.
    full_at: u64,
    end: Option<(GiveUpReason, u64)>,
    /// Since when a dial is under way that is no longer wanted.
    stopping: Option<u64>,
    over: bool,
}

#[derive(Clone, Copy)]
struct Dial {
    ends: u64,
    put_off: bool,
    /// The network changed since it began.
    changed: bool,
    /// What the old connection's end asked for, in case this dial fails.
    owed: (u64, u64),
    stop: Option<GiveUpReason>,
}

/// Both as a range: the earliest and the latest moment.
#[derive(Clone, Copy)]
struct Wait {
    dial: (u64, u64),
    owed: (u64, u64),
    fresh: bool,
}

impl Wait {
    const fn at(now: u64) -> Self {
        Self { dial: (now, now), owed: (now, now), fresh: true }
    }
}

/// The wait that the server asks for.
#[derive(Clone, Copy, Default)]
struct Ask {
    at_least: u64,
    spread: u64,
    owes_draw: bool,
}

impl<'a> Opinion<'a> {
    fn of(settings: &'a Settings, start: u64, story: &[(u64, Fact)]) -> Self {
        let mut opinion = Opinion {
            settings,
            latest: start,
            used: 0,
            dials: 0,
            since: start,
            dialling: None,
            connected: None,
            old: None,
            newest: 0,
            wait: Some(Wait::at(start)),
            offline: false,
            full_at: 0,
            end: (settings.max_attempts == 0).then_some((GiveUpReason::Attempts, start)),
            stopping: None,
            over: false,
        };
        for (now, fact) in story {
            opinion.look(*now);
            opinion.hear(*now, *fact);
        }
        opinion
    }

    /// A dial that ran out while nobody looked gets a little more time.
    fn look(&mut self, now: u64) {
        let little = (self.settings.dial_timeout.max(1) / 4).min(SECOND);
        if let Some(dial) = self.dialling.as_mut().filter(|dial| !dial.put_off) {
            let seen_last = dial.ends.max(self.latest);
            if now > seen_last && now - seen_last > little {
                (dial.ends, dial.put_off) = (now.saturating_add(little), true);
            }
        }
        self.latest = self.latest.max(now);
    }

    fn hear(&mut self, now: u64, fact: Fact) {
        if let Fact::GaveUp(_) = fact {
            self.over = true;
        }
        if self.over || self.end.is_some() {
            return;
        }
        // The report may be about the old connection in a hand-over, the newest, or one that is forgotten.
        let of_old = |of: u64| self.old.is_some_and(|(old, _)| old == of);
        let current = self.connected.map_or(self.newest, |(connected, _)| connected);
        match fact {
            Fact::Failed(of, then) if of_old(of) => return self.old_lost(now, 1006, then),
            Fact::Closed(of, code, then) if of_old(of) => return self.old_lost(now, code, then),
            Fact::Retired(_) => return self.old = None,
            Fact::Abandoned(of) | Fact::Connected(of) | Fact::Failed(of, _) | Fact::Closed(of, ..) => {
                if of != current {
                    return;
                }
            }
            Fact::Dialled(_) | Fact::GaveUp(_) | Fact::NetworkChanged | Fact::NetworkLost => {}
            Fact::Asked | Fact::HandOver(_) | Fact::Stopped | Fact::Looked | Fact::Drawn(..) => {}
        }
        if self.stopping.is_some() {
            if let Fact::Abandoned(_) | Fact::Connected(_) | Fact::Failed(..) | Fact::Closed(..) = fact {
                (self.stopping, self.end) = (None, Some((GiveUpReason::Stopped, now)));
            }
            return;
        }
        match fact {
            Fact::Dialled(number) => {
                let ends = now.saturating_add(self.settings.dial_timeout.max(1));
                let dial = Dial { ends, put_off: false, changed: false, owed: (0, 0), stop: None };
                (self.newest, self.dialling, self.wait) = (number, Some(dial), None);
                self.dials += 1;
            }
            Fact::Connected(of) if self.dialling.is_some() => {
                (self.connected, self.dialling, self.offline) = (Some((of, now)), None, false);
            }
            Fact::Abandoned(_) => self.dial_failed(now, None, None),
            Fact::Failed(_, then) if self.dialling.is_some() => self.dial_failed(now, None, then),
            Fact::Closed(_, code, then) if self.dialling.is_some() => self.dial_failed(now, Some(code), then),
            Fact::Failed(_, then) if self.connected.is_some() => self.lost(now, 1006, then),
            Fact::Closed(_, code, then) if self.connected.is_some() => self.lost(now, code, then),
            Fact::NetworkChanged => self.network_changed(now),
            Fact::NetworkLost => self.offline = true,
            Fact::Asked if self.wait.is_some() => {
                (self.used, self.dials, self.since, self.offline) = (0, 0, now, false);
                self.wait = Some(Wait::at(now));
            }
            Fact::HandOver(over) if self.connected.is_some() && self.old.is_none() => {
                self.old = self.connected;
                self.trouble(now, Ask { at_least: 0, spread: over, owes_draw: false });
            }
            Fact::Stopped if self.dialling.is_some() => (self.stopping, self.old) = (Some(now), None),
            Fact::Stopped => (self.end, self.old) = (Some((GiveUpReason::Stopped, now)), None),
            Fact::Drawn(dial_at, owed_until) => {
                if let Some(dial) = &mut self.dialling {
                    dial.owed = (owed_until, owed_until);
                }
                if let Some(wait) = &mut self.wait {
                    (wait.dial, wait.owed) = ((dial_at, dial_at), (owed_until, owed_until));
                }
            }
            Fact::Connected(_) | Fact::Failed(..) | Fact::Closed(..) | Fact::GaveUp(_) => {}
            Fact::Asked | Fact::HandOver(_) | Fact::Retired(_) | Fact::Looked => {}
        }
    }

    fn dial_failed(&mut self, now: u64, code: Option<u16>, then: Option<Then>) {
        let dial = self.dialling.expect("it failed");
        match (code, then) {
            (None, None) => self.trouble(now, Ask::default()),
            (None, Some(then)) => self.decided(now, then, GiveUpReason::Refused),
            (Some(code), then) => self.lost(now, code, then),
        }
        self.heed(dial.owed, dial.stop, now);
    }

    /// The next dial comes no sooner than the minimum of an earlier loss, or not at all.
    fn heed(&mut self, owed: (u64, u64), stop: Option<GiveUpReason>, now: u64) {
        let later = |one: (u64, u64), other: (u64, u64)| (one.0.max(other.0), one.1.max(other.1));
        if let Some(wait) = &mut self.wait {
            (wait.dial, wait.owed) = (later(wait.dial, owed), later(wait.owed, owed));
            if let Some(reason) = stop {
                self.end = Some((reason, now));
            }
        }
    }

    /// The old connection is lost before another one has replaced it.
    fn old_lost(&mut self, now: u64, code: u16, then: Option<Then>) {
        let old = self.old.take();
        if self.stopping.is_some() || self.connected.is_some() {
            return;
        }
        if let Some(wait) = self.wait.take() {
            self.connected = old;
            self.lost(now, code, then);
            return self.heed(wait.owed, None, now);
        }
        // A dial is under way, and goes on.
        if self.is_stable(old, now) {
            (self.used, self.dials, self.since) = (0, 1, now);
        }
        let (owed, stop) = match self.meaning(code, then) {
            None => ((now, now), Some(GiveUpReason::Closed(code))),
            Some(ask) => {
                let owed = now.saturating_add(ask.at_least);
                ((owed, owed.saturating_add(if ask.owes_draw { ask.spread } else { 0 })), None)
            }
        };
        let dial = self.dialling.as_mut().expect("it is under way");
        (dial.owed, dial.stop) = (owed, stop);
    }

    fn network_changed(&mut self, now: u64) {
        self.offline = false;
        if let Some(dial) = &mut self.dialling {
            dial.changed = true;
        }
        self.bring_forward(now);
    }

    /// When a new network may next bring a dial forward: five at once, and one every 30 s.
    fn token_at(&self, now: u64) -> u64 {
        now.max(self.full_at.saturating_sub(4 * 30 * SECOND))
    }

    fn bring_forward(&mut self, now: u64) {
        let token_at = self.token_at(now);
        let Some(wait) = &mut self.wait else { return };
        assert!(wait.dial.0 == wait.dial.1 && wait.owed.0 == wait.owed.1, "what was drawn is known");
        let sooner = token_at.max(wait.owed.0);
        if sooner < wait.dial.0 || token_at == now && !wait.fresh {
            let dial_at = sooner.min(wait.dial.0);
            *wait = Wait { dial: (dial_at, dial_at), owed: wait.owed, fresh: true };
            self.full_at = self.full_at.max(token_at).saturating_add(30 * SECOND);
            self.used = 0;
        }
    }

    fn lost(&mut self, now: u64, code: u16, then: Option<Then>) {
        match self.meaning(code, then) {
            None => self.no_more(now, GiveUpReason::Closed(code)),
            Some(ask) => self.trouble(now, ask),
        }
    }

    fn meaning(&self, code: u16, then: Option<Then>) -> Option<Ask> {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(NEVER);
        if let Some(then) = then {
            return then.map(|(at_least, spread)| Ask { at_least, spread, owes_draw: true });
        }
        match on_close(code) {
            OnClose::Stop => None,
            OnClose::Redial { at_least, spread } => {
                let spread = nanos(spread).min(self.settings.max_spread);
                // If the server said nothing, it asked for nothing.
                Some(Ask { at_least: nanos(at_least), spread, owes_draw: code != 1006 })
            }
            other => panic!("the reference does not know {other:?}"),
        }
    }

    fn decided(&mut self, now: u64, then: Then, refused: GiveUpReason) {
        match then {
            None => self.no_more(now, refused),
            Some((at_least, spread)) => self.trouble(now, Ask { at_least, spread, owes_draw: true }),
        }
    }

    /// In a hand-over the old connection is still there.
    fn no_more(&mut self, now: u64, reason: GiveUpReason) {
        (self.dialling, self.connected) = (None, None);
        match self.old.take() {
            Some(old) => self.connected = Some(old),
            None => self.end = Some((reason, now)),
        }
    }

    fn is_stable(&self, connection: Option<(u64, u64)>, now: u64) -> bool {
        connection.is_some_and(|(_, at)| {
            let stable_at = at.saturating_add(self.settings.stable_after);
            stable_at < NEVER && now >= stable_at
        })
    }

    fn trouble(&mut self, now: u64, ask: Ask) {
        let settings = self.settings;
        let stable = self.is_stable(self.connected, now);
        let changed = self.dialling.is_some_and(|dial| dial.changed);
        (self.dialling, self.connected) = (None, None);
        let (mut delay, mut fresh) = (0, true);
        if stable {
            (self.used, self.dials, self.since) = (0, 0, now);
        } else if self.dials >= settings.max_attempts && settings.max_attempts < u32::MAX {
            return self.no_more(now, GiveUpReason::Attempts);
        } else {
            let token_at = self.token_at(now);
            if !changed || token_at > now {
                self.used += 1;
                let last = settings.delays.last().filter(|_| settings.forever);
                match settings.delays.get(self.used - 1).or(last) {
                    Some(next) => (delay, fresh) = (*next, false),
                    None => return self.no_more(now, GiveUpReason::Backoff),
                }
            }
            if changed && (fresh || token_at - now < delay) {
                (delay, fresh, self.used) = (token_at - now, true, 0);
                self.full_at = self.full_at.max(token_at).saturating_add(30 * SECOND);
            }
        }
        let earliest = now.saturating_add(delay.max(ask.at_least));
        let owed = now.saturating_add(ask.at_least);
        let drawn = if ask.owes_draw { ask.spread } else { 0 };
        self.wait = Some(Wait {
            dial: (earliest, earliest.saturating_add(ask.spread)),
            owed: (owed, owed.saturating_add(drawn)),
            fresh,
        });
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
        if let (Some((_, since)), Some((old, _))) = (self.connected, self.old) {
            return Next::Retire(old, since);
        }
        // Nothing is lost while the old connection is in use.
        let over =
            if self.old.is_some() { NEVER } else { self.since.saturating_add(self.settings.max_elapsed) };
        if let Some(dial) = self.dialling {
            return Next::Abandon(dial.ends);
        }
        let Some(wait) = self.wait else { return Next::Nothing };
        let (earliest, latest) = if self.offline { (NEVER, NEVER) } else { wait.dial };
        if latest < over {
            Next::Dial(earliest, latest)
        } else if earliest >= over {
            Next::GiveUp(GiveUpReason::Elapsed, over)
        } else {
            // The draw decides whether the dial comes before the end.
            Next::DialOrEnd(earliest, over)
        }
    }
}
