//! A machine relative to now: two machines with the same key are the same to the checker.
//!
//! The key is made from the machine's own debug text, so that no part of its state is forgotten. The list below is all
//! that is changed in it. A field that is not named here stays as it is, and only costs states.
//!
//! - Moments become ages, because adding a constant to all times changes nothing (the promise *Shift*). What is older
//!   than the longest of the settings is only old: everything that could fall due by it has done so, and was seen late if
//!   it is seen now.
//! - The numbers of pings count back from the newest. Pings that are far back are alike.
//! - The latest moment seen is now, because no input has an earlier one.
//! - What is only counted for the operator's graphs decides nothing. Without adaptive suspicion, neither do the
//!   round-trip times.
//! - After the verdict only the verdict and the next deadline matter. After the end nothing does.
//!
//! The tests below check all of this. Machines with the same key get the same inputs, and must then do the same and have
//! the same key again.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use liveness::{Event, Liveness, Timestamp};

use super::plan::Plan;

/// Pings that are at least this far behind the newest are alike. It only matters whether they are answered.
pub(super) const FAR_BACK: u32 = 3;

pub(super) fn of(machine: &Liveness, plan: &Plan, now: Timestamp) -> u64 {
    let mut hasher = DefaultHasher::new();
    text(machine, plan, now).hash(&mut hasher);
    hasher.finish()
}

fn text(machine: &Liveness, plan: &Plan, now: Timestamp) -> String {
    if machine.is_finished() {
        return "finished".into();
    }
    let mut text = String::with_capacity(512);
    let due = machine.poll_timeout().map(|due| ago(due, now));
    let _ = write!(text, "{:?} {due:?}", machine.verdict());
    if machine.verdict().is_none() {
        let all = format!("{machine:?}");
        // The settings come first, and are always the same.
        let state = all.find("state: ").map_or(&*all, |from| &all[from..]);
        let pings = machine.stats().pings;
        for field in state.split(", ") {
            let _ = relative(field, pings, plan, now, &mut text);
        }
    }
    text
}

/// One `name: value` of a debug text, relative to now.
fn relative(field: &str, pings: u32, plan: &Plan, now: Timestamp, out: &mut String) -> std::fmt::Result {
    // The first field of a struct has the struct's name before its own.
    let (path, value) = field.rsplit_once(": ").unwrap_or(("", field));
    let name = path.rsplit(' ').next().unwrap_or(path);
    match name {
        "latest" | "answers" | "stalls" | "suspicions_survived" => Ok(()),
        // Before the first ping a probe waits for nothing.
        "sent" => write!(out, " {}", pings == 0),
        "smoothed_low" | "variance_low" | "smoothed_high" | "variance_high" | "latest_us" | "min_us" => {
            Ok(())
        }
        // A hint that saves work. `PartialEq` too says that two machines are equal if they differ only here.
        "next_check" => Ok(()),
        "answered_up_to" => {
            let back = number(value).map(|answered| u64::from(pings).abs_diff(answered));
            write!(out, " {:?}", back.map(|back| back.min(FAR_BACK.into())))
        }
        _ => match value.strip_prefix("Timestamp(").and_then(number).map(Timestamp::from_nanos) {
            Some(moment) if moment != Timestamp::MAX => {
                write!(out, " {}", ago(moment, now).min(i128::from(plan.horizon()) * 1_000_000_000))
            }
            Some(_) | None => write!(out, " {name} {value}"),
        },
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim_end_matches([')', '}', ' ']).parse().ok()
}

/// Nanoseconds; negative if the moment is still to come.
fn ago(moment: Timestamp, now: Timestamp) -> i128 {
    i128::from(now.as_nanos()) - i128::from(moment.as_nanos())
}

mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use liveness::{Action, CloseCode};

    use super::*;
    use crate::plan::SEED;
    use crate::world::{START, at};
    use crate::{ONLY_PONGS, OVERLAP, PAUSES, PROBES, STEADY, SUSPICION, WRITES};

    /// What the model does to a machine: it lets a second pass, or it takes a driver's turn, which reports its inputs
    /// and then polls.
    #[derive(Clone, Copy, Debug)]
    enum Touch {
        Second,
        Turn(&'static [Input]),
    }

    #[derive(Clone, Copy, Debug)]
    enum Input {
        Event(Event<'static>),
        /// A pong to the ping this many before the newest.
        Answer(usize),
        Leave,
        Probe,
    }

    const CLOSE: Input = Input::Event(Event::Close(Some(1000)));
    const EOF: Input = Input::Event(Event::Eof);
    const PING: Input = Input::Event(Event::Ping);
    const PAUSE: Input = Input::Event(Event::ReadPaused);
    const RESUME: Input = Input::Event(Event::ReadResumed);
    const WROTE: Input = Input::Event(Event::Wrote);
    const PING_SENT: Input = Input::Event(Event::PingSent);

    const TOUCHES: [Touch; 19] = [
        Touch::Second,
        Touch::Turn(&[]),
        Touch::Turn(&[Input::Answer(0)]),
        Touch::Turn(&[Input::Answer(1)]),
        Touch::Turn(&[Input::Answer(2)]),
        Touch::Turn(&[Input::Answer(1), PING]),
        Touch::Turn(&[Input::Answer(1), Input::Answer(0)]),
        Touch::Turn(&[PING]),
        Touch::Turn(&[Input::Event(Event::Data)]),
        Touch::Turn(&[PING, CLOSE]),
        Touch::Turn(&[CLOSE, EOF]),
        Touch::Turn(&[EOF]),
        Touch::Turn(&[Input::Leave]),
        Touch::Turn(&[Input::Probe]),
        Touch::Turn(&[PAUSE]),
        Touch::Turn(&[RESUME]),
        Touch::Turn(&[RESUME, Input::Answer(0)]),
        Touch::Turn(&[WROTE]),
        Touch::Turn(&[PING_SENT]),
    ];

    #[derive(Clone)]
    struct Specimen {
        machine: Liveness,
        payloads: Vec<[u8; 8]>,
        now: Timestamp,
    }

    impl Specimen {
        /// What the machine does. A ping's payload is left out, because each machine has its own.
        fn touch(&mut self, touch: Touch) -> String {
            let Touch::Turn(inputs) = touch else {
                self.now += Duration::from_secs(1);
                return String::new();
            };
            for input in inputs {
                match *input {
                    Input::Event(event) => self.machine.handle(event, self.now),
                    Input::Leave => self.machine.close(CloseCode::NORMAL, self.now),
                    Input::Probe => self.machine.probe(self.now),
                    Input::Answer(back) => {
                        let known = self.payloads.len().checked_sub(back + 1);
                        let payload = known.map_or([0; 8], |number| self.payloads[number]);
                        self.machine.handle(Event::Pong(&payload), self.now);
                    }
                }
            }
            let mut done = String::new();
            while let Some(action) = self.machine.poll(self.now) {
                if let Action::SendPing(payload) = action {
                    self.payloads.push(*payload.as_bytes());
                    done.push_str("SendPing ");
                } else {
                    let _ = write!(done, "{action:?} ");
                }
            }
            done
        }

        /// How late the machine's next poll is. A driver of the model is never later than the plan allows.
        fn late(&self) -> u64 {
            let due = self.machine.poll_timeout().unwrap_or(Timestamp::MAX);
            self.now.saturating_duration_since(due).as_secs()
        }
    }

    /// Walks through everything that can be done to one machine, and compares each machine with an earlier one that has
    /// the same key.
    fn walk(plan: &Plan, most: usize) -> (usize, usize) {
        let machine = Liveness::new(plan.config(0), SEED, at(START));
        let mut first = Specimen { machine, payloads: Vec::new(), now: at(START) };
        first.touch(Touch::Turn(&[]));
        let mut known = BTreeMap::from([(text(&first.machine, plan, first.now), first.clone())]);
        let (mut ahead, mut compared) = (VecDeque::from([first]), 0);
        while let Some(specimen) = ahead.pop_front().filter(|_| known.len() < most) {
            for touch in TOUCHES {
                let mut next = specimen.clone();
                next.touch(touch);
                if next.late() > 4 || next.payloads.len() > 60 {
                    continue;
                }
                let key = text(&next.machine, plan, next.now);
                let Some(twin) = known.get(&key) else {
                    known.insert(key, next.clone());
                    ahead.push_back(next);
                    continue;
                };
                if next.now == twin.now && next.machine == twin.machine {
                    continue;
                }
                compared += 1;
                for touch in TOUCHES {
                    let (mut one, mut other) = (next.clone(), twin.clone());
                    let did = [one.touch(touch), other.touch(touch)];
                    let keys = [&one, &other].map(|after| text(&after.machine, plan, after.now));
                    assert!(
                        did[0] == did[1] && keys[0] == keys[1],
                        "the same to the checker, but {touch:?} tells them apart: {did:?}\n{next:?}\n{twin:?}",
                        next = next.machine,
                        twin = twin.machine
                    );
                }
            }
        }
        (known.len(), compared)
    }

    #[test]
    fn machines_that_look_alike_to_the_checker_do_alike() {
        // The plans with different settings of the machine.
        let most = if std::env::var_os("LIVENESS_MODEL_DEPTH").is_some() { 20_000 } else { 500 };
        for plan in [Plan::BASE, ONLY_PONGS, STEADY, SUSPICION, OVERLAP, PAUSES, PROBES, WRITES] {
            let (keys, compared) = walk(&plan, most);
            println!("{:14} {keys:9} keys, {compared:9} pairs compared", plan.name);
            assert!(keys >= 500 && compared > 500, "{keys} keys, {compared} pairs");
        }
    }

    /// If a field gets a new name, the walks have no end, and nobody would know why. This test fails first.
    #[test]
    fn a_machine_is_known_again_after_an_answered_ping() {
        let plan = Plan::BASE;
        let machine = Liveness::new(plan.config(0), SEED, at(START));
        let mut specimen = Specimen { machine, payloads: Vec::new(), now: at(START) };
        let mut keys = Vec::new();
        for _ in 0..10 {
            (0..plan.interval).for_each(|_| {
                specimen.touch(Touch::Second);
            });
            specimen.touch(Touch::Turn(&[]));
            specimen.touch(Touch::Turn(&[Input::Answer(0)]));
            keys.push(text(&specimen.machine, &plan, specimen.now));
        }
        assert_eq!(keys[8], keys[9]);
    }
}
