//! A path that the checker found, replayed with recorders: two transcripts, and what the world did between them.

use std::fmt::Write as _;

use liveness::transcript::{Page, Recorder};
use liveness::{Liveness, Observed};
use stateright::Path;

use super::plan::{Plan, SEED};
use super::world::{START, Step, World, at};

/// The two lives of one path, each as a transcript, and the steps of the world.
pub(super) struct Lives {
    pub(super) steps: String,
    pub(super) transcripts: [String; 2],
}

impl Lives {
    pub(super) fn of(plan: &Plan, path: Path<World<Liveness>, Step>) -> Self {
        let path = path.into_vec();
        let earlier = path.first().map_or(0, |(first, _)| first.earlier);
        let pages = [Page::default(), Page::default()];
        let recorded = |who: usize, opened| {
            let mut machine = Observed::new(Liveness::new(plan.config(who), SEED, opened));
            machine.observe(Recorder::new(pages[who].clone()), opened);
            machine
        };
        let machines = [recorded(0, at(START)), recorded(1, at(START - earlier))];
        let mut world = World::new(*plan, machines, earlier);
        let mut steps = String::new();
        for step in path.into_iter().filter_map(|(_, step)| step) {
            let _ = writeln!(steps, "{:>3}s  {}", world.now - START, in_words(step));
            world.step(step);
        }
        drop(world);
        Self { steps, transcripts: pages.map(|page| page.text()) }
    }
}

impl std::fmt::Display for Lives {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [client, server] = &self.transcripts;
        write!(
            f,
            "the world (seconds since the client opened):\n{}\nthe client:\n{client}\nthe server:\n{server}",
            self.steps
        )
    }
}

fn in_words(step: Step) -> String {
    const WHO: [&str; 2] = ["client", "server"];
    match step {
        Step::Tick([0, 0]) => "a second passes".into(),
        Step::Tick([client, server]) => {
            format!("a second passes; before, {client} frames reach the sleeping client, {server} the server")
        }
        Step::Turn(who, frames) => format!("{frames} frames arrive, and the {} wakes", WHO[who]),
        Step::Cut(from, keep) => {
            format!("what the {} sends is lost from here, except {keep} frames", WHO[from])
        }
        Step::Leave(who) => format!("the {} wants out", WHO[who]),
        Step::Say(who) => format!("the {} sends a message", WHO[who]),
        Step::Probe(who) => format!("the {} probes", WHO[who]),
        Step::Pause(who) => format!("the {} stops to read", WHO[who]),
        Step::Resume(who, frames) => format!("{frames} frames arrive, and the {} reads again", WHO[who]),
        Step::Write(who) => format!("bytes of the {} enter the transport", WHO[who]),
        Step::SendPing(who) => format!("the ping of the {} enters the transport", WHO[who]),
    }
}
