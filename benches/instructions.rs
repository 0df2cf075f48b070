//! How many instructions a machine takes, counted by valgrind: figures that no neighbour disturbs.
//!
//! `cargo bench --bench instructions`, with valgrind, and the runner of gungraun's version; where the runner is missing,
//! the bench says how to install it. One call is counted, in the optimised build, its own instructions and the few that
//! hand over the arguments.

#![expect(missing_docs, unused_qualifications, reason = "what gungraun's macros write")]

use std::fs;
use std::hint::black_box;
use std::process::{self, Command, Stdio};

use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use liveness::{Action, Config, Event, Liveness, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1);
/// By then a ping is due, whatever the jitter.
const DUE: Timestamp = Timestamp::from_secs(21);

/// A machine that is online. Leaked, so that neither moving nor freeing it is counted.
fn online() -> &'static mut Liveness {
    let machine = Box::leak(Box::new(Liveness::new(Config::DEFAULT, 7, Timestamp::ZERO)));
    while machine.poll(Timestamp::ZERO).is_some() {}
    machine.handle(Event::Data, Timestamp::ZERO);
    machine
}

#[library_benchmark]
#[bench::machine(online())]
fn data(machine: &mut Liveness) {
    machine.handle(Event::Data, black_box(NOW));
}

#[library_benchmark]
#[bench::machine(online())]
fn poll_not_due(machine: &mut Liveness) {
    black_box(machine.poll(black_box(Timestamp::ZERO)).is_some());
}

// A ping handed out, its answer, and the poll that finds nothing more to do.
#[library_benchmark]
#[bench::machine(online())]
fn ping_cycle(machine: &mut Liveness) {
    let now = black_box(DUE);
    if let Some(Action::SendPing(payload)) = machine.poll(now) {
        machine.handle(Event::Pong(payload.as_bytes()), now);
    }
    black_box(machine.poll(now).is_some());
}

library_benchmark_group!(name = machine; benchmarks = data, poll_not_due, ping_cycle);

// The same of a `Fleet` belong into a group `fleet`, and its name into the list below.
main!(config = config(); library_benchmark_groups = machine);

/// Gungraun asks for this before it starts its runner: the place to say how to get one.
fn config() -> LibraryBenchmarkConfig {
    let runner = option_env!("GUNGRAUN_RUNNER").unwrap_or("gungraun-runner");
    let found = Command::new(runner).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        eprintln!(
            "no {runner}: cargo install gungraun-runner --version {}",
            version().as_deref().unwrap_or("?")
        );
        process::exit(1);
    }
    LibraryBenchmarkConfig::default()
}

/// Gungraun's version, as `Cargo.lock` has it; the runner must be of the same.
fn version() -> Option<String> {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).ok()?;
    let (_, rest) = lock.split_once("name = \"gungraun\"\nversion = \"")?;
    Some(rest.split_once('"')?.0.to_owned())
}
