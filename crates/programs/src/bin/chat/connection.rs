//! A connection as the hub knows it: how well it is heard, what it must do, and how fast it may talk.

use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use liveness::{CloseCode, Status, Timestamp};
use tokio::sync::mpsc;

use crate::words::User;

/// What a connection must do.
pub(crate) enum Order {
    Tell(Utf8Bytes),
    Close(CloseCode, &'static str),
}

/// What is known about a page.
#[derive(Clone, Copy)]
pub(crate) struct Health {
    pub(crate) status: Status,
    pub(crate) rtt: Option<Duration>,
}

impl Health {
    pub(crate) const NEW: Self = Self { status: Status::Online, rtt: None };
}

/// How fast one connection may talk, enter and change its name: so often at once, then once in each period.
const BURST: u32 = 10;
const EACH: Duration = Duration::from_millis(400);

pub(crate) struct Connection {
    /// `None` while it is behind.
    pub(crate) outbox: Option<mpsc::Sender<Order>>,
    pub(crate) at: Option<(String, User)>,
    pub(crate) health: Health,
    /// The moment at which everything that it said is paid for.
    paid: Timestamp,
}

impl Connection {
    pub(crate) const fn new(outbox: mpsc::Sender<Order>, now: Timestamp) -> Self {
        Self { outbox: Some(outbox), at: None, health: Health::NEW, paid: now }
    }

    /// Whether it may talk now, and not too much at once.
    pub(crate) fn pays(&mut self, now: Timestamp) -> Result<(), &'static str> {
        let paid = self.paid.max(now) + EACH;
        if paid > now + EACH * BURST {
            return Err("too many messages at once");
        }
        self.paid = paid;
        Ok(())
    }

    /// Never waits. A queue that is full is given up. Its reader empties it, and asks for another.
    pub(crate) fn send(&mut self, order: impl FnOnce() -> Order) {
        let Some(outbox) = &self.outbox else { return };
        if outbox.try_send(order()).is_err() {
            self.outbox = None;
        }
    }
}
