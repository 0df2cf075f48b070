//! Every fault of the table at once, beside those who only look dead: who is given up, why, and in what order it is said.

use liveness_judge::{Outcome, judge};

use super::Example;

with_each_server!(each_fault_is_told_from_life);

#[cfg(unix)]
#[test]
fn each_fault_is_told_from_life_by_the_shortest_loop() {
    each_fault_is_told_from_life(Example::Poll);
}

fn each_fault_is_told_from_life(example: Example) {
    let judged = judge(&example.program(), &[]);
    assert_eq!(judged.len(), 24);
    let wrong: Vec<_> = judged.into_iter().filter(|(_, _, outcome)| *outcome != Outcome::Right).collect();
    let wrong =
        wrong.iter().map(|(group, case, outcome)| format!("{} {}: {outcome:?}", group.evidence, case.name));
    assert_eq!(wrong.collect::<Vec<_>>().join("\n"), "", "{example:?}");
}
