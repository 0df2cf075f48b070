//! A lease and the reference get the same inputs, and must always give the same outputs.
//!
//! The steps come from the caller: proptest in `mod`, all of them in `model`, a fuzzer's bytes in `fuzz`.

use std::sync::Arc;
use std::time::Duration;

use liveness::lease::{Lease, LeaseChange, Loss, REMEMBERED, Refusal, Token};
use liveness::{Status, Timestamp};

use super::reference::{PEOPLE, Reference};

/// A user whose copies are counted.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "the second is only counted")]
pub(crate) struct User(u8, Arc<()>);

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for User {}
impl PartialOrd for User {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for User {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// Something that happens to a lease. It is polled only where that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Online(u8),
    Suspect(u8),
    Offline(u8),
    Request(u8),
    Release(u8),
    Revoke,
    Poll,
    /// This many nanoseconds pass, and the caller polls whenever the lease says so.
    Wait(u64),
    /// This many nanoseconds pass, and the caller polls at their end.
    Sleep(u64),
    /// This many nanoseconds pass, and nobody polls.
    Pass(u64),
    /// The clock goes back.
    TurnBack(u64),
}

/// One line of what happened.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    In(Step),
    Out(LeaseChange<u8>),
    /// There was nothing more to report.
    Silence,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) lease: Lease<User>,
    pub(crate) reference: Reference,
    copies: Arc<()>,
    /// Copies of this world exist, so nobody knows how many copies of a user there are.
    pub(crate) shared: bool,
    /// The caller's clock, and the latest time that it has shown.
    now: Timestamp,
    pub(crate) latest: Timestamp,
    /// Graces that ran out while nobody looked.
    pub(crate) begun_anew: usize,
    pub(crate) log: Vec<(Timestamp, Line)>,
}

impl World {
    pub(crate) fn new(grace: Duration, last: u64, start: Timestamp) -> Self {
        let nanos = u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX);
        Self {
            lease: Lease::resuming_after(grace, Token::new(last)),
            reference: Reference::new(nanos, last),
            copies: Arc::new(()),
            shared: false,
            now: start,
            latest: Timestamp::ZERO,
            begun_anew: 0,
            log: vec![],
        }
    }

    /// Takes one step, and compares everything that can be asked.
    pub(crate) fn step(&mut self, step: Step) {
        let (copies, now) = (Arc::clone(&self.copies), self.now);
        let user = |user| User(user, Arc::clone(&copies));
        if !matches!(step, Step::Wait(_) | Step::Sleep(_) | Step::Pass(_) | Step::TurnBack(_) | Step::Poll) {
            self.latest = self.latest.max(now);
            self.look();
        }
        self.log.push((self.latest, Line::In(step)));
        match step {
            Step::Online(who) => {
                self.lease.set_status(&user(who), Status::Online, now);
                self.reference.online(who);
            }
            Step::Suspect(who) => {
                self.lease.set_status(&user(who), Status::Suspect, now);
                self.reference.suspect(who);
            }
            Step::Offline(who) => {
                self.lease.set_status(&user(who), Status::Offline, now);
                self.reference.offline(who);
            }
            Step::Request(who) => {
                self.lease.request(user(who), now);
                self.reference.request(who);
            }
            Step::Release(who) => {
                self.lease.release(&user(who), now);
                self.reference.release(who);
            }
            Step::Revoke => {
                self.lease.revoke(now);
                self.reference.revoke();
            }
            Step::Poll => self.poll(),
            Step::Wait(nanos) => self.wait(nanos),
            Step::Sleep(nanos) => {
                self.now += Duration::from_nanos(nanos);
                self.poll();
            }
            Step::Pass(nanos) => self.now += Duration::from_nanos(nanos),
            Step::TurnBack(nanos) => self.now = self.now.saturating_sub(Duration::from_nanos(nanos)),
        }
        drop(copies);
        self.compare();
    }

    fn wait(&mut self, nanos: u64) {
        let end = self.now + Duration::from_nanos(nanos);
        // What is due at once, and one grace.
        for _ in 0..3 {
            let Some(next) = self.lease.poll_timeout().filter(|next| *next <= end) else { break };
            if next > self.latest.max(self.now) {
                let early = next.saturating_sub(Duration::from_nanos(1));
                assert_eq!(self.lease.clone().poll(early), None, "before its time");
            }
            self.now = self.now.max(next);
            self.poll();
        }
        assert!(self.lease.poll_timeout().is_none_or(|next| next > end), "it spins");
        self.now = end;
        self.poll();
    }

    fn look(&mut self) {
        let over = self.reference.grace_over();
        self.reference.clock(self.now);
        self.begun_anew += usize::from(self.reference.grace_over() != over);
    }

    /// Everything that there is to report.
    fn poll(&mut self) {
        self.latest = self.latest.max(self.now);
        self.look();
        let (mut others, mut returns) = (0, 0);
        loop {
            let due = self.lease.poll_timeout();
            let change = self.lease.poll(self.now).map(named);
            assert_eq!(change, self.reference.poll(), "{}", self.story());
            let Some(change) = change else { break };
            assert!(due.is_some_and(|due| due <= self.latest), "reported, but not due: {}", self.story());
            match change {
                LeaseChange::Returned { .. } => returns += 1,
                LeaseChange::Granted { .. }
                | LeaseChange::Frozen { .. }
                | LeaseChange::Thawed { .. }
                | LeaseChange::Lost { .. } => {
                    others += 1;
                }
            }
            self.log.push((self.latest, Line::Out(change)));
            assert!(others <= 2 && returns <= REMEMBERED, "a burst: {}", self.story());
        }
        self.log.push((self.latest, Line::Silence));
        // Now it reports nothing, and stays so: another poll changes nothing.
        let before = self.lease.clone();
        assert_eq!(self.lease.poll(self.now), None);
        assert_eq!(self.lease, before, "{}", self.story());
        let due = self.lease.poll_timeout();
        assert!(due.is_none_or(|due| due > self.latest), "it spins: {}", self.story());
    }

    fn compare(&self) {
        let holder = self.lease.holder();
        let holder =
            holder.map(|held| (held.user.0, held.token.get(), held.frozen_since.map(Timestamp::as_nanos)));
        let waiting: Vec<u8> = self.lease.waiting().map(|user| user.0).collect();
        let reference = &self.reference;
        assert_eq!(holder, reference.holder(), "{}", self.story());
        assert_eq!(waiting, reference.waiting(), "{}", self.story());
        assert_eq!(self.lease.waiting().len(), waiting.len());
        assert_eq!(self.lease.poll_timeout(), reference.poll_timeout(), "{}", self.story());
        assert_eq!(self.lease.last_token().get(), reference.last());
        for who in 0..PEOPLE {
            let user = User(who, Arc::clone(&self.copies));
            assert_eq!(self.lease.position(&user), waiting.iter().position(|waiting| *waiting == who));
        }
        let held = usize::from(holder.is_some()) + waiting.len() + reference.suspects();
        let kept = self.copies() - held;
        assert!(
            self.shared || kept == reference.losses().min(REMEMBERED),
            "keeps {kept} of the past: {}",
            self.story()
        );
    }

    /// How many users it keeps. A user that is kept twice counts twice.
    pub(crate) fn copies(&self) -> usize {
        Arc::strong_count(&self.copies) - 1
    }

    /// The outcome of a write.
    pub(crate) fn check(&self, user: u8, token: u64) -> Result<(), Refusal<u8>> {
        let checked = self.lease.check(&User(user, Arc::clone(&self.copies)), Token::new(token));
        checked.map_err(|refusal| match refusal {
            Refusal::Frozen { since } => Refusal::Frozen { since },
            Refusal::Lost { reason, at, holder } => {
                Refusal::Lost { reason, at, holder: holder.map(|user| user.0) }
            }
            Refusal::Outdated { holder } => Refusal::Outdated { holder: holder.map(|user| user.0) },
            Refusal::WrongUser => Refusal::WrongUser,
            Refusal::NeverGranted => Refusal::NeverGranted,
            other => panic!("a new refusal: {other:?}"),
        })
    }

    /// The right outcome, as the reference remembers it.
    pub(crate) fn expected(&self, user: u8, token: u64) -> Result<(), Refusal<u8>> {
        let reference = &self.reference;
        let holder = reference.holder().map(|(user, ..)| user);
        if token == 0 || token > reference.last() {
            return Err(Refusal::NeverGranted);
        }
        let later = reference.last() - token + u64::from(holder.is_none());
        match reference.granted(token) {
            None => Err(Refusal::Outdated { holder }),
            Some((_, Some(_))) if later > REMEMBERED as u64 => Err(Refusal::Outdated { holder }),
            Some((whose, _)) if whose != user => Err(Refusal::WrongUser),
            Some((_, Some((at, reason)))) => {
                Err(Refusal::Lost { reason, at: Timestamp::from_nanos(at), holder })
            }
            Some((_, None)) => match reference.holder() {
                Some((_, _, Some(since))) => Err(Refusal::Frozen { since: Timestamp::from_nanos(since) }),
                _ => Ok(()),
            },
        }
    }

    /// The latest events, for a failure's message.
    pub(crate) fn story(&self) -> String {
        let from = self.log.len().saturating_sub(30);
        self.log[from..].iter().map(|(at, line)| format!("\n{at:>14} {line:?}")).collect()
    }
}

fn named(change: LeaseChange<User>) -> LeaseChange<u8> {
    match change {
        LeaseChange::Granted { user, token } => LeaseChange::Granted { user: user.0, token },
        LeaseChange::Frozen { user, token, since } => LeaseChange::Frozen { user: user.0, token, since },
        LeaseChange::Thawed { user, token } => LeaseChange::Thawed { user: user.0, token },
        LeaseChange::Lost { user, token, reason } => LeaseChange::Lost { user: user.0, token, reason },
        LeaseChange::Returned { user, token, reason, at } => {
            LeaseChange::Returned { user: user.0, token, reason, at }
        }
    }
}

/// What the world must have seen, so that its lives are not dull.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    pub(crate) granted: u32,
    pub(crate) frozen: u32,
    pub(crate) thawed: u32,
    pub(crate) released: u32,
    pub(crate) offline: u32,
    pub(crate) suspect: u32,
    pub(crate) revoked: u32,
    pub(crate) returned: u32,
}

impl Reached {
    pub(crate) fn count(&mut self, log: &[(Timestamp, Line)]) {
        for (_, line) in log {
            let Line::Out(change) = line else { continue };
            *match change {
                LeaseChange::Granted { .. } => &mut self.granted,
                LeaseChange::Frozen { .. } => &mut self.frozen,
                LeaseChange::Thawed { .. } => &mut self.thawed,
                LeaseChange::Returned { .. } => &mut self.returned,
                LeaseChange::Lost { reason, .. } => match reason {
                    Loss::Released => &mut self.released,
                    Loss::Offline => &mut self.offline,
                    Loss::GraceExpired => &mut self.suspect,
                    Loss::Revoked => &mut self.revoked,
                    other => panic!("a new loss: {other:?}"),
                },
            } += 1;
        }
    }
}
