//! A node's relation to Redis: whether there is a link, which life the node has on it, until when it is believed, and
//! which operations are unanswered.

use std::collections::VecDeque;
use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{Attempt, Backoff, DialStatus, OnClose, Policy, Reconnect, ReconnectAction};

use super::Conn;
use crate::cluster::settings::{LONGEST_REDIAL, Settings};
use crate::cluster::store::{Claims, Incarnation, Op};

/// The purpose of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Matter {
    Open,
    Look,
    Beat,
    Claim,
    Pen,
    Close,
    Say { conn: Conn, key: u64 },
    Write { conn: Conn, key: String },
}

pub(super) struct Asked {
    pub(super) at: Timestamp,
    pub(super) inc: Option<Incarnation>,
    pub(super) matter: Matter,
}

pub(super) enum Output {
    Dial(Attempt),
    /// With the operations that will not be answered any more.
    HangUp(Vec<Matter>),
    Beat(Incarnation),
}

enum Life {
    /// Not asked for, because there is no link.
    None,
    Asked,
    Given {
        inc: Incarnation,
        /// By our own clock, counted from our latest request. Redis counts from the moment at which it got that.
        believed_until: Timestamp,
        beat_due: Timestamp,
    },
}

pub(super) struct Link {
    name: String,
    address: String,
    settings: Settings,
    reconnect: Reconnect,
    life: Life,
    asked: VecDeque<Asked>,
    /// The log of this link is read.
    followed: bool,
    /// An answer is overdue, and this is the moment when that was first seen. It may be unread in a buffer.
    doubted: Option<Timestamp>,
}

/// How many operations may wait for Redis.
const ROOM: usize = 4096;
/// How long after the first sight of an overdue answer the link is given up.
const LAST_LOOK: Duration = Duration::from_millis(50);
/// A link that stood for this long was stable.
const STABLE: Duration = Duration::from_secs(5);
/// The wait after the first dial that fails.
const FIRST_REDIAL: Duration = Duration::from_millis(50);
/// Within this time all nodes that lost the same Redis dial again.
const SPREAD: Duration = Duration::from_millis(100);

impl Link {
    pub(super) fn new(name: &str, address: &str, settings: Settings, seed: u64, now: Timestamp) -> Self {
        let policy = Policy::DEFAULT.stable_after(STABLE).dial_timeout(settings.patience());
        // There are few nodes, and their users wait. So the spread is not the five seconds that browsers get.
        let policy = policy.on_close(|_| OnClose::Redial { at_least: Duration::ZERO, spread: SPREAD });
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            settings,
            reconnect: Reconnect::with_backoff(policy, Backoff::new(FIRST_REDIAL, LONGEST_REDIAL), seed, now),
            life: Life::None,
            asked: VecDeque::new(),
            followed: false,
            doubted: None,
        }
    }

    pub(super) fn linked(&mut self, attempt: Attempt, now: Timestamp) -> bool {
        self.followed = false;
        self.reconnect.connected(attempt, now)
    }

    /// What will not be answered any more; `None` if it was an older link.
    pub(super) fn unlinked(&mut self, attempt: Attempt, now: Timestamp) -> Option<Vec<Matter>> {
        let newest = self.attempt() == Some(attempt);
        self.reconnect.failed(attempt, now);
        newest.then(|| self.lose())
    }

    fn attempt(&self) -> Option<Attempt> {
        match self.reconnect.status() {
            DialStatus::Dialling(attempt) | DialStatus::Connected(attempt) => Some(attempt),
            DialStatus::Waiting(_) | DialStatus::Finished(_) => None,
        }
    }

    fn lose(&mut self) -> Vec<Matter> {
        self.life = Life::None;
        self.doubted = None;
        self.asked.drain(..).map(|asked| asked.matter).collect()
    }

    /// The operation that begins a new life.
    pub(super) fn begin(&mut self, claims: Claims) -> Op {
        self.life = Life::Asked;
        Op::Open { name: self.name.clone(), address: self.address.clone(), claims }
    }

    /// This life ends because we want it, and no other begins.
    pub(super) fn end(&mut self) {
        self.life = Life::None;
    }

    pub(super) fn asked(&mut self, matter: Matter, now: Timestamp) {
        self.asked.push_back(Asked { at: now, inc: self.incarnation(), matter });
    }

    pub(super) fn answered(&mut self) -> Option<Asked> {
        self.doubted = None;
        self.asked.pop_front()
    }

    pub(super) fn opened(&mut self, inc: Incarnation, asked_at: Timestamp) {
        let (believed_until, beat_due) = (asked_at + self.settings.ttl, asked_at + self.settings.beat);
        self.life = Life::Given { inc, believed_until, beat_due };
    }

    pub(super) fn done(&mut self, asked: &Asked) {
        if let Life::Given { inc, believed_until, .. } = &mut self.life
            && asked.matter == Matter::Beat
            && asked.inc == Some(*inc)
        {
            *believed_until = asked.at + self.settings.ttl;
        }
    }

    pub(super) fn is_first_picture(&self) -> bool {
        !self.followed
    }

    /// The place from which to read the log, if nobody reads it yet.
    pub(super) fn follow(&mut self, upto: u64) -> Option<u64> {
        (!std::mem::replace(&mut self.followed, true)).then_some(upto)
    }

    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        match self.life {
            Life::Given { inc, .. } => Some(inc),
            Life::None | Life::Asked => None,
        }
    }

    pub(super) fn is_believed(&self, now: Timestamp) -> bool {
        matches!(self.life, Life::Given { believed_until, .. } if now < believed_until)
    }

    pub(super) fn has_room(&self) -> bool {
        self.asked.len() < ROOM
    }

    /// One claim at a time: changes that come meanwhile go into the next one.
    pub(super) fn may_claim(&self) -> bool {
        self.incarnation().is_some() && !self.asked.iter().any(|asked| asked.matter == Matter::Claim)
    }

    pub(super) fn poll(&mut self, now: Timestamp) -> Option<Output> {
        match self.reconnect.poll(now) {
            Some(ReconnectAction::Dial(attempt)) => return Some(Output::Dial(attempt)),
            Some(ReconnectAction::Abandon(_)) => return Some(Output::HangUp(self.lose())),
            // There is no limit, no code that ends it, and no hand-over.
            Some(ReconnectAction::GiveUp(_) | ReconnectAction::Retire(_)) | None => {}
        }
        if self.overdue_at().is_some_and(|at| at <= now) {
            if self.doubted.is_none() {
                self.doubted = Some(now);
            } else {
                if let Some(attempt) = self.attempt() {
                    self.reconnect.failed(attempt, now);
                }
                return Some(Output::HangUp(self.lose()));
            }
        }
        match &mut self.life {
            Life::Given { inc, beat_due, .. } if *beat_due <= now => {
                // Beats that were missed are not sent later.
                *beat_due = now + self.settings.beat;
                Some(Output::Beat(*inc))
            }
            Life::Given { .. } | Life::None | Life::Asked => None,
        }
    }

    /// When the oldest answer is overdue, or the last look at it is due.
    fn overdue_at(&self) -> Option<Timestamp> {
        let overdue = self.asked.front()?.at + self.settings.patience();
        Some(self.doubted.map_or(overdue, |doubted| doubted + LAST_LOOK))
    }

    pub(super) fn poll_timeout(&self, now: Timestamp) -> Option<Timestamp> {
        let (believed, beat) = match self.life {
            Life::Given { believed_until, beat_due, .. } => (Some(believed_until), Some(beat_due)),
            Life::None | Life::Asked => (None, None),
        };
        // Once it is over, it stays over.
        let believed = believed.filter(|until| *until > now);
        [self.reconnect.poll_timeout(), self.overdue_at(), believed, beat].into_iter().flatten().min()
    }
}
