//! How many instructions a machine takes, counted by valgrind. Other work on the computer does not change these figures.
//!
//! `cargo bench -p liveness-bench --bench instructions` needs valgrind, and gungraun's runner of the same version. If the
//! runner is missing, the bench says how to install it. One call is counted in the optimised build: its own instructions,
//! and the few that pass the arguments.

#![expect(missing_docs, unused_qualifications, reason = "what gungraun's macros write")]

use std::fs;
use std::hint::black_box;
use std::process::{self, Command, Stdio};

use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use liveness::{Action, Config, Event, Fleet, Key, Liveness, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1);
/// By this time a ping is due, whatever the jitter is.
const DUE: Timestamp = Timestamp::from_secs(21);

/// A machine that is online. It is leaked, so that neither moving nor freeing it is counted.
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

/// A fleet of a thousand connections that are online, and one of them.
fn fleet() -> (&'static mut Fleet, Key) {
    let fleet = Box::leak(Box::new(Fleet::new(Config::DEFAULT, 7)));
    let keys: Vec<Key> = (0..1_000).filter_map(|_| fleet.insert(Timestamp::ZERO).ok()).collect();
    while fleet.poll(Timestamp::ZERO).is_some() {}
    while fleet.poll_timeout() == Some(Timestamp::ZERO) {
        while fleet.poll(Timestamp::ZERO).is_some() {}
    }
    (fleet, keys[500])
}

/// The same, with the first ping due.
fn due() -> (&'static mut Fleet, Timestamp) {
    let (fleet, _) = fleet();
    let first = fleet.poll_timeout().unwrap_or(DUE);
    (fleet, first)
}

#[library_benchmark]
#[bench::fleet(fleet())]
fn fleet_data((fleet, key): (&mut Fleet, Key)) {
    black_box(fleet.handle(key, Event::Data, black_box(Timestamp::ZERO)).is_ok());
}

#[library_benchmark]
#[bench::fleet(fleet())]
fn fleet_poll_not_due((fleet, _): (&mut Fleet, Key)) {
    black_box(fleet.poll(black_box(Timestamp::ZERO)).is_some());
}

// The wheel reaches it, the ping, its answer, and the poll that puts it back.
#[library_benchmark]
#[bench::fleet(due())]
fn fleet_ping_cycle((fleet, now): (&mut Fleet, Timestamp)) {
    let now = black_box(now);
    if let Some((key, Action::SendPing(payload))) = fleet.poll(now) {
        black_box(fleet.handle(key, Event::Pong(payload.as_bytes()), now).is_ok());
    }
    black_box(fleet.poll(now).is_some());
}

library_benchmark_group!(name = many; benchmarks = fleet_data, fleet_poll_not_due, fleet_ping_cycle);

main!(config = config(); library_benchmark_groups = machine, many);

/// Gungraun calls this before it starts its runner. So this is the place to say how to get one.
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

/// Gungraun's version in `Cargo.lock`. The runner must have the same.
fn version() -> Option<String> {
    let lock = fs::read_to_string(liveness_bench::host::root().join("Cargo.lock")).ok()?;
    let (_, rest) = lock.split_once("name = \"gungraun\"\nversion = \"")?;
    Some(rest.split_once('"')?.0.to_owned())
}
