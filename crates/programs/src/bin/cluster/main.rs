//! Several nodes and one truth: who is here, and one pen, shared by server processes through a Redis.
//!
//! `cargo cluster` starts a `redis-server` of its own and three nodes. Open two of the addresses that it prints,
//! and kill, stop and restart what you like from the terminal (`help` says how).
//!
//! Which part decides what:
//!
//! - each socket is a `LiveStream`. Its `Liveness` decides whether a connection is alive, on the node that has it;
//! - `Presence` makes a node's own users from its connections, and all users from what the nodes claim;
//! - decisions that must be made once are made in Redis, by one script (`store/rules.lua`) and Redis's clock: which node
//!   is believed, who has left, who holds the pen, whether an edit is valid;
//! - `Reconnect` decides when a node dials a Redis that is away;
//! - a page notices with the same machines that its node does not answer any more, and dials again: `liveness.js`.
//!
//! The pen has the rules of a `Lease`, but is not a `Lease` on an elected node. An elected node could die too. Its queue
//! would have to be handed over. A leader that was stopped and goes on does not know that it was replaced. So Redis would
//! still have to check each write, in the same step in which it stores the write. That check needs the token and its
//! holder, so Redis has the queue as well, and no node is elected. The price is that the rules exist a second time, in
//! Lua. So `crates/programs/tests/cluster/model.rs` has the crate's `Lease` and `Presence` with the same operations. A
//! test runs the same lives with both, and compares every answer.
//!
//! `settings.rs` has the numbers and the bound that follows from them. `store/` is what the nodes agree on. `node/` has
//! all decisions of a node, without a socket. `hub.rs` and `serve.rs` carry them out. `words.rs` has the messages of
//! pages and nodes. `stage.rs` starts the processes. `docs/cluster.md` says how it works, what it promises, and how it
//! grows to a hundred nodes.

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
/// Without `--node` it starts a redis-server and the nodes as processes, and takes commands from the terminal.
///
/// The users of a node that dies are gone everywhere within `ttl + linger + 2 * beat`, 7 s by default.
#[derive(Clone, Debug, Parser)]
#[command(name = "cluster")]
struct Program {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    web: web::Args,
    /// How many nodes to start. They listen on the given address and on the ports after it.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    /// Be one node with this name, at the Redis of `--redis`.
    #[arg(long, value_name = "NAME", requires = "redis")]
    node: Option<String>,
    /// End when the process that started this one ends, for whatever reason.
    #[arg(long, hide = true)]
    staged: bool,
    /// The Redis to use: `redis://127.0.0.1:6379`. Without it the program starts its own.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    // Six beats: a node that pauses for two seconds keeps its claims.
    /// How long Redis believes a node that it does not hear.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    ttl: Duration,
    /// How often a node tells Redis that it is alive.
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse_duration)]
    beat: Duration,
    // Longer than the slowest redial, so that nobody leaves because Redis was away.
    /// How long a user that no node claims is still shown.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    linger: Duration,
    /// How long a pen stays frozen if its holder is not heard and others wait.
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
