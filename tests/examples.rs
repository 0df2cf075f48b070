//! The examples as processes. A small `fleet` plays its script, counts, and judges itself. `client` meets a server that
//! moves it about.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use liveness_testing::host::bound;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

/// Where cargo has built it, because `cargo test` builds all examples.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().unwrap().parent().unwrap();
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is missing: cargo build --example {name}", program.display());
    program
}

/// The first number after `before` in the output.
#[track_caller]
fn number(said: &str, before: &str) -> u64 {
    let (_, rest) = said.split_once(before).unwrap_or_else(|| panic!("no {before:?} in:\n{said}"));
    let digits = rest.chars().take_while(|sign| sign.is_ascii_digit() || *sign == ',');
    digits.filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn the_example_finds_all_who_die_and_drops_nobody_else() {
    let mut run = Command::new(example("fleet"));
    let run = run.args(["--connections", "2000", "--simulated", "70", "--seed", "11"]).output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}");
    assert_eq!(said.lines().last(), Some("right: all who died were found in time, nobody else was dropped"));
    for whole in [
        "\ndark      100 of 100 found,",
        "\nmute      10 of 10 found,",
        "\nflooding  20 of 20 found,",
        "\nothers    1,870 lived, 30 of them mute but talking; 0 dropped wrongly\n",
    ] {
        assert!(said.contains(whole), "no {whole:?} in:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "no terminal, no escapes:\n{said}");
    // A connection that does not already wait for an answer is asked at once.
    let asked = number(&said, "probe_all     ");
    assert!((1_700..=1_870).contains(&asked), "{asked} asked");
    assert!(number(&said, "\nin all    ") > 100_000, "{said}");
}

#[test]
fn too_few_connections_for_the_script_are_refused() {
    let run = Command::new(example("fleet")).args(["--connections", "100"]).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
}

#[test]
fn a_recording_is_asked_how_it_would_have_gone() {
    let file = std::env::temp_dir().join(format!("liveness-what-if-{}.txt", std::process::id()));
    std::fs::write(&file, "config interval=10s timeout=12s jitter=0\n0s < open\n25s < pong #1\n40s < eof\n")
        .unwrap();
    let ask =
        |settings| Command::new(example("replay")).args(["--what-if", settings]).arg(&file).output().unwrap();
    let [hasty, patient] =
        ["timeout=5s", "timeout=25s"].map(|settings| String::from_utf8(ask(settings).stdout).unwrap());
    let wrong = ask("timeoat=5s");
    std::fs::remove_file(&file).unwrap();
    assert!(hasty.contains("15.01s        > offline ping-timeout"), "{hasty}");
    assert!(patient.contains("40s           > offline transport-closed"), "{patient}");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("`timeoat` is no setting"));
}

/// As under `replay --draw FILE... | head`. The pipe takes less than all that is said here.
#[cfg(unix)]
#[test]
fn a_reader_that_has_enough_changes_no_outcome() {
    let transcripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let files: Vec<_> = std::fs::read_dir(transcripts).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut run = Command::new(example("replay"));
    let run = run.arg("--draw").args(files.iter().cycle().take(400));
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(run.stdout.take());
    let run = run.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(run.stderr).unwrap(), "");
    assert_eq!(run.status.code(), Some(0));
}

fn tell(socket: &mut WebSocket<TcpStream>, words: &str) {
    socket.send(Message::text(words)).unwrap();
}

#[test]
fn the_client_leaves_one_connection_when_another_stands() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let accept = || tungstenite::accept(bound(listener.accept().unwrap().0)).unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let client = Command::new(example("client")).arg(url).stdout(Stdio::piped()).spawn().unwrap();
    let mut old = accept();
    tell(&mut old, "one");
    tell(&mut old, "moving 0");
    // A new connection is not stable. So the dial waits for the backoff, and the old one stays in use.
    tell(&mut old, "two");
    let mut new = accept();
    let left = loop {
        let message = old.read().unwrap();
        if let Message::Close(frame) = message {
            break frame.map(|frame| u16::from(frame.code));
        }
        assert!(message.is_ping(), "{message}");
    };
    assert_eq!(left, Some(1001));
    tell(&mut new, "three");
    new.close(Some(CloseFrame { code: 1000.into(), reason: "bye".into() })).unwrap();
    while new.read().is_ok() {}
    drop(new);
    let run = client.wait_with_output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert_eq!(said, "one\ntwo\nthree\nover: closed with code 1000\n");
}

/// `docs/client.md` shows the whole function of the example.
#[test]
fn the_page_about_clients_shows_the_example_as_it_is() {
    let page = include_str!("../docs/client.md");
    let shown = page.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(include_str!("../examples/client.rs").contains(shown), "docs/client.md shows another program");
}
