//! Our servers and our client with peers that were written elsewhere: Python's websockets and Node's ws. Each peer lives
//! for several intervals, is frozen by SIGSTOP, and is woken.
//!
//! The tests run if `target/interop` has the two libraries, where `.ci/run` puts them. Otherwise they are skipped and say
//! so, or fail with `LIVENESS_INTEROP=1` in the environment.

#![cfg(unix)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use liveness_testing::Process;
use rustix::process::Signal;

use crate::program;

/// A timeout that is longer than any delay of a busy machine.
const SETTINGS: [&str; 4] = ["--interval", "300ms", "--timeout", "3s"];
/// Several intervals, and longer than the detection bound.
const WHILE: Duration = Duration::from_millis(4000);

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/servers/interop_peers").join(name)
}

/// How to start a script; `None` if its library is not installed.
fn foreign(name: &str) -> Option<Command> {
    let libraries = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/interop");
    let (python, node) = (libraries.join("venv/bin/python"), libraries.join("node_modules"));
    let is_python = name.ends_with(".py");
    let there = if is_python { python.exists() } else { node.join("ws").exists() };
    if !there {
        assert!(std::env::var_os("LIVENESS_INTEROP").is_none(), "{name} needs its library in target/interop");
        println!("skipped: {name} needs its library in target/interop");
        return None;
    }
    let mut command = Command::new(if is_python { python } else { "node".into() });
    command.arg(script(name)).env("NODE_PATH", node);
    Some(command)
}

/// A process. Everything that it prints is read.
fn start(mut command: Command) -> Process {
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    Process::start(command)
}

#[track_caller]
fn our_server_with(server: &str, client: &str) {
    let Some(mut foreign) = foreign(client) else { return };
    let mut ours = Command::new(program(server));
    ours.args(["--listen", "127.0.0.1:0"]).args(SETTINGS);
    let ours = start(ours);
    let address = ours.expect("listening on ");
    foreign.arg(format!("ws://{address}/"));
    let peer = start(foreign);
    peer.expect("connected");
    assert_eq!(peer.expect("echo"), "hello");
    assert_eq!(ours.expect("online"), "1");
    ours.expect_no("offline", WHILE);
    peer.signal(Signal::STOP);
    assert_eq!(ours.expect("offline"), "1 ping-timeout");
    peer.signal(Signal::CONT);
    // It finds the Close that was waiting for it.
    assert_eq!(peer.expect("closed"), "3008");
    assert_eq!(ours.expect("disconnect"), "1");
}

#[track_caller]
fn our_client_with(server: &str) {
    let Some(foreign) = foreign(server) else { return };
    let peer = start(foreign);
    let port = peer.expect("listening on");
    let mut ours = Command::new(program("client"));
    ours.args([&format!("ws://127.0.0.1:{port}/"), "interval=300ms", "timeout=3s", "close_timeout=1s"]);
    let mut ours = start(ours);
    ours.expect("online");
    ours.expect("rtt");
    ours.expect_no("offline", WHILE);
    peer.signal(Signal::STOP);
    assert_eq!(ours.expect("offline"), "ping-timeout");
    ours.expect("disconnect");
    assert_eq!(ours.wait(), Some(1));
    peer.signal(Signal::CONT);
    // The server still works.
    let mut again = Command::new(program("client"));
    again.arg(format!("ws://127.0.0.1:{port}/"));
    start(again).expect("online");
}

macro_rules! with {
    ($($name:ident: $test:ident($($argument:literal),+);)+) => {$(
        #[test]
        fn $name() {
            $test($($argument),+);
        }
    )+};
}

with! {
    a_python_client_of_server_blocking: our_server_with("server_blocking", "client.py");
    a_python_client_of_server_tokio: our_server_with("server_tokio", "client.py");
    a_python_client_of_server_axum: our_server_with("server_axum", "client.py");
    a_python_client_of_server_mio: our_server_with("server_mio", "client.py");
    a_node_client_of_server_blocking: our_server_with("server_blocking", "client.js");
    a_node_client_of_server_tokio: our_server_with("server_tokio", "client.js");
    a_node_client_of_server_axum: our_server_with("server_axum", "client.js");
    a_node_client_of_server_mio: our_server_with("server_mio", "client.js");
    our_client_of_a_python_server: our_client_with("server.py");
    our_client_of_a_node_server: our_client_with("server.js");
}
