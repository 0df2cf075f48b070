//! `Liveness` itself, among the rules.

use liveness::{Action, Config, Event, Liveness, Payload, Timestamp};

use crate::chance::Nanos;
use crate::rule::{Input, Rule, Want};

pub struct Ours {
    machine: Liveness,
    payloads: Vec<Payload>,
    suspected: bool,
}

impl Ours {
    pub fn new(config: Config, seed: u64, now: Nanos) -> Self {
        let machine = Liveness::new(config, seed, Timestamp::from_nanos(now));
        Self { machine, payloads: Vec::new(), suspected: false }
    }
}

/// What a machine is told that has sent pings with these payloads.
pub fn event(input: Input, payloads: &[Payload]) -> Event<'_> {
    match input {
        Input::Progress => Event::Progress,
        Input::Data => Event::Data,
        Input::Pong(ping) => Event::Pong(payloads[ping as usize - 1].as_bytes()),
        Input::Wrote => Event::Wrote,
        Input::PingSent => Event::PingSent,
        Input::ReadPaused => Event::ReadPaused,
        Input::ReadResumed => Event::ReadResumed,
    }
}

impl Rule for Ours {
    fn tell(&mut self, input: Input, now: Nanos) {
        self.machine.handle(event(input, &self.payloads), Timestamp::from_nanos(now));
    }

    fn poll(&mut self, now: Nanos) -> Option<Want> {
        while let Some(action) = self.machine.poll(Timestamp::from_nanos(now)) {
            match action {
                Action::SendPing(payload) => {
                    self.payloads.push(payload);
                    return Some(Want::Ping);
                }
                Action::MarkSuspect => {
                    self.suspected = true;
                    return Some(Want::Suspect);
                }
                Action::MarkOnline if self.suspected => {
                    self.suspected = false;
                    return Some(Want::Trust);
                }
                Action::MarkOnline => {}
                Action::MarkOffline(_) | Action::Close(_) | Action::Disconnect => return Some(Want::Close),
            }
        }
        None
    }

    fn next(&self) -> Nanos {
        self.machine.poll_timeout().map_or(Nanos::MAX, Timestamp::as_nanos)
    }
}
