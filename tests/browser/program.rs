//! A program with a page, as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::{eventually, target};

/// A running example, killed at the end whatever the end is.
pub(crate) struct Program {
    example: &'static str,
    flags: Vec<String>,
    child: Child,
    address: SocketAddr,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// Starts it on a free port.
    pub(crate) fn start(example: &'static str, flags: &[&str]) -> Self {
        build(example);
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>();
        let (child, address, complaints) = launch(example, "127.0.0.1:0", &flags);
        Self { example, flags, child, address, complaints }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Stops the process (SIGSTOP): its sockets stay open, and it says nothing.
    pub(crate) fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    pub(crate) fn thaw(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// Ends it at once (SIGKILL); its system closes its sockets.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it anew, on the same port.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let (child, address, complaints) = launch(self.example, &self.address.to_string(), &self.flags);
        assert_eq!(address, self.address);
        (self.child, self.complaints) = (child, complaints);
    }

    /// What it has said on stderr since it listens.
    pub(crate) fn complaints(&self) -> Vec<String> {
        lock(&self.complaints).clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It ends a stopped process too.
        self.kill();
        if thread::panicking() {
            println!("{} said on stderr:\n{}", self.example, self.complaints().join("\n"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has cargo build it: a run of this test alone builds no examples. Where all is built this takes a moment.
fn build(example: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = lock(&ONE_AT_A_TIME);
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--example", example, "--target-dir"]).arg(target());
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // What cargo tells the tests of their package: build scripts that watch it would run again, and all that hangs on them.
    for (name, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"];
        if told.iter().any(|told| name.to_string_lossy().starts_with(told)) {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Where it is, built.
#[allow(dead_code, reason = "the cluster's tests start it in another way too")]
pub(crate) fn built(example: &str) -> PathBuf {
    build(example);
    file(example)
}

fn file(example: &str) -> PathBuf {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    target().join(profile).join("examples").join(example)
}

fn launch(example: &str, listen: &str, flags: &[String]) -> (Child, SocketAddr, Arc<Mutex<Vec<String>>>) {
    let mut command = Command::new(file(example));
    command.args(["--listen", listen]).args(flags);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&complaints);
    thread::spawn(move || lines.map_while(Result::ok).for_each(|line| lock(&collected).push(line)));
    let prefix = "listening on ";
    eventually(&format!("{example} listens"), || {
        let ended = child.try_wait().unwrap();
        let said = lock(&complaints);
        assert!(ended.is_none(), "{example} ended: {said:?}");
        said.iter().any(|line| line.starts_with(prefix))
    });
    let mut said = lock(&complaints);
    let greeting = said.iter().position(|line| line.starts_with(prefix)).unwrap();
    let greeting = said.remove(greeting);
    drop(said);
    let address = greeting.trim_start_matches(prefix).trim_start_matches("http://").parse().unwrap();
    (child, address, complaints)
}
