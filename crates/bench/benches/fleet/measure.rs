//! One contender under one load, in its own process.
//!
//! An allocator keeps what it was given back. After another contender in the same process, the resident size would mean
//! little, and fragmentation would add cost.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use liveness_bench::memory::Memory;

use crate::contender::Contender;
use crate::contenders::{CONTENDERS, Entry};
use crate::watch::{Shortest, Unwatched, processor_time};
use crate::workload::{First, INTERVAL, Load, Script};

/// The quickest of the measured intervals counts. A burst of other work seldom lasts for three of them.
const INTERVALS_LEAST: u32 = 3;
/// A long interval evens out such bursts by itself, so it need not be repeated more often.
const SPEND_MOST: Duration = Duration::from_secs(15);
/// A short interval is repeated for this long,
const SPEND_LEAST: Duration = Duration::from_secs(1);
/// but no more often than this: what does not show in a hundred intervals does not show.
const INTERVALS_MOST: u32 = 100;

/// The quickest of this many runs counts for each poll. An interrupt hits one poll in ten thousand, and never the same
/// one three times.
const RUNS: u32 = 3;

/// How long the host is suspended, in nanoseconds: it slept, or was stopped in a debugger.
const SUSPENDED: u64 = 3_600_000_000_000;

/// What an event costs, and what a connection needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Nanoseconds of processor time for each data event, with everything that belongs to it. Without data events: for a
    /// ping and its answer.
    pub(crate) event: f64,
    /// Pings for each connection and interval.
    pub(crate) pings: f64,
    /// Bytes for each connection that the allocator has handed out.
    pub(crate) heap: f64,
    /// Bytes for each connection that are resident.
    pub(crate) resident: f64,
    /// Seconds to build it, to warm it up, and to live through one interval. Measuring it takes at least as long.
    pub(crate) seconds: f64,
}

/// The longest polls, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stalls {
    /// In an ordinary interval, with one data event for each connection.
    pub(crate) steady: f64,
    /// With all pings due in one instant.
    pub(crate) herd: f64,
    /// After a suspension of an hour.
    pub(crate) leap: f64,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn cost<C: Contender>(load: Load) -> Cost {
    let (before, began) = (Memory::now(), Instant::now());
    let mut contender = C::new(load.connections, First::Spread);
    let mut script = Script::new(load);
    // Warm-up: the caches, the first growth of each `Vec`, the stale entries of an interval.
    contender.interval(&mut script, &mut Unwatched);
    let built = began.elapsed();

    let (mut quickest, mut pings) = (f64::INFINITY, 0);
    let (measuring, mut intervals) = (Instant::now(), 0);
    loop {
        let (spent, enough) = (measuring.elapsed(), intervals >= INTERVALS_LEAST);
        if spent > SPEND_MOST || (enough && (spent > SPEND_LEAST || intervals >= INTERVALS_MOST)) {
            break;
        }
        script.next_interval();
        let start = processor_time();
        let asked = contender.interval(&mut script, &mut Unwatched);
        let took = processor_time().saturating_sub(start);
        let cycles = if load.events == 0 { asked.max(1) } else { load.events_an_interval() };
        quickest = quickest.min(took.as_nanos() as f64 / cycles as f64);
        pings += asked;
        intervals += 1;
    }
    let one = measuring.elapsed() / intervals;
    let memory = Memory::now().since(before);
    let connections = f64::from(load.connections);
    Cost {
        event: quickest,
        pings: pings as f64 / f64::from(intervals) / connections,
        heap: memory.heap as f64 / connections,
        resident: memory.resident as f64 / connections,
        seconds: (built + one).as_secs_f64(),
    }
}

pub(crate) fn stalls<C: Contender>(connections: u32) -> Stalls {
    let (mut steady, mut herd, mut leap) = (Shortest::new(), Shortest::new(), Shortest::new());
    for _ in 0..RUNS {
        let mut contender = C::new(connections, First::Spread);
        let mut script = Script::new(Load { connections, events: 1 });
        contender.interval(&mut script, &mut Unwatched);
        script.next_interval();
        contender.interval(&mut script, &mut steady);
        drop(contender);

        let mut contender = C::new(connections, First::AtOnce);
        contender.leap(INTERVAL, &mut herd);
        contender.leap(2 * INTERVAL + SUSPENDED, &mut leap);
        for watch in [&mut steady, &mut herd, &mut leap] {
            watch.rewind();
        }
    }
    let [steady, herd, leap] = [steady, herd, leap].map(|watch| f64::from(watch.longest()) / 1e3);
    Stalls { steady, herd, leap }
}

impl Entry {
    /// Measures in a child process. `None` if the child failed; it prints the cause on stderr.
    pub(crate) fn measured_cost(&self, load: Load) -> Option<Cost> {
        let Load { connections, events } = load;
        let answer = self.ask(&["cost", &connections.to_string(), &events.to_string()]).ok()?;
        let [event, pings, heap, resident, seconds] = answer[..] else { return None };
        Some(Cost { event, pings, heap, resident, seconds })
    }

    /// As [`measured_cost`](Self::measured_cost).
    pub(crate) fn measured_stalls(&self, connections: u32) -> Option<Stalls> {
        let [steady, herd, leap] = self.ask(&["stalls", &connections.to_string()]).ok()?[..] else {
            return None;
        };
        Some(Stalls { steady, herd, leap })
    }

    fn ask(&self, words: &[&str]) -> io::Result<Vec<f64>> {
        let child = Command::new(std::env::current_exe()?)
            .arg("--child")
            .arg(self.name)
            .args(words)
            .stderr(Stdio::inherit())
            .output()?;
        let answer = String::from_utf8_lossy(&child.stdout).into_owned();
        answer.split_whitespace().map(|word| word.parse().map_err(io::Error::other)).collect()
    }
}

/// The child's side: carries out the words after `--child`, and prints the answer. `None` if the words make no sense.
pub(crate) fn child(words: &[String]) -> Option<()> {
    let (name, words) = words.split_first()?;
    let entry = CONTENDERS.iter().find(|entry| entry.name == *name)?;
    match words {
        [what, connections, events] if what == "cost" => {
            let load = Load { connections: connections.parse().ok()?, events: events.parse().ok()? };
            let Cost { event, pings, heap, resident, seconds } = (entry.cost)(load);
            println!("{event} {pings} {heap} {resident} {seconds}");
        }
        [what, connections] if what == "stalls" => {
            let Stalls { steady, herd, leap } = (entry.stalls)(connections.parse().ok()?);
            println!("{steady} {herd} {leap}");
        }
        _ => return None,
    }
    Some(())
}
