//! All figures of a run, as tables.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use liveness::Config;

use crate::contenders::{CONTENDERS, Entry, OURS, PACKAGES};
use crate::measure::{Cost, Stalls};
use crate::workload::Load;
use crate::{herd, plot};
use liveness_bench::host;
use liveness_bench::table::{Table, count, number};

/// Data events for each connection and interval.
pub(crate) const EVENTS: [u32; 3] = [0, 1, 10];

/// The number of connections for which ratios, bytes and stalls are shown.
pub(crate) const REFERENCE: u32 = 1_000_000;

/// A cell that would take longer is left out, because nobody would wait for the table.
const LIMIT_SECONDS: f64 = 60.0;
/// A cell that would need more is left out. It would measure the swap of a small machine, or never end.
const LIMIT_BYTES: f64 = 8.0 * (1_u64 << 30) as f64;
/// The growth from one size to the next: ten times the connections, and a fifth more for the caches.
const FORECAST: f64 = 12.0;

pub(crate) struct Report {
    sizes: Vec<u32>,
    costs: HashMap<(&'static str, u32, u32), Cost>,
    stalls: HashMap<&'static str, Stalls>,
    jittered: f64,
    unjittered: f64,
}

impl Report {
    /// Measures everything. Prints on stderr how far it is.
    pub(crate) fn measure(sizes: &[u32]) -> Self {
        let mut report = Self {
            sizes: sizes.to_owned(),
            costs: HashMap::new(),
            stalls: HashMap::new(),
            jittered: herd::busiest(Config::DEFAULT, REFERENCE),
            unjittered: herd::busiest(Config::builder().jitter(0).build_const(), REFERENCE),
        };
        for entry in CONTENDERS {
            for events in EVENTS {
                report.grow(entry, events);
            }
            if entry.takes_part() {
                eprintln!("{}: the longest poll", entry.name);
                report.stalls.extend(entry.measured_stalls(REFERENCE).map(|stalls| (entry.name, stalls)));
            }
        }
        report
    }

    /// One contender's row, from the smallest size to the largest within the limits.
    fn grow(&mut self, entry: &Entry, events: u32) {
        if !entry.takes_part() && events == 0 {
            return; // nothing arrives and nothing is due, so there is no loop
        }
        let mut before: Option<Cost> = None;
        for connections in self.sizes.clone() {
            if before.is_some_and(|cost| cost.is_too_much_for(connections)) {
                return;
            }
            eprintln!("{}: {} connections, {events} events each", entry.name, count(connections));
            before = entry.measured_cost(Load { connections, events });
            match before {
                Some(cost) => self.costs.insert((entry.name, connections, events), cost),
                None => return,
            };
        }
    }

    pub(crate) fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    pub(crate) fn cost(&self, name: &'static str, connections: u32, events: u32) -> Option<Cost> {
        self.costs.get(&(name, connections, events)).copied()
    }

    /// Nanoseconds for each event at each size, and the other figures at the reference size.
    fn costs(&self, events: u32) -> Table {
        let sizes = self.sizes.iter().map(|&size| count(size));
        let rest = ["ratio", "bytes", "resident", "pings"].map(str::to_owned);
        let mut table = Table::new(["ns".to_owned()].into_iter().chain(sizes).chain(rest));
        let ours = self.cost(OURS, REFERENCE, events);
        for entry in CONTENDERS {
            let costs = self.sizes.iter().map(|&size| self.cost(entry.name, size, events));
            let mut row = vec![entry.name.to_owned()];
            row.extend(costs.map(|cost| number(cost.map(|cost| cost.event))));
            let cost = self.cost(entry.name, REFERENCE, events);
            let ratio = cost.zip(ours).map(|(cost, ours)| cost.event / ours.event);
            let bytes = |bytes: fn(Cost) -> f64| cost.filter(|_| entry.takes_part()).map(bytes);
            row.push(number(ratio));
            row.push(number(bytes(|cost| cost.heap)));
            row.push(number(bytes(|cost| cost.resident)));
            row.push(number(bytes(|cost| cost.pings)));
            if entry.takes_part() || events != 0 {
                table.row(row);
            }
        }
        table
    }

    /// The cost at the largest size, divided by the cost at the smallest.
    fn growth(&self) -> Table {
        let header = EVENTS.map(|events| format!("{events} each"));
        let mut table = Table::new(["growth".to_owned()].into_iter().chain(header));
        let (&smallest, &largest) = self.sizes.first().zip(self.sizes.last()).expect("some sizes");
        for entry in CONTENDERS {
            let growth = EVENTS.map(|events| {
                let [small, large] = [smallest, largest].map(|size| self.cost(entry.name, size, events));
                number(large.zip(small).map(|(large, small)| large.event / small.event))
            });
            table.row([entry.name.to_owned()].into_iter().chain(growth));
        }
        table
    }

    fn stalls(&self) -> Table {
        let mut table = Table::new(["us", "steady", "herd", "leap"]);
        for entry in CONTENDERS.iter().filter(|entry| entry.takes_part()) {
            let stalls = self.stalls.get(entry.name).copied();
            let [steady, herd, leap] = [
                stalls.map(|stalls| stalls.steady),
                stalls.map(|stalls| stalls.herd),
                stalls.map(|stalls| stalls.leap),
            ];
            table.row([entry.name.to_owned(), number(steady), number(herd), number(leap)]);
        }
        table
    }

    fn herds(&self) -> Table {
        let mut table = Table::new(["pings in the busiest hundredth of the interval", "%"]);
        table.row(["liveness, jitter as by default".to_owned(), number(Some(100.0 * self.jittered))]);
        table.row(["the recipe: each interval, no jitter".to_owned(), number(Some(100.0 * self.unjittered))]);
        table
    }
}

impl Cost {
    /// Whether the next size would exceed a limit.
    fn is_too_much_for(self, connections: u32) -> bool {
        self.seconds * FORECAST > LIMIT_SECONDS || self.resident * f64::from(connections) > LIMIT_BYTES
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packages: Vec<_> = PACKAGES.iter().map(|name| host::package(name)).collect();
        writeln!(f, "{}, on {}, with {}.", host::today(), host::machine(), host::rustc())?;
        writeln!(f, "{}.", packages.join(", "))?;
        let reference = count(REFERENCE);
        for events in EVENTS {
            let what = match events {
                0 => "No data: a ping and its answer".to_owned(),
                1 => "One data event a connection and interval".to_owned(),
                _ => format!("{events} data events a connection and interval"),
            };
            write!(
                f,
                "\n{what}, in ns; what follows the sizes is at {reference}:\n\n{}",
                self.costs(events)
            )?;
        }
        let (first, last) = (self.sizes.first().copied(), self.sizes.last().copied());
        let [first, last] = [first, last].map(|size| size.map(count).unwrap_or_default());
        write!(f, "\nGrowth of an event's cost, {last} over {first}:\n\n{}", self.growth())?;
        write!(f, "\nLongest single poll at {reference}, in us:\n\n{}", self.stalls())?;
        write!(f, "\n{reference} clients reconnect in one instant:\n\n{}", self.herds())
    }
}

impl Report {
    /// As in the docs: the tables, with the plots below them.
    pub(crate) fn markdown(&self) -> String {
        let mut text = self.to_string();
        for events in EVENTS {
            // Writing to a `String` never fails.
            let _ = write!(text, "\n![{}]({})\n", plot::title(events), plot::file(events));
        }
        text
    }
}
