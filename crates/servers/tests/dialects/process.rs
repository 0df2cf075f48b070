//! How an official end is started.

use std::path::PathBuf;
use std::process::Command;

use super::{Language, Trial};

fn libraries() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/interop")
}

/// Where Python has its packages. The version of Python is in the path.
fn site_packages() -> Option<PathBuf> {
    let lib = std::fs::read_dir(libraries().join("venv/lib")).ok()?;
    lib.map_while(Result::ok).map(|python| python.path().join("site-packages")).next()
}

/// The installed version.
fn version(trial: &Trial) -> Option<String> {
    if trial.language == Language::Node {
        let manifest = libraries().join("node_modules").join(trial.package).join("package.json");
        let manifest = std::fs::read_to_string(manifest).ok()?;
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        return manifest["version"].as_str().map(str::to_owned);
    }
    // PEP 427: `python_socketio-5.18.1.dist-info`.
    let begins = format!("{}-", trial.package.replace('-', "_"));
    let packages = std::fs::read_dir(site_packages()?).ok()?;
    let names = packages.map_while(Result::ok).filter_map(|package| package.file_name().into_string().ok());
    let mut versions =
        names.filter_map(|name| Some(name.strip_prefix(&begins)?.strip_suffix(".dist-info")?.to_owned()));
    versions.next()
}

/// The installed version, as the page shows it.
pub(crate) fn installed(trial: &Trial) -> String {
    version(trial).expect("it was run")
}

/// How to start the official end of a trial: a client of this URL, or a server. `None` if its library is not installed.
pub(crate) fn command(trial: &Trial, url: &str, talks: bool) -> Option<Command> {
    let script = match (trial.is_server, trial.language) {
        (true, Language::Node) => "clients.js",
        (false, Language::Node) => "servers.js",
        (true, Language::Python) => "clients.py",
        (false, Language::Python) => "servers.py",
    };
    if version(trial).is_none() {
        let missing = format!("{script} needs {} in target/interop", trial.package);
        assert!(std::env::var_os("LIVENESS_INTEROP").is_none(), "{missing}");
        println!("skipped: {missing}");
        return None;
    }
    let mut command = match trial.language {
        Language::Node => Command::new("node"),
        Language::Python => Command::new(libraries().join("venv/bin/python")),
    };
    command.env("NODE_PATH", libraries().join("node_modules")).env("PYTHONUNBUFFERED", "1");
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    command.arg(here.join("tests/dialects/peers").join(script)).arg(trial.package).arg(url);
    if talks {
        command.arg("talks");
    }
    Some(command)
}
