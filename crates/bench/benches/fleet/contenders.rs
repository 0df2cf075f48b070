//! Who takes part.

use crate::contender::{Lines, Nobody};
use crate::delay_queue::TokioUtil;
use crate::fleet::{Echo, Fleet};
use crate::heap::{LazyDeletion, LazyRearm};
use crate::measure::{Cost, Stalls, cost, stalls};
use crate::scan::Scan;
use crate::tasks::Tasks;
use crate::wheel::NexusTimer;
use crate::workload::Load;

/// One who takes part.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) cost: fn(Load) -> Cost,
    pub(crate) stalls: fn(u32) -> Stalls,
}

/// The one whose cost the others are divided by. While no entry has this name, there are no ratios.
pub(crate) const OURS: &str = "Fleet";

/// Part of everybody's cost.
pub(crate) const ALONE: [&str; 2] = ["memory alone", "the loop alone"];

impl Entry {
    /// One of those whose cost is compared.
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

/// Whose versions belong beside the figures.
pub(crate) const PACKAGES: &[&str] = &["liveness", "nexus-timer", "tokio", "tokio-util"];
