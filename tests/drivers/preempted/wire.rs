//! A transport with limited room, and the client at its other end, which takes, answers and talks in its own time, and may die.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use liveness::sim::Rng;
use liveness_testing::raw_peer::{CLOSE, PING, PONG, TEXT, close, frame};

/// What the client does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Client {
    /// It takes what we wrote so long after, and answers so long after that: at most, and in microseconds.
    pub(super) takes_within: u64,
    pub(super) answers_within: u64,
    /// The most that is between two of its messages, in microseconds; 0: it says nothing.
    pub(super) talks_within: u64,
    /// A Ping is among them.
    pub(super) asks: bool,
    /// It freezes: no byte is taken, and none comes any more.
    pub(super) dies: Option<Duration>,
    /// It closes.
    pub(super) closes: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    choices: Rng,
    room: usize,
    /// What was written and not taken, and when that will be.
    written: Vec<u8>,
    taken_at: Option<Duration>,
    /// What it took of an unfinished frame.
    taken: Vec<u8>,
    talks_at: Option<Duration>,
    inbound: VecDeque<(Duration, Vec<u8>)>,
    closed: bool,
    pub(super) shut: bool,
    /// The bytes that went either way, and when the last one came, or entered the transport.
    pub(super) moved: usize,
    pub(super) came_at: Duration,
    pub(super) entered_at: Duration,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Wire {
    pub(super) fn new(client: Client, room: usize, start: Duration, seed: u64) -> Self {
        let mut wire = Self {
            client,
            choices: Rng::new(seed),
            room,
            written: Vec::new(),
            taken_at: None,
            taken: Vec::new(),
            talks_at: None,
            inbound: VecDeque::new(),
            closed: false,
            shut: false,
            moved: 0,
            came_at: start,
            entered_at: Duration::ZERO,
            reader: None,
            writer: None,
        };
        wire.talks_at = wire.later(start, client.talks_within);
        wire
    }

    /// A client that does nothing.
    pub(super) fn idle() -> Self {
        Self::new(Client::default(), 0, Duration::ZERO, 0)
    }

    /// The client has sent this already.
    pub(super) fn request(mut self, bytes: &[u8]) -> Self {
        self.inbound.push_back((self.came_at, bytes.to_vec()));
        self
    }

    fn below(&mut self, end: u64) -> u64 {
        self.choices.below(end)
    }

    fn later(&mut self, now: Duration, within: u64) -> Option<Duration> {
        (within > 0).then(|| now + Duration::from_micros(1 + self.below(within)))
    }

    fn dead(&self, at: Duration) -> bool {
        self.client.dies.is_some_and(|dies| dies <= at)
    }

    /// The client's next deed.
    fn deed(&self) -> Option<Duration> {
        let closes = self.client.closes.filter(|_| !self.closed);
        let next = [self.taken_at, self.talks_at, closes].into_iter().flatten().min();
        next.filter(|at| !self.dead(*at) && !self.shut)
    }

    /// The client does all that it does until `now`, each thing at its time.
    pub(super) fn catch_up(&mut self, now: Duration) {
        while let Some(at) = self.deed().filter(|at| *at <= now) {
            if self.taken_at == Some(at) {
                self.taken_at = None;
                let written = std::mem::take(&mut self.written);
                self.taken.extend(written);
                self.hear(at);
            } else if self.client.closes.is_some_and(|closes| closes <= at) && !self.closed {
                // What it has not said yet it says no more.
                self.inbound.retain(|(other, _)| *other <= at);
                self.say(at, close(1000, ""));
                self.closed = true;
                self.talks_at = None;
            } else {
                let message = if self.client.asks && self.below(8) == 0 { PING } else { TEXT };
                self.say(at, frame(message, b"so it says"));
                self.talks_at = self.later(at, self.client.talks_within);
            }
        }
    }

    fn say(&mut self, at: Duration, bytes: Vec<u8>) {
        if self.closed {
            return;
        }
        let place = self.inbound.partition_point(|(other, _)| *other <= at);
        self.inbound.insert(place, (at, bytes));
    }

    /// Our frames, which are unmasked.
    fn hear(&mut self, at: Duration) {
        loop {
            let (head, len) = match self.taken[..] {
                [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
                [_, len @ 0..=125, ..] => (2, usize::from(len)),
                _ => return,
            };
            if self.taken.len() < head + len {
                return;
            }
            let rest = self.taken.split_off(head + len);
            let whole = std::mem::replace(&mut self.taken, rest);
            let payload = &whole[head..];
            let answer = match whole[0] & 15 {
                PING => frame(PONG, payload),
                TEXT if payload.starts_with(b"ping ") => frame(TEXT, &[b"pong ", &payload[5..]].concat()),
                CLOSE => frame(CLOSE, payload),
                _ => continue,
            };
            let after = self.later(at, self.client.answers_within).unwrap_or(at);
            // An answer that is under way arrives; one that was not given yet never is.
            if !self.dead(after) {
                self.say(after, answer);
            }
            self.closed |= whole[0] & 15 == CLOSE;
        }
    }

    /// When the transport may next be ready for something that it is not ready for now.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let comes = self.inbound.front().map(|(at, _)| *at).filter(|at| *at > now);
        [comes, self.deed()].into_iter().flatten().min()
    }

    pub(super) fn is_readable(&self, now: Duration) -> bool {
        self.shut || self.inbound.front().is_some_and(|(at, _)| *at <= now)
    }

    pub(super) fn is_writable(&self) -> bool {
        self.written.len() < self.room
    }

    /// `None`: nothing has arrived. No bytes: the end.
    pub(super) fn read(&mut self, most: usize, now: Duration) -> Option<Vec<u8>> {
        if self.inbound.front().is_none_or(|(at, _)| *at > now) {
            return self.shut.then(Vec::new);
        }
        // Now and then a few bytes of what has arrived, otherwise all.
        let most = if self.below(4) == 0 { 1 + self.below(40) as usize } else { most };
        let mut bytes = Vec::new();
        while let Some((at, chunk)) = self.inbound.front_mut().filter(|(at, _)| *at <= now) {
            let count = chunk.len().min(most - bytes.len());
            bytes.extend(chunk.drain(..count));
            self.came_at = *at;
            if !chunk.is_empty() {
                break;
            }
            self.inbound.pop_front();
        }
        self.moved += bytes.len();
        Some(bytes)
    }

    /// How many bytes the transport takes.
    pub(super) fn write(&mut self, bytes: &[u8], now: Duration) -> usize {
        let room = self.room.saturating_sub(self.written.len());
        let count = bytes.len().min(room);
        self.written.extend(&bytes[..count]);
        if count > 0 {
            self.entered_at = now;
            self.moved += count;
            if self.taken_at.is_none() {
                self.taken_at = self.later(now, self.client.takes_within);
            }
        }
        count
    }
}
