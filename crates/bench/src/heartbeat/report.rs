//! The median of all rounds, and a table of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use super::{Child, Counts, Load, Stack, Talk, Tool, Way};
use crate::host;
use crate::table::{Table, number};

pub(super) struct Report {
    idle: Load,
    talking: Load,
    rounds: u32,
    stacks: BTreeMap<usize, (Stack, [Row; 4])>,
}

/// The figures of one way.
#[derive(Default)]
struct Row {
    /// Microseconds of processor time, of each round.
    heartbeat: Vec<f64>,
    message: Vec<f64>,
    pings_a_message: Option<f64>,
    heap: Option<f64>,
    calls: Option<Counts>,
    instructions: Option<f64>,
}

impl Report {
    pub(super) const WAYS: [Way; 4] = [Way::Nothing, Way::ByHand, Way::Driver, Way::Steady];

    pub(super) const fn new(idle: Load, talking: Load, rounds: u32) -> Self {
        Self { idle, talking, rounds, stacks: BTreeMap::new() }
    }

    /// One round of one stack.
    pub(super) fn measure(&mut self, number: usize, stack: &Stack) -> io::Result<()> {
        let (_, rows) = self.stacks.entry(number).or_insert_with(|| (*stack, <[Row; 4]>::default()));
        for (index, (way, row)) in Self::WAYS.into_iter().zip(rows).enumerate() {
            for load in [self.idle, self.talking] {
                let idle = load.talk == Talk::Nothing;
                // Without traffic the two schedules are one, and nothing does nothing.
                if idle && !matches!(way, Way::ByHand | Way::Driver) {
                    continue;
                }
                let words = words(number, index, load);
                let failed =
                    |error| io::Error::other(format!("{}, {way:?}, {:?}: {error}", stack.name, load.talk));
                let cost = Child::measure(&words, load, way != Way::Nothing).map_err(failed)?;
                let each = |count: u64| cost.processor_time.as_secs_f64() * 1e6 / count as f64;
                if idle {
                    row.heartbeat.push(each(cost.pings));
                    row.heap = Some(cost.heap).filter(|_| stack.counts_memory);
                } else {
                    row.message.push(each(cost.echoes));
                    row.pings_a_message = Some(cost.pings as f64 / cost.echoes as f64);
                }
            }
        }
        Ok(())
    }

    /// Counts are the same in every round. Few connections, so that no tool's slowness makes pings wait for each other.
    pub(super) fn count(&mut self, number: usize, stack: &Stack) -> io::Result<()> {
        let load = Load { connections: COUNTED, ..self.idle };
        let (_, rows) = self.stacks.entry(number).or_insert_with(|| (*stack, <[Row; 4]>::default()));
        for (index, (way, row)) in Self::WAYS.into_iter().zip(rows).enumerate() {
            if matches!(way, Way::ByHand | Way::Driver) {
                let words = words(number, index, load);
                row.calls = Child::count(&words, load, Tool::Strace)?;
                row.instructions =
                    Child::count(&words, load, Tool::Valgrind)?.map(|counts| counts.instructions);
            }
        }
        Ok(())
    }
}

/// Connections while a tool counts.
const COUNTED: u32 = 20;

/// Not the quickest: a server that waited for a processor finds several heartbeats at once, which is cheaper.
fn median(rounds: &[f64]) -> Option<f64> {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied()
}

fn words(stack: usize, way: usize, load: Load) -> [String; 4] {
    [stack.to_string(), way.to_string(), load.interval.as_millis().to_string(), load.read_buffer.to_string()]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { connections, interval, lasts, read_buffer, .. } = self.idle;
        let read_buffer = if read_buffer == 0 { "by default".to_owned() } else { read_buffer.to_string() };
        let talk = match self.talking.talk {
            Talk::Nothing => Duration::ZERO,
            Talk::Every(distance) => distance,
        };
        writeln!(f, "{}, on {}, with {}.", host::today(), host::machine(), host::rustc())?;
        writeln!(
            f,
            "{connections} connections, a ping every {interval:?}, a message every {talk:?}, read buffer {read_buffer}; \
             medians of {} rounds of {lasts:?}.\n",
            self.rounds,
        )?;
        let mut table = Table::new([
            "",
            "us, a heartbeat",
            "ratio",
            "instructions",
            "reads",
            "writes",
            "all calls",
            "us, a message",
            "ratio",
            "pings",
            "bytes",
        ]);
        for (stack, rows) in self.stacks.values() {
            let [nothing, by_hand, driver, steady] = rows;
            let steady_driver = format!("{}, steady", stack.driver);
            let names = ["no heartbeat", stack.by_hand, stack.driver, &steady_driver];
            for (name, row) in names.into_iter().zip([nothing, by_hand, driver, steady]) {
                let ratio = |mine: &[f64], theirs: &[f64]| {
                    number(median(mine).zip(median(theirs)).map(|(mine, theirs)| mine / theirs))
                };
                let calls = |get: fn(Counts) -> f64| number(row.calls.map(get));
                table.row([
                    format!("{}: {name}", stack.name),
                    number(median(&row.heartbeat)),
                    ratio(&row.heartbeat, &by_hand.heartbeat),
                    number(row.instructions),
                    calls(|calls| calls.reads),
                    calls(|calls| calls.writes),
                    calls(|calls| calls.all),
                    number(median(&row.message)),
                    ratio(&row.message, &by_hand.message),
                    number(row.pings_a_message),
                    number(row.heap),
                ]);
            }
        }
        write!(f, "{table}")
    }
}
