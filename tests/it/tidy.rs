//! The house rules that no compiler knows.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The floor of a module of `src`: a module uses only its own floor and those below.
fn floor(module: &str) -> usize {
    match module {
        "time" | "event" | "payload" | "beat" | "limiter" | "rtt" => 0,
        "config" => 1,
        "lease" | "liveness" | "presence" | "reconnect" | "state" => 2,
        "arbitrary" | "fleet" | "sim" | "strategy" | "traced" | "transcript" => 3,
        "driver" => 4,
        other => panic!("src/{other} has no floor: give it one here"),
    }
}

#[test]
fn no_module_uses_a_floor_above_its_own() {
    let src = root().join("src");
    for path in sources(&src) {
        let inside = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let module = inside.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.trim_start().starts_with("use crate::")) {
            let used = line.trim_start().trim_start_matches("use crate::");
            let used = used.split([':', ';', '{']).next().unwrap();
            assert!(floor(used) <= floor(&module), "src/{inside} climbs: {line}");
        }
    }
}

#[test]
fn no_file_of_src_is_longer_than_a_few_screens() {
    for path in sources(&root().join("src")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        // Half of config.rs is the docs of its settings.
        let limit = if path.ends_with("src/config.rs") { 600 } else { 400 };
        assert!(lines <= limit, "{} has {lines} lines: split it by noun", path.display());
    }
}

#[test]
fn every_fuzz_target_is_listed_and_every_listed_one_is_there() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    let listed: Vec<_> = manifest.lines().filter(|line| line.starts_with("path = \"fuzz_targets/")).collect();
    let present = sources(&root().join("fuzz/fuzz_targets"));
    assert!(!present.is_empty());
    assert_eq!(listed.len(), present.len());
    for target in present {
        let name = target.file_name().unwrap().to_string_lossy().into_owned();
        assert!(listed.iter().any(|line| line.contains(&name)), "{name} is not in fuzz/Cargo.toml");
    }
}

#[test]
fn every_dependency_is_optional() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    for line in dependencies.lines().filter(|line| line.contains('=')) {
        assert!(line.contains("optional = true"), "a default build would need {line}");
    }
}
