//! How a life begins: that of a world, or that of a script.

use std::collections::BinaryHeap;

use crate::chance::{Nanos, nanos, number, unit};
use crate::proxy::Proxy;
use crate::rule::Rule;
use crate::script::{Script, Witness};
use crate::simulate::{Outcome, Simulation, WATCHED, What, pipes};
use crate::spells::Spells;
use crate::world::{Death, World};

impl<'a, R: Rule, M: Fn(u64, Nanos) -> R> Simulation<'a, M> {
    /// `make` makes the rule of a connection, from its seed and the time of the host's clock.
    pub fn run(world: &'a World, make: M, seed: u64) -> Outcome {
        // At any moment of a ping's cycle.
        let dies_at = nanos(world.life + 120.0 * unit(number(seed, 3, 0)));
        let longest_night = world.sleeps.map_or(0.0, |sleeps| sleeps.longest);
        let end = dies_at + nanos(WATCHED + 2.0 * longest_night);
        let mut simulation = Self::new(world, make, (), seed, end);
        let sleeps = &simulation.sleeps;
        // Not while the host sleeps. Otherwise every rule finds it as soon as it wakes.
        let dies_at =
            sleeps.end_at(dies_at).map_or(dies_at, |woke| woke + nanos(60.0 * unit(number(seed, 3, 1))));
        simulation.dies_at = dies_at;
        simulation.cuts = match world.death {
            Death::Cut => [dies_at, dies_at],
            Death::Deaf => [dies_at, Nanos::MAX],
            Death::Mute => [Nanos::MAX, dies_at],
        };
        // An end that sleeps receives nothing.
        if world.sleeps.is_some() {
            simulation.outages = simulation.sleeps.clone();
        }
        simulation.live(end);
        simulation.outcome
    }
}

impl<'a, R: Rule, M: Fn(u64, Nanos) -> R, W: Witness> Simulation<'a, M, W> {
    /// One connection, to its own end or the script's. The script and the world make its events, and no peer dies of age.
    pub fn tell(world: &'a World, make: M, seed: u64, script: &'a Script, witness: W) {
        let mut simulation = Self::new(world, make, witness, seed, script.ends_at);
        simulation.script = Some(script);
        simulation.cuts = script.cuts.map(|at| at.unwrap_or(Nanos::MAX));
        simulation.dies_at = simulation.cuts[0].min(simulation.cuts[1]);
        simulation.lost_pings.add(&script.lost_pings);
        simulation.peer_stalls.add(&script.peer_stalls);
        simulation.driver_stalls.add(&script.driver_stalls);
        simulation.sleeps.add(&script.sleeps);
        simulation.outages.add(&script.outages);
        simulation.outages.add(&script.sleeps);
        for (index, (at, ..)) in script.frames.iter().enumerate() {
            simulation.enter(*at, What::Frame { index });
        }
        if let Some((at, _)) = script.proxy {
            simulation.enter(at, What::Proxy);
        }
        simulation.live(script.ends_at);
    }

    fn new(world: &'a World, make: M, witness: W, seed: u64, end: Nanos) -> Self {
        let spells = |often, what| Spells::new(often, number(seed, what, 0), end);
        let never = [Nanos::MAX; 2];
        Self {
            world,
            make,
            witness,
            script: None,
            over: false,
            seed,
            dies_at: Nanos::MAX,
            cuts: never,
            lost_pings: Spells::default(),
            outages: spells(world.network.outages, 5),
            peer_stalls: spells(world.peer_stalls, 6),
            driver_stalls: spells(world.driver_stalls, 7),
            read_pauses: spells(world.read_pauses, 15),
            sleeps: spells(world.sleeps, 4),
            agenda: BinaryHeap::new(),
            entered: 0,
            written: Vec::new(),
            unread: Vec::new(),
            paused: false,
            proxy: Proxy::new(world.proxy, 0),
            awake_at: 0,
            connection: 0,
            pipes: pipes(world, seed, 0, never),
            pings: 0,
            connected_at: 0,
            timer: Nanos::MAX,
            set: 0,
            suspected: false,
            outcome: Outcome::default(),
        }
    }
}
