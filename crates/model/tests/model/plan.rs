//! What may happen in a world, and the settings of its machines: small whole seconds.

use std::time::Duration;

use liveness::{Config, Evidence, Schedule, Suspicion};

/// The seed of both machines. It keys the payloads, and nothing here mixes the two ends' pings.
pub(super) const SEED: u64 = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) interval: u64,
    pub(super) timeout: u64,
    pub(super) last_look: u64,
    pub(super) stall_tolerance: u64,
    pub(super) close_timeout: u64,
    pub(super) suspicion: Option<u64>,
    pub(super) evidence: Evidence,
    pub(super) schedule: Schedule,
    /// For how many seconds each driver may sleep although it has work, any number of times.
    pub(super) longest_stall: [u64; 2],
    /// For how many seconds each driver may stop reading, any number of times.
    pub(super) longest_pause: [u64; 2],
    /// Which of the drivers poll once before they read.
    pub(super) timers_first: [bool; 2],
    /// Which of the ends may probe, and below it how long the wait of a probe is.
    pub(super) probes: [bool; 2],
    pub(super) probe_timeout: Option<u64>,
    /// How long each end's pings may wait to be written, if its driver reports writes.
    pub(super) write_timeout: [Option<u64>; 2],
    /// How many frames an arrival may leave under way.
    pub(super) behind: usize,
    /// The link is cut in both directions from the start.
    pub(super) dead: bool,
    pub(super) cuts: bool,
    pub(super) leaves: bool,
    pub(super) talks: bool,
}

impl Plan {
    pub(super) const BASE: Self = Self {
        name: "slow",
        interval: 3,
        timeout: 2,
        last_look: 1,
        stall_tolerance: 1,
        close_timeout: 2,
        suspicion: None,
        evidence: Evidence::AnyTraffic,
        schedule: Schedule::Quiet,
        longest_stall: [0, 0],
        longest_pause: [0, 0],
        timers_first: [false, false],
        probes: [false, false],
        probe_timeout: None,
        write_timeout: [None, None],
        behind: 0,
        dead: false,
        cuts: false,
        leaves: false,
        talks: false,
    };

    /// The settings of this end's machine.
    pub(super) fn config(&self, who: usize) -> Config {
        let seconds = Duration::from_secs;
        let or_never = |timeout: Option<u64>| timeout.map_or(Duration::MAX, seconds);
        let config = Config::builder()
            .interval(seconds(self.interval))
            .timeout(seconds(self.timeout))
            .probe_timeout(or_never(self.probe_timeout))
            .write_timeout(or_never(self.write_timeout[who]))
            .last_look(seconds(self.last_look))
            .stall_tolerance(seconds(self.stall_tolerance))
            .close_timeout(seconds(self.close_timeout))
            .suspicion(self.suspicion.map_or(Suspicion::Never, |after| Suspicion::After(seconds(after))))
            .evidence(self.evidence)
            .schedule(self.schedule)
            .jitter(0)
            .unlimited_control_frames();
        config.build().expect("a valid plan")
    }

    /// What is older than this has fallen due, and was seen late if it is seen now.
    pub(super) fn horizon(&self) -> u64 {
        let write = self.write_timeout.iter().flatten().max().copied().unwrap_or(0);
        let verdict = self.timeout.max(write) + self.last_look + self.stall_tolerance;
        1 + self.interval.max(verdict).max(self.close_timeout)
    }
}
