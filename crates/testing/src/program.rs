//! A program with a page. It runs as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

/// A running program. It is killed when this is dropped.
pub struct Program {
    program: PathBuf,
    flags: Vec<String>,
    child: Child,
    address: SocketAddr,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// Starts it on a free port.
    pub fn start(program: impl Into<PathBuf>, flags: &[&str]) -> Self {
        let program = program.into();
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>();
        let (child, address, complaints) = launch(&program, "127.0.0.1:0", &flags);
        Self { program, flags, child, address, complaints }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Stops the process (SIGSTOP). Its sockets stay open, and it says nothing.
    pub fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    pub fn thaw(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// Ends it at once (SIGKILL). The system closes its sockets.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) {
        self.kill();
        let (child, address, complaints) = launch(&self.program, &self.address.to_string(), &self.flags);
        assert_eq!(address, self.address);
        (self.child, self.complaints) = (child, complaints);
    }

    /// What it has printed on stderr since it began to listen.
    pub fn complaints(&self) -> Vec<String> {
        lock(&self.complaints).clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process too.
        self.kill();
        if thread::panicking() {
            println!("{} said on stderr:\n{}", self.program.display(), self.complaints().join("\n"));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn launch(program: &Path, listen: &str, flags: &[String]) -> (Child, SocketAddr, Arc<Mutex<Vec<String>>>) {
    let mut command = Command::new(program);
    command.args(["--listen", listen]).args(flags);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&complaints);
    thread::spawn(move || lines.map_while(Result::ok).for_each(|line| lock(&collected).push(line)));
    let prefix = "listening on ";
    let name = program.display();
    eventually(&format!("{name} listens"), || {
        let ended = child.try_wait().unwrap();
        let said = lock(&complaints);
        assert!(ended.is_none(), "{name} ended: {said:?}");
        said.iter().any(|line| line.starts_with(prefix))
    });
    let mut said = lock(&complaints);
    let greeting = said.iter().position(|line| line.starts_with(prefix)).unwrap();
    let greeting = said.remove(greeting);
    drop(said);
    let address = greeting.trim_start_matches(prefix).trim_start_matches("http://").parse().unwrap();
    (child, address, complaints)
}
