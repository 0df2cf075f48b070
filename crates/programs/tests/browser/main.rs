//! The programs with a page, seen through a real browser. Each has several pages at once. What happens to one of them is
//! seen by the others.
//!
//! Run `cargo test -p liveness-programs --test browser`. It needs Chromium, its driver and Redis: on Debian, `apt-get
//! install chromium chromium-driver redis-server`. Screenshots are left in `target/screenshots`.

mod browser;
mod chat;
mod cluster;
mod editor;
mod feed;
mod half;
mod playground;
mod proxy;
mod smoke;
mod soak;
mod stage;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// The runtime of the tests' own sockets. The tests themselves are plain functions that wait.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// The runtime of a server that belongs to the tests.
fn runtime_of_one() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Where cargo puts what it builds. These tests are in `TARGET/PROFILE/deps`.
fn target() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(3).unwrap_or(Path::new("target")).to_owned()
}

const CHAT: &str = env!("CARGO_BIN_EXE_chat");
const CLUSTER: &str = env!("CARGO_BIN_EXE_cluster");
const EDITOR: &str = env!("CARGO_BIN_EXE_editor");
const FEED: &str = env!("CARGO_BIN_EXE_feed");
const PLAYGROUND: &str = env!("CARGO_BIN_EXE_playground");
