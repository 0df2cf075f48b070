//! Stopwatches for single polls.

use std::time::{Duration, Instant};

/// The time that this thread has spent on a processor, with the kernel's work for it. It leaves out the time in which
/// other threads ran. Nothing here ever waits for anything else. It is a system call, so it is for long stretches only.
#[cfg(unix)]
pub(crate) fn processor_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("time since the thread began")
}

/// The time that passed, on systems that have nothing better.
#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn processor_time() -> Duration {
    use std::sync::LazyLock;
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ORIGIN.elapsed()
}

/// Is called when a poll begins and when it ends.
pub(crate) trait Watch {
    fn start(&mut self);
    fn stop(&mut self);
}

/// Does not look, because reading the clock twice costs more than most polls.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    fn start(&mut self) {}
    fn stop(&mut self) {}
}

/// For the i-th poll of a simulation: the shortest time that it took in any run.
///
/// The simulation is deterministic: the i-th poll does the same work each time. If it was slower in one run than in
/// another, the cause is not the code but an interrupt, other work on the machine or a page fault. So the maximum over
/// all polls of the minimum over all runs is the worst that the code itself can take.
pub(crate) struct Shortest {
    /// Four bytes for each poll. A poll of more than 4 s counts as one of 4 s.
    polls: Vec<u32>,
    at: usize,
    runs: usize,
    started: Instant,
}

impl Shortest {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub(crate) fn new() -> Self {
        Self { polls: Vec::new(), at: 0, runs: 0, started: Instant::now() }
    }

    /// The run is over. The next run must have the same polls.
    ///
    /// # Panics
    ///
    /// If it had another number of polls than the runs before. Then it was another simulation.
    pub(crate) fn rewind(&mut self) {
        assert_eq!(self.at, self.polls.len(), "as many polls in each run");
        self.at = 0;
        self.runs += 1;
    }

    /// The longest poll, in nanoseconds.
    pub(crate) fn longest(&self) -> u32 {
        self.polls.iter().copied().max().unwrap_or(0)
    }
}

impl Watch for Shortest {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    fn start(&mut self) {
        self.started = Instant::now();
    }

    fn stop(&mut self) {
        let took = u32::try_from(self.started.elapsed().as_nanos()).unwrap_or(u32::MAX);
        if self.runs == 0 {
            self.polls.push(took);
        } else {
            let poll = self.polls.get_mut(self.at).expect("as many polls in each run");
            *poll = took.min(*poll);
        }
        self.at += 1;
    }
}
