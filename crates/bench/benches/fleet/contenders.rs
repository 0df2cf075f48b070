//! The list of contenders.

use crate::contender::{Lines, Nobody};
use crate::delay_queue::TokioUtil;
use crate::fleet::{Echo, Fleet};
use crate::heap::{LazyDeletion, LazyRearm};
use crate::measure::{Cost, Stalls, cost, stalls};
use crate::scan::Scan;
use crate::tasks::Tasks;
use crate::wheel::NexusTimer;
use crate::workload::Load;

/// A contender.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) cost: fn(Load) -> Cost,
    pub(crate) stalls: fn(u32) -> Stalls,
}

/// The contender that the others' costs are divided by. While no entry has this name, there are no ratios.
pub(crate) const OURS: &str = "Fleet";

/// A part of every contender's cost.
pub(crate) const ALONE: [&str; 2] = ["memory alone", "the loop alone"];

impl Entry {
    /// A contender whose cost is compared.
    pub(crate) fn takes_part(&self) -> bool {
        !ALONE.contains(&self.name)
    }
}

pub(crate) const CONTENDERS: &[Entry] = &[
    Entry { name: OURS, cost: cost::<Fleet>, stalls: stalls::<Fleet> },
    Entry { name: "Fleet, answering", cost: cost::<Echo>, stalls: stalls::<Echo> },
    Entry { name: "heap, lazy re-arm", cost: cost::<LazyRearm>, stalls: stalls::<LazyRearm> },
    Entry { name: "heap, lazy deletion", cost: cost::<LazyDeletion>, stalls: stalls::<LazyDeletion> },
    Entry { name: "nexus-timer", cost: cost::<NexusTimer>, stalls: stalls::<NexusTimer> },
    Entry { name: "DelayQueue", cost: cost::<TokioUtil>, stalls: stalls::<TokioUtil> },
    Entry { name: "task each", cost: cost::<Tasks>, stalls: stalls::<Tasks> },
    Entry { name: "scan each second", cost: cost::<Scan>, stalls: stalls::<Scan> },
    Entry { name: ALONE[0], cost: cost::<Lines>, stalls: stalls::<Lines> },
    Entry { name: ALONE[1], cost: cost::<Nobody>, stalls: stalls::<Nobody> },
];

/// The libraries whose versions are printed with the figures.
pub(crate) const PACKAGES: &[&str] = &["liveness", "nexus-timer", "tokio", "tokio-util"];
