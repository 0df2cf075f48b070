//! A program with a page. It runs as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Running, eventually};

/// A running program. It is killed when this is dropped.
pub struct Program {
    program: PathBuf,
    flags: Vec<String>,
    running: Running,
    address: SocketAddr,
}

impl Program {
    /// Starts it on a free port.
    pub fn start(program: impl Into<PathBuf>, flags: &[&str]) -> Self {
        let program = program.into();
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>();
        let (running, address) = launch(&program, "127.0.0.1:0", &flags);
        Self { program, flags, running, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Stops the process (SIGSTOP). Its sockets stay open, and it says nothing.
    pub fn freeze(&self) {
        kill_process(Pid::from_child(&self.running.child), Signal::STOP).unwrap();
    }

    pub fn thaw(&self) {
        kill_process(Pid::from_child(&self.running.child), Signal::CONT).unwrap();
    }

    /// Ends it at once (SIGKILL). The system closes its sockets.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) {
        self.kill();
        let (running, address) = launch(&self.program, &self.address.to_string(), &self.flags);
        assert_eq!(address, self.address);
        self.running = running;
    }

    /// What it has printed on stderr since it began to listen.
    pub fn complaints(&self) -> Vec<String> {
        self.running.complaints.lock().clone()
    }
}

fn launch(program: &Path, listen: &str, flags: &[String]) -> (Running, SocketAddr) {
    let mut command = Command::new(program);
    command.args(["--listen", listen]).args(flags).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running::start(&mut command);
    let mut address = None;
    eventually(&format!("{} listens", program.display()), || {
        let ended = running.child.try_wait().unwrap();
        let mut said = running.complaints.lock();
        assert!(ended.is_none(), "{} ended: {said:?}", program.display());
        let greeting = said.iter().position(|line| line.starts_with("listening on "));
        address = greeting.map(|greeting| said.remove(greeting));
        address.is_some()
    });
    let address = address.unwrap();
    let address = address.trim_start_matches("listening on ").trim_start_matches("http://");
    (running, address.parse().unwrap())
}
