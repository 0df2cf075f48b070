//! Many connections on one thread: what each event costs, compared with what people use instead. `docs/performance.md`
//! explains the workload, the columns, and what is done about noise.
//!
//! ```text
//! cargo bench -p liveness-bench --bench fleet                      up to a million connections: some minutes
//! cargo bench -p liveness-bench --bench fleet -- --full            ten million as well
//! cargo bench -p liveness-bench --bench fleet -- --full --write    and the tables and plots in docs/
//! ```

mod contender;
mod contenders;
mod delay_queue;
mod fleet;
mod heap;
mod herd;
mod measure;
mod plot;
mod report;
mod scan;
mod tasks;
mod watch;
mod wheel;
mod workload;

use std::error::Error;
use std::fs;

use clap::Parser;

use report::Report;

#[global_allocator]
static ALLOCATOR: liveness_bench::memory::Counting = liveness_bench::memory::Counting;

/// What heartbeats cost for many connections, compared with what people use instead.
#[derive(Parser)]
struct Args {
    /// Measure ten million connections too.
    #[arg(long)]
    full: bool,
    /// Write the figures into docs/performance.md, and the plots beside it.
    #[arg(long)]
    write: bool,
    /// Cargo passes this to every bench.
    #[arg(long, hide = true)]
    bench: bool,
    /// Measure in this process: CONTENDER cost CONNECTIONS EVENTS, or CONTENDER stalls CONNECTIONS.
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    child: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if !args.child.is_empty() {
        return measure::child(&args.child).ok_or_else(|| format!("no such child: {:?}", args.child).into());
    }
    let sizes: &[u32] =
        if args.full { &[10_000, 100_000, 1_000_000, 10_000_000] } else { &[10_000, 100_000, 1_000_000] };
    let report = Report::measure(sizes);
    println!("{report}");
    if args.write {
        write(&report)?;
    }
    Ok(())
}

/// This bench writes what is between these lines of the docs.
const BEGIN: &str = "<!-- begin: cargo bench -p liveness-bench --bench fleet -- --full --write -->\n";
const END: &str = "<!-- end -->\n";

fn write(report: &Report) -> Result<(), Box<dyn Error>> {
    let path = liveness_bench::host::docs().join("performance.md");
    let text = fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("no line where the figures begin")?;
    let (_, after) = rest.split_once(END).ok_or("no line where the figures end")?;
    fs::write(&path, format!("{before}{BEGIN}\n{}\n{END}{after}", report.markdown()))?;
    plot::write(report)
}
