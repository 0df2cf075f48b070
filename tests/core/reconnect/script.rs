//! A life of a `Reconnect` as text: `<` happened, and `>` came of it. Between inputs it is polled exactly when it asks
//! for it.
//!
//! Inputs: `connected N`, `failed N`, `closed N CODE`, `network-changed`, `network-lost`, `dial-now`, `hand-over`, `stop`, `end`
//! (stop here).
//! What the caller decides about a loss follows it on the line: `after SECONDS`, or `stop`. Outputs: `dial N`, `abandon
//! N`, `retire N`, `give up: REASON`, and `too late N` if `connected` returned so. At one instant inputs come first,
//! unless the script shows that it was polled before.

use std::time::Duration;

use liveness::Timestamp;
use liveness::reconnect::{Attempt, OnClose, Policy, Reconnect, ReconnectAction};

/// A backoff of these seconds. It may end, which is a limit. A number beyond the largest means never.
pub(crate) type Seconds = &'static [u64];
pub(crate) type Machine = Reconnect<Box<dyn Iterator<Item = Duration>>, Box<dyn FnMut() -> Delays>>;
type Delays = Box<dyn Iterator<Item = Duration>>;

pub(crate) const NEVER: u64 = u64::MAX;

/// The default, except that nothing is drawn. So everything is exact.
pub(crate) const EXACT: Policy = Policy::DEFAULT.on_close(exact);

pub(crate) fn exact(code: u16) -> OnClose {
    match OnClose::by_code(code) {
        OnClose::Redial { at_least, .. } => OnClose::Redial { at_least, spread: Duration::ZERO },
        OnClose::Stop => OnClose::Stop,
        other => panic!("{other:?} is new here"),
    }
}

pub(crate) fn machine(policy: Policy, backoff: Seconds, seed: u64) -> Machine {
    let delay = |seconds: &u64| if *seconds == NEVER { Duration::MAX } else { Duration::from_secs(*seconds) };
    let start = move || Box::new(backoff.iter().map(delay)) as Delays;
    Reconnect::new(policy, Box::new(start), seed, Timestamp::ZERO)
}

/// Lives the inputs of the script, and compares all outputs and their times.
#[track_caller]
pub(crate) fn lives(policy: Policy, backoff: Seconds, script: &str) {
    let script: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut life = Life {
        machine: machine(policy, backoff, 7),
        now: Timestamp::ZERO,
        attempts: Vec::new(),
        lines: Vec::new(),
    };
    let mut ended = false;
    for (index, line) in script.iter().enumerate() {
        let Some((at, input)) = line.split_once(" < ") else { continue };
        let (at, input) = (moment(at), input.trim());
        // Inputs come first, unless the script already has an output at that instant.
        let before = index.checked_sub(1).and_then(|before| script[before].split_once(" > "));
        let polled = before.is_some_and(|(then, what)| moment(then) == at && !what.contains("too late"));
        life.polls(if polled { Timestamp::from_nanos(at.as_nanos() + 1) } else { at });
        life.say(at.max(life.now), '<', input);
        life.hears(at, input);
        ended = input == "end";
    }
    if !ended {
        life.polls(Timestamp::MAX);
    }
    let expected: Vec<String> =
        script.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(life.lines.join("\n"), expected.join("\n"), "left, what happened; right, the script");
}

struct Life {
    machine: Machine,
    now: Timestamp,
    attempts: Vec<Attempt>,
    lines: Vec<String>,
}

impl Life {
    fn say(&mut self, at: Timestamp, mark: char, what: &str) {
        self.lines.push(format!("{at} {mark} {what}"));
    }

    /// Polls whenever a poll is due, until just before this moment.
    fn polls(&mut self, until: Timestamp) {
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due < until) {
            assert!(self.lines.len() < 100, "it never ends: {:#?}", self.lines);
            if due > self.now {
                let before = Timestamp::from_nanos(due.as_nanos() - 1);
                assert_eq!(self.machine.poll(before), None, "a poll before its time");
                assert_eq!(self.machine.poll_timeout(), Some(due), "and it changed something");
            }
            self.now = self.now.max(due);
            let mut burst = 0;
            while let Some(action) = self.machine.poll(self.now) {
                burst += 1;
                assert!(burst <= 2, "a burst at {}: {:#?}", self.now, self.lines);
                let what = match action {
                    ReconnectAction::Dial(attempt) => {
                        self.attempts.push(attempt);
                        format!("dial {attempt}")
                    }
                    ReconnectAction::Abandon(attempt) => format!("abandon {attempt}"),
                    ReconnectAction::Retire(attempt) => format!("retire {attempt}"),
                    ReconnectAction::GiveUp(reason) => format!("give up: {reason}"),
                };
                self.say(self.now, '>', &what);
            }
            assert!(burst > 0, "nothing was due at {}: {:#?}", self.now, self.lines);
            assert!(self.machine.poll_timeout().is_none_or(|next| next > self.now), "it spins");
        }
    }

    fn hears(&mut self, at: Timestamp, input: &str) {
        self.now = self.now.max(at);
        let words: Vec<&str> = input.split_whitespace().collect();
        let number = |place: usize| words[place].parse::<u16>().expect("a number");
        let attempt = || self.attempts[usize::from(number(1)) - 1];
        match words[0] {
            "connected" => {
                let attempt = attempt();
                if !self.machine.connected(attempt, at) {
                    self.say(self.now, '>', &format!("too late {attempt}"));
                }
            }
            "failed" => match decided(&words[2..]) {
                None => self.machine.failed(attempt(), at),
                Some(then) => self.machine.failed_with(attempt(), then, at),
            },
            "closed" => match decided(&words[3..]) {
                None => self.machine.closed(attempt(), number(2), at),
                Some(then) => self.machine.closed_with(attempt(), number(2), then, at),
            },
            "network-changed" => self.machine.network_changed(at),
            "network-lost" => self.machine.network_lost(at),
            "dial-now" => self.machine.dial_now(at),
            "hand-over" => self.machine.hand_over(Duration::ZERO, at),
            "stop" => self.machine.stop(at),
            "end" => {}
            other => panic!("no input: {other}"),
        }
    }
}

fn decided(words: &[&str]) -> Option<OnClose> {
    match words {
        [] => None,
        ["stop"] => Some(OnClose::Stop),
        ["after", seconds] => Some(OnClose::after(Duration::from_secs(seconds.parse().expect("seconds")))),
        other => panic!("no decision: {other:?}"),
    }
}

/// `12.5s`.
fn moment(text: &str) -> Timestamp {
    let (whole, fraction) =
        text.trim().trim_end_matches('s').split_once('.').unwrap_or((text.trim().trim_end_matches('s'), ""));
    let nanos: u64 = format!("{fraction:0<9}").parse().expect("a fraction");
    Timestamp::from_secs(whole.parse().expect("seconds")) + Duration::from_nanos(nanos)
}
