//! All faults of the table at once, beside peers that only look dead: which are given up, why, and in what order it is
//! said.

use std::sync::Arc;

use liveness_judge::{Outcome, judge_with};
use rustls::ClientConfig;

use super::Example;
use crate::trust::trust;

/// Where the certificate and the key are.
const TRUST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trust");

with_each_server!(each_fault_is_told_from_life);

#[cfg(unix)]
#[test]
fn each_fault_is_told_from_life_by_the_shortest_loop() {
    each_fault_is_told_from_life(Example::Poll);
}

#[test]
fn each_fault_is_told_from_life_under_tls_by_a_thread() {
    each_fault_is_told(Example::Blocking, Some(&trust().1));
}

#[test]
fn each_fault_is_told_from_life_under_tls_by_tokio() {
    each_fault_is_told(Example::Tokio, Some(&trust().1));
}

fn each_fault_is_told_from_life(example: Example) {
    each_fault_is_told(example, None);
}

fn each_fault_is_told(example: Example, tls: Option<&Arc<ClientConfig>>) {
    let files = ["localhost.crt.pem", "localhost.key.pem"].map(|name| format!("{TRUST}/{name}"));
    let flags = if tls.is_some() { vec!["--tls", &files[0], &files[1]] } else { vec![] };
    let judged = judge_with(&example.program(), &flags, tls, &[]);
    assert_eq!(judged.len(), 24);
    let wrong: Vec<_> = judged.into_iter().filter(|(_, _, outcome)| *outcome != Outcome::Right).collect();
    let wrong =
        wrong.iter().map(|(group, case, outcome)| format!("{} {}: {outcome:?}", group.evidence, case.name));
    assert_eq!(wrong.collect::<Vec<_>>().join("\n"), "", "{example:?}");
}
