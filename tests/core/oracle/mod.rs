//! A second opinion: every life is lived by the machine and by a naive reference, which is written only from the rules.
//!
//! The lives are the same in every run. `ORACLE_SEED` chooses others, and `ORACLE_CASES` more.

mod clocks;
mod history;
mod lives;
mod reference;
mod tally;
mod world;

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use liveness_testing::REASONS;
use tally::Tally;

const SEED: u64 = 1;
const CASES: u64 = 800;

fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}: expected a whole number")),
        Err(_) => default,
    }
}

fn runner(seed: u64, cases: u64) -> TestRunner {
    let cases = u32::try_from(cases).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[test]
fn machine_and_reference_agree_on_every_life() {
    let (seed, cases) = (from_env("ORACLE_SEED", SEED), from_env("ORACLE_CASES", CASES));
    let tally = RefCell::new(Tally::default());
    let outcome = runner(seed, cases).run(&lives::lives(), |life| {
        tally.borrow_mut().add(&world::live(&life).map_err(TestCaseError::fail)?);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(difference, life)) => {
            panic!("ORACLE_SEED={seed}, the shortest life that differs:\n{difference}\n{life:?}");
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    // The comparison would also pass in a world where nothing happens.
    let tally = tally.into_inner();
    for kind in REASONS.into_iter().chain(tally::KINDS).filter(|_| cases >= CASES) {
        assert!(tally.of(kind) >= 3, "{kind} is rare: {tally:?}");
    }
}
