//! The program `judge`: its exit status if nothing can be judged.

use std::net::TcpListener;
use std::process::Command;

/// What it says on stderr. It judges nothing.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_judge")).args(args).output().unwrap();
    assert_eq!((run.status.code(), String::from_utf8_lossy(&run.stdout)), (Some(2), "".into()), "{args:?}");
    String::from_utf8(run.stderr).unwrap()
}

#[test]
fn a_program_that_does_not_start_is_not_wrong() {
    assert!(refused(&["no/such/server"]).contains("does not start"));
    assert!(refused(&["--client", "no/such/client"]).contains("does not start"));
}

#[test]
fn a_server_that_is_not_there_is_not_wrong() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(refused(&["--url", &format!("ws://{free}/")]).contains("no server answers"));
    assert!(refused(&["--url", "http://127.0.0.1/"]).contains("ws://"));
}

#[test]
fn a_case_that_is_not_there_is_not_ignored() {
    for args in [&["server"][..], &["--client", "client"], &["--url", "ws://127.0.0.1:1/"]] {
        let said = refused(&[args, &["--only", "freeze", "--only", "freez"]].concat());
        assert!(said.contains("`freez`"), "{said}");
    }
}
