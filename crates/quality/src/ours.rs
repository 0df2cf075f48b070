//! This crate's `Liveness` as a rule.

use liveness::{Action, Config, Event, Liveness, Observed, Observer, Payload, Timestamp};

use crate::chance::Nanos;
use crate::rule::{Input, Rule, Want};

pub struct Ours {
    machine: Observed,
    payloads: Vec<Payload>,
    suspected: bool,
}

impl Ours {
    pub fn new(config: Config, seed: u64, now: Nanos) -> Self {
        let machine = Observed::new(Liveness::new(config, seed, Timestamp::from_nanos(now)));
        Self { machine, payloads: Vec::new(), suspected: false }
    }

    /// With an observer. It also sees the closing; see the `Drop`.
    #[must_use]
    pub fn observed(mut self, observer: impl Observer + Send + 'static, now: Nanos) -> Self {
        self.machine.observe(observer, Timestamp::from_nanos(now));
        self
    }
}

/// The simulation drops a rule that has closed. After a verdict the machine is polled to its end, for its observer.
impl Drop for Ours {
    fn drop(&mut self) {
        while let (Some(_), Some(at)) = (self.machine.liveness().verdict(), self.machine.poll_timeout()) {
            while self.machine.poll(at).is_some() {}
        }
    }
}

/// The event for a machine that has sent pings with these payloads.
fn event(input: Input, payloads: &[Payload]) -> Event<'_> {
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
