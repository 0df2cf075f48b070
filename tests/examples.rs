//! The examples as processes of their own. `fleet`, small: it plays its script, counts, and judges itself.

use std::path::PathBuf;
use std::process::Command;

/// Where cargo has built it: `cargo test` builds all examples.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().unwrap().parent().unwrap();
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is missing: cargo build --example {name}", program.display());
    program
}

/// The first number after `before` in what it said.
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
    // A connection that does not wait for an answer already is asked at once.
    let asked = number(&said, "probe_all     ");
    assert!((1_700..=1_870).contains(&asked), "{asked} asked");
    assert!(number(&said, "\nin all    ") > 100_000, "{said}");
}

#[test]
fn too_few_connections_for_the_script_are_refused() {
    let run = Command::new(example("fleet")).args(["--connections", "100"]).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
}
