//! The machine and the tools that the figures were measured with. What cannot be found out is called unknown.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNKNOWN: &str = "unknown";

/// The workspace's folder.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// CPU, cores, memory, and how busy the machine was.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| UNKNOWN.to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|kib| kib.split_whitespace().next()?.parse::<f64>().ok())
        .map_or_else(|| UNKNOWN.to_owned(), |kib| format!("{:.0} GiB", kib / f64::from(1 << 20)));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or(UNKNOWN).to_owned();
    format!("{cpu}, {cores} cores, {memory} of memory; load average {load} at the end")
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

pub fn rustc() -> String {
    said("rustc", "--version")
}

pub fn today() -> String {
    said("date", "+%F")
}

fn said(program: &str, argument: &str) -> String {
    // Run it in the package's folder, because a toolchain file there would count.
    let output = Command::new(program).arg(argument).current_dir(root()).output();
    output.map_or_else(
        |_| UNKNOWN.to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// `tokio 1.0.0`, as `Cargo.lock` has it.
pub fn package(name: &str) -> String {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap_or_default();
    let version = lock
        .split_once(&format!("name = \"{name}\"\nversion = \""))
        .and_then(|(_, rest)| Some(rest.split_once('"')?.0));
    format!("{name} {}", version.unwrap_or(UNKNOWN))
}

pub fn docs() -> PathBuf {
    root().join("docs")
}
