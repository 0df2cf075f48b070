//! `client`, and a server that moves it about. `liveness-client` has the other tests of this client.

use std::net::TcpStream;
use std::process::{Command, Stdio};

use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

use super::feeds::Mock;
use super::program;

fn dismiss(mut socket: WebSocket<TcpStream>, code: u16) {
    socket.close(Some(CloseFrame { code: code.into(), reason: "bye".into() })).unwrap();
    while socket.read().is_ok() {}
}

/// What it prints, without the lines that begin with a time, and its exit status.
fn client(flags: &[&str], serve: impl FnOnce(&Mock)) -> (Vec<String>, Option<i32>) {
    let mock = Mock::new();
    let mut command = Command::new(program("client"));
    command.arg(&mock.url).args(flags);
    let client = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    serve(&mock);
    drop(mock);
    let run = client.wait_with_output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let is_timed = |line: &str| line.starts_with(|sign: char| sign.is_ascii_digit());
    (said.lines().filter(|line| !is_timed(line)).map(str::to_owned).collect(), run.status.code())
}

#[test]
fn a_client_that_stays_moves_to_another_connection_and_loses_no_message() {
    let (said, status) = client(&["--stay"], |mock| {
        let mut old = mock.accept();
        old.send(Message::text("one")).unwrap();
        old.send(Message::text("moving 0")).unwrap();
        old.send(Message::text("two")).unwrap();
        let mut new = mock.accept();
        old.send(Message::text("three")).unwrap();
        while old.read().is_ok() {}
        new.send(Message::text("four")).unwrap();
        dismiss(new, 1000);
    });
    assert_eq!((&*said.join(" "), status), ("one two three four", Some(0)));
}

#[test]
fn a_client_that_does_not_stay_prints_what_the_server_says_and_dials_once() {
    let (said, status) = client(&[], |mock| {
        let mut only = mock.accept();
        only.send(Message::text("moving 0")).unwrap();
        dismiss(only, 1012);
    });
    assert_eq!((&*said.join(" "), status), ("moving 0", Some(0)));
    let (said, status) = client(&[], |mock| drop(mock.accept()));
    assert_eq!((said.len(), status), (0, Some(1)));
}
