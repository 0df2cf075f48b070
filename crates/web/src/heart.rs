//! The heartbeat of one connection, from the page's side.

use liveness::{CloseCode, Config, Event, Liveness, Reason, Timestamp};

use crate::link::Action;

/// The heartbeat of a connection, and what to report about it.
#[derive(Debug)]
pub(crate) struct Heart {
    pub(crate) machine: Liveness,
    opened: bool,
    /// A ping was handed out, and nothing has arrived since.
    is_waiting: bool,
    /// The newest ping, if its answer will be a round trip, and until it comes.
    sample_of: Option<u64>,
    sampled: bool,
    /// The server has asked, and its question is not answered yet.
    pub(crate) owes: bool,
    /// The time when the connection stood.
    pub(crate) since: Timestamp,
    /// What the socket's buffer held at the last look, and how much of that goes before the end of the ping.
    buffer: u64,
    ahead: u64,
    pub(crate) close_code: Option<CloseCode>,
    pub(crate) reason: Reason,
}

impl Heart {
    pub(crate) fn new(config: Config, seed: u64, now: Timestamp) -> Self {
        Self {
            machine: Liveness::new(config, seed, now),
            opened: true,
            is_waiting: false,
            sample_of: None,
            sampled: false,
            owes: false,
            since: now,
            buffer: 0,
            ahead: 0,
            close_code: None,
            reason: Reason::TransportClosed,
        }
    }

    /// An event of the server. Whatever it is, it ends the wait for an answer.
    pub(crate) fn hear(&mut self, event: Event<'_>, now: Timestamp) {
        self.machine.handle(event, now);
        self.is_waiting = false;
    }

    pub(crate) fn pong(&mut self, payload: u64, now: Timestamp) {
        self.hear(Event::Pong(&payload.to_be_bytes()), now);
        if self.sample_of == Some(payload) {
            self.sample_of = None;
            self.sampled = true;
        }
    }

    /// An answer that names no ping. Messages keep their order, so it answers the oldest ping.
    pub(crate) fn some_pong(&mut self, now: Timestamp) {
        match self.machine.awaited() {
            Some(payload) => self.pong(u64::from_be_bytes(*payload.as_bytes()), now),
            None => self.hear(Event::Pong(&[]), now),
        }
    }

    pub(crate) fn sent(&mut self, before: u64, after: u64, now: Timestamp) {
        self.buffered(before, now);
        // Nothing is before it, so it is on its way, although a browser counts it until the end of the turn.
        if before == 0 {
            self.machine.handle(Event::Wrote, now);
        } else {
            self.buffer = after;
        }
    }

    pub(crate) fn ping_sent(&mut self, before: u64, after: u64, now: Timestamp) {
        self.sent(before, after, now);
        if before == 0 {
            self.machine.handle(Event::PingSent, now);
        } else {
            self.ahead = after;
        }
    }

    /// Bytes that have left the buffer have entered the transport.
    pub(crate) fn buffered(&mut self, bytes: u64, now: Timestamp) {
        let written = self.buffer.saturating_sub(bytes);
        self.buffer = bytes;
        if written == 0 {
            return;
        }
        self.machine.handle(Event::Wrote, now);
        if self.ahead > 0 {
            self.ahead = self.ahead.saturating_sub(written);
            if self.ahead == 0 {
                self.machine.handle(Event::PingSent, now);
            }
        }
    }

    /// The next action that needs no look.
    pub(crate) fn news(&mut self) -> Option<Action> {
        if core::mem::take(&mut self.opened) {
            return Some(Action::Open);
        }
        if core::mem::take(&mut self.owes) {
            // A peer that was given up because of its flood of pings gets no more answers.
            return self.machine.verdict().is_none().then_some(Action::Pong);
        }
        if core::mem::take(&mut self.sampled) {
            return Some(Action::Rtt);
        }
        None
    }

    pub(crate) fn poll(&mut self, now: Timestamp) -> Option<Action> {
        while let Some(action) = self.machine.poll(now) {
            match action {
                liveness::Action::MarkOnline => return Some(Action::Online),
                liveness::Action::MarkSuspect => return Some(Action::Suspect),
                liveness::Action::SendPing(payload) => {
                    let payload = u64::from_be_bytes(*payload.as_bytes());
                    // The machine's rule 3: no earlier ping is awaited, or waits to be written.
                    let begins_the_wait = !self.is_waiting && self.ahead == 0;
                    self.sample_of = begins_the_wait.then_some(payload);
                    self.is_waiting = true;
                    return Some(Action::Ping(payload));
                }
                liveness::Action::MarkOffline(reason) => {
                    self.reason = reason;
                    return Some(Action::Offline(reason));
                }
                liveness::Action::Close(code) => self.close_code = code,
                liveness::Action::Disconnect => return Some(Action::Leave(self.close_code)),
            }
        }
        None
    }
}
