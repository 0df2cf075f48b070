//! An arbiter and the holders at the other ends of a network that loses, delays and cuts, while either end stalls. Never
//! may two act at once.
//!
//! Messages are events in a queue of moments, so nothing ticks. The arbiter is made of the crate's own machines: a
//! `Liveness` for each connection, a `Presence`, a `Lease`. A holder is a `Tenure`. Beside it is the recipe without one:
//! act from the message that it is yours until the message that it is not, or until your own heartbeat gives the arbiter
//! up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use liveness::lease::{Lease, LeaseChange, Tenure, Token};
use liveness::{Action, Config, Event, Evidence, Liveness, Presence, Suspicion, Timestamp};
use proptest::prelude::*;

use crate::samples::samples;

type User = usize;

const USERS: User = 3;
const END: Timestamp = Timestamp::from_secs(180);
/// How fast each holder's clock is compared with the arbiter's, in millionths. The first is slow by just under a
/// hundredth.
const RATES: [u128; USERS] = [990_100, 1_000_000, 1_009_900];

#[derive(Clone, Debug)]
struct Settings {
    grace: u64,
    linger: u64,
    /// The heartbeat of the arbiter and that of the holders.
    arbiter: Heart,
    holder: Heart,
    faults: Vec<Fault>,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Heart {
    interval: u64,
    timeout: u64,
    suspect_after: u64,
    pong_only: bool,
}

impl Heart {
    fn config(self) -> Config {
        let suspicion = Suspicion::After(Duration::from_millis(self.suspect_after));
        let config = Config::DEFAULT.to_builder().interval(Duration::from_millis(self.interval));
        let config = config.timeout(Duration::from_millis(self.timeout)).suspicion(suspicion);
        let evidence = if self.pong_only { Evidence::PongOnly } else { Evidence::AnyTraffic };
        config.evidence(evidence).build().expect("within the rules")
    }
}

/// From this moment on, for this long, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Fault {
    from: u64,
    lasts: u64,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    /// Nothing of this user's connection arrives at the arbiter, at the user or at both. It arrives when the cut ends.
    Cut(User, bool, bool),
    /// The same, but it never arrives.
    Lost(User, bool, bool),
    /// The arbiter stands still, or this user does.
    ArbiterStalls,
    HolderStalls(User),
    /// The arbiter's transport for this user's connection ends, and the user is not told.
    Reset(User),
    /// The user is on another connection from now on. The arbiter is not told about the old one.
    Reconnects(User),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Request,
    Ping,
    Pong([u8; 8]),
    Granted(u64),
    Lost(u64),
    Question(u64, u64),
    Yes(u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    ToArbiter(User, u64, Word),
    ToHolder(User, u64, Word),
    Begins(usize),
    /// Everyone that has something to do.
    Wakes,
}

struct Holder {
    connection: u64,
    heart: Liveness,
    tenure: Option<(u64, Tenure)>,
    /// Without a tenure: it was told that it holds the lease.
    believes: bool,
}

struct World<'a> {
    settings: &'a Settings,
    now: Timestamp,
    queue: BinaryHeap<Reverse<(Timestamp, u64, Happens)>>,
    sent: u64,
    connections: u64,
    hearts: BTreeMap<u64, (User, Liveness)>,
    room: Presence<User>,
    pen: Lease<User>,
    holders: Vec<Holder>,
    /// How often somebody began to be allowed to act, and how often the recipe without a tenure had two at once.
    acted: usize,
    doubles: usize,
}

impl<'a> World<'a> {
    fn live(settings: &'a Settings) -> Self {
        let linger = Duration::from_millis(settings.linger);
        let mut world = Self {
            settings,
            now: Timestamp::ZERO,
            queue: BinaryHeap::new(),
            sent: 0,
            connections: 0,
            hearts: BTreeMap::new(),
            room: Presence::with_linger(linger),
            pen: Lease::new(Duration::from_millis(settings.grace)),
            holders: Vec::new(),
            acted: 0,
            doubles: 0,
        };
        for user in 0..USERS {
            let heart = Liveness::new(settings.holder.config(), user as u64, Timestamp::ZERO);
            world.holders.push(Holder { connection: 0, heart, tenure: None, believes: false });
            world.connect(user);
        }
        for (index, fault) in settings.faults.iter().enumerate() {
            world.at(Timestamp::from_millis(fault.from), Happens::Begins(index));
            world.at(Timestamp::from_millis(fault.from + fault.lasts), Happens::Wakes);
        }
        for steps in 0.. {
            assert!(steps < 100_000, "it never ends");
            let Some(Reverse((now, _, happens))) = world.queue.pop().filter(|next| next.0.0 <= END) else {
                break;
            };
            world.now = now;
            world.happen(happens);
            world.look();
        }
        world
    }

    fn at(&mut self, at: Timestamp, happens: Happens) {
        self.sent += 1;
        self.queue.push(Reverse((at, self.sent, happens)));
    }

    /// When the fault that is in the way ends, if there is one.
    fn until(&self, hinders: impl Fn(What) -> bool) -> Option<Timestamp> {
        let now = self.now;
        let faults = self.settings.faults.iter().filter(|fault| hinders(fault.what));
        let span = |fault: &Fault| {
            (Timestamp::from_millis(fault.from), Timestamp::from_millis(fault.from + fault.lasts))
        };
        faults.map(span).filter(|(from, to)| (*from..*to).contains(&now)).map(|(_, to)| to).max()
    }

    fn send(&mut self, word: Happens) {
        // 20 to 400 ms, in order or out of order.
        let delay = 20 + (self.sent.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.settings.seed) % 380;
        self.at(self.now + Duration::from_millis(delay), word);
    }

    fn connect(&mut self, user: User) {
        self.connections += 1;
        let connection = self.connections;
        let seed = connection + self.settings.seed;
        self.hearts.insert(connection, (user, Liveness::new(self.settings.arbiter.config(), seed, self.now)));
        self.room.connect(connection, user, self.now);
        let holder = &mut self.holders[user];
        (holder.connection, holder.heart) =
            (connection, Liveness::new(self.settings.holder.config(), seed, self.now));
        self.send(Happens::ToArbiter(user, connection, Word::Request));
        self.turn_arbiter();
        self.turn_holder(user);
    }

    /// When a message arrives; `None` means never.
    fn arrives(&self, happens: Happens) -> Option<Timestamp> {
        let (user, to_arbiter) = match happens {
            Happens::ToArbiter(user, ..) => (user, true),
            Happens::ToHolder(user, ..) => (user, false),
            Happens::Begins(_) | Happens::Wakes => return Some(self.now),
        };
        let this_way = |there, back| if to_arbiter { there } else { back };
        let lost = |what| matches!(what, What::Lost(of, there, back) if of == user && this_way(there, back));
        if self.until(lost).is_some() {
            return None;
        }
        let held_up = |what| match what {
            What::Cut(of, there, back) => of == user && this_way(there, back),
            What::ArbiterStalls => to_arbiter,
            What::HolderStalls(of) => of == user && !to_arbiter,
            What::Lost(..) | What::Reset(_) | What::Reconnects(_) => false,
        };
        Some(self.until(held_up).unwrap_or(self.now))
    }

    fn happen(&mut self, happens: Happens) {
        match self.arrives(happens) {
            Some(at) if at > self.now => self.at(at, happens),
            Some(_) => self.carry_out(happens),
            None => {}
        }
        self.turn_arbiter();
        (0..USERS).for_each(|user| self.turn_holder(user));
    }

    fn carry_out(&mut self, happens: Happens) {
        let now = self.now;
        match happens {
            Happens::ToArbiter(user, connection, word) => self.arbiter_hears(user, connection, word),
            Happens::ToHolder(user, connection, word) => self.holder_hears(user, connection, word),
            Happens::Begins(index) => match self.settings.faults[index].what {
                What::Reset(user) => {
                    let connection = self.holders[user].connection;
                    if let Some((_, heart)) = self.hearts.get_mut(&connection) {
                        heart.handle(Event::Eof, now);
                    }
                }
                What::Reconnects(user) => self.connect(user),
                What::Cut(..) | What::Lost(..) | What::ArbiterStalls | What::HolderStalls(_) => {}
            },
            Happens::Wakes => {}
        }
    }

    fn arbiter_hears(&mut self, user: User, connection: u64, word: Word) {
        let now = self.now;
        let Some((_, heart)) = self.hearts.get_mut(&connection) else { return };
        match word {
            Word::Pong(payload) => heart.handle(Event::Pong(&payload), now),
            Word::Ping => heart.handle(Event::Ping, now),
            Word::Request | Word::Question(..) => heart.handle(Event::Data, now),
            Word::Granted(_) | Word::Lost(_) | Word::Yes(..) => panic!("no holder says so"),
        }
        // Its sender is there: this comes first.
        self.turn_arbiter();
        match word {
            Word::Request => self.pen.request(user, now),
            Word::Ping => self.send(Happens::ToHolder(user, connection, Word::Pong([0; 8]))),
            Word::Question(token, question) if self.pen.check(&user, Token::new(token)).is_ok() => {
                self.send(Happens::ToHolder(user, connection, Word::Yes(token, question)));
            }
            Word::Question(..) | Word::Pong(_) | Word::Granted(_) | Word::Lost(_) | Word::Yes(..) => {}
        }
    }

    fn turn_arbiter(&mut self) {
        let now = self.now;
        if self.until(|what| what == What::ArbiterStalls).is_some() {
            return;
        }
        let mut pings = Vec::new();
        for (connection, (user, heart)) in &mut self.hearts {
            while let Some(action) = heart.poll(now) {
                self.room.handle(connection, action, now);
                if let Action::SendPing(payload) = action {
                    pings.push((*user, *connection, *payload.as_bytes()));
                }
            }
        }
        self.hearts.retain(|_, (_, heart)| !heart.is_finished());
        for (user, connection, payload) in pings {
            self.send(Happens::ToHolder(user, connection, Word::Pong(payload)));
        }
        while let Some(change) = self.room.poll(now) {
            self.pen.apply(&change, now);
        }
        while let Some(change) = self.pen.poll(now) {
            let (user, word) = match change {
                LeaseChange::Granted { user, token } => (user, Word::Granted(token.get())),
                LeaseChange::Lost { user, token, .. } | LeaseChange::Returned { user, token, .. } => {
                    // The user wants it back.
                    self.at(
                        now + Duration::from_secs(1),
                        Happens::ToArbiter(user, self.holders[user].connection, Word::Request),
                    );
                    (user, Word::Lost(token.get()))
                }
                LeaseChange::Frozen { .. } | LeaseChange::Thawed { .. } => continue,
            };
            self.send(Happens::ToHolder(user, self.holders[user].connection, word));
        }
        let hearts = self.hearts.values().filter_map(|(_, heart)| heart.poll_timeout());
        let next = hearts.chain(self.room.poll_timeout()).chain(self.pen.poll_timeout()).min();
        self.wake(next);
    }

    fn wake(&mut self, next: Option<Timestamp>) {
        let known = self.queue.peek().map(|next| next.0.0);
        if let Some(next) = next.filter(|next| known.is_none_or(|known| *next < known)) {
            self.at(next.max(self.now + Duration::from_nanos(1)), Happens::Wakes);
        }
    }

    fn holder_hears(&mut self, user: User, connection: u64, word: Word) {
        let (now, holder) = (self.now, &mut self.holders[user]);
        if holder.connection != connection {
            return;
        }
        let evidence = if let Word::Pong([0, ..]) = word { Event::Data } else { Event::Ping };
        holder.heart.handle(if let Word::Pong(_) = word { evidence } else { Event::Data }, now);
        match word {
            Word::Pong([0, 0, 0, 0, 0, 0, 0, 0]) => {
                // The answer to its own latest ping. Its heartbeat is only there for comparison.
                if let Some(payload) = holder.heart.awaited() {
                    holder.heart.handle(Event::Pong(payload.as_bytes()), now);
                }
            }
            Word::Pong(payload) => self.send(Happens::ToArbiter(user, connection, Word::Pong(payload))),
            Word::Granted(token) => {
                let length = self.pen.tenure(Duration::from_millis(self.settings.linger));
                (holder.tenure, holder.believes) =
                    (Some((token, Tenure::new(length, theirs(user, now)))), true);
            }
            Word::Lost(token) if holder.tenure.as_ref().is_some_and(|(mine, _)| *mine <= token) => {
                (holder.tenure, holder.believes) = (None, false);
            }
            Word::Yes(token, question) => {
                if let Some((mine, tenure)) = &mut holder.tenure
                    && *mine == token
                {
                    let now = theirs(user, now);
                    let before = tenure.may_act(now);
                    tenure.answered(question, now);
                    self.acted += usize::from(!before && tenure.may_act(now));
                }
            }
            Word::Lost(_) | Word::Request | Word::Ping | Word::Question(..) => {}
        }
    }

    fn turn_holder(&mut self, user: User) {
        let now = self.now;
        if self.until(|what| what == What::HolderStalls(user)).is_some() {
            return;
        }
        let holder = &mut self.holders[user];
        let connection = holder.connection;
        let mut words = Vec::new();
        while let Some(action) = holder.heart.poll(now) {
            match action {
                Action::SendPing(_) => words.push(Word::Ping),
                Action::MarkOffline(_) => holder.believes = false,
                Action::MarkOnline | Action::MarkSuspect | Action::Close(_) | Action::Disconnect => {}
            }
        }
        if let Some((token, tenure)) = &mut holder.tenure {
            words.extend(tenure.poll(theirs(user, now)).map(|question| Word::Question(*token, question)));
        }
        let tenure = holder.tenure.as_ref().and_then(|(_, tenure)| tenure.poll_timeout());
        let tenure = tenure.map(|at| ours(user, at));
        let next = tenure.into_iter().chain(holder.heart.poll_timeout()).min();
        words.into_iter().for_each(|word| self.send(Happens::ToArbiter(user, connection, word)));
        self.wake(next);
    }

    /// The users that may act, each by their own clock.
    fn acting(&self) -> usize {
        let may = |(user, holder): &(User, &Holder)| {
            let now = theirs(*user, self.now);
            holder.tenure.as_ref().is_some_and(|(_, tenure)| tenure.may_act(now))
        };
        self.holders.iter().enumerate().filter(may).count()
    }

    /// A user begins to be allowed only by an answer, and this looks at every such moment.
    fn look(&mut self) {
        assert!(self.acting() <= 1, "two may act at {}: {:?}", self.now, self.settings);
        self.doubles += usize::from(self.holders.iter().filter(|holder| holder.believes).count() > 1);
    }
}

/// Converts a moment of the arbiter's to a holder's clock, and back. The result is never too early.
fn theirs(user: User, at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(u128::from(at.as_nanos()) * RATES[user] / 1_000_000).unwrap())
}

fn ours(user: User, at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(u128::from(at.as_nanos()) * 1_000_000 / RATES[user]).unwrap() + 1)
}

fn hearts() -> impl Strategy<Value = Heart> {
    (500..8_000_u64, 1_000..20_000_u64, 500..8_000_u64, any::<bool>()).prop_map(
        |(interval, timeout, suspect_after, pong_only)| Heart {
            interval,
            timeout,
            suspect_after: suspect_after.min(timeout - 1),
            pong_only,
        },
    )
}

fn faults() -> impl Strategy<Value = Fault> {
    let user = || 0..USERS;
    let ways = || prop_oneof![1 => Just((true, false)), 1 => Just((false, true)), 2 => Just((true, true))];
    let what = prop_oneof![
        3 => (user(), ways()).prop_map(|(user, (there, back))| What::Cut(user, there, back)),
        3 => (user(), ways()).prop_map(|(user, (there, back))| What::Lost(user, there, back)),
        1 => Just(What::ArbiterStalls),
        1 => user().prop_map(What::HolderStalls),
        1 => user().prop_map(What::Reset),
        1 => user().prop_map(What::Reconnects),
    ];
    (5_000..150_000_u64, 100..40_000_u64, what).prop_map(|(from, lasts, what)| Fault { from, lasts, what })
}

fn settings() -> impl Strategy<Value = Settings> {
    let spans = (500..20_000_u64, 500..20_000_u64);
    (spans, hearts(), hearts(), prop::collection::vec(faults(), 0..8), any::<u64>()).prop_map(
        |((grace, linger), arbiter, holder, faults, seed)| Settings {
            grace,
            linger,
            arbiter,
            holder,
            faults,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever both ends' settings are, what the network does, and who stalls.
    #[test]
    fn never_do_two_act_at_one_moment(settings in settings()) {
        World::live(&settings);
    }
}

/// The twin: they do act, again and again. In some of the same lives, two holders that go by messages and by their own
/// heartbeat act at once.
#[test]
fn holders_do_act_and_without_a_tenure_two_do() {
    let (mut acted, mut doubled) = (0, 0);
    for settings in samples(settings(), 60) {
        let world = World::live(&settings);
        acted += world.acted;
        doubled += usize::from(world.doubles > 0);
    }
    assert!(acted > 100 && doubled > 3, "{acted} {doubled}");
}

/// There are no faults.
fn good(seed: u64, holder: Heart) -> Settings {
    let arbiter = Heart { interval: 1_000, timeout: 3_000, suspect_after: 1_000, pong_only: false };
    Settings { grace: 4_000, linger: 4_000, arbiter, holder, faults: Vec::new(), seed }
}

const SLOW: Heart = Heart { interval: 8_000, timeout: 20_000, suspect_after: 8_000, pong_only: true };

/// The other half: if nothing fails and answers are quick compared with the tenure, the holder goes on acting.
#[test]
fn a_holder_with_a_good_network_never_has_to_stop() {
    for seed in 0..30 {
        let settings = good(seed, SLOW);
        let world = World::live(&settings);
        assert_eq!(world.acted, 1, "{settings:?}");
        assert_eq!(world.acting(), 1);
    }
}

/// The holder is cut off, and its heartbeat is slower than the arbiter's. Without a tenure, two act in each life.
#[test]
fn a_holder_that_is_cut_off_stops_before_another_is_told() {
    for seed in 0..50 {
        let mut settings = good(seed, SLOW);
        let holder = *World::live(&settings).pen.holder().expect("somebody asked").user;
        settings.faults = vec![Fault { from: 30_000, lasts: 40_000, what: What::Cut(holder, true, true) }];
        let world = World::live(&settings);
        assert!(world.doubles > 0 && world.acted > 1, "{} {} {settings:?}", world.doubles, world.acted);
    }
}
