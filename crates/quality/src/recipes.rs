//! The rules that people use, each from its documented behaviour, in a few lines.
//!
//! Each is only the rule. The simulation decides how late it is called or told.

use std::collections::VecDeque;

use crate::chance::{MILLI, Nanos};
use crate::rule::{Input, Rule, Want};

/// The textbook loop: a ping every `interval`, and a deadline before each read of a message. Pongs are handled inside the
/// read, and do not end it.
pub(crate) struct Textbook {
    pub interval: Nanos,
    pub timeout: Nanos,
    pub ping_at: Nanos,
    pub deadline: Nanos,
}

impl Rule for Textbook {
    fn tell(&mut self, input: Input, now: Nanos) {
        if input == Input::Data {
            self.deadline = now.saturating_add(self.timeout);
        }
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        if now >= self.deadline {
            return Some(Want::Close);
        }
        every(&mut self.ping_at, self.interval, now)
    }

    fn next(&self) -> Nanos {
        self.deadline.min(self.ping_at)
    }
}

/// A timer that ticks every `interval`, and skips the ticks that it missed.
fn every(at: &mut Nanos, interval: Nanos, now: Nanos) -> Option<Want> {
    (now >= *at).then(|| {
        *at = now + interval;
        Want::Ping
    })
}

/// gorilla's chat: only the pong handler moves the read deadline. Pings come at nine tenths of it.
pub(crate) struct Gorilla {
    pub pong_wait: Nanos,
    pub ping_at: Nanos,
    pub deadline: Nanos,
}

impl Rule for Gorilla {
    fn tell(&mut self, input: Input, now: Nanos) {
        if let Input::Pong(_) = input {
            self.deadline = now + self.pong_wait;
        }
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        if now >= self.deadline {
            return Some(Want::Close);
        }
        every(&mut self.ping_at, self.pong_wait / 10 * 9, now)
    }

    fn next(&self) -> Nanos {
        self.deadline.min(self.ping_at)
    }
}

/// npm ws's README: a sweep terminates the peers that have not answered since the last one, and pings the others.
pub(crate) struct Sweep {
    pub interval: Nanos,
    pub sweep_at: Nanos,
    pub alive: bool,
}

impl Rule for Sweep {
    fn tell(&mut self, input: Input, _now: Nanos) {
        self.alive |= matches!(input, Input::Pong(_));
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        if now < self.sweep_at {
            return None;
        }
        if !self.alive {
            return Some(Want::Close);
        }
        self.alive = false;
        every(&mut self.sweep_at, self.interval, now)
    }

    fn next(&self) -> Nanos {
        self.sweep_at
    }
}

/// One ping at a time, with a deadline for its own pong. The fields say what else ends the wait or delays the next ping.
pub(crate) struct OneAtATime {
    pub interval: Nanos,
    pub timeout: Nanos,
    /// What puts off the next ping.
    pub puts_off: Heard,
    /// What ends the wait.
    pub answers: Heard,
    /// The next interval begins with the answer, not with the ping.
    pub from_the_answer: bool,
    pub ping_at: Nanos,
    pub sent_at: Nanos,
    /// `None`: no ping waits for its answer.
    pub deadline: Option<Nanos>,
    pub pings: u32,
}

/// engine.io's server, version 6.6.13: a ping `interval` after the last pong, and a deadline for the next pong. The first
/// other message that comes meanwhile starts the wait again, once for each ping. Without a pong there is no other ping.
pub(crate) struct EngineIo {
    pub interval: Nanos,
    pub timeout: Nanos,
    pub ping_at: Nanos,
    /// `None`: no ping waits for its pong.
    pub deadline: Option<Nanos>,
    pub extended: bool,
}

impl Rule for EngineIo {
    fn tell(&mut self, input: Input, now: Nanos) {
        match input {
            // Its heartbeat is a message without a payload, so any pong is an answer.
            Input::Pong(_) => {
                self.deadline = None;
                self.ping_at = now + self.interval;
            }
            Input::Data if self.deadline.is_some() && !self.extended => {
                self.deadline = Some(now.saturating_add(self.timeout));
                self.extended = true;
            }
            Input::Data
            | Input::Progress
            | Input::Wrote
            | Input::PingSent
            | Input::ReadPaused
            | Input::ReadResumed => {}
        }
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        if now >= self.deadline.unwrap_or(Nanos::MAX) {
            return Some(Want::Close);
        }
        (now >= self.ping_at).then(|| {
            self.ping_at = Nanos::MAX;
            self.deadline = Some(now.saturating_add(self.timeout));
            self.extended = false;
            Want::Ping
        })
    }

    fn next(&self) -> Nanos {
        self.deadline.unwrap_or(Nanos::MAX).min(self.ping_at)
    }
}

/// What a rule listens to.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Heard {
    /// The pong of the newest ping.
    Pong,
    /// Any whole message.
    Messages,
    /// Any byte.
    Bytes,
    /// What we send ourselves.
    Sent,
}

impl Heard {
    fn hears(self, input: Input, pings: u32) -> bool {
        match input {
            Input::Pong(ping) => match self {
                Self::Pong => ping == pings,
                Self::Messages | Self::Bytes => true,
                Self::Sent => false,
            },
            Input::Data => matches!(self, Self::Messages | Self::Bytes),
            Input::Progress => self == Self::Bytes,
            Input::Wrote => self == Self::Sent,
            Input::PingSent | Input::ReadPaused | Input::ReadResumed => false,
        }
    }
}

impl Rule for OneAtATime {
    fn tell(&mut self, input: Input, now: Nanos) {
        if self.deadline.is_some() && self.answers.hears(input, self.pings) {
            self.deadline = None;
            let from = if self.from_the_answer { now } else { self.sent_at };
            self.ping_at = now.max(from + self.interval);
        }
        if self.deadline.is_none() && self.puts_off != Heard::Pong && self.puts_off.hears(input, self.pings) {
            self.ping_at = now + self.interval;
        }
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        if let Some(deadline) = self.deadline {
            return (now >= deadline).then_some(Want::Close);
        }
        if now < self.ping_at {
            return None;
        }
        self.pings += 1;
        self.sent_at = now;
        self.deadline = Some(now.saturating_add(self.timeout));
        Some(Want::Ping)
    }

    fn next(&self) -> Nanos {
        self.deadline.unwrap_or(self.ping_at)
    }
}

/// A proposal: a timeout of at least three times RFC 6298's, as QUIC's idle timeout is three probe timeouts (RFC 9000
/// 10.1). So a slow path gets time, whatever the setting is.
pub(crate) struct Floored {
    pub rule: OneAtATime,
    pub timeout: Nanos,
    pub srtt: f64,
    pub rttvar: f64,
}

impl Rule for Floored {
    fn tell(&mut self, input: Input, now: Nanos) {
        if input == Input::Pong(self.rule.pings) {
            let sample = (now - self.rule.sent_at) as f64;
            if self.srtt == 0.0 {
                (self.srtt, self.rttvar) = (sample, sample / 2.0);
            } else {
                // RFC 6298 2.3.
                self.rttvar += ((self.srtt - sample).abs() - self.rttvar) / 4.0;
                self.srtt += (sample - self.srtt) / 8.0;
            }
            self.rule.timeout = self.timeout.max((3.0 * (self.srtt + 4.0 * self.rttvar)) as Nanos);
        }
        self.rule.tell(input, now);
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        self.rule.poll(now)
    }

    fn next(&self) -> Nanos {
        self.rule.next()
    }
}

/// actix's example: a check every `interval` stops a peer that has not ponged within `timeout`, and pings the others.
///
/// jsonrpsee's: the same, but anything that was received counts, and it needs this many `failures`.
pub(crate) struct LastHeard {
    pub interval: Nanos,
    pub timeout: Nanos,
    pub hears: Heard,
    pub failures: u32,
    pub check_at: Nanos,
    pub heard_at: Nanos,
}

impl Rule for LastHeard {
    fn tell(&mut self, input: Input, now: Nanos) {
        // Any pong counts, because neither of the two looks at the payload.
        if matches!(input, Input::Pong(_)) || self.hears.hears(input, 0) {
            self.heard_at = now;
        }
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        if now < self.check_at {
            return None;
        }
        if now - self.heard_at > self.timeout {
            self.failures -= 1;
            if self.failures == 0 {
                return Some(Want::Close);
            }
        }
        every(&mut self.check_at, self.interval, now)
    }

    fn next(&self) -> Nanos {
        self.check_at
    }
}

/// OpenSSH's ServerAliveCountMax: an inquiry after `interval` without a byte, and the end after this many in a row.
pub(crate) struct Count {
    pub interval: Nanos,
    pub most: u32,
    pub missed: u32,
    pub at: Nanos,
}

impl Rule for Count {
    fn tell(&mut self, input: Input, now: Nanos) {
        if Heard::Bytes.hears(input, 0) {
            self.missed = 0;
            self.at = now + self.interval;
        }
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        if now < self.at {
            return None;
        }
        self.missed += 1;
        if self.missed > self.most {
            return Some(Want::Close);
        }
        every(&mut self.at, self.interval, now)
    }

    fn next(&self) -> Nanos {
        self.at
    }
}

/// The phi accrual detector (Hayashibara and others 2004) with Akka's parameters: threshold 8, a deviation of at least
/// 100 ms, the last 1000 gaps between heartbeats, and an acceptable `pause` on top of that.
pub(crate) struct Phi {
    pub interval: Nanos,
    pub pause: Nanos,
    pub ping_at: Nanos,
    pub heard_at: Nanos,
    gaps: VecDeque<f64>,
    sum: f64,
    squares: f64,
}

/// How many deviations above the mean Akka's approximation of phi reaches 8: the root of
/// `y (1.5976 + 0.070566 y^2) = ln (10^8 - 1)`.
const DEVIATIONS: f64 = 5.226;
const SAMPLES: usize = 1000;
const DEVIATION_LEAST: f64 = 100.0 * MILLI as f64;

impl Phi {
    pub(crate) fn new(interval: Nanos, pause: Nanos, now: Nanos) -> Self {
        let mut phi = Self {
            interval,
            pause,
            ping_at: now + interval,
            heard_at: now,
            gaps: VecDeque::new(),
            sum: 0.0,
            squares: 0.0,
        };
        // Akka's first guess: two gaps, a quarter of the interval below and above it.
        phi.learn(interval as f64 * 0.75);
        phi.learn(interval as f64 * 1.25);
        phi
    }

    fn learn(&mut self, gap: f64) {
        self.gaps.push_back(gap);
        self.sum += gap;
        self.squares += gap * gap;
        if self.gaps.len() > SAMPLES {
            let old = self.gaps.pop_front().unwrap_or(0.0);
            self.sum -= old;
            self.squares -= old * old;
        }
    }

    fn deadline(&self) -> Nanos {
        let count = self.gaps.len() as f64;
        let mean = self.sum / count;
        let deviation = (self.squares / count - mean * mean).max(0.0).sqrt().max(DEVIATION_LEAST);
        self.heard_at + self.pause + (mean + DEVIATIONS * deviation) as Nanos
    }
}

impl Rule for Phi {
    fn tell(&mut self, input: Input, now: Nanos) {
        if let Input::Pong(_) = input {
            self.learn((now - self.heard_at) as f64);
            self.heard_at = now;
        }
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        if now >= self.deadline() {
            return Some(Want::Close);
        }
        every(&mut self.ping_at, self.interval, now)
    }

    fn next(&self) -> Nanos {
        self.deadline().min(self.ping_at)
    }
}
