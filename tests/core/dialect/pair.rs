//! Two ends of a protocol in simulated time. Each is a machine with its own dialect. Only messages pass between them.

use std::collections::VecDeque;
use std::time::Duration;

use liveness::dialect::Dialect;
use liveness::{Action, Config, Event, Liveness, Reason, Timestamp};

use super::{Sent, Written, heard, peers};

/// How long a message is under way.
pub(crate) const LATENCY: Duration = Duration::from_millis(30);

/// One end, with the loop of the module's docs around it.
pub(crate) struct End {
    pub(crate) machine: Liveness,
    dialect: Box<dyn Dialect>,
    arriving: VecDeque<(Timestamp, Written)>,
    /// How often it sends data.
    pub(crate) talks: Option<Duration>,
    talks_at: Timestamp,
    /// It does nothing before this moment.
    frozen_until: Timestamp,
    /// When it sent a heartbeat by itself.
    pub(crate) beats: Vec<Timestamp>,
    /// The answers that it sent.
    pub(crate) answers: usize,
    /// The messages that it left to the program.
    pub(crate) data: usize,
    /// The messages that it took as the heartbeat's.
    pub(crate) heartbeats: usize,
    pub(crate) verdict: Option<(Timestamp, Reason)>,
}

impl End {
    fn new(end: &peers::End, seed: u64) -> Self {
        Self {
            machine: Liveness::new(end.config, seed, Timestamp::ZERO),
            dialect: (end.dialect)(),
            arriving: VecDeque::new(),
            talks: None,
            talks_at: Timestamp::ZERO,
            frozen_until: Timestamp::ZERO,
            beats: Vec::new(),
            answers: 0,
            data: 0,
            heartbeats: 0,
            verdict: None,
        }
    }

    pub(crate) fn config(&self) -> &Config {
        self.machine.config()
    }

    /// Everything that it heard.
    pub(crate) const fn heard(&self) -> usize {
        self.data + self.heartbeats
    }

    /// When it next has something to do.
    fn next(&self) -> Option<Timestamp> {
        if self.verdict.is_some() {
            return None;
        }
        let arrival = self.arriving.front().map(|(at, _)| *at);
        let talk = self.talks.map(|_| self.talks_at);
        [arrival, talk, self.machine.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.frozen_until))
    }

    /// Takes its turn, if it has something to do. What it sends is then under way to the other end.
    fn turn_if_due(&mut self, other: &mut Self, now: Timestamp) -> Vec<Written> {
        if self.next().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let sent = self.turn(now);
        other.arriving.extend(sent.iter().map(|message| (now + LATENCY, message.clone())));
        sent
    }

    /// Reads what has arrived, then polls. Returns what it sends.
    fn turn(&mut self, now: Timestamp) -> Vec<Written> {
        let mut sends = Vec::new();
        while self.arriving.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, message)) = self.arriving.pop_front() else { break };
            let (heard, answers) = heard(&mut self.dialect, message.message());
            self.machine.handle(heard.event(self.machine.awaited().as_ref()), now);
            let is_data = heard == liveness::dialect::Heard::Data;
            self.data += usize::from(is_data);
            self.heartbeats += usize::from(!is_data);
            self.answers += answers.len();
            sends.extend(answers);
        }
        if let Some(each) = self.talks.filter(|_| self.talks_at <= now) {
            sends.push(Written::Text("something of the program's".into()));
            self.talks_at = now + each;
        }
        while let Some(action) = self.machine.poll(now) {
            match action {
                Action::SendPing(payload) => {
                    let mut beat = Sent::default();
                    if self.dialect.ask(payload, &mut beat) {
                        self.beats.push(now);
                    }
                    sends.extend(beat.0);
                }
                Action::MarkOffline(reason) => self.verdict = Some((now, reason)),
                Action::MarkOnline | Action::MarkSuspect | Action::Close(_) | Action::Disconnect => {}
            }
        }
        if !sends.is_empty() {
            self.machine.handle(Event::Wrote, now);
        }
        sends
    }
}

/// Both ends.
pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) now: Timestamp,
    /// What was sent, when, and by which end.
    pub(crate) log: Vec<(Timestamp, &'static str, Written)>,
}

impl Pair {
    pub(crate) fn new(protocol: &peers::Protocol, seed: u64) -> Self {
        let (client, server) = (End::new(&protocol.client, seed), End::new(&protocol.server, seed + 1));
        Self { client, server, now: Timestamp::ZERO, log: Vec::new() }
    }

    /// Both ends send data this often.
    pub(crate) fn talking(mut self, each: Duration) -> Self {
        (self.client.talks, self.server.talks) = (Some(each), Some(each));
        self
    }

    pub(crate) fn freeze_client(&mut self, lasts: Duration) {
        self.client.frozen_until = self.now + lasts;
    }

    pub(crate) fn freeze_server(&mut self, lasts: Duration) {
        self.server.frozen_until = self.now + lasts;
    }

    pub(crate) fn probe(&mut self) {
        self.client.machine.probe(self.now);
        self.server.machine.probe(self.now);
    }

    /// Lives until this moment, or until a verdict.
    pub(crate) fn run(&mut self, until: Timestamp) {
        for _ in 0..200_000 {
            let next = self.client.next().into_iter().chain(self.server.next()).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            let (now, client, server) = (self.now, &mut self.client, &mut self.server);
            let sent = client.turn_if_due(server, now);
            self.log.extend(sent.into_iter().map(|message| (now, "client", message)));
            let sent = server.turn_if_due(client, now);
            self.log.extend(sent.into_iter().map(|message| (now, "server", message)));
        }
        panic!("it never ends");
    }
}
