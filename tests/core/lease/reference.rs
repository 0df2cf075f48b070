//! The lease, written so plainly that it cannot be wrong. It remembers everybody and everything for ever, and looks at
//! all of it.

use liveness::Timestamp;
use liveness::lease::{LeaseChange, Loss, REMEMBERED};

/// The number of users.
pub(crate) const PEOPLE: u8 = 6;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Person {
    /// The number of its request, until it is served.
    asked: Option<u64>,
    suspect: Option<u64>,
    /// Suspect or offline: what is reported now does not reach this user.
    away: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Holding {
    user: u8,
    token: u64,
    lost: Option<(u64, Loss)>,
    told: bool,
    missed: bool,
    frozen: Option<u64>,
    /// The suspicion whose grace began again: since when it lasts, and when the grace began.
    anew: Option<(u64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reference {
    grace: u64,
    now: u64,
    last: u64,
    asked: u64,
    people: [Person; PEOPLE as usize],
    holdings: Vec<Holding>,
}

impl Reference {
    /// The grace; `u64::MAX` means without end.
    pub(crate) fn new(grace: u64, last: u64) -> Self {
        Self { grace, now: 0, last, asked: 0, people: [Person::default(); PEOPLE as usize], holdings: vec![] }
    }

    /// Somebody looks. If nobody looked for too long since the grace was over, it begins again.
    pub(crate) fn clock(&mut self, now: Timestamp) {
        let now = self.now.max(now.as_nanos());
        if let Some(over) = self.grace_over() {
            let late = now > over.max(self.now) && now - over.max(self.now) > self.grace / 4;
            let since = self.holder().and_then(|(_, _, since)| since).expect("it has a grace");
            let holding = self.holdings.last_mut().expect("it is held");
            if late && holding.anew.is_none_or(|(of, _)| of != since) {
                holding.anew = Some((since, now));
            }
        }
        self.now = now;
    }

    pub(crate) fn online(&mut self, user: u8) {
        self.person(user).suspect = None;
        self.person(user).away = false;
    }

    pub(crate) fn suspect(&mut self, user: u8) {
        let now = self.now;
        self.person(user).suspect.get_or_insert(now);
        self.person(user).away = true;
    }

    pub(crate) fn offline(&mut self, user: u8) {
        self.lose(Some(user), Loss::Offline);
        *self.person(user) = Person { asked: None, suspect: None, away: true };
    }

    pub(crate) fn request(&mut self, user: u8) {
        self.asked += 1;
        let asked = self.asked;
        let holds = self.holding().is_some_and(|holding| holding.user == user);
        let person = self.person(user);
        person.away = person.suspect.is_some();
        if !holds {
            person.asked.get_or_insert(asked);
        }
    }

    pub(crate) fn release(&mut self, user: u8) {
        self.lose(Some(user), Loss::Released);
        self.person(user).asked = None;
    }

    pub(crate) fn revoke(&mut self) {
        self.lose(None, Loss::Revoked);
    }

    pub(crate) fn poll(&mut self) -> Option<LeaseChange<u8>> {
        if self.grace_over().is_some_and(|over| over <= self.now) {
            self.lose(None, Loss::GraceExpired);
        }
        let people = self.people;
        let away = |user: u8| people[usize::from(user)].away;
        for holding in self.holdings.iter_mut().filter(|holding| !holding.told) {
            if let Some((_, reason)) = holding.lost {
                holding.told = true;
                holding.missed = away(holding.user) && reason != Loss::Released;
                return Some(LeaseChange::Lost { user: holding.user, token: token(holding.token), reason });
            }
        }
        let losses = self.holdings.iter().filter(|holding| holding.lost.is_some()).count();
        for holding in self.holdings.iter_mut().take(losses).skip(losses.saturating_sub(REMEMBERED)) {
            let Some((at, reason)) = holding.lost.filter(|_| holding.missed && !away(holding.user)) else {
                continue;
            };
            holding.missed = false;
            let at = Timestamp::from_nanos(at);
            return Some(LeaseChange::Returned {
                user: holding.user,
                token: token(holding.token),
                reason,
                at,
            });
        }
        if let Some(holding) = self.holdings.last_mut().filter(|holding| holding.lost.is_none()) {
            let suspect = people[usize::from(holding.user)].suspect;
            let (user, token) = (holding.user, token(holding.token));
            return match (holding.frozen, suspect) {
                (told, since) if told == since => None,
                (None, Some(since)) => {
                    holding.frozen = suspect;
                    Some(LeaseChange::Frozen { user, token, since: Timestamp::from_nanos(since) })
                }
                (_, _) => {
                    holding.frozen = None;
                    Some(LeaseChange::Thawed { user, token })
                }
            };
        }
        let user = self.next()?;
        self.person(user).asked = None;
        self.last += 1;
        let new = Holding {
            user,
            token: self.last,
            lost: None,
            told: false,
            missed: false,
            frozen: None,
            anew: None,
        };
        self.holdings.push(new);
        Some(LeaseChange::Granted { user, token: token(self.last) })
    }

    /// When to poll next: at once, if a poll now would give something.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let due = if self.clone().poll().is_some() { Some(self.now) } else { self.grace_over() };
        due.map(Timestamp::from_nanos)
    }

    pub(crate) fn holder(&self) -> Option<(u8, u64, Option<u64>)> {
        let holding = self.holding()?;
        Some((holding.user, holding.token, self.people[usize::from(holding.user)].suspect))
    }

    pub(crate) fn waiting(&self) -> Vec<u8> {
        let mut waiting: Vec<u8> =
            (0..PEOPLE).filter(|user| self.people[usize::from(*user)].asked.is_some()).collect();
        waiting.sort_by_key(|user| self.people[usize::from(*user)].asked);
        waiting
    }

    pub(crate) fn suspects(&self) -> usize {
        self.people.iter().filter(|person| person.suspect.is_some()).count()
    }

    pub(crate) fn losses(&self) -> usize {
        self.holdings.iter().filter(|holding| holding.lost.is_some()).count()
    }

    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// The user who was granted this token, when and why it was lost.
    pub(crate) fn granted(&self, token: u64) -> Option<(u8, Option<(u64, Loss)>)> {
        let holding = self.holdings.iter().find(|holding| holding.token == token)?;
        Some((holding.user, holding.lost))
    }

    fn person(&mut self, user: u8) -> &mut Person {
        &mut self.people[usize::from(user)]
    }

    fn holding(&self) -> Option<&Holding> {
        self.holdings.last().filter(|holding| holding.lost.is_none())
    }

    fn lose(&mut self, user: Option<u8>, reason: Loss) {
        let now = self.now;
        if let Some(holding) = self.holdings.last_mut().filter(|holding| holding.lost.is_none()) {
            if user.is_none_or(|user| user == holding.user) {
                holding.lost = Some((now, reason));
            }
        }
    }

    fn next(&self) -> Option<u8> {
        let live = |user: &u8| self.people[usize::from(*user)].suspect.is_none();
        if self.last == u64::MAX { None } else { self.waiting().into_iter().find(live) }
    }

    pub(crate) fn grace_over(&self) -> Option<u64> {
        let (_, _, since) = self.holder()?;
        let begun = self.holding()?.anew.filter(|(of, _)| Some(*of) == since).map_or(since?, |(_, at)| at);
        let over = begun.checked_add(self.grace).filter(|over| *over < u64::MAX)?;
        self.next().map(|_| over)
    }
}

fn token(number: u64) -> liveness::lease::Token {
    liveness::lease::Token::new(number)
}
