//! Values of a strategy, the same in every run. The twins of the laws use them, to show that the lives are worth having.

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;

pub(crate) fn samples<S: Strategy>(strategy: S, count: usize) -> impl Iterator<Item = S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(move |_| strategy.new_tree(&mut runner).unwrap().current())
}
