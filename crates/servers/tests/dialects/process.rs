//! A process of somebody else's, and what it prints.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use liveness::Clock;
use liveness_testing::raw_peer::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};

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

pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let (tell, lines) = channel();
        let out = child.stdout.take().unwrap();
        thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
        });
        Self { child, lines }
    }

    /// The rest of the next line that contains this.
    #[track_caller]
    pub(crate) fn expect(&self, wanted: &str) -> String {
        let clock = Clock::new();
        let until = clock.now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(clock.now())) {
                Ok(line) => match line.split_once(wanted) {
                    Some((_, rest)) => return rest.trim().to_owned(),
                    None => seen.push(line),
                },
                Err(error) => panic!("no `{wanted}` ({error}) after {seen:#?}"),
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
