//! Several nodes and one truth: the rules in Redis beside the crate's own machines, simulated clusters, and real ones under
//! a thousand people while their nodes are killed and stopped, and Redis with them.
//!
//! `cargo test --test cluster`, where there is a `redis-server`: on Debian, `apt-get install redis-server`.

mod crowd;
mod faults;
mod lives;
mod model;
#[path = "../../examples/cluster/node/mod.rs"]
mod node;
#[path = "../browser/program.rs"]
#[allow(dead_code, reason = "the browser's tests use all of it")]
mod program;
mod reading;
#[path = "../../examples/cluster/redis_server.rs"]
mod redis_server;
mod rules;
#[path = "../../examples/cluster/settings.rs"]
mod settings;
mod stage;
#[path = "../../examples/cluster/store/mod.rs"]
mod store;
#[path = "../../examples/cluster/words.rs"]
mod words;
mod world;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use liveness::Clock;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};

/// Where cargo puts what it builds: these tests are in `TARGET/PROFILE/deps`.
fn target() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(3).unwrap_or(Path::new("target")).to_owned()
}

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// To a Redis, beside the nodes. By itself the client gives an answer half a second.
async fn connect(client: &Client) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new();
    let config = config.set_response_timeout(Some(PATIENCE)).set_connection_timeout(Some(PATIENCE));
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// Waits until it is so.
#[track_caller]
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let clock = Clock::new();
    let start = clock.now();
    while !so() {
        assert!(clock.now() < start + PATIENCE, "never: {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}
