//! Model checking of the real code: two machines, the link between them, and every order in which things can happen.
//!
//! [stateright](https://docs.rs/stateright) walks through all lives of a small world, breadth first, and checks each
//! state against the promises. Nothing here is a copy of the crate's logic. The ends are two real `Liveness`, and the
//! rest is what a test may assume about drivers and TCP. A broken promise prints the two transcripts of the life that
//! broke it.
//!
//! # What is modelled
//!
//! - **Time**: whole seconds. Within one second anything may happen in any order and any number of times. A ping and its
//!   answer may take no time at all. The server opened 0 to `interval - 1` seconds before the client, so that their pings
//!   meet in every phase (with jitter the random first wait does this).
//! - **The link**: each direction is a byte stream of its own. What is under way arrives in order, at any time. This
//!   covers a slow link, a link that is down in one or both directions and heals, and a link that never heals: nothing
//!   happens on them for a while, or ever. An arrival leaves at most `behind` frames under way (without a limit a link
//!   could grow slower for ever, and the world would have no end). A *cut* cannot heal: a part of what is under way, from
//!   none to all, may still arrive, and what is sent later is lost. Neither end learns of it, because a dead TCP path
//!   reports nothing.
//! - **Drivers**: a driver wakes when something can be read or a poll is due. Or it sleeps on, up to `longest_stall`
//!   seconds and any number of times, and what arrives stays in its input buffer. When it is awake, it reads everything
//!   and then polls; or (`timers_first`) it polls, reads, and polls. It answers pings, unless it has sent its Close, and
//!   closes its transport at `Disconnect`.
//! - **Pauses**: a driver stops reading at any moment, for up to `longest_pause` seconds, and then reads everything. It
//!   pauses again after it has read evidence. (Each pause begins the wait anew. Without that limit an end could pause for
//!   ever before a link that brings nothing, and what is under way to it would grow without end.)
//! - **The write phase**: if an end has a `write_timeout`, its ping waits until the transport takes the last byte, at any
//!   moment or never. Other bytes may be taken before. Everything else is sent at once.
//! - **Applications** that close, send a message or probe, at any moment (`leaves`, `talks`, `probes`).
//!
//! # What makes it finite
//!
//! - States are compared relative to now ([`key`]), so a world has no last second. If no depth is set, the walk ends when
//!   there is nothing new. What holds then holds for lives of any length.
//! - Frames arrive just before their reader wakes or the second ends. Between those moments the time of arrival makes no
//!   difference.
//! - A driver without anything to do does not wake. The end of each second checks that such a poll gives nothing. A law
//!   of its own checks that it changes nothing (`exact_wake_ups_change_nothing`).
//! - The two ends may change places if their drivers are alike.
//!
//! # What is not modelled
//!
//! Idleness and silence, `Unread`, adaptive suspicion, the control budget, violations, `reconfigure`, jitter, clocks that
//! step, partial frames, forged pongs, a kernel that reports the dead path by itself, and resets (an `Eof` that overtakes
//! data). The property tests cover those. The model covers every order of the rest.

mod end;
mod key;
mod plan;
mod replay;
mod state;
mod world;

use std::time::Instant;

use liveness::{Evidence, Liveness, Reason, Schedule};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

use end::{Promise, Stage};
use liveness_testing::assert_replays;
use plan::{Plan, SEED};
use replay::Lives;
use world::{START, Step, World, at};

impl Model for Plan {
    type State = World<Liveness>;
    type Action = Step;

    fn init_states(&self) -> Vec<Self::State> {
        let world = |earlier| {
            let machine = |who, opened| Liveness::new(self.config(who), SEED, at(opened));
            World::new(*self, [machine(0, START), machine(1, START - earlier)], earlier)
        };
        (0..self.interval).map(world).collect()
    }

    fn actions(&self, state: &Self::State, steps: &mut Vec<Step>) {
        state.steps(steps);
    }

    fn next_state(&self, state: &Self::State, step: Step) -> Option<Self::State> {
        let mut next = state.clone();
        next.step(step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("Justified", |_, world: &World<_>| world.keeps(Promise::Justified)),
            Property::always("Accurate", |_, world: &World<_>| world.keeps(Promise::Accurate)),
            Property::always("Complete", |_, world: &World<_>| world.keeps(Promise::Complete)),
            Property::always("A stalled driver suspects itself first", |_, world: &World<_>| {
                world.keeps(Promise::SuspectsItself)
            }),
            Property::always("Once", |_, world: &World<_>| world.keeps(Promise::Once)),
            Property::always("No spin", |_, world: &World<_>| world.keeps(Promise::NoSpin)),
            Property::always("Exact wake-ups", |_, world: &World<_>| world.keeps(Promise::ExactWakeUps)),
            Property::always("Bounded chatter", |_, world: &World<_>| world.keeps(Promise::BoundedChatter)),
            Property::always("Kept alive", |_, world: &World<_>| world.keeps(Promise::KeptAlive)),
            Property::always("Let go", |_, world: &World<_>| world.keeps(Promise::LetGo)),
            Property::always("No deadlock", |_, world: &World<_>| !world.is_stuck()),
            Property::sometimes("a verdict falls", |_, world: &World<_>| world.news.timed_out),
        ];
        properties.extend(self.witnesses_of_own_steps());
        if !self.own_steps() && self.talks == [false, false] {
            // So far the other worlds are walked only if no depth is set.
            properties.push(Property::sometimes("both ends find the other dead", |_, world: &World<_>| {
                world.both(|machine| machine.verdict() == Some(Reason::PingTimeout))
            }));
        }
        if !self.dead {
            properties.extend([
                Property::sometimes("a ping is answered", |_, world: &World<_>| world.news.answered),
                Property::sometimes("a link heals in time", |_, world: &World<_>| world.news.healed),
            ]);
        }
        if self.longest_stall.iter().any(|stall| *stall > self.stall_tolerance) {
            properties
                .push(Property::sometimes("a stall is forgiven", |_, world: &World<_>| world.news.forgiven));
        }
        if self.timeout > self.interval {
            properties.push(Property::sometimes(
                "a ping goes out while an earlier one is awaited",
                |_, world: &World<_>| world.news.overlapped,
            ));
        }
        if self.suspicion.is_some() {
            properties.push(Property::sometimes("a suspected peer recovers", |_, world: &World<_>| {
                world.news.recovered
            }));
        }
        if self.leaves {
            properties.push(Property::sometimes("both close at once", |_, world: &World<_>| {
                world.both(|machine| machine.verdict() == Some(Reason::LocalClosed))
            }));
        }
        if self.cuts {
            properties.push(Property::sometimes("a cut both ways ends both lives", |_, world: &World<_>| {
                world.wires.iter().all(|wire| wire.cut)
                    && world.ends.iter().all(|end| end.stage == Stage::Gone)
            }));
        }
        properties
    }
}

impl Plan {
    /// The plan has own steps beside closing and talking: pauses, probes or a write phase.
    fn own_steps(&self) -> bool {
        self.longest_pause != [0, 0] || self.probes != [false, false] || self.write_timeout != [None, None]
    }

    fn witnesses_of_own_steps(&self) -> Vec<Property<Self>> {
        let mut properties = Vec::new();
        if self.longest_pause != [0, 0] {
            properties.push(Property::sometimes("a ping goes out in a pause", |_, world: &World<_>| {
                world.news.pinged_in_a_pause
            }));
        }
        if self.probes != [false, false] {
            properties.push(Property::sometimes("a probe finds the other dead", |_, world: &World<_>| {
                world.news.probed_in_vain
            }));
        }
        if self.write_timeout != [None, None] {
            properties.extend([
                Property::sometimes("a ping cannot be written", |_, world: &World<_>| {
                    world.news.write_stalled
                }),
                Property::sometimes("evidence comes before the ping is written", |_, world: &World<_>| {
                    world.news.written_after_evidence
                }),
            ]);
        }
        properties
    }
}

/// Transitions, ten times what the largest world has at its small depth. A walk without end would take all memory.
const MOST: usize = 3_000_000;

/// Walks to `depth` steps, or to `LIVENESS_MODEL_DEPTH` steps if that is set. `all` means until there is nothing new.
///
/// `at_least` this many different states must have been seen. Otherwise the walk has become empty.
fn check(plan: Plan, depth: usize, at_least: usize) {
    let depth = match std::env::var("LIVENESS_MODEL_DEPTH") {
        Ok(all) if all == "all" => None,
        Ok(depth) => Some(depth.parse().expect("LIVENESS_MODEL_DEPTH is a number of steps, or `all`")),
        Err(_) => Some(depth),
    };
    #[expect(clippy::disallowed_methods, reason = "says how long the walk took")]
    let started = Instant::now();
    let builder = plan.checker().finish_when(HasDiscoveries::AnyFailures);
    let builder = match depth {
        Some(depth) => builder.target_max_depth(depth),
        None => builder,
    };
    let most = if std::env::var_os("LIVENESS_MODEL_DEPTH").is_some() { usize::MAX } else { MOST };
    let checker = builder.target_state_count(most).spawn_bfs().join();
    let (states, transitions) = (checker.unique_state_count(), checker.state_count());
    let (deepest, took) = (checker.max_depth(), started.elapsed());
    println!(
        "{:14} {states:9} states, {transitions:9} transitions, depth {deepest:3}, {took:.1?}",
        plan.name
    );
    let mut found = checker.discoveries();
    for property in plan.properties() {
        let path = found.remove(property.name);
        match property.expectation {
            Expectation::Always => assert!(
                path.is_none(),
                "{} ({}) is broken by this life:\n{}",
                property.name,
                plan.name,
                Lives::of(&plan, path.unwrap())
            ),
            Expectation::Sometimes | Expectation::Eventually => {
                let path =
                    path.unwrap_or_else(|| panic!("{}: it never happens that {}", plan.name, property.name));
                // The transcripts that are printed must replay.
                Lives::of(&plan, path).transcripts.iter().for_each(|text| assert_replays(text));
            }
        }
    }
    assert!(states >= at_least, "{}: only {states} states", plan.name);
    assert!(
        transitions < most,
        "{}: no end of states: does `key` keep something that never comes back?",
        plan.name
    );
}

// The worlds to walk through, beside the plain one.
const IN_PART: Plan = Plan { name: "in part", behind: 1, ..Plan::BASE };
const CUT: Plan = Plan { name: "cut", cuts: true, ..Plan::BASE };
const DEAD: Plan = Plan { name: "dead", dead: true, longest_stall: [4, 1], ..Plan::BASE };
const ONLY_PONGS: Plan = Plan { name: "only pongs", cuts: true, evidence: Evidence::PongOnly, ..Plan::BASE };
const STEADY: Plan = Plan { name: "steady", longest_stall: [2, 0], schedule: Schedule::Steady, ..Plan::BASE };
const ONE_STALLS: Plan = Plan { name: "one stalls", longest_stall: [4, 0], ..Plan::BASE };
const BOTH_STALL: Plan = Plan { name: "both stall", longest_stall: [2, 2], interval: 2, ..Plan::BASE };
const TIMERS_FIRST: Plan =
    Plan { name: "timers first", longest_stall: [4, 0], timers_first: [true, true], ..Plan::BASE };
const SUSPICION: Plan =
    Plan { name: "suspicion", longest_stall: [2, 0], interval: 2, suspicion: Some(1), ..Plan::BASE };
const GOODBYES: Plan = Plan { name: "goodbyes", cuts: true, leaves: true, ..Plan::BASE };
const TALK: Plan = Plan { name: "talk", talks: [true, false], interval: 2, ..Plan::BASE };
const BOTH_TALK: Plan = Plan { name: "both talk", talks: [true, true], timeout: 1, close_timeout: 1, ..TALK };
const OVERLAP: Plan = Plan { name: "overlap", interval: 2, timeout: 3, ..Plan::BASE };
const OVERLAP_ONLY_PONGS: Plan = Plan { name: "overlap pongs", evidence: Evidence::PongOnly, ..OVERLAP };
const OVERLAP_STALLS: Plan =
    Plan { name: "overlap stalls", longest_stall: [1, 0], stall_tolerance: 0, ..OVERLAP };
const PAUSES: Plan = Plan { name: "pauses", longest_pause: [2, 0], ..Plan::BASE };
const PROBES: Plan =
    Plan { name: "probes", timeout: 3, probes: [true, false], probe_timeout: Some(1), ..Plan::BASE };
const WRITES: Plan = Plan { name: "writes", write_timeout: [Some(1), None], ..Plan::BASE };
const OVERLAP_WRITES: Plan = Plan {
    name: "overlap writes",
    interval: 1,
    timeout: 2,
    close_timeout: 1,
    write_timeout: [Some(1), None],
    ..OVERLAP
};

#[test]
fn a_slow_link() {
    check(Plan::BASE, 100, 18_000);
}

#[test]
fn a_slow_link_that_delivers_in_part() {
    check(IN_PART, 14, 3_000);
}

#[test]
fn a_link_that_is_cut() {
    check(CUT, 16, 20_000);
}

#[test]
fn a_link_dead_from_the_start() {
    check(DEAD, 100, 100);
}

#[test]
fn only_pongs_count() {
    check(ONLY_PONGS, 16, 15_000);
}

#[test]
fn a_steady_schedule() {
    check(STEADY, 16, 16_000);
}

#[test]
fn a_driver_that_stalls_for_long() {
    check(ONE_STALLS, 16, 19_000);
}

#[test]
fn both_drivers_stall() {
    check(BOTH_STALL, 14, 38_000);
}

#[test]
fn timers_before_sockets() {
    check(TIMERS_FIRST, 16, 14_000);
}

#[test]
fn suspicion() {
    check(SUSPICION, 17, 23_000);
}

#[test]
fn goodbyes() {
    check(GOODBYES, 14, 19_000);
}

#[test]
fn an_end_that_talks() {
    check(TALK, 12, 10_000);
}

#[test]
fn both_ends_talk() {
    check(BOTH_TALK, 11, 30_000);
}

#[test]
fn pings_that_overlap() {
    check(OVERLAP, 16, 4_000);
}

#[test]
fn pings_that_overlap_and_a_driver_that_stalls() {
    check(OVERLAP_STALLS, 15, 10_000);
}

#[test]
fn pings_that_overlap_and_only_pongs_count() {
    check(OVERLAP_ONLY_PONGS, 16, 4_000);
}

#[test]
fn pauses() {
    check(PAUSES, 15, 10_000);
}

#[test]
fn probes() {
    check(PROBES, 14, 10_000);
}

#[test]
fn pings_that_wait_to_be_written() {
    check(WRITES, 17, 20_000);
}

#[test]
fn pings_that_overlap_and_wait_to_be_written() {
    check(OVERLAP_WRITES, 15, 30_000);
}
