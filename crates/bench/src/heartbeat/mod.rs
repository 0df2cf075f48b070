//! What a heartbeat costs on real sockets: the same server with the same library, with a heartbeat by hand and with this crate's.
//!
//! The server has a process of its own, so its processor time is that of nobody else. This process plays all the peers: see [`Crowd`].
//! A bench is a list of [`Stack`]s and a call of [`main`]:
//!
//! ```text
//! cargo bench -p liveness-bench --bench heartbeat               some minutes
//! cargo bench -p liveness-bench --bench heartbeat -- --quick    one short round, to see that it runs
//! cargo bench -p liveness-bench --bench heartbeat -- axum       one stack
//! ```

mod by_hand;
mod child;
mod crowd;
mod report;

use std::error::Error;
use std::net::TcpListener;
use std::time::Duration;

use clap::Parser;
use liveness::{Config, Schedule};

pub use self::by_hand::{by_hand, echo, runtime, serve_tasks, tokio_listener};
use self::child::{Child, Tool};
use self::crowd::Crowd;
use self::report::Report;

/// Longer than a busy machine stands still, because no peer of this bench dies.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// A WebSocket library, and how a server on it looks.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    pub name: &'static str,
    /// What a program writes that has no driver.
    pub by_hand: &'static str,
    /// The driver.
    pub driver: &'static str,
    /// Has one thread and the allocator [`Counting`](crate::memory::Counting), so its memory can be counted.
    pub counts_memory: bool,
    /// Accepts connections for ever, and echoes each text message.
    pub serve: fn(TcpListener, Server),
}

/// What a server is like.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    pub heartbeat: Heartbeat,
    /// Bytes of the library's read buffer; `None`: its default.
    pub read_buffer: Option<usize>,
}

/// How a server keeps its heartbeat.
#[derive(Clone, Copy, Debug)]
pub enum Heartbeat {
    Nothing,
    /// A ping each interval; [`TIMEOUT`].
    ByHand(Duration),
    Driver(Config),
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Nothing,
    ByHand,
    Driver,
    /// The driver, with a ping each interval whatever the traffic.
    Steady,
}

impl Way {
    fn heartbeat(self, interval: Duration) -> Heartbeat {
        let config = Config::builder().interval(interval).timeout(TIMEOUT);
        let config = |schedule| config.schedule(schedule).build().expect("a valid config");
        match self {
            Self::Nothing => Heartbeat::Nothing,
            Self::ByHand => Heartbeat::ByHand(interval),
            Self::Driver => Heartbeat::Driver(config(Schedule::Quiet)),
            Self::Steady => Heartbeat::Driver(config(Schedule::Steady)),
        }
    }
}

/// What the peers do besides answering pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    Nothing,
    /// Each peer sends a small message at this distance, and gets it back.
    Every(Duration),
}

/// What happens in one measurement.
#[derive(Clone, Copy, Debug)]
struct Load {
    connections: u32,
    interval: Duration,
    read_buffer: usize,
    talk: Talk,
    lasts: Duration,
}

/// What a server did between two marks.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Of its whole process, the kernel's work for it included.
    processor_time: Duration,
    pings: u64,
    echoes: u64,
    /// Bytes a connection, handed out by the allocator.
    heap: f64,
}

/// What is counted in a heartbeat: instructions of the program, and calls of the kernel.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    instructions: f64,
    reads: f64,
    writes: f64,
    all: f64,
}

/// The cost of a heartbeat on real sockets, by hand and by driver.
#[derive(Debug, Parser)]
struct Args {
    /// Only the stacks with these words in their names.
    stacks: Vec<String>,
    /// One short round without counts, to see that all of it runs.
    #[arg(long)]
    quick: bool,
    #[arg(long, default_value_t = 200)]
    connections: u32,
    /// Milliseconds from a ping to the next one.
    #[arg(long, default_value_t = 100)]
    interval: u64,
    /// Bytes of the read buffer of those libraries that have such a setting; 0: each library's default.
    #[arg(long, default_value_t = 0)]
    read_buffer: usize,
    /// Milliseconds from one message of a talking peer to the next.
    #[arg(long, default_value_t = 20)]
    talk: u64,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// Milliseconds that are measured in a round.
    #[arg(long, default_value_t = 1000)]
    lasts: u64,
    /// Cargo says so to every bench.
    #[arg(long, hide = true)]
    bench: bool,
    /// A server in a process of its own: STACK WAY INTERVAL BUFFER.
    #[arg(long, hide = true, num_args = 4)]
    child: Vec<String>,
}

/// Measures the stacks, and prints a table.
///
/// # Errors
///
/// Where a server ends, closes a peer or stops pinging: every peer is alive.
pub fn main(stacks: &[Stack]) -> Result<(), Box<dyn Error>> {
    let mut args = Args::parse();
    if let [stack, way, interval, buffer] = &args.child[..] {
        let stack = stacks.get(stack.parse::<usize>()?).ok_or("no such stack")?;
        let way = Report::WAYS.get(way.parse::<usize>()?).ok_or("no such way")?;
        let heartbeat = way.heartbeat(Duration::from_millis(interval.parse()?));
        let read_buffer = Some(buffer.parse()?).filter(|bytes| *bytes > 0);
        return Ok(child::serve(stack, Server { heartbeat, read_buffer })?);
    }
    if args.quick {
        (args.rounds, args.lasts, args.connections, args.interval) = (1, 200, 20, 20);
    }
    let load = |talk| Load {
        connections: args.connections,
        interval: Duration::from_millis(args.interval),
        read_buffer: args.read_buffer,
        talk,
        lasts: Duration::from_millis(args.lasts),
    };
    let wanted =
        |stack: &Stack| args.stacks.is_empty() || args.stacks.iter().any(|word| stack.name.contains(&**word));
    let wanted: Vec<_> = stacks.iter().enumerate().filter(|(_, stack)| wanted(stack)).collect();
    let talking = load(Talk::Every(Duration::from_millis(args.talk)));
    let mut report = Report::new(load(Talk::Nothing), talking, args.rounds);
    // In turns, because noise comes in lumps, and should hit all alike.
    for _ in 0..args.rounds {
        for &(number, stack) in &wanted {
            report.measure(number, stack)?;
        }
    }
    if !args.quick {
        for &(number, stack) in &wanted {
            report.count(number, stack)?;
        }
    }
    println!("{report}");
    Ok(())
}
