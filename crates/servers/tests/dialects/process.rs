//! How a script of somebody else's library is run.

use std::path::PathBuf;
use std::process::Command;

/// How to run a script of `peers`, if its libraries are there.
pub(crate) fn foreign(script: &str) -> Option<Command> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let libraries = here.join("../../target/interop/node_modules");
    if !libraries.join("engine.io").exists() {
        assert!(
            std::env::var_os("LIVENESS_INTEROP").is_none(),
            "{script} needs its libraries in target/interop"
        );
        println!("skipped: {script} needs its libraries in target/interop");
        return None;
    }
    let mut command = Command::new("node");
    command.arg(here.join("tests/dialects/peers").join(script)).env("NODE_PATH", libraries);
    Some(command)
}
