//! The programs with a page, seen through a real browser: several pages of each at once, and what befalls one of them as
//! the others see it.
//!
//! `cargo test --test browser`, where Chromium, its driver and Redis are: on Debian, `apt-get install chromium chromium-driver
//! redis-server`. Screenshots are left in `target/screenshots`.

mod browser;
mod chat;
mod cluster;
mod editor;
mod feed;
mod half;
mod program;
mod proxy;
#[path = "../../examples/cluster/redis_server.rs"]
mod redis_server;
mod smoke;
mod soak;
mod stage;
#[path = "../../examples/web/mod.rs"]
mod web;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use liveness::Clock;
use tokio::runtime::{Builder, Runtime};

/// More than anything here takes on a machine that is busy: a page may rest half a minute before it dials again.
const PATIENCE: Duration = Duration::from_secs(60);

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What the tests' own sockets run on. The tests themselves are plain functions that wait.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// What a server of the tests' own runs on.
fn runtime_of_one() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Where cargo puts what it builds: these tests are in `TARGET/PROFILE/deps`.
fn target() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(3).unwrap_or(Path::new("target")).to_owned()
}

fn rest(time: Duration) {
    let clock = Clock::new();
    let end = clock.now() + time;
    while clock.now() < end {
        thread::park_timeout(end.saturating_duration_since(clock.now()));
    }
}

/// Waits until it is so, and says how long it took.
#[track_caller]
fn eventually(what: &str, mut so: impl FnMut() -> bool) -> Duration {
    let clock = Clock::new();
    let start = clock.now();
    while !so() {
        assert!(clock.now() < start + PATIENCE, "never: {what}");
        rest(millis(20));
    }
    clock.now().saturating_duration_since(start)
}
