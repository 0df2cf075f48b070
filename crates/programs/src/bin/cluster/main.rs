//! Several nodes and one truth: who is here, and one pen, shared by server processes through a Redis.
//!
//! `cargo cluster` starts a `redis-server` of its own and three nodes. Open two of the addresses that it prints,
//! and kill, stop and restart what you like from the terminal (`help` says how).
//!
//! Which part decides what:
//!
//! - each socket is a `LiveStream`: its `Liveness` decides whether a connection is alive, on the node that has it;
//! - `Presence` makes a node's own people of its connections, and everybody of what the nodes claim;
//! - what must be single is decided in Redis, by one script (`store/rules.lua`) on Redis's clock: which node is believed, who has
//!   left, who holds the pen, whether an edit is good;
//! - `Reconnect` decides when a node dials a Redis that is away;
//! - a page notices by the same machines that its node answers no more, and dials again: `liveness.js`.
//!
//! The pen is not a `Lease` on an elected node, although its rules are. An elected node would be a second thing that can
//! die: its queue would have to be handed over, and a leader that was stopped and goes on does not know that it was deposed,
//! so each write would still have to be checked in Redis, in the same step in which it is stored. Where the check is, the
//! token and its holder must be; so the queue is there as well, and nobody is elected. The price is that the rules stand there
//! a second time, in Lua. So `crates/programs/tests/cluster/model.rs` is the crate's `Lease` and `Presence` with the same
//! operations, and a test has both live the same lives, and compares every answer.
//!
//! `settings.rs` has the numbers and the bound that follows from them; `store/` what the nodes agree on; `node/` all decisions
//! of a node, without a socket; `hub.rs` and `serve.rs` carry them out; `words.rs` is what pages and nodes say to each other;
//! `stage.rs` starts the processes. `docs/cluster.md` tells how it works, what it promises, and how it goes on to a
//! hundred nodes.

mod hub;
mod serve;
mod simulate;
mod stage;

use std::io;
use std::time::Duration;

use clap::{Parser, Subcommand};
use liveness::Config;
use liveness::parse_duration;
use liveness_programs::cluster::settings::Settings;
use liveness_programs::web;
use tokio::signal;

/// Several nodes and one truth: who is here, and one pen, shared by server processes through a Redis.
///
/// Without `--node` it starts a redis-server and the nodes, as processes of their own, and takes commands from the terminal.
///
/// A user of a node that dies is gone everywhere within `ttl + linger + 2 * beat`, 7 s as it comes.
#[derive(Clone, Debug, Parser)]
#[command(name = "cluster")]
struct Program {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    web: web::Args,
    /// How many nodes to start; they listen on the address given and on the ports after it.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    /// Be one node, of this name, at the Redis of `--redis`.
    #[arg(long, value_name = "NAME", requires = "redis")]
    node: Option<String>,
    /// End when the process that started this one does, whatever ends that.
    #[arg(long, hide = true)]
    staged: bool,
    /// The Redis to use, instead of one of its own: `redis://127.0.0.1:6379`.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    // Six beats: a node that pauses for two seconds keeps its claims.
    /// How long Redis believes a node without hearing of it.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    ttl: Duration,
    /// How often a node is heard of.
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse_duration)]
    beat: Duration,
    // Longer than the slowest redial, so that nobody leaves because Redis was away.
    /// How long a user that no node claims is still there.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    linger: Duration,
    /// How long a pen whose holder is not heard of stays frozen while others wait.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    grace: Duration,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    Simulate(simulate::Args),
    /// Be a redis-server that ends when the process that started it does.
    #[command(hide = true)]
    RedisServer {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
}

impl Program {
    fn settings(&self) -> Result<Settings, String> {
        let Self { ttl, beat, linger, grace, .. } = *self;
        Settings { ttl, beat, linger, grace }.check()
    }
}

/// Ctrl-C, or the SIGTERM by which a system ends its services.
async fn asked_to_end() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminated = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        tokio::select! {
            done = signal::ctrl_c() => done,
            _ = terminated.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await
}

#[tokio::main]
async fn main() -> Result<(), web::Failure> {
    let program = Program::parse();
    let settings = program.settings()?;
    match &program.command {
        Some(Command::Simulate(args)) => return simulate::run(args, settings).await,
        Some(Command::RedisServer { flags }) => return stage::become_redis(flags),
        None => {}
    }
    if program.staged {
        stage::end_with_parent();
    }
    let (Some(name), Some(redis)) = (&program.node, &program.redis) else {
        return stage::run(&program, settings).await;
    };
    let config = program.web.config(Config::builder())?;
    let listener = program.web.listen().await?;
    serve::serve(name, listener, config, settings, redis).await
}
