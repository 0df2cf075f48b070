//! Observers: what they are told, in which order, and that a machine lives the same life when it is observed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveness::transcript::{Page, Recorder, Transcript};
use liveness::{
    Action, CloseCode, Config, Event, Fleet, Input, Liveness, Observed, Observer, OnAction, Reason, Timestamp,
};
use liveness_testing::assert_replays;
use proptest::prelude::*;

use crate::laws::{settings, steps};
use crate::mirror::Mirror;
use crate::world::{Step, What};

fn at(second: u64) -> Timestamp {
    Timestamp::from_secs(second)
}

/// A ping every five seconds.
fn config() -> Config {
    Config::builder().interval(Duration::from_secs(5)).jitter(0).build().unwrap()
}

/// Writes down each call under a name, with the number of pings and answers that `peer` has counted.
struct Log(&'static str, Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, peer: &Liveness, now: Timestamp, what: &str) {
        let (name, stats) = (self.0, peer.stats());
        let line = format!("{now} {name} {what} ({}, {})", stats.pings, stats.answers);
        self.1.lock().unwrap().push(line);
    }
}

impl Observer for Log {
    fn attached(&mut self, peer: &Liveness, now: Timestamp) {
        self.note(peer, now, "attached");
    }
    fn input(&mut self, input: &Input<'_>, peer: &Liveness, now: Timestamp) {
        let what = match input {
            Input::Event(Event::Pong(_)) => "pong".to_owned(),
            Input::Event(event) => format!("{event:?}"),
            Input::Reconfigure(new) => format!("{:?} -> {:?}", peer.config().interval(), new.interval()),
            Input::Probe | Input::Close(_) | _ => format!("{input:?}"),
        };
        self.note(peer, now, &what);
    }
    fn polling(&mut self, peer: &Liveness, now: Timestamp) {
        self.note(peer, now, "polling");
    }
    fn changed(&mut self, peer: &Liveness, now: Timestamp) {
        self.note(peer, now, "changed");
    }
    fn action(&mut self, action: Action, peer: &Liveness, now: Timestamp) {
        let what = if let Action::SendPing(_) = action { "ping".to_owned() } else { action.to_string() };
        self.note(peer, now, &format!("> {what}"));
    }
}

/// Two observers see a life: that of a single machine, or that of a machine in a fleet.
trait Life {
    fn observe(&mut self, log: Log, now: Timestamp);
    fn handle(&mut self, event: Event<'_>, now: Timestamp);
    fn poll(&mut self, now: Timestamp) -> Option<Action>;
    fn probe(&mut self, now: Timestamp);
    fn reconfigure(&mut self, now: Timestamp);
    fn close(&mut self, code: CloseCode, now: Timestamp);
}

fn faster() -> Config {
    config().to_builder().interval(Duration::from_secs(4)).build().unwrap()
}

impl Life for Observed {
    fn observe(&mut self, log: Log, now: Timestamp) {
        self.observe(log, now);
    }
    fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        self.handle(event, now);
    }
    fn poll(&mut self, now: Timestamp) -> Option<Action> {
        self.poll(now)
    }
    fn probe(&mut self, now: Timestamp) {
        self.probe(now);
    }
    fn reconfigure(&mut self, now: Timestamp) {
        self.reconfigure(faster(), now);
    }
    fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.close(code, now);
    }
}

/// One connection of a fleet, beside another connection.
struct OneOfTwo {
    fleet: Fleet,
    key: liveness::Key,
}

impl OneOfTwo {
    fn new() -> Self {
        let mut fleet = Fleet::with_tick(config(), 7, Duration::from_nanos(1));
        let [_, key] = [(); 2].map(|()| fleet.insert(at(0)).unwrap());
        Self { fleet, key }
    }
}

impl Life for OneOfTwo {
    fn observe(&mut self, log: Log, now: Timestamp) {
        self.fleet.observe(self.key, log, now).unwrap();
    }
    fn handle(&mut self, event: Event<'_>, now: Timestamp) {
        self.fleet.handle(self.key, event, now).unwrap();
    }
    fn poll(&mut self, now: Timestamp) -> Option<Action> {
        loop {
            match self.fleet.poll(now) {
                Some((key, action)) if key == self.key => return Some(action),
                Some(_) => {}
                None => return None,
            }
        }
    }
    fn probe(&mut self, now: Timestamp) {
        self.fleet.probe(self.key, now).unwrap();
    }
    fn reconfigure(&mut self, now: Timestamp) {
        let faster = self.fleet.add_config(faster()).unwrap();
        self.fleet.reconfigure(self.key, faster, now).unwrap();
    }
    fn close(&mut self, code: CloseCode, now: Timestamp) {
        self.fleet.close(self.key, code, now).unwrap();
    }
}

/// What two observers write down about a life with every kind of input. The second one is attached at 5 s.
fn observed_life(mut life: impl Life) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    life.observe(Log("a", Arc::clone(&lines)), at(0));
    assert_eq!(life.poll(at(0)), Some(Action::MarkOnline));
    assert_eq!(life.poll(at(0)), None);
    life.observe(Log("b", Arc::clone(&lines)), at(4));
    let Some(Action::SendPing(ping)) = life.poll(at(5)) else { panic!("no ping") };
    life.handle(Event::Pong(ping.as_bytes()), at(6));
    life.probe(at(6));
    life.reconfigure(at(7));
    life.close(CloseCode::GOING_AWAY, at(8));
    while life.poll(at(8)).is_some() {}
    life.handle(Event::Eof, at(9));
    assert_eq!(life.poll(at(9)), Some(Action::Disconnect));
    let lines = lines.lock().unwrap();
    lines.clone()
}

#[test]
fn observers_are_told_each_input_before_and_after_and_each_poll_and_action_in_order() {
    let lines = observed_life(Observed::new(Liveness::new(config(), 7, at(0))));
    let both = |line: &'static str| [line.replace('*', "a"), line.replace('*', "b")];
    let only_a = [
        "0s a attached (0, 0)",
        "0s a polling (0, 0)",
        "0s a changed (0, 0)",
        "0s a > online (0, 0)",
        "0s a polling (0, 0)",
        "0s a changed (0, 0)",
        "4s b attached (0, 0)",
    ];
    let of_both = [
        "5s * polling (0, 0)",
        "5s * changed (1, 0)",
        "5s * > ping (1, 0)",
        "6s * pong (1, 0)",
        "6s * changed (1, 1)",
        "6s * Probe (1, 1)",
        "6s * changed (1, 1)",
        "7s * 5s -> 4s (1, 1)",
        "7s * changed (1, 1)",
        "8s * Close(CloseCode(1001)) (1, 1)",
        "8s * changed (1, 1)",
        "8s * polling (1, 1)",
        "8s * changed (1, 1)",
        "8s * > offline local-closed (1, 1)",
        "8s * polling (1, 1)",
        "8s * changed (1, 1)",
        "8s * > close 1001 (1, 1)",
        "8s * polling (1, 1)",
        "8s * changed (1, 1)",
        "9s * Eof (1, 1)",
        "9s * changed (1, 1)",
        "9s * polling (1, 1)",
        "9s * changed (1, 1)",
        "9s * > disconnect (1, 1)",
    ];
    let expected: Vec<String> =
        only_a.map(str::to_owned).into_iter().chain(of_both.into_iter().flat_map(both)).collect();
    assert_eq!(lines, expected);
}

#[test]
fn observers_in_a_box_and_in_a_list_are_told_that_they_were_attached() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = |name| Log(name, Arc::clone(&lines));
    let mut peer = Observed::new(Liveness::new(config(), 7, at(0)));
    let boxed: Box<dyn Observer + Send> = Box::new(log("a"));
    peer.observe(boxed, at(0));
    peer.observe(vec![log("b"), log("c")], at(1));
    assert_eq!(
        *lines.lock().unwrap(),
        ["0s a attached (0, 0)", "1s b attached (0, 0)", "1s c attached (0, 0)"]
    );
}

/// A fleet polls no machine needlessly. Otherwise its observers are told the same, and nothing about the other
/// connection.
#[test]
fn the_observers_of_a_fleets_connection_are_told_the_same() {
    let told = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| !line.contains("polling") && !line.contains("changed")).collect()
    };
    let alone = told(observed_life(Observed::new(Liveness::new(config(), 7, at(0)))));
    assert_eq!(told(observed_life(OneOfTwo::new())), alone);
}

#[test]
fn an_observer_that_comes_while_all_are_closed_sees_the_connection_as_it_is() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let mut fleet = Fleet::new(config(), 7);
    let key = fleet.insert(at(0)).unwrap();
    while fleet.poll(at(0)).is_some() {}
    fleet.close_all(CloseCode::GOING_AWAY, at(1));
    fleet.observe(key, Log("a", Arc::clone(&lines)), at(2)).unwrap();
    fleet.observe(key, Log("b", Arc::clone(&lines)), at(3)).unwrap();
    assert_eq!(fleet.poll(at(4)), Some((key, Action::MarkOffline(Reason::LocalClosed))));
    // The command is a thing of the past for each that comes after it.
    let lines: Vec<_> =
        lines.lock().unwrap().iter().filter(|line| !line.contains("polling")).cloned().collect();
    let expected =
        ["2s a attached (0, 0)", "3s b attached (0, 0)", "4s a changed (0, 0)", "4s b changed (0, 0)"];
    assert_eq!(lines[..4], expected);
    assert_eq!(lines[4..], ["a", "b"].map(|log| format!("4s {log} > offline local-closed (0, 0)")));
}

#[test]
fn an_observer_goes_when_its_connection_goes() {
    let mut fleet = Fleet::new(config(), 7);
    let alive = Arc::new(());
    for ends in [true, false] {
        let key = fleet.insert(at(0)).unwrap();
        let token = Arc::clone(&alive);
        fleet.observe(key, OnAction::new(move |_, _| assert!(Arc::strong_count(&token) > 1)), at(0)).unwrap();
        assert_eq!(Arc::strong_count(&alive), 2);
        if ends {
            fleet.handle(key, Event::Eof, at(0)).unwrap();
            while fleet.poll(at(0)).is_some() {}
        } else {
            fleet.remove(key).unwrap();
        }
        assert_eq!(Arc::strong_count(&alive), 1);
        // The next connection in this place is not observed.
        let next = fleet.insert(at(0)).unwrap();
        assert_eq!(next.index(), key.index());
        while fleet.poll(at(0)).is_some() {}
        fleet.remove(next).unwrap();
    }
}

/// A driver makes the machine. The caller attaches the recorder a little later, and both poll later still.
#[test]
fn a_recorder_that_is_attached_before_anything_happens_tells_of_the_whole_life() {
    let page = Page::default();
    let mut peer = Observed::new(Liveness::new(config(), 7, at(100)));
    peer.observe(Recorder::new(page.clone()), at(102));
    assert_eq!(peer.poll(at(103)), Some(Action::MarkOnline));
    assert_eq!(peer.poll(at(103)), None);
    drop(peer);
    let text = page.text();
    assert!(
        text.contains("\n0s            < open\n0s            < stall 3s\n3s            > online\n"),
        "{text}"
    );
    assert_replays(&text);
}

#[test]
fn a_recorder_that_is_attached_in_mid_life_says_so_and_is_not_replayed() {
    let page = Page::default();
    let mut peer = Observed::new(Liveness::new(config(), 7, at(100)));
    assert_eq!(peer.poll(at(100)), Some(Action::MarkOnline));
    peer.observe(Recorder::new(page.clone()), at(103));
    assert!(matches!(peer.poll(at(105)), Some(Action::SendPing(_))));
    peer.handle(Event::Data, at(106));
    drop(peer);
    let text = page.text();
    let lines: Vec<_> = text.lines().skip(1).collect();
    assert!(text.starts_with(&format!("config {} seed=7\n", config())), "{text}");
    assert_eq!(
        lines,
        [
            "# attached in the middle of a life: this cannot be replayed",
            "2s            > ping #1",
            "3s            < data",
            "3s            < end",
        ]
    );
    let refused = text.parse::<Transcript>().unwrap_err();
    assert_eq!(refused.to_string(), "4: read `data` before the life began; expected `open` first");
}

#[test]
fn a_recorder_that_was_never_attached_and_one_of_a_life_that_is_over_have_nothing_to_tell() {
    let page = Page::default();
    drop(Recorder::new(page.clone()));
    assert_eq!(page.text(), "");

    let mut peer = Observed::new(Liveness::new(config(), 7, at(0)));
    peer.handle(Event::Eof, at(1));
    while peer.poll(at(1)).is_some() {}
    peer.observe(Recorder::new(page.clone()), at(2));
    peer.handle(Event::Data, at(3));
    assert_eq!(peer.poll(at(3)), None);
    drop(peer);
    assert_eq!(page.text().lines().count(), 2, "{}", page.text());
}

#[test]
fn a_closure_is_shown_each_action_and_the_machine_that_gave_it() {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&shown);
    let mut peer = Observed::new(Liveness::new(config(), 7, at(0)));
    peer.observe(OnAction::new(move |action, peer| log.lock().unwrap().push((action, peer.status()))), at(0));
    peer.handle(Event::Eof, at(1));
    let polled: Vec<_> =
        std::iter::from_fn(|| peer.poll(at(1)).map(|action| (action, peer.liveness().status()))).collect();
    assert_eq!(*shown.lock().unwrap(), polled);
    assert_eq!(polled.len(), 3);
    assert_eq!(format!("{peer:?}").matches("observers: 1").count(), 1, "{peer:?}");
}

/// A life that is lived twice, once with an observer.
struct Both {
    bare: Liveness,
    observed: Observed,
    payloads: Vec<[u8; 8]>,
    now: Timestamp,
    told: Arc<Mutex<Vec<Action>>>,
    said: Vec<Action>,
}

impl Both {
    fn new(config: Config) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let mut observed = Observed::new(Liveness::new(config, 7, at(0)));
        observed.observe(Mirror::default(), at(0));
        observed.observe(OnAction::new(move |action, _| log.lock().unwrap().push(action)), at(0));
        let bare = Liveness::new(config, 7, at(0));
        Self { bare, observed, payloads: Vec::new(), now: at(0), told, said: Vec::new() }
    }

    fn step(&mut self, step: &Step<'_>) {
        self.now += Duration::from_nanos(step.after);
        if step.poll == Some(true) {
            self.poll();
        }
        match step.what {
            What::Event(event) => self.handle(event),
            What::Answer(back) => {
                let number = self.payloads.len().checked_sub(back as usize + 1);
                if let Some(payload) = number.map(|number| self.payloads[number]) {
                    self.handle(Event::Pong(&payload));
                }
            }
            What::AnswerTo(number) => {
                if let Some(payload) = self.payloads.get(number).copied() {
                    self.handle(Event::Pong(&payload));
                }
            }
            What::Probe => {
                self.bare.probe(self.now);
                self.observed.probe(self.now);
            }
            What::Close(code) => {
                self.bare.close(code, self.now);
                self.observed.close(code, self.now);
            }
            What::Reconfigure(config) => {
                self.bare.reconfigure(config, self.now);
                self.observed.reconfigure(config, self.now);
            }
            What::StepBack(by) => self.now = self.now.saturating_sub(Duration::from_nanos(by)),
            What::Nothing => {}
        }
        assert_eq!(self.observed.liveness(), &self.bare);
        if step.poll == Some(false) {
            self.poll();
        }
    }

    fn handle(&mut self, event: Event<'_>) {
        self.bare.handle(event, self.now);
        self.observed.handle(event, self.now);
    }

    fn poll(&mut self) {
        loop {
            let action = self.observed.poll(self.now);
            assert_eq!(action, self.bare.poll(self.now));
            assert_eq!(self.observed.liveness(), &self.bare);
            assert_eq!(self.observed.poll_timeout(), self.bare.poll_timeout());
            let Some(action) = action else { return };
            self.said.push(action);
            if let Action::SendPing(payload) = action {
                self.payloads.push(*payload.as_bytes());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A machine that is observed, by several observers and from any moment on, lives as if it were not. An observer is
    /// told enough to repeat that life.
    #[test]
    fn to_be_observed_makes_no_difference(config in settings(), steps in steps(), joins in 0..20_usize) {
        let mut both = Both::new(config);
        for (number, step) in steps.iter().enumerate() {
            if number == joins {
                both.observed.observe(Mirror::default(), both.now);
            }
            both.step(step);
        }
        while let Some(due) = both.bare.poll_timeout().filter(|_| both.said.len() < 100) {
            both.now = both.now.max(due);
            both.poll();
        }
        prop_assert_eq!(&both.said[..1], [Action::MarkOnline]);
        prop_assert_eq!(&*both.told.lock().unwrap(), &both.said);
    }
}
