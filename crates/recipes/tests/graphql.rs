//! async-graphql's subscriptions over a `LiveStream`, judged by the official client. It needs graphql-ws in
//! `target/interop` of the root, where `.ci/run` puts it, and is skipped without it. With `LIVENESS_INTEROP=1` in the
//! environment it fails instead.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use liveness_testing::Process;
use rustix::process::Signal;

/// Many intervals, and longer than the detection bound.
const WHILE: Duration = Duration::from_millis(4_500);

/// `cargo test` has built it beside this test.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/graphql")
}

#[test]
fn a_subscription_streams_and_lives_in_silence_and_a_frozen_client_is_found() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let libraries = here.join("../../target/interop/node_modules");
    if !libraries.join("graphql-ws").exists() {
        assert!(std::env::var_os("LIVENESS_INTEROP").is_none(), "graphql-ws is not in target/interop");
        return println!("skipped: graphql-ws is not in target/interop");
    }
    let mut server = Command::new(example());
    let server = Process::start({
        server.args(["127.0.0.1:0", "300ms", "3s"]);
        server
    });
    let address = server.expect("listening on ");
    let mut client = Command::new("node");
    client
        .env("NODE_PATH", libraries)
        .arg(here.join("tests/graphql_client.js"))
        .arg(format!("ws://{address}/"));
    let client = Process::start(client);

    server.expect("online");
    for tick in 0..3 {
        assert_eq!(client.expect("tick"), tick.to_string());
    }
    // From now on only heartbeats go, in both directions.
    server.expect_no("offline", WHILE);

    client.signal(Signal::STOP);
    assert_eq!(server.expect("offline"), "ping-timeout");
    client.signal(Signal::CONT);
    assert_eq!(client.expect("closed"), "3008");
    server.expect("disconnect");
}
