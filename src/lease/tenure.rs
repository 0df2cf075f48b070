//! The holder's half of a lease: when a holder that is cut off must stop by itself.

use core::time::Duration;

use crate::time::{Timestamp, duration, nanos};

/// Says whether the holder of a [`Lease`](super::Lease) at the other end of a network may still act.
///
/// The *arbiter* is the process that keeps the `Lease`. It passes the lease on when its holder has been silent for some
/// time. A holder that is cut off cannot be told, so it must know by itself when that may have happened, because two holders
/// that act at once are worse than none. So a holder asks the arbiter, again and again, whether it still holds the lease. It
/// may act for a *tenure* after it sent the latest question that was answered with yes. The tenure is shorter than the time
/// after which the arbiter can have passed the lease on: [`Lease::tenure`](super::Lease::tenure) computes it from the
/// arbiter's settings.
///
/// A heartbeat cannot replace this. A pong from the arbiter's library says nothing about the lease. The two ends may also have
/// different settings, so that another holder may have acted for a long time before this holder's heartbeat gives the arbiter up.
///
/// At the holder:
///
/// 1. When the lease is granted, make a `Tenure` with the length that came with the token.
/// 2. [`poll`](Self::poll) it, as its [`poll_timeout`](Self::poll_timeout) says; send what it returns as a message, with
///    the token.
/// 3. Pass the number in the arbiter's answer to [`answered`](Self::answered). If the answer says that the lease is lost, drop
///    the `Tenure`.
/// 4. Before each act ask [`may_act`](Self::may_act).
///
/// At the arbiter: read the question, report that its sender is online, and answer only if
/// [`Lease::check`](super::Lease::check) then returns `Ok`.
///
/// # What is promised
///
/// No two holders may act at the same moment, whatever the network loses or delays and however long either end is suspended. This
/// holds if both ends do as above, if the tenure was computed from the presence's `linger` and the lease's `grace`, and if the
/// rates of the two clocks differ by less than a hundredth. A holder whose questions are answered within two thirds of the tenure
/// never has to stop. If answers take less than a third, one question may also be lost.
///
/// The promise is for a lease that is passed on because its holder is suspect or gone. The caller can also take the lease away at
/// once ([`revoke`](super::Lease::revoke), [`Presence::disconnect`](crate::Presence::disconnect),
/// [`remove_user`](crate::Presence::remove_user)); the holder then learns it only from a message. The holder's clock must count
/// the time that the machine sleeps: on Linux that of [`Clock::with_source`](crate::Clock). An act that was begun in time may
/// take effect too late, so the store that it goes to must compare the [token](super::Token).
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
    /// The holder may act until this moment.
    until: Timestamp,
    /// When the next question is due.
    ask_at: Timestamp,
    /// Questions asked, ever, and when the latest were: the last of these is the newest.
    questions: u64,
    asked_at: [Timestamp; KEPT],
}

/// How many questions are asked in a tenure, and how many are remembered. The answer to an older one would come too late to be of
/// use.
const KEPT: usize = 3;

impl Tenure {
    /// A holder that asks at once, and may not act before it has an answer.
    ///
    /// `length` is what [`Lease::tenure`](super::Lease::tenure) returned at the arbiter. Zero: the holder may never act, and does
    /// not ask. `Duration::MAX`: the holder may act for ever after the first answer.
    #[must_use]
    pub const fn new(length: Duration, now: Timestamp) -> Self {
        let length = nanos(length);
        let ask_at = if length == 0 { Timestamp::MAX } else { now };
        Self { length, now, until: Timestamp::ZERO, ask_at, questions: 0, asked_at: [Timestamp::ZERO; KEPT] }
    }

    /// The next question, if one is due: a number to send to the arbiter, with the token. One question is due each third of the
    /// tenure.
    #[must_use = "send the question to the arbiter, otherwise the holder must stop"]
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

    /// The arbiter has answered this question: the holder still holds the lease.
    ///
    /// The tenure counts from the moment when the question was asked, however late the answer comes. An answer to a question that
    /// is too old, or was never asked, changes nothing.
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

    /// The moment from which the holder may not act, unless another question is answered. `None`: no question was answered yet.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        (self.until > Timestamp::ZERO).then_some(self.until)
    }

    /// How long the holder may act after it sent a question that was answered.
    #[must_use]
    pub const fn length(&self) -> Duration {
        duration(self.length)
    }
}
