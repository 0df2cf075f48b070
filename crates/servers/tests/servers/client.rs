//! `client`, in the hands of a server that moves it about. What it does in general is tested with `liveness-client`.

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use liveness_testing::host::bound;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

use super::program;

fn dismiss(mut socket: WebSocket<TcpStream>, code: u16) {
    socket.close(Some(CloseFrame { code: code.into(), reason: "bye".into() })).unwrap();
    while socket.read().is_ok() {}
}

/// What it prints, without the lines that begin with a time, and its exit status.
fn client(
    flags: &[&str],
    serve: impl FnOnce(&dyn Fn() -> WebSocket<TcpStream>),
) -> (Vec<String>, Option<i32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let accept = || tungstenite::accept(bound(listener.accept().unwrap().0)).unwrap();
    let mut command = Command::new(program("client"));
    command.arg(format!("ws://{}/", listener.local_addr().unwrap())).args(flags);
    let client = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    serve(&accept);
    drop(listener);
    let run = client.wait_with_output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let is_timed = |line: &str| line.starts_with(|sign: char| sign.is_ascii_digit());
    (said.lines().filter(|line| !is_timed(line)).map(str::to_owned).collect(), run.status.code())
}

#[test]
fn a_client_that_stays_moves_to_another_connection_and_loses_no_message() {
    let (said, status) = client(&["--stay"], |accept| {
        let mut old = accept();
        old.send(Message::text("one")).unwrap();
        old.send(Message::text("moving 0")).unwrap();
        old.send(Message::text("two")).unwrap();
        let mut new = accept();
        old.send(Message::text("three")).unwrap();
        while old.read().is_ok() {}
        new.send(Message::text("four")).unwrap();
        dismiss(new, 1000);
    });
    assert_eq!((&*said.join(" "), status), ("one two three four", Some(0)));
}

#[test]
fn a_client_that_does_not_stay_prints_what_the_server_says_and_dials_once() {
    let (said, status) = client(&[], |accept| {
        let mut only = accept();
        only.send(Message::text("moving 0")).unwrap();
        dismiss(only, 1012);
    });
    assert_eq!((&*said.join(" "), status), ("moving 0", Some(0)));
    let (said, status) = client(&[], |accept| drop(accept()));
    assert_eq!((said.len(), status), (0, Some(1)));
}
