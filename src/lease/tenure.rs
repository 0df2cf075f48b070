//! The holder's half: when one that is cut off must stop by itself.

use core::time::Duration;

use crate::time::{Timestamp, duration, nanos};

/// Says whether the holder of a [`Lease`](super::Lease) at the other end of a network may still act.
///
/// The arbiter passes a lease on when it has not heard of its holder for some time. A holder that is cut off is not told, and
/// must know by itself when that may have happened: two that act at once are worse than none. So a holder asks the
/// arbiter, again and again, whether it holds the lease still, and acts for a *tenure* after the sending of the latest
/// question that was answered with yes. The tenure is shorter than the time after which the arbiter can have passed the
/// lease on: [`Lease::tenure`](super::Lease::tenure) reckons it from the arbiter's settings.
///
/// A heartbeat cannot stand in for this. That the arbiter's library answers a ping says nothing about the lease; and by the
/// moment when the holder's heartbeat gives the arbiter up, with other settings at each end, somebody else may have acted for
/// long.
///
/// At the holder:
///
/// 1. When the lease is granted, make a `Tenure` with the length that came with the token.
/// 2. [`poll`](Self::poll) it, as its [`poll_timeout`](Self::poll_timeout) says; send what it returns as a message, with
///    the token.
/// 3. Hand the number in the arbiter's answer to [`answered`](Self::answered). Told that the lease is lost, drop the `Tenure`.
/// 4. Before each act ask [`may_act`](Self::may_act).
///
/// At the arbiter: read the question, hand in that its sender is there, and answer only if
/// [`Lease::check`](super::Lease::check) says `Ok` then.
///
/// # What is promised
///
/// Between a holder and an arbiter that do so, with a presence and a lease whose `linger` and `grace` the tenure was made of, no
/// two holders may act at one moment, whatever the network loses or delays and however long either end stands still, while
/// their clocks part by less than a hundredth. A holder whose questions are answered within two thirds of the tenure never
/// has to stop; one question may be lost where answers take less than a third.
///
/// It holds for a lease that is passed on because its holder is suspect or gone. What the caller takes away at once
/// ([`revoke`](super::Lease::revoke), [`Presence::disconnect`](crate::Presence::disconnect),
/// [`remove_user`](crate::Presence::remove_user)) its holder only hears of when it is told. The holder's clock must count the time that
/// the machine sleeps: on Linux that of [`Clock::with_source`](crate::Clock). And an act that was
/// begun in time may take effect too late: the store that it goes to compares the [token](super::Token).
///
/// ```
/// use core::time::Duration;
/// use liveness::Timestamp;
/// use liveness::lease::{Lease, Tenure};
///
/// let at = Timestamp::from_secs;
/// // At the arbiter: a grace of 10 s, and a presence with a linger of 20 s.
/// let pen = Lease::<&str>::new(Duration::from_secs(10));
/// let length = pen.tenure(Duration::from_secs(20));
/// assert_eq!(length, Duration::from_millis(9_900));
///
/// // At the holder. It asks at once, and may act when that is answered.
/// let mut tenure = Tenure::new(length, at(0));
/// let Some(question) = tenure.poll(at(0)) else { panic!("it asks") };
/// assert!(!tenure.may_act(at(1)));
/// tenure.answered(question, at(1));
/// assert!(tenure.may_act(at(1)));
///
/// // Nothing more is answered: it stops by itself, 9.9 s after it asked.
/// while tenure.poll(at(9)).is_some() {}
/// assert!(tenure.may_act(at(9)) && !tenure.may_act(at(10)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    length: u64,
    /// The latest moment seen.
    now: Timestamp,
    /// Until when it may act.
    until: Timestamp,
    /// When the next question is due.
    ask_at: Timestamp,
    /// Questions asked, ever, and when the latest were: the last of these is the newest.
    questions: u64,
    asked_at: [Timestamp; KEPT],
}

/// So many questions are asked in a tenure, and so many wait for their answers at most: that of an older one would come too
/// late to be of use.
const KEPT: usize = 3;

impl Tenure {
    /// A holder that asks at once, and may not act before it is answered.
    ///
    /// `length` is what [`Lease::tenure`](super::Lease::tenure) said at the arbiter. Zero: it never may act, and does not ask;
    /// `Duration::MAX`: for ever after the first answer.
    #[must_use]
    pub const fn new(length: Duration, now: Timestamp) -> Self {
        let length = nanos(length);
        let ask_at = if length == 0 { Timestamp::MAX } else { now };
        Self { length, now, until: Timestamp::ZERO, ask_at, questions: 0, asked_at: [Timestamp::ZERO; KEPT] }
    }

    /// The next question, if one is due: a number to send to the arbiter, with the token. One a third of the tenure.
    #[must_use = "a question that is not asked is not answered, and the holder must stop"]
    pub fn poll(&mut self, now: Timestamp) -> Option<u64> {
        self.now = self.now.max(now);
        if self.ask_at > self.now || self.ask_at == Timestamp::MAX {
            return None;
        }
        self.questions = self.questions.saturating_add(1);
        self.asked_at.rotate_left(1);
        *self.asked_at.last_mut()? = self.now;
        self.ask_at = self.now.after((self.length / 3).max(1));
        Some(self.questions)
    }

    /// When to poll next; `None`: there is nothing to ask.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.ask_at.or_never()
    }

    /// The arbiter's answer to this question has come: it found the lease in this holder's hand.
    ///
    /// However late it comes, it counts from when the question was asked. One to a question that is too old, or never was
    /// asked, changes nothing.
    pub fn answered(&mut self, question: u64, now: Timestamp) {
        self.now = self.now.max(now);
        let newer = self.questions.checked_sub(question).and_then(|newer| usize::try_from(newer).ok());
        let asked_at = newer.filter(|_| question > 0).and_then(|newer| self.asked_at.iter().rev().nth(newer));
        if let Some(asked_at) = asked_at {
            self.until = self.until.max(asked_at.after(self.length));
        }
    }

    /// Says whether the holder may act now. Ask before each act.
    #[must_use]
    pub fn may_act(&self, now: Timestamp) -> bool {
        self.now.max(now) < self.until
    }

    /// From when on it may not act, if nothing more is answered; `None`: nothing was answered yet.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        (self.until > Timestamp::ZERO).then_some(self.until)
    }

    /// How long it may act after the sending of a question that was answered.
    #[must_use]
    pub const fn length(&self) -> Duration {
        duration(self.length)
    }
}
